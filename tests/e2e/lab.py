"""A real Jupyter server, for JupyterLab and Notebook 7, and the browser that looks at it."""

import shutil
import socket
import subprocess
import sys
from contextlib import contextmanager

import httpx

from tests.e2e.conftest import until

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
def jupyter(home, *files):
    """A server in a folder that holds copies of these files; its URL."""
    folder = home.path / "lab"
    folder.mkdir()
    for file in files:
        shutil.copy(file, folder)
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
