"""From a fitted model to its first right answer: ours of R, ours of Python, and plumber by hand, in turns."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TextIO, cast

from .deploys import settled
from .figures import Figure, median
from .peers.peer import post, running
from .r_world import EXAMPLE, PYTHON_FIT, ROW, installed, named, plumber_port, plumber_start
from .world import World, world

ROUNDS = 3
SUBJECT = "a first deploy of a linear model of R"
PLUMBER, R, PYTHON = "plumber by hand", "ours", "ours, of Python"
_ANSWER_SECONDS = 120.0

# It runs each line of its input, and then prints "done".
_SESSION = """
library(nbdeploy, lib.loc = "library")
fit <- lm(mpg ~ wt + hp + cyl, mtcars)
input <- file("stdin", "r")
cat("done\\n")
while (length(line <- readLines(input, 1L))) {
  eval(parse(text = line), globalenv())
  cat("done\\n")
}
"""


def r_first_answers() -> Iterator[Figure]:
    """In turns; the first round of all only warms.

    All clocks start with the fitted model in a warm session of R, or kernel of Python, and stop at the first right
    answer. By hand that is: save the model, start the process. The script of plumber is there already.
    """
    found: dict[str, list[float]] = {PLUMBER: [], R: [], PYTHON: []}
    with world(standby=True) as here, contextlib.ExitStack() as session:
        folder = here.folder / "session"
        variables = installed(here, folder)
        here.run(PYTHON_FIT)
        tell = session.enter_context(_session(folder, variables))
        right = float(here.run("", "float(linear.predict(cars[columns].astype(float)[:1])[0])"))
        for number in range(ROUNDS + 1):
            name = f"first-{number}"
            taken = {
                R: _ours(here, f"{name}-r", right, lambda name: tell(_R % name)),
                PYTHON: _ours(here, f"{name}-python", right, lambda name: here.run(_PYTHON % name)),
                PLUMBER: _by_hand(folder, tell, right),
            }
            if number:
                for kind, seconds in taken.items():
                    found[kind].append(seconds)
    notes = {
        PLUMBER: "saveRDS, start of the process; nothing is proved or recorded",
        R: "capture, two clean processes of R, build, start, probe, route",
        PYTHON: "the same of scikit-learn's LinearRegression",
    }
    for kind, times in found.items():
        yield Figure(SUBJECT, f"to the first right answer: {kind}", median(times), "s", note=notes[kind])
    for other, most in ((PYTHON, 1.5), (PLUMBER, 0.5)):
        ratios = [one / two for one, two in zip(found[R], found[other], strict=True)]
        yield Figure(SUBJECT, f"ours / {other}", median(ratios), "×", most=most, note=f"median of {ROUNDS} rounds")


_R = f'deploy(fit, name = "%s", example = {EXAMPLE})'
_PYTHON = "jupyter_deploy.deploy(linear, name=%r, example=cars[columns].astype(float)[:5])"


def _ours(here: World, name: str, right: float, deploy: Callable[[str], object]) -> float:
    """The seconds of a deploy of a new endpoint, which is deleted afterwards."""
    settled()  # what waits for the next deploy imports now; a person thinks meanwhile
    url = f"http://127.0.0.1:{here.environment['NBDEPLOY_PORT']}/{name}/predict"
    began = time.perf_counter()
    deploy(name)
    _until_right(url, right)
    seconds = time.perf_counter() - began
    here.run(f"jupyter_deploy.delete({name!r}, yes=True)")
    return seconds


def _by_hand(session: Path, tell: Callable[[str], None], right: float) -> float:
    """The seconds of plumber."""
    settled()
    port = plumber_port()
    began = time.perf_counter()
    tell('saveRDS(fit, "plumber/fit.rds")')
    with running(plumber_start(port), session / "plumber", {**os.environ, "HOME": str(session)}):
        _until_right(f"http://127.0.0.1:{port}/predict", right)
        return time.perf_counter() - began


def _until_right(url: str, right: float) -> None:
    """Ask until the answer is right."""
    deadline = time.monotonic() + _ANSWER_SECONDS
    said = ""
    while time.monotonic() < deadline:
        try:
            (answer,) = json.loads(post(url, named(ROW)))["predictions"]
        except (OSError, http.client.HTTPException) as error:
            said = str(error)
        else:
            if abs(answer - right) <= 1e-9 * abs(right):
                return
            said = f"{answer} instead of {right}"
        time.sleep(0.005)
    raise RuntimeError(f"{url} did not give the right answer: {said}")


@contextlib.contextmanager
def _session(folder: Path, variables: Mapping[str, str]) -> Iterator[Callable[[str], None]]:
    """A warm session of R that runs a line and returns when it has run."""
    (folder / "session.R").write_text(_SESSION)
    log = folder / "session.log"
    with (
        log.open("w") as errors,
        subprocess.Popen(
            ["Rscript", "--vanilla", "session.R"], cwd=folder, env=dict(variables), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=errors, text=True, bufsize=1,
        ) as process,
    ):  # fmt: skip
        told, said = cast(TextIO, process.stdin), cast(TextIO, process.stdout)

        def wait() -> None:
            lines = []
            for line in said:
                if line == "done\n":
                    return
                lines.append(line)
            raise RuntimeError(f"the session of R ended\n{''.join(lines)[-2000:]}{log.read_text()[-2000:]}")

        def tell(line: str) -> None:
            told.write(f"{line}\n")
            wait()

        wait()
        yield tell
