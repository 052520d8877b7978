"""Notebooks in R, in the style of its own examples, on its own data and ggplot2's, deployed with the mouse."""

import re
from pathlib import Path

import httpx
import nbformat
import pytest
from playwright.sync_api import expect

from tests.e2e.lab import started
from tests.e2e.person import until_deployed

pytestmark = [pytest.mark.exhaustive, pytest.mark.timeout(300)]

FOLDER = Path(__file__).parents[1] / "tutorials"
TUTORIALS = {  # the model, a row, and the kernel's answer to it
    "r-mtcars": ("fit", {"wt": 2.62, "hp": 110, "cyl": "6", "am": "manual"}, "predict(fit, row)"),
    "r-iris": ("classify", {"Petal.Length": 1.4, "Sepal.Width": 3.5}, "classify(row)"),
    "r-airquality": (
        "fit",
        {"Solar.R": 190, "Wind": 7.4, "Temp": 67, "Month": "May"},
        "predict(fit, row, type = 'response')",
    ),
    "r-toothgrowth": ("curved", {"supp": "OJ", "dose": 0.5}, "predict(curved, row)"),
    "r-chickweight": ("growth", {"Time": 7}, "predict(growth, row)"),
    "r-diamonds": (
        "prices",
        {"carat": 0.23, "cut": "Ideal", "color": "E", "clarity": "SI2"},
        "predict(prices, row)",
    ),
}
RUN_ALL = "window.jupyterapp.commands.execute('notebook:run-all-cells').then(() => null)"


@pytest.fixture(scope="module")
def lab(shared_home):
    with started(shared_home, *(FOLDER / f"{name}.ipynb" for name in TUTORIALS)) as server:
        yield server


@pytest.mark.parametrize("name", TUTORIALS)
def test_a_tutorial_in_r_is_deployed_with_the_mouse_and_answers_as_its_kernel(person, lab, name):
    model, row, answer = TUTORIALS[name]
    person.opens(f"{name}.ipynb")
    person.page.evaluate(RUN_ALL)
    person.toolbar_button.click()
    expect(person.dialog.get_by_role("radio", name=re.compile(f"^{model}"))).to_be_checked(timeout=60_000)
    expect(person.ready).to_be_enabled(timeout=60_000)
    person.has_nothing_serious(f"{name}-dialog")
    person.ready.click()
    until_deployed(person, name).click()
    expect(person.sidebar.get_by_text("stable 100 %").first).to_be_visible(timeout=60_000)
    person.has_nothing_serious(name)
    url = person.home.json("describe", name)["url"]
    answered = httpx.post(f"{url}/predict", json={"instances": [row]}, trust_env=False, timeout=60)
    assert answered.status_code == httpx.codes.OK, answered.text
    (prediction,) = answered.json()["predictions"]
    values = ", ".join(f"{key} = {value!r}" for key, value in row.items())
    # Within a function, so that the kernel keeps nothing of it.
    (told,) = re.findall(
        '"([^"]*)"', person.executes(f"(function(row) format({answer}, digits = 12))(data.frame({values}))")
    )
    assert told.strip() == (
        prediction if isinstance(prediction, str) else f"{prediction:.{len(told.partition('.')[2])}f}"
    )
    assert person.errors == []
    kept, original = (nbformat.read(folder / f"{name}.ipynb", 4) for folder in (lab.folder, FOLDER))
    assert [cell.source for cell in kept.cells] == [cell.source for cell in original.cells]
