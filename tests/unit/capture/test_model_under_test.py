"""The model of a notebook under validation, by any of its names; a notebook that never calls it is detected."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from jupyter_deploy import model, reference
from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.validation.model_calls import Call, Calls
from jupyter_deploy.domain.validation.ports import Notebook, Ran
from jupyter_deploy.verbs.run_plan import Planned
from jupyter_deploy.verbs.validation_runs import Candidate, RunOptions, Runs, Servers

CANDIDATE, STABLE = "churn:198b0c", "churn:77aa01"


class Server:
    """A model that records its input."""

    def __init__(self, name, calls=()):
        self.name, self.seen = name, calls

    def url_for(self, job):
        return f"http://127.0.0.1:1/{self.name}/{job}"

    def calls(self, _job):
        return Calls(calls=self.seen)

    def check(self, **_):
        """It answers."""


def snapshot(tag):
    return SimpleNamespace(tag=tag, manifest=SimpleNamespace(signature=SimpleNamespace(answer_dtype="float64")))


SUBJECT = Candidate(snapshot(CANDIDATE), "churn", snapshot(STABLE))
SIDES = Servers(Server("candidate"), Server("stable"))


@pytest.fixture(params=["candidate", "stable"])
def side(request, monkeypatch):
    for name, value in SIDES.variables(SUBJECT, "01", request.param).items():
        monkeypatch.setenv(name, value)
    return request.param


@pytest.mark.parametrize("name", [None, CANDIDATE, "churn:198", "churn"])
def test_whatever_names_what_is_validated_is_the_model_of_the_side_that_is_run(side, name):
    assert model(name).url == f"http://127.0.0.1:1/{side}/01"
    assert reference(name).url == "http://127.0.0.1:1/stable/01.reference"


@pytest.mark.parametrize("name", [STABLE, "other", "churn:", "chur", "other:198b0c"])
def test_another_model_is_refused_on_both_sides_with_the_one_that_is_validated(side, name):
    for ask in (model, reference):
        with pytest.raises(InvalidInput, match=f"'{name}' is not the model under test, which is {CANDIDATE}"):
            ask(name)


def run(source, calls=()):
    notebook = Notebook(Path("a.ipynb"), "python3", "python", 1, source, None)
    ports = SimpleNamespace(
        validations=SimpleNamespace(run=lambda *_: Ran("done", 1.0)), judge=SimpleNamespace(interval=lambda _: None)
    )
    subject = Candidate(snapshot(CANDIDATE), "churn")
    runs = Runs([Planned(notebook, {})], subject, RunOptions(), ports, lambda _: None, folder=Path("out"))
    (found,), _ = runs.all(Servers(Server("candidate", calls), None))
    return found


def test_a_notebook_that_imports_the_model_and_never_calls_it_is_reported():
    names = "from jupyter_deploy import metric, model"
    assert "did not call the model" in run(names).detail
    assert run(names).status == "done"
    assert run("from jupyter_deploy import metric").detail == ""


def test_one_call_is_enough():
    call = Call(latency_ms=1.0, status=422, asked="a")
    assert run("from jupyter_deploy import metric, model", (call,)).detail == ""
