"""The quickstart as a person runs it: opened in a real JupyterLab, in a real browser, "Run All"."""

import os
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.e2e.lab import CHROMIUM, FLAGS, KERNEL_READY, TOKEN, jupyter

QUICKSTART = Path(__file__).parents[2] / "notebooks" / "quickstart.ipynb"


def test_the_quickstart_runs_in_jupyterlab_and_its_endpoint_outlives_it(home):
    with jupyter(home, QUICKSTART) as lab, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1400, "height": 1120})
        page.goto(f"{lab}/lab/tree/quickstart.ipynb?token={TOKEN}")
        # "Run All" before the kernel answers silently does nothing.
        page.wait_for_function("window.jupyterapp")
        page.evaluate(KERNEL_READY)
        page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")
        cells = "window.jupyterapp.shell.currentWidget.content.widgets.filter(w => w.model.type === 'code')"
        page.wait_for_function(
            f"""() => {{
                const cells = window.jupyterapp.shell.currentWidget ? {cells} : [];
                const failed = cells.some(w => w.model.outputs?.toJSON().some(o => o.output_type === 'error'));
                return failed || cells.length && cells.every(w => w.model.executionCount);
            }}""",
            timeout=180_000,
        )
        outputs = page.evaluate(f"{cells}.flatMap(w => w.model.outputs.toJSON())")
        errors = [output for output in outputs if output["output_type"] == "error"]
        assert errors == []
        # The chart is drawn by JupyterLab itself from the Vega-Lite specification.
        page.evaluate(f"{cells}.find(w => w.model.sharedModel.source.includes('deploy_compare')).node.scrollIntoView()")
        page.wait_for_selector(".vega-embed canvas, .vega-embed svg", timeout=30_000)
        if shots := os.environ.get("NBDEPLOY_SCREENSHOTS"):
            page.wait_for_timeout(1000)  # the chart is drawn
            page.screenshot(path=f"{shots}/quickstart-comparison.png")
        browser.close()
    described = home.json("describe", "tumour")
    assert described["revision"] == 5
    assert described["releases"][0]["source"]["notebook"].endswith("/lab/quickstart.ipynb")
    assert home.json("predict", "tumour")["status"] == 200
