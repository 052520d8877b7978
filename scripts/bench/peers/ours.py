"""Ours, as it is deployed: validated, recorded, told to Prometheus, with request ids."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import psutil

from scripts.bench.servers import Server
from scripts.bench.world import World

from .peer import MODEL, free_port, instances, running, wait_until_answered

NAME = "mlp"
DIRECT, GATEWAY = "ours", "ours, through the gateway"


@contextlib.contextmanager
def deployed(here: World) -> Iterator[dict[str, Server]]:
    """Deploy the peers' model: the release itself, and at the gateway.

    The release listens on a unix socket, where wrk cannot ask. So the very command that the target runs is run once
    more, on a port and with records of its own; the two are not asked at the same time.
    """
    here.run(f"{MODEL}\nrows = np.random.default_rng(7).standard_normal((5, 30)).astype(np.float32)")
    here.run(f"found = jupyter_deploy.deploy(model, name={NAME!r}, example=torch.from_numpy(rows))")
    gateway: str = here.run("", "found.url")
    worker = _worker(here)
    command, variables = worker.cmdline(), worker.environ()
    at, port = command.index("--uds"), free_port()
    command[at : at + 2] = ["--host", "127.0.0.1", "--port", str(port)]
    folder = here.folder / "direct"
    folder.mkdir()
    (folder / "records").mkdir(mode=0o700)
    home = Path(here.environment["NBDEPLOY_HOME"])
    with running(command, folder, variables | {"NBDEPLOY_RECORDS": str(folder / "records")}) as alive:
        direct = f"http://127.0.0.1:{port}/predict"
        wait_until_answered(direct, instances([[0.0] * 30]), alive)
        yield {DIRECT: Server(direct, folder), GATEWAY: Server(f"{gateway}/predict", home, supervisor=worker.parent())}


def _worker(here: World) -> psutil.Process:
    home = here.environment["NBDEPLOY_HOME"]
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if "--uds" in process.cmdline() and process.environ().get("NBDEPLOY_RECORDS", "").startswith(home):
                return process
    raise RuntimeError(f"no release runs in {home}")
