"""What benchmarks of a linear model of R share: its fit, nbdeploy's package of R, and plumber's script."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from .peers.peer import Rows, free_port
from .world import World

COLUMNS = ("wt", "hp", "cyl")
ROW = [[2.62, 110.0, 6.0]]  # the first of mtcars
EXAMPLE = 'head(mtcars[c("wt", "hp", "cyl")], 5)'
PYTHON_FIT = """
from sklearn.linear_model import LinearRegression
cars = pd.read_csv("session/cars.csv")
columns = ["wt", "hp", "cyl"]
linear = LinearRegression().fit(cars[columns].astype(float), cars["mpg"])
"""

_LARGEST_PORT = 49_151  # that plumber takes
_PACKAGE = Path(__file__).parents[2] / "r"
# Numbers with all their digits.
_PLUMBER = """
fit <- readRDS("fit.rds")

#* @post /predict
#* @serializer json list(digits = NA)
function(instances) list(predictions = unname(predict(fit, instances)))
"""
_FIT = 'fit <- lm(mpg ~ wt + hp + cyl, mtcars); saveRDS(fit, "plumber/fit.rds"); write.csv(mtcars, "cars.csv")'


def named(rows: Rows) -> bytes:
    """Rows as objects by their columns' names."""
    return json.dumps({"instances": [dict(zip(COLUMNS, row, strict=True)) for row in rows]}).encode()


def installed(here: World, folder: Path) -> dict[str, str]:
    """The variables of a session of R in a new folder, with the package, the data and plumber's script and model."""
    (folder / "library").mkdir(parents=True)
    (folder / "plumber").mkdir()
    (folder / "plumber" / "plumber.R").write_text(_PLUMBER)
    variables = {**os.environ, **here.environment, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    run(["R", "CMD", "INSTALL", "--no-docs", f"--library={folder / 'library'}", str(_PACKAGE)], folder, variables)
    run(["Rscript", "--vanilla", "-e", _FIT], folder, variables)
    return variables


def run(command: list[str], folder: Path, variables: dict[str, str]) -> None:
    """Run a program to its end; what it said is in the error."""
    ended = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise RuntimeError(f"{command[:2]} failed\n{ended.stdout[-2000:]}{ended.stderr[-2000:]}")


def plumber_port() -> int:
    """A free port that plumber takes."""
    return next(port for port in iter(free_port, None) if port <= _LARGEST_PORT)


def plumber_start(port: int) -> list[str]:
    """The command of plumber, in the folder of its script and its model."""
    start = f'plumber::pr_run(plumber::pr("plumber.R"), port = {port}, docs = FALSE, quiet = TRUE)'
    return ["Rscript", "--vanilla", "-e", start]
