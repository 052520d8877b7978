"""A stored snapshot that accepts null in more columns, as its model answers it in a clean process."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.domain.capture.artifacts import Tolerance
from jupyter_deploy.domain.capture.schema import with_null
from jupyter_deploy.domain.errors import InvalidExample, InvalidInput
from tests.contract.capturing import NUMBERS, capture

pytestmark = pytest.mark.usefixtures("forked_replays")
TARGETS = ["no", "yes", "no", "yes"]


@pytest.fixture
def capturer(tmp_path):
    return ModelCapturer(tmp_path / "bentoml", Tolerance(), replay_timeout=120)


def types(snapshot):
    return {name: one["type"] for name, one in snapshot.manifest.signature.instance_schema["properties"].items()}


def test_a_model_that_imputes_is_stored_again_and_answers_null(capturer):
    model = make_pipeline(SimpleImputer(), LogisticRegression()).fit(NUMBERS, TARGETS)
    snapshot = capture(capturer, model, NUMBERS[:2])
    kept = []
    wider = capturer.widen(snapshot, ["weight"], kept.append)
    assert (types(snapshot), types(wider)) == (
        {"age": "integer", "weight": "number"},
        {"age": "integer", "weight": ["number", "null"]},
    )
    assert wider.tag != snapshot.tag
    assert kept == [wider]
    assert wider.manifest.provenance.nullable == ("weight",)
    asked = NUMBERS[:1].assign(weight=[np.nan])
    assert capturer.predict(wider, [{"age": 30, "weight": None}]) == list(model.predict(asked))
    assert capturer.load(wider.tag).digest == wider.digest
    assert capturer.widen(snapshot, ["weight"], kept.append).tag == wider.tag
    assert snapshot.manifest.signature.mismatches(wider.manifest.signature) == [], "it may follow the other one"


def test_a_model_that_raises_on_null_and_an_unknown_column_are_refused_and_nothing_is_stored(capturer, tmp_path):
    snapshot = capture(capturer, LogisticRegression().fit(NUMBERS, TARGETS), NUMBERS[:2])
    stored = sorted((tmp_path / "bentoml").rglob("snapshot.json"))
    with pytest.raises(InvalidExample, match="does not accept null in 'weight'") as caught:
        capturer.widen(snapshot, ["weight"], lambda _: None)
    assert "--nullable weight" in caught.value.remedy
    with pytest.raises(InvalidInput, match="no column 'height'") as unknown:
        capturer.widen(snapshot, ["height"], lambda _: None)
    assert unknown.value.remedy == "it has: age, weight"
    assert sorted((tmp_path / "bentoml").rglob("snapshot.json")) == stored


@pytest.mark.parametrize(
    ("known", "wider"),
    [
        ({"type": "number"}, {"type": ["number", "null"]}),
        ({"type": "string", "enum": ["a"]}, {"type": ["string", "null"], "enum": ["a", None]}),
        ({"anyOf": [{"type": "string"}]}, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        ({"type": ["number", "null"]}, {"type": ["number", "null"]}),
        ({"$ref": "#/$defs/Purpose"}, None),
    ],
)
def test_the_schema_of_a_column_gets_null(known, wider):
    found = with_null({"type": "object", "properties": {"x": known}}, "x")
    assert (found and found["properties"]["x"]) == wider
