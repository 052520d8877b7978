"""Tensors, polars' frames and Arrow's columns: the fast way gives what the slow way gives."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_deploy.serving.dispatch.json_answers import checked, part, strict_json
from jupyter_deploy.serving.values.codec import encode
from jupyter_deploy.serving.values.decoding import Decoder
from tests.decodings import (
    assert_odd_ones_are_taken_or_refused_alike,
    assert_same,
    assert_same_batch,
    captured,
    documents,
    fast,
    outcome,
    slow,
)

POLARS = pl.DataFrame({"a": [1.5, None], "b": [1, 2], "c": ["x: y", "z"], "d": [True, False]})
CASES = {
    "tensor": captured(torch.tensor([[0.5, 1.5], [2.0, -3.0]]), "tensor"),
    "tensor of whole numbers": captured(torch.tensor([[[1, 2]], [[3, 4]]]), "tensor"),
    "tensor of bfloat16": captured(torch.tensor([[0.5, 1.5]], dtype=torch.bfloat16), "tensor"),
    "tensor of booleans": captured(torch.tensor([[True, False]]), "tensor"),
    "tensor of one dimension": captured(torch.tensor([0.5, 1.5], dtype=torch.float64), "tensor"),
    "polars": captured(POLARS, "frame"),
    "lazy polars": captured(POLARS.lazy(), "frame"),
    "extension types": captured(
        pd.DataFrame(
            {"a": pd.array([1, None], dtype="int64[pyarrow]"), "b": pd.array(["x", None], dtype="string[pyarrow]")}
        ),
        "frame",
    ),
}


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_both_ways_take_the_same_and_give_the_same(name, data):
    codec, instances = CASES[name]
    content = data.draw(documents(instances))
    assert_same(codec, outcome(fast(codec).json, content), outcome(slow(codec).json, content))


@pytest.mark.parametrize("name", CASES)
def test_what_was_read_quickly_and_what_was_read_slowly_is_asked_together(name):
    codec, instances = CASES[name]
    body, twice = (json.dumps({"instances": rows}).encode() for rows in (instances, instances * 2))
    decoder = fast(codec)
    mixed = [decoder.json(body), slow(codec).json(body)]
    assert_same_batch(decoder.batch(mixed), decoder.batch([decoder.json(twice)]))


@pytest.mark.parametrize("name", CASES)
def test_each_odd_value_in_each_place_is_taken_or_refused_alike(name):
    assert_odd_ones_are_taken_or_refused_alike(*CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_several_questions_are_one_batch_of_all_their_rows(name, monkeypatch):
    codec, instances = CASES[name]
    decoder = fast(codec)
    monkeypatch.setattr(decoder, "_slow_path", None)
    bodies = [json.dumps({"instances": rows}).encode() for rows in (instances, instances[:1], instances * 4)]
    together = slow(codec).json(json.dumps({"instances": instances + instances[:1] + instances * 4}).encode())
    assert_same_batch(decoder.batch(list(map(decoder.json, bodies))), decoder.batch([together]))


def test_a_tensor_of_the_prototypes_kind_comes_of_an_array():
    codec, _ = CASES["tensor"]
    decoder = Decoder(codec)
    asked = decoder.array(np.array([[1, 2], [3, 4]]))
    assert_same(codec, asked, slow(codec).instances([[1, 2], [3, 4]]))


FRAME = pd.DataFrame(
    {
        "size": [1.5, 2.5],
        "rooms": np.array([3, 4], dtype="int16"),
        "sold": [True, False],
        "kind": pd.Categorical(["house", "flat"]),
        "since": pd.to_datetime(["2026-01-01", "2026-02-01"]),
        "note": pd.array(["a: b", None], dtype="str"),
    }
)
COLUMNS = {
    "size": pa.array([1.5, 2.5, 3.5], pa.float32()),
    "rooms": pa.array([1, 2, 3], pa.int64()),
    "sold": pa.array([True, True, False]),
    "kind": pa.array(["flat", "flat", "house"]).dictionary_encode(),
    "since": pa.array([pd.Timestamp("2026-03-01")] * 3, pa.timestamp("ns")),
    "note": pa.chunked_array([["x"], ["y", None]]),
}


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"size": pa.array([1, 2, 3], pa.uint8())},
        {"size": pa.array([1.5, None, 3])},
        {"size": pa.array([1.5, math.nan, 3])},
        {"size": pa.array(["1", "2", "3"])},
        {"rooms": pa.chunked_array([[1], [2, 3]])},
        {"rooms": pa.array([1, None, 3])},
        {"rooms": pa.array([1, 2, 2**40])},
        {"sold": pa.array([True, None, False])},
        {"kind": pa.array(["castle", "flat", "flat"])},
        {"since": pa.array(["2026-03-01"] * 3)},
        {"since": pa.array([None] * 3, pa.date32())},
        {"note": pa.array([1, 2, 3])},
        {"size": pa.nulls(3)},
    ],
)
def test_columns_of_arrow_are_taken_as_their_rows_are(changed):
    codec, _ = captured(FRAME, "frame")
    columns = COLUMNS | changed
    lists = {name: [_told(value) for value in column.to_pylist()] for name, column in columns.items()}
    rows = [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]
    assert_same(codec, outcome(Decoder(codec).columns, columns), outcome(slow(codec).instances, rows))


def _told(value):
    if isinstance(value, float) and math.isnan(value):
        return None
    return value.isoformat() if hasattr(value, "isoformat") else value


@pytest.mark.parametrize(
    "answer",
    [
        torch.tensor([[0.1, 0.9], [math.nan, 1.0]]),
        torch.tensor([1, 2]),
        torch.tensor([0.1, 2.0], dtype=torch.bfloat16),
        torch.tensor([0.1, 2.0], requires_grad=True),
        torch.tensor([[0.0, 1.0], [0.0, 0.0]]).to_sparse(),
        pl.DataFrame({"a": [1.5, None], "b": ["x", "y"]}),
        pl.DataFrame({"a": [1.5, None]}).lazy(),
        pl.Series([1, 2]),
    ],
    ids=lambda answer: type(answer).__module__,
)
def test_answers_are_written_whole_and_in_parts_with_the_same_values(answer):
    expected = json.dumps(encode(answer, 2))
    assert json.dumps(json.loads(strict_json(answer, 2))) == expected
    whole = checked(answer, 2)
    parts = [*json.loads(strict_json(part(whole, 0, 1), 1)), *json.loads(strict_json(part(whole, 1, 2), 1))]
    assert json.dumps(parts) == expected
