"""The runs of a validation, with a runner of given outcomes: their states, names and gates."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from jupyter_deploy.domain.errors import StartFailed
from jupyter_deploy.domain.gates.parser import parse_gate
from jupyter_deploy.domain.validation.ports import Notebook, Ran
from jupyter_deploy.domain.validation.validation import CellError, Metric
from jupyter_deploy.validation.judge import Statistician
from jupyter_deploy.verbs.run_plan import Planned
from jupyter_deploy.verbs.validation_runs import Candidate, RunOptions, Runs, Servers, output_names


def planned(path="/p/a.ipynb", **more):
    source = "from jupyter_deploy import model\nmodel()"
    notebook = Notebook(path=Path(path), kernel="python3", language="python", cells=1, source=source, defaults={})
    return Planned(notebook, {}, **more)


class Answers:
    """A model's server, as far as runs need it."""

    def __init__(self, why=""):
        self.why = why

    def check(self, *, wait=False):
        del wait
        if self.why:
            raise StartFailed(self.why)

    def url_for(self, job):
        return f"http://127.0.0.1:1/{job}"


class Runner:
    """Keeps the jobs; the name of the output sets the outcome, default: done."""

    def __init__(self, ran=None):
        self.ran, self.jobs = ran or {}, []

    def run(self, job, on_cell):
        on_cell(1)
        self.jobs.append(job)
        found = self.ran.get(job.output.name, Ran("done", 0.1))
        return replace(found, executed=job.output)

    def cancel(self):
        pass


def runs(several, sides, runner, how=None, subject=None):
    ports = SimpleNamespace(validations=runner, judge=Statistician())
    return Runs(
        several, subject or Candidate(None), how or RunOptions(), ports, lambda _: None, folder=Path("/out")
    ).all(sides)


def test_a_run_without_a_served_model_fails_and_later_runs_are_not_run():
    two = [planned(), planned("/p/b.ipynb")]
    done, stopped = runs(two, Servers(Answers("it did not answer"), None), Runner(), RunOptions(fail_fast=True))
    assert stopped is None
    assert [(run.status, run.detail) for run in done] == [
        ("raised", "it did not answer"),
        ("not run", "a.ipynb failed before"),
    ]


def test_no_two_runs_write_one_file_and_stables_are_counted_too():
    paths = ["/x/a.ipynb", "/y/a.ipynb", "/p/a-1.ipynb", "/p/b.ipynb", "/p/b.stable.ipynb", "/p/c.ipynb"]
    assert output_names([planned(path) for path in paths]) == [
        "a-2.ipynb", "a-3.ipynb", "a-1.ipynb", "b.ipynb", "b.stable-1.ipynb", "c.ipynb",
    ]  # fmt: skip
    assert output_names([planned(), planned()]) == ["a-1.ipynb", "a-2.ipynb"]


@pytest.mark.parametrize("expression", ["accuracy >= stable - 0.5", "agreement >= 0.5"])
def test_a_gate_on_stable_is_undecided_where_the_run_of_stable_did_not_end_well(expression):
    gates = [(parse_gate(expression), "x"), (parse_gate("accuracy >= 0.5"), "x"), (parse_gate("none < stable"), "x")]
    measured = (Metric(name="accuracy", value=0.9), Metric(name="agreement", value=0.9))
    error = CellError(cell=3, ename="ValueError", evalue="no rows")
    runner = Runner(
        {
            "a.ipynb": Ran("done", 0.1, metrics=measured),
            "a.stable.ipynb": Ran("raised", 0.1, metrics=measured, error=error),
        }
    )
    server = Answers()
    (run,), _ = runs([planned(gates=gates)], Servers(server, server), runner)
    assert [gate.verdict for gate in run.gates] == ["inconclusive", "pass", "fail"]
    assert run.gates[0].sentence.endswith("with stable, cell 3 raised ValueError: no rows: inconclusive")
    assert (run.gates[0].value, run.gates[0].stable) == (0.9, None)
    assert (run.status, run.verdict) == ("done", "fail")
    assert run.executed_stable == "/out/a.stable.ipynb"
    runner.ran["a.stable.ipynb"] = Ran("done", 0.1, metrics=measured)
    (run,), _ = runs([planned(gates=gates[:2])], Servers(server, server), runner)
    assert run.verdict == "pass"
