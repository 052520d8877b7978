"""Schemas inferred from values, and compatibility of signatures."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_deploy.domain.capture.signature import Signature, infer_schema

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def signature(instance, answer, container="frame"):
    return Signature(
        container=container,
        instance_schema=infer_schema(instance),
        answer_schema=infer_schema(answer),
        answer_dtype="int64",
    )


@pytest.mark.parametrize(
    ("values", "schema"),
    [
        ([1, 2], {"type": "integer"}),
        ([1.5, 2.5], {"type": "number"}),
        ([1, 2.5], {"type": "number", "x-whole": True}),
        ([True], {"type": "boolean"}),
        ([1, None], {"type": ["integer", "null"]}),
        ([[1.0], [2.0, 3.0]], {"type": "array", "items": {"type": "number"}}),
        ([], {}),
    ],
)
def test_the_narrowest_schema_is_inferred(values, schema):
    assert infer_schema(values) == schema


def test_a_key_that_not_all_objects_have_is_not_required():
    schema = infer_schema([{"a": 1, "b": "x"}, {"a": 2}])
    assert schema["required"] == ["a"]
    assert set(schema["properties"]) == {"a", "b"}


def test_lengths_are_fixed_on_request():
    assert infer_schema([[1, 2], [3, 4]], fixed_lengths=True)["maxItems"] == 2
    assert "maxItems" not in infer_schema([[1, 2], [3]], fixed_lengths=True)


@given(st.lists(JSON, min_size=1, max_size=4))
def test_every_signature_can_follow_itself(values):
    one = signature(values, values)
    assert one.mismatches(one) == []


def test_a_successor_may_take_more_and_must_answer_alike():
    stable = signature([{"age": 3}], [1])
    assert stable.mismatches(signature([{"age": 3.5}], [1])) == []
    assert stable.mismatches(signature([{"age": 3}, {"age": None}], [1])) == []
    assert stable.mismatches(signature([{"age": 3}], ["yes"])) == ["answer: the candidate has string, stable integer"]


@pytest.mark.parametrize(
    ("candidate", "words"),
    [
        ({"age": 3, "sex": "F"}, "needs 'sex'"),
        ({"sex": "F"}, "does not know 'age'"),
        ({"age": "old"}, "stable has integer"),
        ([3], "stable has object"),
    ],
)
def test_a_successor_that_would_not_understand_requests_says_why(candidate, words):
    found = signature([{"age": 3}], [1]).mismatches(signature([candidate], [1]))
    assert any(words in line for line in found)


def test_a_successor_may_answer_less_than_stable_but_not_more():
    stable = signature([1], [{"score": 0.5, "tags": ["a"]}, {"score": None, "tags": []}])
    narrower = signature([1], [{"score": 1, "tags": []}])
    assert stable.mismatches(narrower) == []
    assert narrower.mismatches(stable) == ["answer.score: the candidate has null or number, stable integer"]


def test_a_successor_that_takes_only_smaller_numbers_is_refused():
    def bounded(low, high):
        return Signature(
            container="array",
            instance_schema={"type": "integer", "minimum": low, "maximum": high},
            answer_schema={"type": "integer"},
            answer_dtype="int64",
        )

    assert bounded(0, 255).mismatches(bounded(-300, 300)) == []
    assert "only numbers from -128 to 127" in bounded(0, 255).mismatches(bounded(-128, 127))[0]
