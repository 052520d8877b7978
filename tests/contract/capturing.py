"""What the tests of capture share."""

from pathlib import Path

import pandas as pd

from jupyter_deploy.capture.pickling import write_pickle
from jupyter_deploy.capture.project_code import ProjectCode
from jupyter_deploy.domain.capture.artifacts import Source
from jupyter_deploy.domain.capture.ports import Live

HERE = Path(__file__).parent  # the project, as far as these tests' own functions go

FRAME = pd.DataFrame({"age": [30, 40, 50, 60], "weight": [60.5, 70.0, 80.25, 90.0], "sex": ["f", "m", "f", "m"]})
NUMBERS = FRAME[["age", "weight"]]


def live(model, example, method=None, project=HERE, variable="model", *, cells=("a = 1",), namespace=None):
    """A live object as a notebook hands it over."""
    return Live(model, example, Source(variable=variable), method, cells, project, namespace or {})


def capture(capturer, model, example, name="churn", **options):
    """Stage, replay and keep."""
    return kept(capturer, live(model, example, **options), name)


def kept(capturer, handed_over, name):
    """The snapshot of a live object, staged, replayed and kept."""
    staged = capturer.stage(handed_over, name)
    try:
        return capturer.keep(capturer.replay(staged, handed_over), lambda _: None)
    finally:
        capturer.discard(staged)


def packed(value, folder, changed=None):
    """The decisions, and the files that were written."""
    folder.mkdir(exist_ok=True)
    code = ProjectCode(changed)
    files = {"model.pkl": write_pickle(value, folder / "model.pkl", name="model", code=code)}
    return code, files | code.pack(folder)


def sources(files):
    return sorted(name.removeprefix("code/") for name in files if name.startswith("code/"))


def edited(code):
    return [finding.message for finding in code.findings if finding.check == "edited-module"]
