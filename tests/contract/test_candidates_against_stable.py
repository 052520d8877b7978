"""A choice against an endpoint's stable release: what cannot be compared is refused, or left out with the reason."""

from types import SimpleNamespace

import pytest

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.model_selection.ports import Measured
from jupyter_deploy.domain.validation.validation import Metric
from jupyter_deploy.model_selection.scores import MaxTIntervals
from jupyter_deploy.verbs.model_selection.candidates import Contender, SelectionTask, select_models
from tests import manifests
from tests.gating import make_world
from tests.selections import row


@pytest.fixture
def world(tmp_path, monkeypatch):
    """The endpoint tumour with the stable release a; a capture gives the snapshot b."""
    made = make_world(tmp_path, monkeypatch)
    made.deploy("a")
    made.captured = []
    made.classes = ("'no'", "'yes'")

    def capture(live, name, request, *_):
        made.captured.append(name)
        return manifests.snapshot("tumour:b", method=request.method or "predict")

    def measure(snapshots, instances, _):
        answers = {"tumour:a": [[0.0, 1.0]], "tumour:b": [[1.0, 0.0]]}
        performance = row("any", 0.9, 1.0).performance
        return [
            Measured(answers[one.tag], performance, 1000, classes=made.classes if one.tag == "tumour:a" else None)
            for one in snapshots
        ]

    monkeypatch.setattr("jupyter_deploy.verbs.model_selection.candidates.capture", capture)
    monkeypatch.setattr("jupyter_deploy.verbs.model_selection.candidates.replace", lambda live, **_: live)
    made.ports.measurer = SimpleNamespace(processor="", measure=measure)
    made.ports.score_intervals = MaxTIntervals()
    return made


def score(answers, snapshot):
    return [Metric(name="accuracy", value=answers[0][0], n=1, rows=(answers[0][0],))]


def task(method="predict", score=score, **more):
    return SelectionTask(
        contenders=[Contender("forest", "tumour", None, method)],
        encode=lambda snapshot: [1],
        score=score,
        metric="accuracy",
        greater_is_better=True,
        rows=1,
        engines=("native",),
        endpoint="tumour",
        method=method,
        **more,
    )


def select(world, given):
    return select_models(given, world.ports, lambda *_: None)


def test_a_stable_release_with_another_method_is_refused_before_a_model_is_captured(world):
    with pytest.raises(InvalidInput) as refused:
        select(world, task("predict_proba"))
    assert "serves 'predict', and the models 'predict_proba'" in str(refused.value)
    assert "method='predict'" in refused.value.remedy
    assert world.captured == []
    assert [one.name for one in select(world, task()).candidates] == ["forest", "stable"]


def test_an_error_of_the_row_stable_leaves_that_row_out_alone(world):
    def of_two_columns(answers, snapshot):
        if snapshot.tag == "tumour:a":
            raise InvalidInput("the answers have the shape (1, 3)", "give a function")
        return score(answers, snapshot)

    def encode(snapshot):
        if snapshot.tag == "tumour:a":
            raise InvalidInput("X has another number of columns", "give its columns")
        return [1]

    for given, why in (
        (task(score=of_two_columns), "shape (1, 3)"),
        (task(classes=["yes", "no"]), "its classes are 'no', 'yes', and those of the models 'yes', 'no'"),
        (SelectionTask(**vars(task()) | {"encode": encode}), "another number of columns"),
    ):
        found = select(world, given)
        assert [one.name for one in found.candidates] == ["forest"]
        (left_out,) = found.left_out
        assert (left_out.name, left_out.engine) == ("stable", "native")
        assert why in left_out.why
    assert len(select(world, task(classes=["no", "yes"])).candidates) == 2
