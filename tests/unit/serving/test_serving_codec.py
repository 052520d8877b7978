"""Requests become values like the example's, or an error with row and feature."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from jupyter_deploy.domain.capture.signature import infer_schema
from jupyter_deploy.serving.values.codec import BadAnswer, Codec, InvalidInstances, encode, instances_of

MISSING = " (a missing value is accepted only if the deployed example or its signature has one)"


def codec_for(example, container, parameters=(), schema=None, prototype=None, **changes):
    instances = instances_of(example, container, parameters)
    schema = schema or infer_schema(instances, fixed_lengths=container in ("array", "tensor"))
    signature = {"container": container, "parameters": parameters, "instance_schema": schema | changes}
    if prototype is None and container != "call" and hasattr(example, "dtype") | hasattr(example, "dtypes"):
        prototype = example[:0]
    return Codec(signature, prototype)


def refusal(codec, instances):
    with pytest.raises(InvalidInstances) as caught:
        codec.decode(instances)
    return caught.value.errors


PEOPLE = pd.DataFrame(
    {
        "age": np.array([30, 41], dtype="int8"),
        "mean radius": np.array([1.5, math.nan], dtype="float32"),
        "sex": pd.Categorical(["F", "M"], categories=["F", "M", "X"]),
        "city": pd.Series(["Bern", None], dtype="str"),
        "seen": pd.to_datetime(["2026-01-01T12:00:00", None]),
        "at": pd.to_datetime(["2026-07-01T12:00:00+02:00", "2026-01-01T12:00:00+01:00"], utc=True).tz_convert(
            "Europe/Zurich"
        ),
        "visits": pd.array([3, None], dtype="Int16"),
        "member": [True, False],
        "waited": pd.to_timedelta([90, None], unit="s"),
        7: [1.0, 2.0],
    }
)


def test_a_frame_comes_back_from_its_json_form_as_it_was():
    instances = instances_of(PEOPLE, "frame")
    assert instances[1]["mean radius"] is None
    assert instances[0]["seen"] == "2026-01-01T12:00:00"
    backwards = [dict(reversed(row.items())) for row in instances]
    pd.testing.assert_frame_equal(codec_for(PEOPLE, "frame").decode(backwards), PEOPLE)


def test_columns_have_the_examples_order_whatever_the_schemas():
    frame = pd.DataFrame({"a": [1], "b": ["x"]})
    schema = infer_schema([{"b": "x", "a": 1}])
    pd.testing.assert_frame_equal(codec_for(frame, "frame", schema=schema).decode([{"b": "x", "a": 1}]), frame)


def test_fractions_are_refused_if_the_model_takes_integers():
    codec = codec_for(np.array([1]), "array", schema={"type": "number"})
    assert refusal(codec, [1.0, 1.5]) == [{"loc": ["instances", 1], "msg": "must be a whole number"}]


def test_making_instances_changes_nothing():
    before = PEOPLE.copy(deep=True)
    instances_of(PEOPLE, "frame")
    pd.testing.assert_frame_equal(PEOPLE, before)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("age", 300, "is out of the range of int8"),
        ("age", "30", 'must be a whole number, not the string "30"'),
        ("age", True, "must be a whole number, not true"),
        ("age", 30.5, "must be a whole number, not 30.5"),
        (
            "age",
            None,
            f"must be a whole number, not null{MISSING}",
        ),
        ("mean radius", "1.5", 'must be a number, not the string "1.5"'),
        ("mean radius", False, "must be a number, not false"),
        ("mean radius", 1e300, "is out of the range of float32"),
        ("mean radius", [1.5], "must be a number, not a list"),
        ("sex", "D", "is the unknown category 'D'; the model knows 'F', 'M', 'X'"),
        ("city", 5, "must be a string, not 5"),
        ("visits", 40_000, "is out of the range of int16"),
        ("member", 1, "must be true or false, not 1"),
    ],
)
def test_a_value_that_does_not_fit_is_named_by_row_and_feature(key, value, message):
    instances = instances_of(PEOPLE, "frame")
    instances[1][key] = value
    assert refusal(codec_for(PEOPLE, "frame"), instances) == [{"loc": ["instances", 1, key], "msg": message}]


def test_a_whole_number_may_be_written_as_a_float():
    instances = instances_of(PEOPLE, "frame")
    instances[0]["age"] = 30.0
    assert codec_for(PEOPLE, "frame").decode(instances)["age"].tolist() == [30, 41]


def test_missing_and_unknown_features_are_named():
    instances = instances_of(PEOPLE, "frame")
    del instances[0]["age"]
    instances[1]["mean_radius"] = 1.0
    assert refusal(codec_for(PEOPLE, "frame"), instances) == [
        {"loc": ["instances", 0, "age"], "msg": "missing feature 'age'"},
        {"loc": ["instances", 1, "mean_radius"], "msg": "unknown feature 'mean_radius'"},
    ]


def test_a_row_that_is_not_an_object_is_named():
    assert refusal(codec_for(PEOPLE, "frame"), [[1, 2]]) == [
        {"loc": ["instances", 0], "msg": "must be an object, not a list"}
    ]


def test_null_is_refused_where_the_example_had_none_missing():
    frame = pd.DataFrame({"x": [1.5]})
    assert refusal(codec_for(frame, "frame"), [{"x": None}])[0]["msg"] == f"must be a number, not null{MISSING}"


def test_infinity_is_refused():
    frame = pd.DataFrame({"x": [1.5]})
    assert "must be a number" in refusal(codec_for(frame, "frame"), [{"x": math.inf}])[0]["msg"]


def test_the_first_twenty_errors_are_listed_with_the_number_of_the_others():
    frame = pd.DataFrame({"x": [1.5]})
    errors = refusal(codec_for(frame, "frame"), [{"x": "bad"}] * 500)
    assert len(errors) == 21
    assert errors[-1] == {"loc": ["instances"], "msg": "… and 480 more"}


def test_errors_of_all_rows_are_counted_up_to_a_bound():
    codec = codec_for(pd.DataFrame({"x": [1.5]}), "frame")
    late = refusal(codec, [{"x": 1.5}] * 2500 + [{"x": "bad"}] + [{"x": 1.5}] * 2500 + [{"x": "bad"}] * 30)
    assert [error["loc"][1] for error in late[:3]] == [2500, 5001, 5002]
    assert late[-1]["msg"] == "… and 11 more"
    # A body has room for millions of errors, each of which takes far more memory than what is wrong.
    many = refusal(codec, [{}] * 50_000)
    assert [error["loc"] for error in many[:20]] == [["instances", row, "x"] for row in range(20)]
    assert many[-1]["msg"] == "… and at least 10980 more"


def test_of_far_too_many_keys_a_few_are_listed():
    codec = codec_for(pd.DataFrame({"x": [1.5]}), "frame")
    errors = refusal(codec, [{"x": 1.5}, {f"k{number}": 1 for number in range(100_000)}])
    assert errors[0] == {"loc": ["instances", 1, "x"], "msg": "missing feature 'x'"}
    assert [error["msg"] for error in errors[1:20]] == [f"unknown feature 'k{number}'" for number in range(19)]
    assert errors[-1]["msg"] == "… and at least 2 more"


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01T00:00:00", "1764072000"])
def test_a_moment_must_be_written_as_iso_8601(text):
    frame = pd.DataFrame({"seen": pd.to_datetime(["2026-01-01"])})
    schema = {"type": "object", "properties": {"seen": {"type": "string", "format": "date-time"}}}
    codec = codec_for(frame, "frame", schema=schema)
    assert refusal(codec, [{"seen": text}])[0]["msg"].startswith('must be a date and time such as "2026')


def test_a_moment_beyond_the_columns_range_is_refused():
    frame = pd.DataFrame({"seen": pd.to_datetime(["2026-01-01"]).astype("datetime64[ns]")})
    errors = refusal(codec_for(frame, "frame"), [{"seen": "2026-01-01"}, {"seen": "9999-01-01"}])
    assert errors[0]["loc"] == ["instances", 1, "seen"]


def test_a_moment_with_an_offset_is_the_same_moment_in_utc_for_a_column_without_zone():
    frame = pd.DataFrame({"seen": pd.to_datetime(["2026-01-01"])})
    decoded = codec_for(frame, "frame").decode([{"seen": "2026-01-01T02:00:00+02:00"}])
    assert decoded["seen"][0] == pd.Timestamp("2026-01-01")


def test_a_column_with_a_zone_needs_offsets():
    frame = pd.DataFrame({"at": pd.to_datetime(["2026-01-01"], utc=True)})
    assert "offset from UTC" in refusal(codec_for(frame, "frame"), [{"at": "2026-01-01T00:00:00"}])[0]["msg"]


def test_enumerations_and_bounds_of_the_schema_hold():
    frame = pd.DataFrame({"n": [1], "s": ["a"]})
    schema = {
        "type": "object",
        "properties": {
            "n": {"type": "integer", "minimum": 0, "maximum": 255},
            "s": {"type": ["string", "null"], "enum": ["a", "b", None]},
        },
        "required": ["n", "s"],
        "additionalProperties": False,
    }
    codec = codec_for(frame, "frame", schema=schema)
    assert codec.decode([{"n": 255, "s": None}])["s"].isna().all()
    errors = refusal(codec, [{"n": 256, "s": "c"}])
    assert [error["msg"] for error in errors] == [
        "must be a whole number from 0 to 255, not 256",
        'must be one of "a", "b", not the string "c"',
    ]


def test_an_integer_beyond_64_bits_is_refused():
    schema = {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1}
    codec = codec_for(np.array([1]), "array", schema=schema)
    assert codec.decode([2**63 - 1]).tolist() == [2**63 - 1]
    assert refusal(codec, [2**63])[0]["msg"] == "must be a whole number (int64), not 9223372036854775808"


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "int64", "uint8", "bool", "<U3"])
def test_an_array_comes_back_with_its_type_and_shape(dtype):
    example = np.array([[0, 1, 1], [1, 0, 1]]).astype(dtype)
    decoded = codec_for(example, "array").decode(instances_of(example, "array"))
    assert decoded.dtype == example.dtype
    np.testing.assert_array_equal(decoded, example)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([1, 2], "should have at least 3 items, not 2"),
        ([1, 2, 3, 4], "should have at most 3 items, not 4"),
        ([1, 2, 300], "is out of the range of uint8"),
        ([1, 2, -1], "is out of the range of uint8"),
        ([1, 2, 2**70], "is out of the range of uint8"),
        (5, "must be a list, not 5"),
    ],
)
def test_a_row_of_another_length_or_range_is_refused(row, message):
    codec = codec_for(np.array([[1, 2, 3]], dtype="uint8"), "array")
    assert refusal(codec, [[1, 2, 3], row]) == [{"loc": ["instances", 1], "msg": message}]


def test_a_longer_text_than_the_examples_is_not_cut_off():
    codec = codec_for(np.array(["ab", "c"]), "array")
    assert codec.decode(["abcdef"]).tolist() == ["abcdef"]


def test_a_list_is_passed_on_unchanged():
    codec = codec_for(["spam", "ham"], "list")
    assert codec.decode(["eggs"]) == ["eggs"]
    assert refusal(codec, [5])[0]["msg"] == "must be a string, not 5"


def test_with_one_parameter_an_instance_is_its_value():
    codec = codec_for({"text": "hello"}, "call", ("text",))
    assert codec.decode(["a", "b"]) == [{"text": "a"}, {"text": "b"}]


def test_with_several_parameters_an_instance_is_an_object_by_name():
    example = {"age": 3, "weights": np.array([1.0, 2.0], dtype="float32")}
    assert instances_of(example, "call", ("age", "weights")) == [{"age": 3, "weights": [1.0, 2.0]}]
    codec = codec_for(example, "call", ("age", "weights"), prototype={"weights": example["weights"][:0]})
    (arguments,) = codec.decode([{"weights": [3, 4.5, 6], "age": 4}])
    assert arguments["age"] == 4
    assert arguments["weights"].dtype == np.float32
    assert refusal(codec, [{"age": 4}])[0]["msg"] == "missing parameter 'weights'"
    assert refusal(codec, [{"age": 4, "weights": [1e300]}])[0]["loc"] == ["instances", 0, "weights"]


@pytest.mark.parametrize(
    "answer",
    [
        [1, 2],
        np.array([1, 2]),
        pd.Series([1, 2], index=[7, 7]),
    ],
)
def test_answers_of_any_container_become_a_list(answer):
    assert encode(answer, 2) == [1, 2]


def test_an_answered_frame_becomes_objects():
    assert encode(pd.DataFrame({"label": ["a", "b"], 0: [math.nan, 1.0]}), 2) == [
        {"label": "a", "0": None},
        {"label": "b", "0": 1.0},
    ]


@pytest.mark.parametrize("answer", [5, 5.0, "yes", {"a": 1}, np.float64(1), np.array(1), (1,), None])
def test_one_answer_for_the_whole_batch_is_refused(answer):
    with pytest.raises(BadAnswer, match="must return one value a row"):
        encode(answer, 1)


def test_too_few_answers_are_refused_by_encode():
    with pytest.raises(BadAnswer, match="returned 2 answers for 3 rows"):
        encode([1, 2], 3)
