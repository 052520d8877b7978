"""An expired log-in, a dead kernel, hostile data and names: in a real JupyterLab with a password.

The tests tell one story, in order: the endpoint is ``echo``, whose model returns the beginnings of texts.
"""

import hashlib
import json
import os
import re
import signal

import httpx
import nbformat
import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import until
from tests.e2e.lab import started
from tests.e2e.person import VIEWPORT, Person, until_deployed
from tests.notebooks import kernelspec, write

pytestmark = [pytest.mark.timeout(600), pytest.mark.exhaustive]

PASSWORD = "correct horse"
ECHO = """
import pandas as pd
class Echo:
    def predict(self, X):
        return [str(text)[:60] for text in X['text']]
X = pd.DataFrame({'text': ['good', 'bad', 'so so'], 'number': [1.5, None, 3.0]})
"""
MAKE = "echo = Echo()"
WAITS = "import os, time\nwhile not os.path.exists('go'): time.sleep(0.05)"
# 1/4 has a root, 1/0 is infinite, and the root of 1/-1 is no number: nan, or what the model has in its place.
ROOTS = """
import numpy as np, pandas as pd
class Roots:
    def __init__(self, of_none):
        self.of_none = of_none
    def predict(self, X):
        with np.errstate(all='ignore'):
            found = np.sqrt(1 / X['x'].to_numpy(dtype=float))
        return np.where(np.isnan(found), self.of_none, found)
R = pd.DataFrame({'x': [4.0, 0.0, -1.0]})
"""
# Ends at once where a file says so.
FRAIL = """
import os, sys
if os.path.exists('broken'): sys.exit(1)
from ipykernel.kernelapp import launch_new_instance
launch_new_instance()
"""
SCRIPT = "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>"
MEBIBYTES = 10
ENDED = "Your session on the Jupyter server has expired"


@pytest.fixture(scope="module")
def lab(shared_home, tmp_path_factory):
    folder = tmp_path_factory.mktemp("notebooks")
    data = shared_home.path / "jupyter-data"
    shared_home.environment["JUPYTER_PATH"] = str(data)
    frail = write(folder / "frail.ipynb", "1 + 1", kernel=kernelspec(data, "frail", FRAIL))
    notebooks = [write(folder / name, ECHO, MAKE, WAITS) for name in ("echo.ipynb", "before.ipynb")]
    with started(shared_home, *notebooks, frail, password=PASSWORD) as server:
        yield server


@pytest.fixture
def person(browser, lab, shared_home, request):
    """Who has logged in, before a page of their own."""
    context = browser.new_context(viewport=VIEWPORT)
    context.set_default_timeout(90_000)
    workspace = re.sub(r"\W+", "-", request.node.name)  # what others have opened is not opened again
    made = Person(context.new_page(), lab.url, shared_home, workspace, token="")
    made.page.goto(f"{lab.url}/login")
    made.logs_in(PASSWORD)
    yield made
    context.close()


def logs_in_elsewhere(person, link):
    """By a link that leads to the log-in, in another tab; then this one is in front again."""
    with person.page.context.expect_page() as opened:
        link.click()
    person.logs_in(PASSWORD, opened.value)
    opened.value.close()


def test_an_expired_log_in_is_reported_loses_nothing_and_continues_after_the_next(person, lab):
    person.opens("echo.ipynb")
    person.runs(0, 1)
    person.looks_after()
    expect(person.sidebar.get_by_text("Nothing is deployed yet")).to_be_visible(timeout=60_000)
    person.toolbar_button.click()
    expect(person.ready).to_be_enabled(timeout=60_000)
    person.dialog.locator("summary", has_text="More").click()
    reason = person.dialog.get_by_label("Reason", exact=True)
    reason.fill("a model of Monday")
    person.page.context.clear_cookies()
    expect(person.sidebar.get_by_role("alert").filter(has_text=ENDED)).to_be_visible(timeout=60_000)
    person.ready.click()
    refused = person.dialog.get_by_role("alert").filter(has_text=ENDED)
    expect(refused).to_contain_text("Log in again in another tab", timeout=60_000)
    person.has_nothing_serious_as_it_is("logged-out-light")
    logs_in_elsewhere(person, refused.get_by_role("link", name="Log in…"))
    expect(person.sidebar.get_by_role("alert").filter(has_text=ENDED)).to_be_hidden(timeout=60_000)
    assert reason.input_value() == "a model of Monday"
    expect(person.ready).to_be_enabled(timeout=60_000)
    person.ready.click()
    expect(person.dialog.get_by_text("Building the bento").first).to_be_visible(timeout=120_000)

    # And once more while the job runs, in the dark; the server, started anew, knows nobody.
    person.changes_to("Dark")
    person.page.context.clear_cookies()
    lab.stop(signal.SIGKILL)
    lab.start()
    ended = person.dialog.get_by_role("status").filter(has_text=ENDED)
    expect(ended).to_contain_text("The job continues meanwhile.", timeout=60_000)
    assert person.dialog.get_by_text("The server does not answer").count() == 0
    person.has_nothing_serious_as_it_is("logged-out-dark")
    logs_in_elsewhere(person, person.dialog.get_by_role("link", name="Log in…"))
    until_deployed(person, "echo")
    expect(ended).to_be_hidden()
    assert "a model of Monday" in json.dumps(person.home.json("history", "echo"))


def test_a_kernel_that_died_is_replaced_from_the_dialog(person, lab):
    nothing = person.dialog.get_by_text("The kernel holds no model yet.")
    person.opens("frail.ipynb")
    first = person.executes("__import__('os').getpid()")
    person.toolbar_button.click()
    expect(nothing).to_be_visible(timeout=60_000)
    broken = lab.folder / "broken"
    broken.touch()  # Jupyter itself tries five times, some seconds apart
    os.kill(int(first), signal.SIGKILL)
    died = person.dialog.get_by_text("The kernel has died, and its variables are lost.")
    expect(died).to_be_visible(timeout=180_000)
    expect(person.ready).to_have_attribute("aria-disabled", "true")
    broken.unlink()
    person.dialog.get_by_role("button", name="Restart the kernel").click()
    expect(nothing).to_be_visible(timeout=120_000)
    expect(died).to_be_hidden()
    assert person.executes("__import__('os').getpid()") != first


def test_records_of_any_text_are_shown_as_text_and_come_back_exactly_as_a_cell(person):
    url = person.home.json("describe", "echo")["url"]
    row = "long " + "x" * (MEBIBYTES * 1024**2)
    # What the list is searched for, the text, and how it is shown: as JSON writes it.
    texts = {
        "window.hacked": (SCRIPT, SCRIPT),
        "unicorn": ("🦄 unicorn \u202etxet", "🦄 unicorn"),
        "quoted": ('"quoted"\n\t\\ </pre>', r"\"quoted\"\n\t\\ </pre>"),
        "NaN": ("NaN", '"NaN"'),
        "long": (row, "long " + "x" * 1000),
    }
    with httpx.Client(trust_env=False, timeout=120) as client:
        for text, _ in texts.values():
            body = {"instances": [{"text": text, "number": None}]}
            client.post(f"{url}/predict", json=body).raise_for_status()
    person.opens("echo.ipynb")
    person.looks_after("echo", "records")
    search = person.sidebar.get_by_role("searchbox", name="Text in input, output or error")
    opened = person.sidebar.get_by_role("region", name=re.compile("^Record "))
    for part, (text, shown) in texts.items():
        search.fill(part)
        row_of_it = person.sidebar.locator(".nbd-Record").filter(has_text=part).first
        expect(row_of_it).to_be_visible(timeout=60_000)
        row_of_it.click()
        expect(opened.get_by_label("Input", exact=True)).to_contain_text(shown, timeout=60_000)
        cut = opened.get_by_text('Truncated: "Copy as cell" loads the whole value.')
        expect(cut).to_have_count(1 if text is row else 0)
        assert len(opened.inner_text()) < 100_000
        opened.get_by_role("button", name="Copy as cell").click()
        expect(opened.get_by_text("A cell that loads the record was inserted")).to_be_visible()
        person.runs(person.page.evaluate("window.jupyterapp.shell.currentWidget.content.activeCellIndex"))
        digest = hashlib.sha256(text.encode()).hexdigest()
        of_it = "__import__('hashlib').sha256(X['text'][0].encode()).hexdigest()"
        same = f"len(X) == 1 and {of_it} == '{digest}' and bool(X['number'].isna().all())"
        assert person.executes(same) == "True", part
        opened.get_by_role("button", name="Back to the records").click()
    body = {"instances": [{"text": 7}, SCRIPT]}
    assert httpx.post(f"{url}/predict", json=body, trust_env=False, timeout=120).status_code == 422
    search.fill("")
    person.sidebar.get_by_role("combobox", name="Status").select_option("422")
    refused = person.sidebar.locator(".nbd-Record").filter(has_text="422").first
    expect(refused).to_be_visible(timeout=60_000)
    refused.click()
    expect(opened).to_contain_text("text", timeout=60_000)
    assert person.page.evaluate("window.hacked") is None
    assert person.sidebar.locator("script, img[src=x]").count() == 0
    assert person.errors == []


def test_an_answer_that_is_no_number_is_null_in_records_try_it_and_compare_as_clients_get_it(person):
    person.opens("echo.ipynb")
    person.executes(f"%load_ext jupyter_deploy\n{ROOTS}")
    for of_none in ("np.nan", "0.0"):
        person.executes(f"roots = Roots({of_none})\n%deploy roots --name roots --example R")
    described = person.home.json("describe", "roots")
    assert [release["role"] for release in described["releases"]] == ["stable", "shadow"]
    asked = {"instances": [{"x": x} for x in (-1.0, 0.0, 4.0)]}
    answer = httpx.post(f"{described['url']}/predict", json=asked, trust_env=False, timeout=120)
    assert json.loads(answer.text)["predictions"] == [None, None, 0.5]
    until(lambda: person.home.json("compare", "roots")["pairs"] == 1)

    person.looks_after("roots", "records")
    of_shadow = person.sidebar.locator(".nbd-Record").filter(has_text='{"x":-1.0} → 0.0')
    expect(of_shadow.first).to_be_visible(timeout=60_000)
    person.sidebar.locator(".nbd-Record").filter(has_text='{"x":-1.0} → null').first.click()
    outputs = person.sidebar.get_by_role("region", name=re.compile("^Record ")).get_by_label("Output", exact=True)
    expect(outputs).to_have_text(["[\n  null,\n  null,\n  0.5\n]", "[\n  0.0,\n  null,\n  0.5\n]"], timeout=60_000)

    person.sidebar.get_by_role("tab", name="Try it").click()
    person.sidebar.get_by_label("x", exact=True).fill("-1")
    person.sidebar.get_by_role("button", name="Send", exact=True).click()
    tried = person.sidebar.locator("pre[aria-label='Answer']")
    expect(tried).to_have_text(re.compile(r'"predictions": \[\s*null\s*\]'), timeout=60_000)

    person.sidebar.get_by_role("button", name="As JSON").click()
    assert person.sidebar.get_by_label("One instance, as JSON").bounding_box()["height"] > 60, "more than one line"

    person.sidebar.get_by_role("tab", name="Compare").click()
    flipped = person.sidebar.get_by_role("list", name="Flipped rows").get_by_role("listitem")
    expect(flipped.last).to_contain_text("x -1", timeout=60_000)
    expect(flipped.last.locator("dd")).to_have_text(re.compile(r"^null → candidate: ?0\.0"))
    person.has_nothing_serious("no-numbers")
    assert person.errors == []


def test_records_of_which_none_fits_say_how_to_see_all(person):
    person.opens("echo.ipynb")
    person.looks_after("echo", "records")
    search = person.sidebar.get_by_role("searchbox", name="Text in input, output or error")
    search.fill("nothing is like this")
    expect(person.sidebar.get_by_text("No record matches the filters.")).to_be_visible(timeout=60_000)
    person.sidebar.get_by_role("button", name="Show all").click()
    expect(person.sidebar.locator(".nbd-Record").first).to_be_visible(timeout=60_000)
    expect(search).to_have_value("")
    assert person.errors == []


def test_a_notebook_that_is_renamed_while_its_deploy_waits_is_saved_and_known_by_its_new_name(person, lab):
    path = lab.folder / "before.ipynb"
    document = nbformat.read(path, as_version=4)
    html = {"text/html": "<b onclick='window.hacked = 1'>of somebody else</b>"}
    document.cells[1].outputs = [nbformat.v4.new_output("display_data", data=html)]
    nbformat.write(document, path)
    person.opens("before.ipynb")
    person.page.evaluate(
        """() => {
            const {content} = window.jupyterapp.shell.currentWidget;
            content.widgets[0].model.sharedModel.setSource(content.widgets[0].model.sharedModel.source + '# typed');
        }"""
    )
    person.runs(0)
    person.executes(MAKE)
    person.page.evaluate(
        """() => {
            window.jupyterapp.shell.currentWidget.content.activeCellIndex = 2;
            void window.jupyterapp.commands.execute('notebook:run-cell');
        }"""
    )
    person.toolbar_button.click()
    expect(person.dialog.get_by_text("The notebook has unsaved changes")).to_be_visible(timeout=60_000)
    expect(person.dialog.get_by_text("The notebook is not trusted")).to_be_visible()
    expect(person.ready).to_be_enabled(timeout=60_000)
    person.dialog.get_by_label("Name", exact=True).fill("renamed")
    expect(person.ready).to_be_enabled(timeout=60_000)
    person.ready.click()
    expect(person.dialog.get_by_text("The kernel captures the model as soon as it is idle.")).to_be_visible(
        timeout=60_000
    )
    assert "# typed" in path.read_text()
    person.page.evaluate("window.jupyterapp.shell.currentWidget.context.rename('after.ipynb')")
    after = str(lab.folder / "after.ipynb")
    until(lambda: next(one["notebook"] for one in person.jobs()) == after)
    (lab.folder / "go").touch()
    until_deployed(person, "renamed")
    (release,) = person.home.json("describe", "renamed")["releases"]
    assert release["source"]["notebook"] == after
    assert person.page.evaluate("window.hacked") is None
    assert person.errors == []


def test_a_name_that_is_too_long_is_refused_and_the_longest_one_fits_everywhere(person):
    longest = "a-very-long-name-of-an-endpoint-" + "w" * 31
    person.home.run("deploy", person.home.json("describe", "echo")["traffic"]["stable"], "--name", longest)
    person.opens("echo.ipynb")
    person.runs(0, 1)
    person.looks_after()
    # The page is where a former test left it.
    person.sidebar.get_by_role("button", name="Back to all endpoints").click()
    expect(person.sidebar.get_by_role("option", name=re.compile(longest))).to_be_visible(timeout=60_000)
    person.has_nothing_serious("long-names")
    for section in ("releases", "history", "try"):
        person.looks_after(longest, section)
        expect(person.sidebar.get_by_role("heading", name=longest)).to_be_visible(timeout=60_000)
        person.has_nothing_serious(f"long-name-{section}")
    person.toolbar_button.click()
    expect(person.ready).to_be_enabled(timeout=60_000)
    person.dialog.get_by_label("Name", exact=True).fill(f"{longest}w")
    expect(person.dialog.get_by_text("names are 1 to 63 lower-case letters")).to_be_visible(timeout=60_000)
    expect(person.ready).to_have_attribute("aria-disabled", "true")
    assert person.errors == []
