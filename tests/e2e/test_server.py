"""A Jupyter server that starts brings back what a hub stopped together with the last one."""

import json
import os
import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import make_home
from tests.e2e.conftest import until
from tests.e2e.processes import processes, running

CONFIGURATION = Path(__file__).parents[2] / "jupyter-config" / "server-config"


@contextmanager
def jupyter_server(home):
    """A server below the prefix of a hub's user, with the configuration that the wheel brings; its lines so far."""
    configuration = home.path / "jupyter"
    shutil.copytree(CONFIGURATION, configuration / "jupyter_server_config.d")
    others = dict.fromkeys(
        ("jupyterlab", "notebook", "notebook_shim", "jupyter_lsp", "jupyter_server_terminals"), False
    )
    only_ours = {"ServerApp": {"jpserver_extensions": others}}
    (configuration / "jupyter_server_config.json").write_text(json.dumps(only_ours))
    server = subprocess.Popen(
        [sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1",
         "--ServerApp.port=0", "--ServerApp.base_url=/user/ada/", f"--ServerApp.root_dir={home.path}"],
        env=home.environment | {"JUPYTER_CONFIG_DIR": str(home.path / "jupyter"), "JUPYTER_TOKEN": "of-this-test"},
        cwd=home.path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    lines = []
    reader = threading.Thread(target=lambda: [lines.append(line) for line in server.stderr], daemon=True)
    reader.start()
    try:
        until(lambda: any("/user/ada/" in line for line in list(lines)))
        yield server, lines
    finally:
        server.terminate()
        server.wait(30)
        reader.join(10)


def test_endpoints_come_back_with_the_server_after_a_hub_has_stopped_everything(home, deploy):
    deploy()
    runtime = json.loads((home.path / "nbdeploy" / "gateway.json").read_text())["runtime"]
    for process in processes(home):  # a container stops: no process is left, nor its temporary files
        process.kill()
    shutil.rmtree(runtime)
    until(lambda: running(home) == [])

    with jupyter_server(home) as (server, lines):
        until(lambda: any("brought back churn:" in line for line in list(lines)))
        assert home.json("predict", "churn")["status"] == 200
        os.killpg(server.pid, 9)  # a spawner that kills the group reaches no release
        server.wait()
        assert home.json("predict", "churn")["status"] == 200


@pytest.mark.parametrize(
    "why", ["nothing was deployed", "it was stopped", "it is not wanted", "a file of the folder names another home"]
)
def test_the_server_starts_nothing_else(tmp_path, why):
    home = make_home(tmp_path / "home")
    if why.startswith("a file"):
        (home.path / "elsewhere").mkdir()
        (home.path / "elsewhere" / "gateway.json").write_text(json.dumps({"port": 1, "runtime": "/nowhere"}))
        (home.path / "nbdeploy.yaml").write_text("home: elsewhere\nreconcile_at_server_start: true\n")
    if why.startswith("it "):
        (home.path / "nbdeploy").mkdir()
        known = {"port": 1} if why == "it was stopped" else {"port": 1, "runtime": "/nowhere"}
        (home.path / "nbdeploy" / "gateway.json").write_text(json.dumps(known))
    home.environment["NBDEPLOY_RECONCILE_AT_SERVER_START"] = "false"
    script = """
import subprocess, sys, threading, types
from jupyter_deploy.faces import server
started = []
real = subprocess.run
subprocess.run = lambda *a, **k: started.append(real(*a, **k)) or started[-1]
server._load_jupyter_server_extension(types.SimpleNamespace(log=types.SimpleNamespace(warning=print, info=print)))
[t.join() for t in threading.enumerate() if t.name == "nbdeploy-reconcile"]
assert "pydantic" not in sys.modules and "jupyter_deploy.wiring" not in sys.modules
print(len(started), *(f"{ended.returncode} {ended.stdout}{ended.stderr}" for ended in started))
"""
    ended = subprocess.run(
        [sys.executable, "-c", script], env=home.environment, cwd=home.path, capture_output=True, text=True, check=True
    )
    assert ended.stdout.split() == (["1", "0"] if why == "it is not wanted" else ["0"])
    assert not (home.path / "nbdeploy" / "state.sqlite").exists()
