"""Decoding with pandas, NumPy and plain values: both paths accept the same requests with equal results.

The cases of torch, Polars and Arrow are in tests/contract/serving/test_serving_decoding_frameworks.py, since this
file runs without them.
"""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_deploy.serving.dispatch.parsed_request import Raw
from jupyter_deploy.serving.values import frames
from jupyter_deploy.serving.values.codec import InvalidInstances
from jupyter_deploy.serving.values.decoding import Decoder
from tests.decodings import (
    assert_paths_agree,
    assert_paths_agree_on_odd_values,
    assert_requests_are_joined,
    assert_same,
    assert_same_batch,
    captured,
    documents,
    fast,
    slow,
)
from tests.examples import examples

NUMBERS = pd.DataFrame({"mean radius": [1.5, 2.5], "C(x)[T:1]": [0.1, 1e-7], "é": [3.0, -4.0]})
MIXED = pd.DataFrame(
    {
        "age": np.array([30, 41], dtype="int8"),
        "weight": np.array([1.5, math.nan], dtype="float32"),
        "sex": pd.Categorical(["F", "M"], categories=["F", "M", "X"]),
        "city": pd.Series(["Bern", None], dtype="str"),
        "note": pd.Series(["a: b", "c"], dtype=object),
        "seen": pd.to_datetime(["2026-01-01T12:00:00", None]),
        "at": pd.to_datetime(["2026-07-01T12:00:00+02:00"] * 2, utc=True).tz_convert("Europe/Zurich"),
        "visits": pd.array([3, None], dtype="Int16"),
        "member": [True, False],
        "waited": pd.to_timedelta([90, None], unit="s"),
        "level": pd.Categorical([1, 2]),
        7: [1.0, 2.0],
    }
)
DEFAULTS = {
    "type": "object",
    "properties": {
        "a": {"type": "number", "minimum": 0},
        "b": {"type": "number", "default": 2.5},
        "c": {"type": "integer"},
    },
    "required": ["a", "c"],
    "additionalProperties": False,
}

CASES = {
    "numbers": captured(NUMBERS, "frame"),
    "float32": captured(NUMBERS.astype("float32"), "frame"),
    "float16": captured(NUMBERS.astype("float16"), "frame"),
    "missing": captured(NUMBERS.assign(é=[math.nan, 1.0]), "frame"),
    "int64": captured(pd.DataFrame({"a": [1, 2], "b": [3, 4]}), "frame"),
    "int8": captured(pd.DataFrame({"a": [1, 2], "b": [3, 4]}, dtype="int8"), "frame"),
    "uint64": captured(pd.DataFrame({"a": [1, 2], "b": [3, 4]}, dtype="uint64"), "frame"),
    "booleans": captured(pd.DataFrame({"a": [True, False], "b": [False, True]}), "frame"),
    "objects": captured(pd.DataFrame({"a": ["x", None], "b": [1, "y"], "c": [1, 2.5]}, dtype=object), "frame"),
    "mixed": captured(MIXED, "frame"),
    "defaults": captured(pd.DataFrame({"a": [1.0], "b": [2.0], "c": [3]}), "frame", schema=DEFAULTS),
    "default numbers": captured(pd.DataFrame({"c": [3], "a": [1.0], "b": [2.0]}), "frame", schema=DEFAULTS),
    "whole numbers among others": captured(pd.DataFrame({"c": [3, 4], "a": [1.5, 2.5], "d": [5, 6]}), "frame"),
    "array": captured(np.array([[0.5, 1.5], [2.0, -3.0]]), "array"),
    "array of float32": captured(np.array([[0.5, 1.5], [2.0, -3.0]], dtype="float32"), "array"),
    "array of big-endian floats": captured(np.array([[0.5, 1.5], [2.0, -3.0]], dtype=">f8"), "array"),
    "array of uint8": captured(np.arange(12, dtype="uint8").reshape(2, 2, 3), "array"),
    "array of booleans": captured(np.array([[True, False]]), "array"),
    "array of texts": captured(np.array([["ab", "c:d"]]), "array"),
    "array of one dimension": captured(np.array([1.5, 2.5]), "array"),
    "array of missing": captured(np.array([[math.nan, 1.0], [0.0, 1.0]]), "array"),
    "list of texts": captured(["spam", "ham: eggs"], "list"),
    "list of objects": captured([{"a": 1, "b": "x"}, {"a": 2.5, "b": "y"}], "list"),
    "list of optional objects": captured([{"a": 1, "b": "x"}, {"b": "y"}], "list"),
    "list of lists": captured([[1, 2], [3]], "list"),
    "call": captured([{"text": "hello"}], "call", ("text",), lambda text: text),
    "call of several": captured(
        [{"age": 3, "weights": np.array([1.0, 2.0], dtype="float32")}],
        "call",
        ("age", "weights"),
        lambda age, weights: age,
    ),
}


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=examples(60), deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_both_paths_accept_the_same_requests_with_the_same_results(name, data):
    codec, instances = CASES[name]
    assert_paths_agree(codec, data.draw(documents(instances)))


@pytest.mark.parametrize("name", CASES)
def test_both_paths_treat_odd_values_the_same(name):
    assert_paths_agree_on_odd_values(*CASES[name])


def test_a_large_whole_number_stays_exact_next_to_a_float():
    codec, _ = CASES["whole numbers among others"]
    content = b'{"instances":[{"c":9007199254740993,"a":1.5,"d":5.0}]}'
    assert_same(codec, fast(codec).json(content), slow(codec).json(content))


@pytest.mark.parametrize("name", CASES)
def test_the_example_takes_the_fast_path(name, monkeypatch):
    codec, instances = CASES[name]
    decoder = fast(codec)
    content = json.dumps({"instances": instances * 3}).encode()
    expected = slow(codec).json(content)
    monkeypatch.setattr(decoder, "_slow_path", None)
    assert_same(codec, decoder.json(content), expected)
    assert_same(codec, decoder.instances(instances * 3), expected)


@pytest.mark.parametrize("name", [name for name in CASES if not name.startswith("call")])
def test_several_requests_become_one_batch_of_all_their_rows(name):
    assert_requests_are_joined(*CASES[name])


def test_calls_are_not_joined():
    assert not fast(CASES["call"][0]).joinable


def test_the_record_has_the_instances_as_sent_on_one_line():
    decoder = fast(CASES["numbers"][0])
    content = '\n{"instances" :\r\n[{"C(x)[T:1]": 1.50, "é":2e0,\n"mean radius":3}] }'.encode()
    assert decoder.json(content).inputs == Raw('[{"C(x)[T:1]": 1.50, "é":2e0, "mean radius":3}]'.encode())


def test_a_repeated_key_is_recorded_once():
    codec, _ = CASES["numbers"]  # one of whose names has a colon
    content = '{"instances":[{"mean radius":1,"C(x)[T\\u003a1]":2,"é":3,"é":4}]}'.encode()
    assert_same(codec, fast(codec).json(content), slow(codec).json(content))
    decoder = fast(CASES["int64"][0])
    for twice in (b'{"a":1,"b":2,"a":3}', b'{"a":1,"a" :3,"b":2}', b'{"a":1,"\\u0061":3,"b":2}'):
        parsed = decoder.json(b'{"instances":[' + twice + b"]}")
        assert parsed.inputs.count(b":") == 2
        assert json.loads(parsed.inputs) == [{"a": 3, "b": 2}]


def test_a_refusal_holds_the_instances():
    with pytest.raises(InvalidInstances) as caught:
        fast(CASES["int64"][0]).json(b'{"instances": [{"a": "x", "b": 2}]}')
    assert caught.value.inputs == [{"a": "x", "b": 2}]


def test_the_fast_path_accepts_whole_numbers_written_as_floats(monkeypatch):
    codec, _ = CASES["whole numbers among others"]
    decoder = fast(codec)
    monkeypatch.setattr(decoder, "_slow_path", None)
    assert decoder.batch([decoder.json(b'{"instances":[{"c":3.0,"a":1,"d":5}]}')]).dtypes.astype(str).tolist() == [
        *("int64", "float64", "int64")
    ]


@pytest.mark.parametrize("name", ["mixed", "objects", "numbers", "whole numbers among others"])
def test_a_pandas_without_blocks_gives_the_same_frames(name, monkeypatch):
    codec, instances = CASES[name]
    decoder = fast(codec)
    expected = decoder.batch([decoder.instances(instances)])
    monkeypatch.setattr(frames, "_from_blocks", None)
    assert_same_batch(decoder.batch([decoder.instances(instances)]), expected)


def test_a_frame_may_have_no_columns():
    codec, instances = captured(pd.DataFrame(index=[0, 1]), "frame")
    decoder = Decoder(codec)
    parsed = decoder.json(json.dumps({"instances": instances}).encode())
    assert_same_batch(decoder.batch([parsed, parsed]), codec.decode(instances * 2))


def test_a_model_may_write_into_every_column():
    codec, instances = CASES["mixed"]
    decoder = fast(codec)
    for decoded in (decoder.instances(instances), slow(codec).instances(instances)):
        batch = decoder.batch([decoded])
        for position in range(batch.shape[1]):
            batch.iloc[0, position] = batch.iloc[1, position]
            assert str(batch.iloc[0, position]) == str(batch.iloc[1, position])


def test_a_name_that_a_model_gives_to_columns_does_not_reach_the_next_request():
    for name in ("numbers", "mixed"):
        codec, instances = CASES[name]
        decoder = fast(codec)
        decoder.batch([decoder.instances(instances)]).columns.name = "mine"
        assert decoder.batch([decoder.instances(instances)]).columns.name is None
