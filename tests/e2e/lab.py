"""A real Jupyter server, for JupyterLab and Notebook 7, and the browser that looks at it."""

import contextlib
import json
import shutil
import signal
import subprocess

import httpx
from jupyter_server.auth import passwd

from tests.conftest import free_port
from tests.e2e.conftest import until
from tests.e2e.processes import end_jupyter

CHROMIUM = "/usr/bin/chromium-headless-shell"
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
# At its start it runs R and npm, and asks each for language servers.
WITHOUT_LSP = {"ServerApp": {"jpserver_extensions": {"jupyter_lsp": False}}}


def launch(playwright):
    """Chromium without its windows, which takes half of the processor seconds of the whole program for one page."""
    return playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)


class Lab:
    """A JupyterLab that can be killed and started again, on the same port; with ``password``, people log in by that."""

    def __init__(self, home, folder, password=""):
        self.home, self.folder, self.password = home, folder, password
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = None

    def start(self):
        log_in = [f"--IdentityProvider.token={TOKEN}"]
        if self.password:
            hashed = passwd(self.password, algorithm="sha256")  # quicker than what it does for people
            log_in = ["--IdentityProvider.token=", f"--PasswordIdentityProvider.hashed_password={hashed}"]
        command = [
            self.home.python, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1",
            f"--ServerApp.port={self.port}", "--ServerApp.port_retries=0", *log_in,
            "--LabApp.expose_app_in_browser=True", "--LabApp.extension_manager=readonly",
            f"--LabApp.workspaces_dir={self.home.path / 'workspaces'}",
            f"--LabApp.user_settings_dir={self.home.path / 'settings'}",
            f"--ServerApp.root_dir={self.folder}",
        ]  # fmt: skip
        environment = self.home.environment | {"JUPYTER_CONFIG_DIR": str(self.home.path / "jupyter")}
        with (self.home.path / "lab.log").open("a") as log:
            self.process = subprocess.Popen(
                command, cwd=self.folder, env=environment, stdout=log, stderr=subprocess.STDOUT
            )
        until(lambda: _answers(f"{self.url}/api"), timeout=180)

    def stop(self, how=signal.SIGTERM):
        end_jupyter(self.process, how)


@contextlib.contextmanager
def started(home, *files, password=""):
    """A `Lab` in a folder that holds copies of these files."""
    folder = home.path / "lab"
    folder.mkdir()
    for file in files:
        shutil.copy(file, folder)
    quiet = home.path / "settings" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    quiet.parent.mkdir(parents=True)
    quiet.write_text('{"fetchNews": "false"}')  # its question covers what a person would click
    # Next to a configuration that the caller wrote.
    configuration = home.path / "jupyter" / "jupyter_server_config.d"
    configuration.mkdir(parents=True, exist_ok=True)
    (configuration / "without-lsp.json").write_text(json.dumps(WITHOUT_LSP))
    lab = Lab(home, folder, password)
    try:
        lab.start()
        yield lab
    finally:
        lab.stop()


@contextlib.contextmanager
def jupyter(home, *files):
    """A server in a folder that holds copies of these files; its URL."""
    with started(home, *files) as lab:
        yield lab.url


def _answers(url):
    try:
        return httpx.get(url, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
