"""A Jupyter server at its start restores the processes that a hub stopped together with the last one."""

import contextlib
import json
import shutil
import subprocess
import sys

import psutil
import pytest

from tests.conftest import make_home
from tests.e2e.conftest import until
from tests.e2e.jupyter import jupyter_server
from tests.e2e.processes import processes


def test_endpoints_come_back_with_the_server_after_a_hub_has_stopped_everything(home, deploy):
    deploy()
    runtime = json.loads((home.path / "nbdeploy" / "gateway.json").read_text())["runtime"]
    while processes(home):  # a container stops: no process is left, nor its temporary files
        for process in processes(home):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
    shutil.rmtree(runtime)

    with jupyter_server(home) as server:
        until(lambda: any("brought back churn:" in line for line in list(server.lines)), timeout=180)
        assert home.json("predict", "churn")["status"] == 200
        server.kill()  # a spawner that kills the group reaches no release
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
from jupyter_deploy.faces.server import extension
started = []
real = subprocess.run
subprocess.run = lambda *a, **k: started.append(real(*a, **k)) or started[-1]
extension._load_jupyter_server_extension(types.SimpleNamespace(
    log=types.SimpleNamespace(warning=print, info=print), root_dir="/",
    contents_manager=types.SimpleNamespace(root_dir="/"),
    web_app=types.SimpleNamespace(settings={"base_url": "/"}, add_handlers=lambda *_: None),
))
[t.join() for t in threading.enumerate() if t.name == "nbdeploy-reconcile"]
assert "pydantic" not in sys.modules and "jupyter_deploy.wiring" not in sys.modules
print(len(started), *(f"{ended.returncode} {ended.stdout}{ended.stderr}" for ended in started))
"""
    ended = subprocess.run(
        [sys.executable, "-c", script], env=home.environment, cwd=home.path, capture_output=True, text=True, check=True
    )
    assert ended.stdout.split() == (["1", "0"] if why == "it is not wanted" else ["0"])
    assert not (home.path / "nbdeploy" / "state.sqlite").exists()
