"""The constraints of pydantic's JSON Schema are enforced, with plain messages."""

from __future__ import annotations

import json

import pytest

from jupyter_deploy.serving.values.validation import InvalidInstances, Validator


def refusal(schema, instance):
    with pytest.raises(InvalidInstances) as caught:
        Validator(schema).validated([instance])
    (error,) = caught.value.errors
    return error


@pytest.mark.parametrize(
    ("schema", "good", "bad", "words"),
    [
        ({"type": "string", "minLength": 2, "maxLength": 3}, "ab", "abcd", "a string of 2 to 3 characters"),
        ({"type": "string", "maxLength": 3}, "", "abcd", "a string of at most 3 characters"),
        ({"type": "string", "pattern": "b+$"}, "abb", "abc", "a string that matches b+$"),
        ({"type": "string", "pattern": "a(?=b)"}, "xab", "xac", "a string that matches a(?=b)"),
        ({"type": "string", "format": "date"}, "2026-01-01", "2026-13-01", 'a date such as "2026-11-25"'),
        ({"type": "string", "format": "time"}, "10:00:00", "25:00", 'a time such as "12:30:00"'),
        ({"type": "string", "format": "duration"}, "PT90S", "90", 'a duration such as "PT90S"'),
        ({"type": "string", "format": "uuid"}, "00000000-0000-0000-0000-000000000007", "7", "a UUID"),
        ({"type": "string", "format": "nobody knows"}, "x", 1, "a string"),
        ({"type": "integer", "exclusiveMinimum": 0}, 1, 0, "a whole number above 0"),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, 0.5, 1, "a number above 0 and below 1"),
        ({"type": "number", "minimum": 0}, 0, -1, "a number of at least 0"),
        ({"type": "integer", "multipleOf": 5}, 10, 11, "a whole number that is a multiple of 5"),
        ({"const": "a"}, "a", "b", 'one of "a"'),
        ({"enum": ["a", 3]}, 3, "b", 'one of "a", 3'),
        (
            {"anyOf": [{"type": "integer"}, {"type": "string", "format": "date"}]},
            "2026-01-01",
            "x",
            "a whole number or a",
        ),
        ({"anyOf": [{"type": "integer", "minimum": 3}, {"type": "null"}]}, None, 2, "a whole number of at least 3"),
        ({"allOf": [{"type": "integer", "minimum": 3}], "title": "N"}, 3, 2, "a whole number of at least 3"),
        ({"type": ["integer", "string"]}, "x", 1.5, "a whole number or a string"),
    ],
)
def test_a_gate_that_holds_is_shown(schema, good, bad, words):
    assert Validator(schema).validated([good]) == [good]
    assert words in refusal(schema, bad)["msg"]


def test_places_of_a_list_have_their_own_kinds():
    schema = {
        "type": "array",
        "prefixItems": [{"type": "integer"}, {"type": "string"}],
        "minItems": 2,
        "maxItems": 2,
    }
    assert Validator(schema).validated([[1, "a"]]) == [[1, "a"]]
    assert refusal(schema, [1, 2]) == {"loc": ["instances", 0, 1], "msg": "must be a string, not 2"}
    assert refusal(schema, [1])["msg"] == "should have at least 2 items, not 1"


def test_keys_of_any_name_have_one_kind():
    schema = {"type": "object", "additionalProperties": {"type": "number"}, "propertyNames": {"enum": ["a", "b"]}}
    assert Validator(schema).validated([{"a": 1, "b": 2.5}]) == [{"a": 1.0, "b": 2.5}]
    assert refusal(schema, {"a": "x"})["loc"] == ["instances", 0, "a"]
    mixed = {"type": "object", "properties": {"n": {"type": "integer"}}, "additionalProperties": {"type": "string"}}
    assert Validator(mixed).validated([{"n": 1, "more": "x"}]) == [{"n": 1, "more": "x"}]
    assert refusal(mixed, {"n": 1, "more": 2})["loc"] == ["instances", 0, "more"]


def test_names_are_looked_up_even_within_themselves():
    node = {"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]}}}
    schema = {"$ref": "#/$defs/Node", "$defs": {"Node": node | {"additionalProperties": False}}}
    Validator(schema).validated([{"next": {"next": None}}])
    assert refusal(schema, {"next": {"nxt": None}})["loc"] == ["instances", 0, "next", "nxt"]


@pytest.mark.parametrize("schema", [{"not": {}}, {"type": "object", "patternProperties": {}}, {"$ref": "http://x"}])
def test_what_cannot_be_checked_is_refused_at_once(schema):
    with pytest.raises(ValueError, match="the signature"):
        Validator(schema)


def test_the_words_of_a_long_list_of_values_end():
    words = refusal({"enum": list(range(100))}, "x")["msg"]
    assert words.endswith('(and 90 more), not the string "x"')
    assert len(json.dumps(words)) < 200
