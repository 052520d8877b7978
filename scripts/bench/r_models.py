"""A model of R, its translation, the same model of Python, and plumber by hand, asked in turns."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from .figures import Figure, median
from .peers.ours import supervisor_of
from .peers.peer import running, wait_until_answered
from .r_first_answers import r_first_answers
from .r_world import EXAMPLE, PYTHON_FIT, ROW, installed, named, plumber_port, plumber_start, run
from .servers import Server, in_turns
from .world import World, world

CLIENTS = 16
SUBJECT = f"serving a linear model of R, {CLIENTS} clients"
PLUMBER, R, R_ONNX, PYTHON_ONNX = "plumber by hand", "ours", "ours, translated", "ours, of Python, translated"

_DEPLOY = f"""library(nbdeploy, lib.loc = "library")
fit <- lm(mpg ~ wt + hp + cyl, mtcars)
deploy(fit, name = "r", example = {EXAMPLE})
deploy(fit, name = "r-onnx", example = {EXAMPLE}, engine = "onnx")
"""
_PYTHON = f"""{PYTHON_FIT}
jupyter_deploy.deploy(linear, name="python-onnx", example=cars[columns].astype(float)[:5], engine="onnx")
"""


def r_models(rounds: int = 8) -> Iterator[Figure]:
    """The time of a first deploy, then throughput and latency of one row each."""
    yield from r_first_answers()
    with world() as here, contextlib.ExitStack() as served:
        folder = here.folder / "session"
        variables = installed(here, folder)
        run(["Rscript", "--vanilla", "-e", _DEPLOY], folder, variables)
        here.run(_PYTHON)
        servers = {PLUMBER: served.enter_context(_by_hand(folder))}
        for shown, name in ((R, "r"), (R_ONNX, "r-onnx"), (PYTHON_ONNX, "python-onnx")):
            servers[shown] = _ours(here, name)
        found = in_turns(servers, ROW, rounds=rounds, clients=CLIENTS)
    for name, one in found.items():
        yield Figure(SUBJECT, name, one.rate, "a second", note=one.note)
    ours, theirs = found[R], found[PLUMBER]
    slowest = median([one.p99_ms / two.p99_ms for one, two in zip(ours.loads, theirs.loads, strict=True)])
    yield Figure(SUBJECT, f"ours / {PLUMBER}", ours.times(theirs), "×", least=5)
    yield Figure(SUBJECT, f"p99: ours / {PLUMBER}", slowest, "×", most=1 / 3)
    yield Figure(SUBJECT, f"{R_ONNX} / {PYTHON_ONNX}", found[R_ONNX].times(found[PYTHON_ONNX]), "×", least=0.9)
    failed = sum(one.failed for name, one in found.items() if name != PLUMBER)
    yield Figure(SUBJECT, "failed requests of ours", failed, most=0)


def _ours(here: World, name: str) -> Server:
    """An endpoint at the gateway."""
    home = Path(here.environment["NBDEPLOY_HOME"])
    url = f"http://127.0.0.1:{here.environment['NBDEPLOY_PORT']}/{name}/predict"
    return Server(url, home, named, supervisor_of(here, name))


@contextlib.contextmanager
def _by_hand(session: Path) -> Iterator[Server]:
    """Debian's plumber with the session's model."""
    folder, port = session / "plumber", plumber_port()
    with running(plumber_start(port), folder, {**os.environ, "HOME": str(folder)}) as alive:
        url = f"http://127.0.0.1:{port}/predict"
        wait_until_answered(url, named(ROW), alive)
        yield Server(url, folder, named)
