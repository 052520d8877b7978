"""Secrets are masked in everything that is stored and reported of a run, and other text stays readable."""

import json
from concurrent.futures import ThreadPoolExecutor

import nbformat
import pytest

from jupyter_deploy.validation.notebook_writer import Secrets, write
from jupyter_deploy.validation.runner import PapermillValidationRunner
from tests.contract.validation.test_validation_runner import SECRET, job
from tests.contract.validation.test_validation_runner import write as notebook

URL = f"http://127.0.0.1:40123/{SECRET}/01"
TOKEN = "ghp_" + "aB3dE5fG7h" * 3 + "iJ9kL1"
SHOW = """
import os
from IPython.display import display
url = os.environ["NBDEPLOY_MODEL_URL"]
def show(**document): display({"application/vnd.nbdeploy.metric+json": document, "text/plain": url}, raw=True)
"""
PARAMETERS = "#parameters\napi_password = 0\nauth = {}\npin_secret = 0\nlogin_password = ''\nrows = 1"
GIVEN = {
    "api_password": 98765432,
    "auth": {"user": "ada", "password": "not@ll words"},
    "pin_secret": 7,
    "login_password": "p\"ss'wörd\\x",
    "rows": 5,
}
NOTEBOOKS = {
    "measured": (
        (
            SHOW,
            "show(name='m', value=1, group={'u': url, url: 'v'})\nshow(name=f'of {url}', value=1)\n"
            f"show(kind='check', name=f'served {{url}}', passed=False, detail=1980 * 'x' + url + '{TOKEN}')\n"
            f"show(kind='check', name='key', passed=False, detail='{TOKEN}')",
        ),
        {},
    ),
    "problem": ((SHOW, "show(name='m', value=url)"), {}),
    "raises": ((SHOW, "raise ValueError(460 * 'x' + url)"), {}),
    "long": ((SHOW, "raise ValueError('x' * 40 + url + 'y' * 7985)"), {}),
    "given": ((PARAMETERS, "print(api_password, auth, login_password, rows)\n{'a': login_password}"), GIVEN),
}


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    folder, runner = tmp_path_factory.mktemp("secrets"), PapermillValidationRunner()
    jobs = [
        job(runner, notebook(folder / f"{name}.ipynb", *cells), given, variables={"NBDEPLOY_MODEL_URL": URL})
        for name, (cells, given) in NOTEBOOKS.items()
    ]
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(NOTEBOOKS, pool.map(lambda one: runner.run(one, lambda _: None), jobs), strict=True))


def has_part_of(text, secret, size=8):
    return any(secret[at : at + size] in text for at in range(len(secret) - size + 1))


@pytest.mark.parametrize("name", ["measured", "problem", "raises", "long"])
def test_a_models_address_is_stored_nowhere_not_even_in_part(ran, name):
    run = ran[name]
    told = repr((run.metrics, run.checks, run.error, run.detail))
    assert not has_part_of(told, SECRET)
    assert not has_part_of(run.executed.read_text(), SECRET)


def test_metrics_and_checks_are_reported_without_secrets(ran):
    run = ran["measured"]
    assert run.status == "done"
    assert [metric.name for metric in run.metrics] == ["m", "of http://127.0.0.1:40123/***/01"]
    assert run.metrics[0].group == {"u": "http://127.0.0.1:40123/***/01", "http://127.0.0.1:40123/***/01": "v"}
    assert len(run.checks[0].detail) <= 2000
    assert TOKEN not in repr(run.checks)
    assert "'value' is 'http://127.0.0.1:40123/***/01'" in ran["problem"].detail


def test_secret_parameters_of_any_kind_are_not_in_the_executed_notebook(ran):
    run = ran["given"]
    assert run.status == "done"
    text = run.executed.read_text()
    for secret in ("98765432", "ll words", "wörd", "w\\u00f6rd", "rd\\\\"):
        assert secret not in text
    document = nbformat.read(run.executed, as_version=4)
    assert document.metadata.papermill.parameters == {
        "api_password": "(hidden)",
        "auth": {"user": "ada", "password": "(hidden)"},
        "pin_secret": "(hidden)",
        "login_password": "(hidden)",
        "rows": 5,
    }
    injected = next(c.source for c in document.cells if "injected-parameters" in c.metadata.get("tags", ()))
    assert "rows = 5" in injected
    assert 'pin_secret = "***"' in injected
    assert "*** {'user': 'ada', 'password': '***'} *** 5" in document.cells[-1].outputs[0].text


def test_a_secret_that_is_a_word_of_the_format_leaves_a_notebook(tmp_path):
    words = ["metadata", "markdown", "parameters", "display_data", "cell_type", "language"]
    secrets = Secrets({f"DB{n}_PASSWORD": word for n, word in enumerate(words)}, addresses={})
    cells = [
        nbformat.v4.new_markdown_cell("in markdown"),
        nbformat.v4.new_code_cell("1", metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell("", outputs=[nbformat.v4.new_output("display_data", {"text/plain": "of metadata"})]),
    ]
    metadata = {"kernelspec": {"name": "python3", "display_name": "language", "language": "python"}}
    write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), tmp_path / "a.ipynb", secrets)
    document = nbformat.read(tmp_path / "a.ipynb", as_version=4)
    nbformat.validate(document)
    assert [cell.cell_type for cell in document.cells] == ["markdown", "code", "code"]
    assert document.cells[0].source == "in ***"
    assert document.cells[1].metadata.tags == ["parameters"]
    assert document.cells[2].outputs[0].data == {"text/plain": "of ***"}
    assert json.loads((tmp_path / "a.ipynb").read_text())["metadata"]["kernelspec"]["display_name"] == "language"
