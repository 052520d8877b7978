"""A Jupyter server as a hub starts one: below a user's prefix, with the configuration that the wheel brings."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.e2e.conftest import until
from tests.e2e.processes import end_jupyter

CONFIGURATION = Path(__file__).parents[2] / "jupyter-config" / "server-config"
TOKEN = "of-this-test"


@dataclass
class JupyterServer:
    """``lines``: its log so far."""

    process: subprocess.Popen
    url: str
    lines: list = field(default_factory=list)

    @property
    def pid(self):
        return self.process.pid

    def client(self, **options):
        """A client below ``/nbdeploy/`` that has the token."""
        headers = {"Authorization": f"token {TOKEN}"}
        return httpx.Client(base_url=f"{self.url}nbdeploy/", headers=headers, trust_env=False, timeout=60, **options)

    def kill(self):
        """As a spawner does that waits no longer."""
        os.killpg(self.pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def jupyter_server(home, *options, python=()):
    """A server for this block; it ends with it."""
    configuration = home.path / "jupyter"
    shutil.copytree(CONFIGURATION, configuration / "jupyter_server_config.d", dirs_exist_ok=True)
    others = dict.fromkeys(
        ("jupyterlab", "notebook", "notebook_shim", "jupyter_lsp", "jupyter_server_terminals"), False
    )
    only_ours = {"ServerApp": {"jpserver_extensions": others}}
    (configuration / "jupyter_server_config.json").write_text(json.dumps(only_ours))
    process = subprocess.Popen(
        [sys.executable, *python, "-m", "jupyter_server", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1",
         "--ServerApp.port=0", "--ServerApp.base_url=/user/ada/", f"--ServerApp.root_dir={home.path}", *options],
        env=home.environment | {"JUPYTER_CONFIG_DIR": str(configuration), "JUPYTER_TOKEN": TOKEN},
        cwd=home.path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    lines = []
    reader = threading.Thread(target=lambda: [lines.append(line) for line in process.stderr], daemon=True)
    reader.start()
    try:
        found = until(lambda: re.search(r"http://127\.0\.0\.1:\d+/user/ada/", "".join(list(lines))), timeout=180)
        until(lambda: _answers(found[0]), timeout=180)  # it says so before it listens
        yield JupyterServer(process, found[0], lines)
    finally:
        end_jupyter(process)
        reader.join(10)


def _answers(url):
    try:
        return httpx.get(f"{url}api", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def events(lines):
    """The events of a stream, as (event, id, data)."""
    found = {}
    for line in lines:
        if not line and "data" in found:
            yield found["event"], int(found["id"]), json.loads(found["data"])
            found = {}
        elif line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            found[name] = value


def problem_in(answer, status):
    """The problem that an answer is."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found = answer.json()
    assert found["status"] == status
    assert found["title"]
    assert "Traceback" not in answer.text
    return found
