"""Ours, as it is deployed: validated, recorded, told to Prometheus, with request ids."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from scripts.bench.servers import Server
from scripts.bench.world import World

from .peer import MODEL, free_port, instances, running, wait_until_answered

NAME = "mlp"
DIRECT, GATEWAY = "ours", "ours, through the gateway"
FUNCTION, ALONE = "ours, as a function", "ours, as a function that is not batchable"

_FUNCTIONS = """
def scores(rows):
    with torch.no_grad():
        return model(rows)

def centred(rows):
    with torch.no_grad():
        return model(rows) + rows.mean()
"""


@contextlib.contextmanager
def deployed(here: World) -> Iterator[dict[str, Server]]:
    """Deploy the peers' model: the release itself, and at the gateway."""
    here.run(f"{MODEL}\nrows = np.random.default_rng(7).standard_normal((5, 30)).astype(np.float32)")
    gateway = _deploy(here, "model", NAME)
    home = Path(here.environment["NBDEPLOY_HOME"])
    with direct_of(here, NAME) as direct:
        yield {DIRECT: direct, GATEWAY: Server(f"{gateway}/predict", home, supervisor=supervisor_of(here, NAME))}


@contextlib.contextmanager
def functions(here: World) -> Iterator[dict[str, Server]]:
    """Deploy functions around the peers' model, which ``deployed`` has made."""
    here.run(_FUNCTIONS)
    _deploy(here, "scores", "scores")
    _deploy(here, "centred", "centred")
    with direct_of(here, "scores") as function, direct_of(here, "centred") as alone:
        yield {FUNCTION: function, ALONE: alone}


def _deploy(here: World, model: str, name: str) -> str:
    here.run(f"found = jupyter_deploy.deploy({model}, name={name!r}, example=torch.from_numpy(rows))")
    url: str = here.run("", "found.url")
    return url


@contextlib.contextmanager
def direct_of(here: World, name: str) -> Iterator[Server]:
    """A release on a port: it listens on a unix socket, where wrk cannot ask.

    So the very command that the target runs is run once more, with records of its own; the two are not asked at the
    same time.
    """
    plan = _plan(here, name)
    command, variables = plan["command"], plan["environment"]
    del command[command.index("--uds") :]
    port, folder = free_port(), here.folder / "direct" / name
    (folder / "records").mkdir(parents=True, mode=0o700)
    variables |= {"NBDEPLOY_RECORDS": str(folder / "records"), "PORT": str(port)}
    with running(command, folder, variables) as alive:
        direct = f"http://127.0.0.1:{port}/predict"
        wait_until_answered(direct, instances([[0.0] * 30]), alive)
        yield Server(direct, folder)


def supervisor_of(here: World, name: str) -> psutil.Process:
    """The supervisor of a release's process."""
    (supervisor,) = (one for one in _worker(here, name).parents() if "supervisor.supervisord" in one.cmdline())
    return supervisor


def _worker(here: World, name: str) -> psutil.Process:
    """The process of a release; a zygote has forked it, so its environment is not the process's first one."""
    command = _plan(here, name)["command"]
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.cmdline()[-len(command) :] == command:
                return process
    raise RuntimeError(f"no release of {name} runs")


def _plan(here: World, name: str) -> dict[str, Any]:
    """The supervisor's plan of a release's process."""
    records = f"{here.environment['NBDEPLOY_HOME']}/records/{name}/"
    runtime = json.loads(Path(here.environment["NBDEPLOY_HOME"], "gateway.json").read_text())["runtime"]
    for path in Path(runtime, "programs").glob("*@0.json"):
        plan: dict[str, Any] = json.loads(path.read_text())
        if plan["environment"].get("NBDEPLOY_RECORDS", "").startswith(records):
            return plan
    raise RuntimeError(f"no release of {name} was started")
