"""What the checks add to a deploy of the quickstart's model."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from .figures import Figure, median
from .world import world

ROUNDS = 3
QUICKSTART = Path(__file__).parents[2] / "notebooks" / "quickstart.ipynb"

# Both deploy a changed model in a warm kernel; without checks the same code runs over none, and what only checks need
# (the training table, the masks) is left out.
PREPARED = """
from jupyter_deploy.capture import capturer
from jupyter_deploy.capture import checks
PARTS = "describe_training", "metrics_of", "masked_cells", "masked_values", "without_secrets"
def with_checks():
    return (checks.CHECKS_BEFORE_REPLAY, checks.CHECKS_AFTER_REPLAY), [getattr(capturer, name) for name in PARTS]
ALL = with_checks()
NONE = ((), ()), [
    lambda *_: (None, None), lambda _: {}, tuple, lambda values: values, lambda findings, _: tuple(findings)
]
"""
DEPLOY = """
(checks.CHECKS_BEFORE_REPLAY, checks.CHECKS_AFTER_REPLAY), parts = %(checks)s
for name, part in zip(PARTS, parts):
    setattr(capturer, name, part)
model = trained(%(c)s)
began = time.perf_counter()
found = jupyter_deploy.deploy(model, name="looked", example=X[:5], role="stable")
took = time.perf_counter() - began
"""


def checks() -> Iterator[Figure]:
    """With and without, in turns."""
    with_checks, without = [], []
    with world() as here:
        notebook = here.folder / QUICKSTART.name
        shutil.copy(QUICKSTART, notebook)
        here.run(f"os.environ['NBDEPLOY_NOTEBOOK'] = {str(notebook)!r}")
        here.run(PREPARED)
        here.run(DEPLOY % {"checks": "ALL", "c": 2.0})
        for number in range(ROUNDS):
            for chosen, times in (("ALL", with_checks), ("NONE", without)):
                here.run(DEPLOY % {"checks": chosen, "c": 0.5 / (number + 1) + (0.01 if chosen == "ALL" else 0.0)})
                times.append(here.run("", "took"))
    ratios = [one / other for one, other in zip(with_checks, without, strict=True)]
    subject = "checks of a deploy"
    yield Figure(subject, "deploy with all checks", median(with_checks), "s")
    note = f"median of {ROUNDS} pairs of deploys of a changed model in a warm kernel"
    yield Figure(subject, "with / without", median(ratios), "×", most=1.15, note=note)
