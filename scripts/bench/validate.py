"""Validation notebooks that import pandas, scikit-learn and matplotlib: ours, Papermill's and nbmake's way."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat

from .figures import Figure, median

NOTEBOOKS, ROUNDS, ROUNDS_OF_ONE = 6, 1, 3  # a round of the six takes more than a minute

# A small table, a model, a metric, a plot: what is not imports takes a tenth of a second.
CELLS = (
    "import matplotlib.pyplot as plt\nimport numpy as np\nimport pandas as pd\n"
    "from sklearn.linear_model import LogisticRegression\nfrom sklearn.metrics import accuracy_score",
    "random = np.random.default_rng(seed)\nX = pd.DataFrame(random.standard_normal((500, 5)), columns=list('abcde'))\n"
    "y = (X.a + X.b > 0).astype(int)\nmodel = LogisticRegression().fit(X[:400], y[:400])",
    "accuracy = accuracy_score(y[400:], model.predict(X[400:]))\nassert accuracy > 0.8\naccuracy",
    "plt.plot(model.predict_proba(X)[:, 1])\nplt.show()",
)


def validate() -> Iterator[Figure]:
    """Six notebooks and one, all ways in turns; the first round of one only warms."""
    with TemporaryDirectory(prefix="nbdeploy-bench-") as folder:
        here = Path(folder)
        names = [_write(here / f"check{number:02}.ipynb", number) for number in range(NOTEBOOKS)]
        of_all = {name: [] for name in _commands(names)}
        of_one: dict[str, list[float]] = {"ours": [], "papermill": []}
        for number in range(ROUNDS_OF_ONE + 1):
            commands = _commands(names[:1])
            for name, times in of_one.items():
                taken = _timed(commands[name], here)
                times.extend([taken] * bool(number))
        for _ in range(ROUNDS):
            for name, command in _commands(names).items():
                of_all[name].append(_timed(command, here))
    yield from _figures(of_all, of_one)


def _figures(of_all: dict[str, list[float]], of_one: dict[str, list[float]]) -> Iterator[Figure]:
    subject = f"{NOTEBOOKS} validation notebooks"

    def ratio(times: dict[str, list[float]], one: str, other: str) -> float:
        return median([a / b for a, b in zip(times[one], times[other], strict=True)])

    note = "pandas, scikit-learn and matplotlib in each; two at once, executed notebooks, report and store written"
    yield Figure(subject, "`nbdeploy validate -n 2`", median(of_all["ours -n 2"]), "s", note=note)
    yield Figure(subject, "`nbdeploy validate`", median(of_all["ours"]), "s", note="one after the other")
    note = f"all ways in one round; papermill's loop {median(of_all['papermill']):.3g} s"
    yield Figure(subject, "`-n 2` / a loop of `papermill`", ratio(of_all, "ours -n 2", "papermill"), "×", 0.25, note)
    found, note = ratio(of_all, "ours", "papermill"), "one after the other, as the loop"
    yield Figure(subject, "`nbdeploy validate` / a loop of `papermill`", found, "×", 0.25, note)
    for name in ("xargs -P2 papermill", "pytest --nbmake -n 2"):
        note = f"{median(of_all[name]):.3g} s"
        yield Figure(subject, f"`-n 2` / `{name}`", ratio(of_all, "ours -n 2", name), "×", 1.0, note)
    subject = "one validation notebook"
    yield Figure(subject, "`nbdeploy validate`", median(of_one["ours"]), "s")
    note = f"median of {ROUNDS_OF_ONE} pairs; papermill {median(of_one['papermill']):.3g} s"
    yield Figure(subject, "`nbdeploy validate` / `papermill`", ratio(of_one, "ours", "papermill"), "×", 1.1, note)


def _write(path: Path, seed: int) -> str:
    parameters = nbformat.v4.new_code_cell(f"seed = {seed}", metadata={"tags": ["parameters"]})
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cells = [parameters, *map(nbformat.v4.new_code_cell, CELLS)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": spec}), path)
    return path.name


def _commands(names: list[str]) -> dict[str, str]:
    """What a shell is given, by the name of the way."""
    tools = Path(sys.executable).parent
    ours = f"{tools}/nbdeploy validate {shlex.join(names)} --output json"
    papermill = f"{tools}/papermill --no-progress-bar -p seed 1"
    each = shlex.join(names)
    pytest = f"{tools}/pytest -q -p no:cacheprovider --nbmake -n 2"
    return {
        "ours": ours,
        "papermill": f"for one in {each}; do {papermill} $one out/$one || exit 1; done",
        "ours -n 2": f"{ours} -n 2",
        "xargs -P2 papermill": f"echo {each} | xargs -P 2 -n 1 sh -c '{papermill} $0 out/$0'",
        "pytest --nbmake -n 2": f"{pytest} {each}",
    }


def _timed(command: str, folder: Path) -> float:
    shutil.rmtree(folder / "out", ignore_errors=True)
    (folder / "out").mkdir()
    own = {name: value for name, value in os.environ.items() if not name.startswith("NBDEPLOY_")}
    variables = {"NBDEPLOY_HOME": str(folder / "home"), "IPYTHONDIR": str(folder / "ipython")}
    began = time.perf_counter()
    ended = subprocess.run(
        ["/bin/sh", "-c", command], cwd=folder, env=own | variables, capture_output=True, text=True, check=False
    )
    taken = time.perf_counter() - began
    if ended.returncode:
        raise RuntimeError(f"{command}\n{ended.stdout}\n{ended.stderr}")
    return taken
