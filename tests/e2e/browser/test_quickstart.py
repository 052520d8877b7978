"""The quickstart as a person runs it: opened in a real JupyterLab, in a real browser, "Run All"."""

import json
import os
import sqlite3
from pathlib import Path

import httpx
import nbformat
import pytest

from jupyter_deploy.domain.charts import MIME
from tests import notebooks
from tests.e2e.conftest import until
from tests.e2e.lab import KERNEL_READY, TOKEN, jupyter

pytestmark = pytest.mark.timeout(600)  # whichever test is first waits for the whole notebook

QUICKSTART = Path(__file__).parents[3] / "notebooks" / "quickstart.ipynb"


CELLS = "window.jupyterapp.shell.currentWidget.content.widgets.filter(w => w.model.type === 'code')"
ENDED = f"""() => {{
    const cells = window.jupyterapp.shell.currentWidget ? {CELLS} : [];
    const failed = cells.some(w => w.model.outputs?.toJSON().some(o => o.output_type === 'error'));
    return failed || cells.length && cells.every(w => w.model.executionCount);
}}"""


@pytest.fixture(scope="module")
def executed(shared_home, browser):
    """The notebook as JupyterLab saved it; Lab has ended since."""
    with jupyter(shared_home, QUICKSTART) as lab:
        page = browser.new_page(viewport={"width": 1400, "height": 1120})
        page.goto(f"{lab}/lab/tree/quickstart.ipynb?token={TOKEN}")
        # "Run All" before the kernel answers silently does nothing.
        page.wait_for_function("window.jupyterapp")
        page.evaluate(KERNEL_READY)
        page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")
        page.wait_for_function(ENDED, timeout=180_000)
        outputs = page.evaluate(f"{CELLS}.flatMap(w => w.model.outputs.toJSON())")
        assert [output for output in outputs if output["output_type"] == "error"] == []
        # The chart is drawn by JupyterLab itself from the Vega-Lite specification.
        page.evaluate(f"{CELLS}.find(w => w.model.sharedModel.source.includes('deploy_compare')).node.scrollIntoView()")
        page.wait_for_selector(".vega-embed canvas, .vega-embed svg", timeout=60_000)
        _shoot(page)
        page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
        saved = shared_home.path / "lab" / "quickstart.ipynb"
        notebook = until(lambda: (found := _read(saved)) and len(_outputs(found)) == len(outputs) and found)
        page.close()
    return notebook


def _read(path):
    """A notebook; None while it is being written."""
    try:
        return nbformat.read(path, as_version=4)
    except (nbformat.reader.NotJSONError, ValueError):
        return None


def _outputs(notebook):
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def _shoot(page):
    """A picture of the comparison for ``scripts/screenshots.py``, if it runs the test."""
    if shots := os.environ.get("NBDEPLOY_SCREENSHOTS"):
        page.wait_for_timeout(400)
        page.screenshot(path=f"{shots}/quickstart-comparison.png")


def test_it_runs_from_notebook_to_promoted_and_rolled_back(executed, shared_home):
    shown = "\n".join(notebooks.texts(executed))
    assert "is stable behind http://127.0.0.1:" in shown
    assert "is shadow at 100 % behind" in shown
    assert "curl -s http://127.0.0.1:" in shown
    assert "228 requests answered" in shown
    described = shared_home.json("describe", "tumour")
    assert described["revision"] == 5
    assert described["releases"][0]["source"]["notebook"].endswith("/lab/quickstart.ipynb")
    assert shared_home.json("predict", "tumour")["status"] == 200
    assert [r["role"] for r in described["releases"]] == ["stable", "idle"]
    assert all(r["healthy"] for r in described["releases"])
    assert [finding for r in described["releases"] for finding in r["findings"]] == [], "no false alarm"


def test_the_comparison_pairs_every_request_and_shows_a_chart(executed, shared_home):
    comparison = shared_home.json("compare", "tumour", "--candidate", candidate(shared_home))
    assert comparison["mirrored"] == comparison["pairs"] == 228
    assert comparison["coverage"]["value"] == 1.0
    agreement = comparison["agreement"]
    assert agreement["interval"]["low"] < agreement["value"] < agreement["interval"]["high"]
    assert comparison["flip_count"] == round(228 * (1 - agreement["value"]))
    assert len(comparison["flips"][0]["input"]) == 30
    charts = [output.data[MIME] for output in _outputs(executed) if MIME in output.get("data", {})]
    assert len(charts) == 3
    assert charts[0]["hconcat"]
    assert [chart["title"]["text"] for chart in charts[1:]] == ["Agreement", "Latency"]


def test_what_is_required_of_the_comparison_decides_the_exit_code(executed, shared_home):
    ended = shared_home.run(
        "compare", "tumour", "--candidate", candidate(shared_home), "-o", "json",
        "--require", "agreement >= 50%", "--require", "pairs >= 1000", "--require", "error_rate_difference > 0.5",
        check=False,
    )  # fmt: skip
    assert ended.returncode == 1, ended.stderr
    outcomes = [requirement["outcome"] for requirement in json.loads(ended.stdout)["requirements"]]
    assert outcomes == ["met", "undecided", "not met"]


def candidate(home):
    return next(r["tag"] for r in home.json("describe", "tumour")["releases"] if r["role"] == "idle")


def test_the_history_has_author_change_and_reason(executed, shared_home):
    reasons = [revision["reason"] for revision in shared_home.json("history", "tumour")]
    assert reasons == [
        "only a rehearsal",
        "no complaints",
        "looks right in the shadow",
        "a network instead",
        "first model",
    ]


def test_the_snapshot_names_the_notebook_and_its_cells(executed, shared_home):
    described = shared_home.json("describe", "tumour")
    url = described["url"]
    metadata = httpx.get(f"{url}/metadata", trust_env=False).json()
    assert "quickstart.ipynb" in json.dumps(metadata)
    with sqlite3.connect(shared_home.path / "nbdeploy" / "state.sqlite") as db:
        documents = [json.loads(row[0]) for row in db.execute("SELECT document FROM snapshots")]
    db.close()
    cells = max((d["manifest"]["provenance"]["cells"] for d in documents), key=len)
    assert any("class Net(torch.nn.Module)" in cell for cell in cells)


def test_both_deploys_again_from_a_fresh_kernel_are_the_same_snapshots(executed, shared_home):
    """Trained anew: other objects, other memory addresses, another identity of the class in ``__main__``."""
    before = shared_home.json("describe", "tumour")
    source = nbformat.read(QUICKSTART, as_version=4)
    cells = [cell.source for cell in source.cells if cell.cell_type == "code"][:6]
    again = notebooks.write(shared_home.path / "lab" / "quickstart.ipynb", *cells)
    shown = notebooks.texts(notebooks.run(again, shared_home.environment))
    assert "unchanged: " in shown[2]
    after = shared_home.json("describe", "tumour")
    assert {r["tag"] for r in after["releases"]} == {r["tag"] for r in before["releases"]}
    assert [r["role"] for r in after["releases"]] == ["stable", "shadow"], "the idle network is a shadow again"
