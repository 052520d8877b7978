"""The fields of a form and its programs, from schemas alone."""

import ast
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_deploy.domain.capture.schema import closed, infer_schema, nullable, with_seen
from jupyter_deploy.faces.views.fields import fields_of
from jupyter_deploy.faces.views.snippets import laid_out, snippets

ROWS = [
    {"age": 30, "weight": 60.5, "town": "Bern", "ok": True},
    {"age": 41, "weight": 70.0, "town": "Zug", "ok": False},
]
SCHEMA = with_seen(infer_schema(ROWS), ROWS)


def one(schema, value=None, *, required=True):
    """The field of a property ``x``."""
    (field,) = fields_of(closed({"x": schema}, ["x"] if required else []), None if value is None else {"x": value})
    return field


def test_each_property_is_a_field_with_the_examples_value_and_the_observed_values():
    fields = fields_of(SCHEMA, ROWS[0])
    assert [(f.name, f.kind, f.value, f.help) for f in fields] == [
        ("age", "integer", 30, "the example has 30 to 41"),
        ("weight", "number", 60.5, "the example has 60.5 to 70"),
        ("town", "text", "Bern", "the example has 2 different, of 3 to 4 characters"),
        ("ok", "boolean", True, ""),
    ]
    assert all(field.required and not field.nullable for field in fields)


def test_observed_values_are_a_hint_and_required_ones_limit_the_control():
    field = one(with_seen({"type": "integer", "minimum": 0, "maximum": 255}, [{"x": 3}, {"x": 9}]), 3)
    assert (field.minimum, field.maximum) == (0, 255)
    seen = one(with_seen({"type": "number"}, [3.0, 9.0, None]))
    assert (seen.minimum, seen.maximum, seen.help) == (None, None, "the example has 3 to 9, 1 of 3 missing")
    assert one({"type": "number", "exclusiveMinimum": 0}).help == "more than 0"


def test_what_may_be_missing_may_be_left_empty_and_what_has_a_default_left_out():
    field = one(nullable({"type": "number"}))
    assert (field.kind, field.nullable, field.required) == ("number", True, True)
    town = one({"anyOf": [{"type": "string"}, {"type": "null"}], "default": "Bern"}, required=False)
    assert (town.kind, town.nullable, town.required, town.help) == ("text", True, False, "default: Bern")


def test_categories_are_chosen():
    field = one({"type": ["string", "null"], "enum": ["a", "b", None]}, "b")
    assert (field.kind, field.choices, field.nullable, field.value) == ("choice", ("a", "b"), True, "b")
    assert one({"const": 3}).choices == (3,)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "items": {"type": "number"}},
        closed({"y": {"type": "string"}}),
        {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        {"enum": [[1], [2]]},
        {},
    ],
)
def test_what_is_nested_or_several_things_is_written_as_json(schema):
    assert one(schema).kind == "json"


def test_a_named_part_of_a_pydantic_model_is_found():
    schema = {
        "type": "object",
        "properties": {
            "size": {"$ref": "#/$defs/Size"},
            "loan": {"$ref": "#/$defs/Loan"},
            "other": {"anyOf": [{"$ref": "#/$defs/Size"}, {"type": "null"}]},
        },
        "$defs": {
            "Size": {"enum": ["s", "l"], "type": "string", "title": "Size", "description": "How large."},
            "Loan": closed({"amount": {"type": "number"}}),
        },
    }
    size, loan, other = fields_of(schema, {"size": "l", "loan": {"amount": 3}})
    assert (other.kind, other.choices, other.nullable) == ("choice", ("s", "l"), True)
    assert (size.kind, size.choices, size.help, size.label) == ("choice", ("s", "l"), "How large", "size")
    assert (loan.kind, loan.value) == ("json", {"amount": 3})


def test_a_title_that_says_more_is_the_label():
    assert one({"type": "number", "title": "X"}).label == "x"
    assert one({"type": "number", "title": "Systolic pressure"}).label == "Systolic pressure"


@pytest.mark.parametrize("instance", [[1.0, 2.0], "a text", 3])
def test_what_is_no_object_has_no_fields(instance):
    assert fields_of(infer_schema([instance]), instance) == ()
    assert fields_of({}, {"any": 1}) == ()


def test_an_object_with_more_than_the_schema_names_is_written_as_json():
    assert fields_of({"type": "object", "properties": {"a": {}}, "additionalProperties": True}, {"a": 1, "b": 2}) == ()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(st.text(), inner, max_size=8),
    max_leaves=30,
)


@given(JSON)
def test_a_value_over_several_lines_is_the_same_value(value):
    assert json.loads(laid_out(value, json.dumps)) == value
    assert ast.literal_eval(laid_out(value, repr)) == value


def test_many_numbers_stand_in_lines_that_every_console_takes():
    lines = laid_out({"instances": [[float(i) for i in range(784)]]}, json.dumps).splitlines()
    assert max(map(len, lines)) <= 88
    assert len(lines) < 100


@given(JSON)
def test_what_python_and_a_here_document_send_is_the_body(body):
    texts = {snippet.language: snippet.text for snippet in snippets("http://x/predict", body, None)}
    sent = re.search(r"<<'JSON'\n(.*)\nJSON\n\Z", texts["curl"], re.DOTALL)
    assert json.loads(sent[1]) == body
    assert "\nJSON\n" not in sent[1]
    (assigned,) = [node for node in ast.parse(texts["python"]).body if isinstance(node, ast.Assign)][:1]
    assert ast.literal_eval(assigned.value) == body


def test_no_program_holds_the_token_and_each_reads_its_file():
    for snippet in snippets("http://x/predict", {"instances": [1]}, Path("/home/a b/it's/token.header")):
        assert "token.header" in snippet.text
