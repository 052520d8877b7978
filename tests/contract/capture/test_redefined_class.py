"""A model of a class that was changed since: the loaded class is captured, with a finding."""

import numpy as np
import pytest

from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.domain.capture.artifacts import Source, Tolerance
from jupyter_deploy.domain.capture.ports import Live

pytestmark = pytest.mark.usefixtures("forked_replays")

CELL = """
class Rule:
    limit = 3
    def __init__(self, name="a"):
        self.name = name
    @property
    def shown(self):
        return self.name
    def predict(self, rows):
        return [float(value > self.limit) for value in rows[:, 0]]
"""
MAKE = "model = {'inner': [Rule()]}\ndef f(rows):\n    return model['inner'][0].predict(rows)"


@pytest.mark.parametrize(
    ("again", "said"),
    [
        (CELL, False),
        (CELL.replace("value > self", "value < self"), True),
        (CELL.replace("limit = 3", "limit = 4"), True),
        (CELL.replace('name="a"', 'name="b"'), True),
        (CELL.replace("return self.name", "return self.name * 2"), True),
        ("Rule = 5", False),
    ],
    ids=["as it was", "method", "attribute", "default", "property", "no class any more"],
)
def test_a_class_changed_after_the_fit_is_a_finding_with_its_cell(tmp_path, again, said):
    namespace = {"__name__": "__main__"}
    cells = [CELL, MAKE, again]
    for number, cell in enumerate(cells):
        exec(compile("\n" * number + cell, f"<cell {number}>", "exec"), namespace)
    capturer = ModelCapturer(tmp_path / "bentoml", Tolerance(), replay_timeout=120)
    rows = np.array([[1.0], [5.0]])
    live = Live(namespace["f"], rows, Source(variable="f"), None, cells, tmp_path, namespace)
    staged = capturer.stage(live, "rule")
    try:
        found = [f for f in staged.manifest.findings if f.check == "redefined-class"]
        assert [(f.severity, f.cell) for f in found] == ([("warning", 3)] if said else [])
        if said:
            assert "the class Rule was changed" in found[0].message
        if "<" in again:
            assert capturer.replay(staged, live).manifest.predictions == [0.0, 1.0], "as the former class answers"
    finally:
        capturer.discard(staged)
