"""The quickstart as a person runs it: opened in a real JupyterLab, in a real browser, "Run All"."""

import os
import shutil
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import httpx
from playwright.sync_api import sync_playwright

from tests.e2e.conftest import until

QUICKSTART = Path(__file__).parents[2] / "notebooks" / "quickstart.ipynb"
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
KERNEL_READY = """async () => {
    const pause = () => new Promise(resolve => setTimeout(resolve, 100));
    await window.jupyterapp.restored;
    while (!window.jupyterapp.commands.hasCommand('notebook:run-all-cells')) await pause();
    while (!window.jupyterapp.shell.currentWidget?.sessionContext) await pause();
    const context = window.jupyterapp.shell.currentWidget.sessionContext;
    await context.ready;
    while (!context.session?.kernel) await pause();
    await context.session.kernel.info;
}"""
TOKEN = "a-token-for-this-test"


@contextmanager
def jupyterlab(home):
    """A JupyterLab server in a folder that holds a copy of the quickstart; its URL."""
    folder = home.path / "lab"
    folder.mkdir()
    shutil.copy(QUICKSTART, folder)
    quiet = home.path / "settings" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    quiet.parent.mkdir(parents=True)
    quiet.write_text('{"fetchNews": "false"}')  # its question covers what a person would click
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={TOKEN}",
        "--LabApp.expose_app_in_browser=True", "--LabApp.extension_manager=readonly",
        f"--LabApp.workspaces_dir={home.path / 'workspaces'}", f"--LabApp.user_settings_dir={home.path / 'settings'}",
        f"--ServerApp.root_dir={folder}",
    ]  # fmt: skip
    environment = home.environment | {"JUPYTER_CONFIG_DIR": str(home.path / "jupyter")}
    log = (home.path / "lab.log").open("w")
    server = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
    url = f"http://127.0.0.1:{port}"
    try:
        until(lambda: _answers(f"{url}/api?token={TOKEN}"))
        yield url
    finally:
        server.terminate()
        server.wait(30)
        log.close()


def _answers(url):
    try:
        return httpx.get(url, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def test_the_quickstart_runs_in_jupyterlab_and_its_endpoint_outlives_it(home):
    with jupyterlab(home) as lab, sync_playwright() as playwright:
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
        shots = os.environ.get("NBDEPLOY_SCREENSHOTS")
        if shots:
            for number in range(page.evaluate(f"{cells}.length")):
                page.evaluate(f"{cells}[{number}].node.scrollIntoView()")
                page.wait_for_timeout(400)
                page.screenshot(path=f"{shots}/quickstart-{number:02d}.png")
        browser.close()
    described = home.json("describe", "tumour")
    assert described["revision"] == 5
    assert described["releases"][0]["source"]["notebook"].endswith("/lab/quickstart.ipynb")
    assert home.json("predict", "tumour")["status"] == 200
