"""Decoding with torch, Polars and Arrow: both paths accept the same requests with equal results."""

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
    assert_paths_agree,
    assert_paths_agree_on_odd_values,
    assert_requests_are_joined,
    assert_same,
    captured,
    documents,
    outcome,
    slow,
)
from tests.examples import examples

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
@settings(max_examples=examples(60), deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_both_paths_accept_the_same_requests_with_the_same_results(name, data):
    codec, instances = CASES[name]
    assert_paths_agree(codec, data.draw(documents(instances)))


@pytest.mark.parametrize("name", CASES)
def test_both_paths_treat_odd_values_the_same(name):
    assert_paths_agree_on_odd_values(*CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_several_requests_become_one_batch_of_all_their_rows(name):
    assert_requests_are_joined(*CASES[name])


def test_an_array_becomes_a_tensor_of_the_prototypes_dtype():
    codec, _ = CASES["tensor"]
    decoder = Decoder(codec)
    parsed = decoder.array(np.array([[1, 2], [3, 4]]))
    assert_same(codec, parsed, slow(codec).instances([[1, 2], [3, 4]]))


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
def test_arrow_columns_are_decoded_like_their_rows(changed):
    codec, _ = captured(FRAME, "frame")
    columns = COLUMNS | changed
    lists = {name: [_json_value(value) for value in column.to_pylist()] for name, column in columns.items()}
    rows = [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]
    assert_same(codec, outcome(Decoder(codec).columns, columns), outcome(slow(codec).instances, rows))


def _json_value(value):
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
def test_answers_have_the_same_json_whole_and_in_parts(answer):
    expected = json.dumps(encode(answer, 2))
    assert json.dumps(json.loads(strict_json(answer, 2))) == expected
    whole = checked(answer, 2)
    parts = [*json.loads(strict_json(part(whole, 0, 1), 1)), *json.loads(strict_json(part(whole, 1, 2), 1))]
    assert json.dumps(parts) == expected
