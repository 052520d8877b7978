"""Whether a successor accepts the input of its predecessor, as far as signatures show."""

from __future__ import annotations

import pytest

from jupyter_deploy.domain.capture.schema import nullable, with_seen, without_seen
from jupyter_deploy.domain.capture.signature import Signature

INT, TEXT, NULL = {"type": "integer"}, {"type": "string"}, {"type": "null"}
DATE = {"type": "string", "format": "date"}
NODE = {"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#/$defs/Node"}, NULL]}, "v": INT}}
TREE = {"$ref": "#/$defs/Node", "$defs": {"Node": NODE}}
TREE_OF_TEXTS = {"$ref": "#/$defs/Node", "$defs": {"Node": NODE | {"properties": NODE["properties"] | {"v": TEXT}}}}


def signature(schema):
    return Signature(
        container="call", parameters=("x",), instance_schema=schema, answer_schema={}, answer_dtype="int64"
    )


def refused(stable, candidate):
    return signature(stable).mismatches(signature(candidate))


@pytest.mark.parametrize(
    ("narrow", "wide", "words"),
    [
        (TEXT | {"minLength": 2, "maxLength": 3}, TEXT, "strings of any number of characters, the candidate of 2 to 3"),
        (TEXT | {"pattern": "a"}, TEXT, "only what matches a"),
        (INT | {"exclusiveMinimum": 0}, INT | {"minimum": 0}, "only numbers above 0"),
        (INT | {"minimum": 1, "maximum": 2}, INT, "only numbers from 1 to 2"),
        (INT | {"multipleOf": 10}, INT | {"multipleOf": 5}, "only multiples of 10"),
        ({"const": "a"}, {"enum": ["a", "b"]}, "knows only"),
        (DATE, TEXT, "takes only a date"),
        (INT, {"anyOf": [INT, DATE]}, "stable has integer or string, the candidate integer"),
        ({"anyOf": [INT, DATE]}, {"anyOf": [INT, TEXT]}, "takes only a date"),
        (DATE, nullable(DATE), "stable has null or string"),
        (INT, {"type": "number"}, "stable has number, the candidate integer"),
        ({"type": "array", "items": INT, "minItems": 2}, {"type": "array", "items": INT}, "at least 2"),
        (
            {"type": "array", "prefixItems": [INT, INT]},
            {"type": "array", "prefixItems": [INT, {"type": ["integer", "string"]}]},
            r"instance[1]: stable has integer or string",
        ),
        (
            {"type": "object", "properties": {"a": INT}, "additionalProperties": False},
            {"type": "object", "additionalProperties": INT},
            "stable has any key, the candidate only a",
        ),
        (
            {"type": "object", "properties": {"a": INT}, "required": ["a"]},
            {"type": "object", "properties": {"a": INT}},
            "needs 'a'",
        ),
    ],
)
def test_a_release_may_accept_more_than_stable_and_not_less(narrow, wide, words):
    assert refused(narrow, wide) == []
    assert any(words in line for line in refused(wide, narrow)), refused(wide, narrow)


def test_trees_are_compared_to_their_leaves_and_no_further():
    assert refused(TREE, TREE) == []
    assert refused(TREE, TREE_OF_TEXTS) == ["instance.v: stable has integer, the candidate string"]


def test_observed_values_are_no_requirement():
    few, many = with_seen(INT, [1, 2]), with_seen(INT, [-500, 10**6])
    assert refused(many, few) == []
    assert without_seen({"properties": {"a": few}}) == {"properties": {"a": INT}}


def test_observed_nested_values_are_shown_at_their_path():
    schema = {
        "type": "object",
        "properties": {"tags": {"type": "array", "items": TEXT}, "at": {"type": "string", "format": "date-time"}},
    }
    moments = ["2026-01-01T01:00:00+02:00", "2025-12-31T23:30:00+00:00"]
    seen = with_seen(schema, [{"tags": ["a", "bcd"], "at": moments[0]}, {"tags": [], "at": moments[1]}])
    assert seen["properties"]["tags"]["items"]["x-seen"] == {"count": 2, "minLength": 1, "maxLength": 3, "distinct": 2}
    assert seen["properties"]["at"]["x-seen"] == {"count": 2, "minimum": moments[0], "maximum": moments[1]}
    assert with_seen({"type": ["integer", "null"]}, [1, None])["x-seen"]["missing"] == 1
