"""A model of R, its translation, the same model of Python, and plumber by hand, asked in turns."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from .figures import Figure, median
from .peers.ours import supervisor_of
from .peers.peer import Rows, free_port, running, wait_until_answered
from .servers import Server, in_turns
from .world import World, world

CLIENTS = 16
SUBJECT = f"serving a linear model of R, {CLIENTS} clients"
PLUMBER, R, R_ONNX, PYTHON_ONNX = "plumber by hand", "ours", "ours, translated", "ours, of Python, translated"
COLUMNS = ("wt", "hp", "cyl")
ROW = [[2.62, 110.0, 6.0]]
_LARGEST_PORT = 49_151  # that plumber takes

_PACKAGE = Path(__file__).parents[2] / "r"
_FIT = 'fit <- lm(mpg ~ wt + hp + cyl, mtcars); saveRDS(fit, "fit.rds"); write.csv(mtcars, "cars.csv")'
_DEPLOY = """library(nbdeploy, lib.loc = "library")
deploy(fit, name = "r", example = head(mtcars[c("wt", "hp", "cyl")], 5))
deploy(fit, name = "r-onnx", example = head(mtcars[c("wt", "hp", "cyl")], 5), engine = "onnx")
"""
# Numbers with all their digits.
_PLUMBER = """
fit <- readRDS("fit.rds")

#* @post /predict
#* @serializer json list(digits = NA)
function(instances) list(predictions = unname(predict(fit, instances)))
"""
_PYTHON = """
from sklearn.linear_model import LinearRegression
cars = pd.read_csv(%r)
columns = ["wt", "hp", "cyl"]
linear = LinearRegression().fit(cars[columns].astype(float), cars["mpg"])
jupyter_deploy.deploy(linear, name="python-onnx", example=cars[columns].astype(float)[:5], engine="onnx")
"""


def named(rows: Rows) -> bytes:
    """Rows as objects by their columns' names."""
    return json.dumps({"instances": [dict(zip(COLUMNS, row, strict=True)) for row in rows]}).encode()


def r_models(rounds: int = 3) -> Iterator[Figure]:
    """Throughput and latency of one row each."""
    with world() as here, contextlib.ExitStack() as served:
        folder = here.folder / "session"
        (folder / "library").mkdir(parents=True)
        variables = {**os.environ, **here.environment, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        install = ["R", "CMD", "INSTALL", "--no-docs", f"--library={folder / 'library'}", str(_PACKAGE)]
        for command in (install, ["Rscript", "--vanilla", "-e", f"{_FIT}\n{_DEPLOY}"]):
            ended = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
            if ended.returncode:
                raise RuntimeError(f"{command[:2]} failed\n{ended.stdout[-2000:]}{ended.stderr[-2000:]}")
        here.run(_PYTHON % str(folder / "cars.csv"))
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
    folder = session / "plumber"
    port = next(port for port in iter(free_port, None) if port <= _LARGEST_PORT)
    folder.mkdir()
    (folder / "fit.rds").write_bytes((session / "fit.rds").read_bytes())
    (folder / "plumber.R").write_text(_PLUMBER)
    start = f'plumber::pr_run(plumber::pr("plumber.R"), port = {port}, docs = FALSE, quiet = TRUE)'
    with running(["Rscript", "--vanilla", "-e", start], folder, {**os.environ, "HOME": str(folder)}) as alive:
        url = f"http://127.0.0.1:{port}/predict"
        wait_until_answered(url, named(ROW), alive)
        yield Server(url, folder, named)
