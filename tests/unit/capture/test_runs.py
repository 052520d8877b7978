"""The runs of a validation, with fakes of the runner and the judge."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from jupyter_deploy.domain.gates.parser import parse_gate
from jupyter_deploy.domain.validation.ports import Notebook, Ran
from jupyter_deploy.domain.validation.validation import GateResult, Metric
from jupyter_deploy.verbs.run_plan import Planned
from jupyter_deploy.verbs.validation_runs import Candidate, RunOptions, Runs, Servers

JUDGED = GateResult(expression="a >= 1", verdict="inconclusive", sentence="?")


@pytest.fixture
def runs():
    """The outcomes of two notebooks that record ``a`` and ``b``, by a judge's two functions."""

    def found(interval, judge):
        notebooks = [
            Notebook(Path(f"/x/{name}.ipynb"), "python3", "python", 1, "", None, document=name) for name in "ab"
        ]
        planned = [Planned(notebook, {}, [(parse_gate("a >= 1"), "here")]) for notebook in notebooks]
        ran = SimpleNamespace(
            run=lambda job, _: Ran("done", 1.0, (Metric(name=job.notebook.document, value=1.0),)), cancel=None
        )
        ports = SimpleNamespace(validations=ran, judge=SimpleNamespace(interval=interval, judge=judge))
        made = Runs(planned, Candidate(None), RunOptions(), ports, lambda _: None, folder=Path("/x"))
        done, stopped = made.all(Servers(None, None))
        assert stopped is None
        return done

    return found


@pytest.mark.parametrize("broken", ["interval", "judge"])
def test_an_error_of_a_gate_fails_its_own_run_and_keeps_its_metrics(runs, broken):
    def fails_for_a(given, *more):
        if "a" in (getattr(given, "name", ""), getattr(more[0][0], "name", "") if more else ""):
            raise MemoryError("20 GB")
        return JUDGED if more else None

    whole = {"interval": lambda _: None, "judge": lambda *_: JUDGED}
    bad, good = runs(**(whole | {broken: fails_for_a}))
    assert (bad.status, bad.detail) == ("raised", "its result cannot be judged: MemoryError: 20 GB")
    assert [metric.name for metric in bad.metrics] == ["a"]
    assert (good.status, good.gates[0].sentence) == ("done", "?")
