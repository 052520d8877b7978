"""Columns and arrays are decoded like the JSON of their rows."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest

from jupyter_deploy.serving.values.codec import InvalidInstances
from jupyter_deploy.serving.values.decoding import Decoder
from tests.decodings import assert_same, captured, outcome, slow

FRAME = pd.DataFrame(
    {
        "size": [1.5, 2.5],
        "weight": np.array([1.0, math.nan], dtype="float32"),
        "rooms": np.array([3, 4], dtype="int16"),
        "sold": [True, False],
        "kind": pd.Categorical(["house", "flat"]),
        "since": pd.to_datetime(["2026-01-01", "2026-02-01"]),
        "note": ["a: b", "é"],
    }
)
COLUMNS = {
    "note": np.array(["x", "y", "z"], dtype=object),
    "size": np.array([1, 2, 3]),
    "weight": np.array([1.0, math.nan, 3.0]),
    "rooms": np.array([1.0, 2.0, 3.0]),
    "sold": np.array([True, True, False]),
    "kind": np.array(["flat", "flat", "house"]),
    "since": np.array(["2026-03-01", "2026-03-02", "2026-03-03"], dtype="M8[ns]"),
}
CODEC, _ = captured(FRAME, "frame")
ARRAY, _ = captured(np.zeros((1, 3), dtype="float32"), "array")


def rows_of(columns):
    texts = {name: array.astype(str) if array.dtype.kind == "M" else array for name, array in columns.items()}
    lists = [[told(value) for value in array.tolist()] for array in texts.values()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*lists, strict=True)]


def told(value):
    return None if isinstance(value, float) and math.isnan(value) else value


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"size": np.array([1.0, math.nan, 1.0])},
        {"size": np.array([1.0, 2.0, True], dtype=object)},
        {"size": np.array([True, False, True])},
        {"weight": np.array([1e300, 1.0, 1.0])},
        {"weight": np.array([1, 2, 3], dtype="uint8")},
        {"rooms": np.array([1.0, 2.5, 3.0])},
        {"rooms": np.array([1, 2, 40_000])},
        {"rooms": np.array([1, 2, 2**63], dtype="uint64")},
        {"rooms": np.array([1.0, math.nan, 3.0])},
        {"sold": np.array([1, 0, 1])},
        {"kind": np.array(["flat", "castle", "flat"])},
        {"note": np.array(["a", "b", None], dtype=object)},
        {"note": np.array([1, 2, 3])},
        {"other": np.array([1, 2, 3])},
    ],
)
def test_columns_are_decoded_like_their_rows(changed):
    columns = COLUMNS | changed
    expected = outcome(slow(CODEC).instances, rows_of(columns))
    assert_same(CODEC, outcome(Decoder(CODEC).columns, columns), expected)


def test_numbers_and_texts_take_the_fast_path(monkeypatch):
    decoder = Decoder(CODEC)
    monkeypatch.setattr(decoder, "_slow_path", None)
    asked = decoder.columns(COLUMNS)
    assert decoder.batch([asked]).dtypes.tolist() == FRAME.dtypes.tolist()


def test_a_models_writes_do_not_change_the_record():
    decoder = Decoder(CODEC)
    asked = decoder.columns(COLUMNS)
    batch = decoder.batch([asked])
    batch.iloc[:, 0] = 7.0
    assert [row["size"] for row in json.loads(asked.inputs)] == [1, 2, 3]


def test_a_missing_column_is_named():
    columns = {name: column for name, column in COLUMNS.items() if name != "size"}
    with pytest.raises(InvalidInstances, match=r"instances.0.size: missing feature 'size'"):
        Decoder(CODEC).columns(columns)


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(InvalidInstances, match=r"'size' has 2, '.*' has 3"):
        Decoder(CODEC).columns(COLUMNS | {"size": np.zeros(2)})


@pytest.mark.parametrize(
    "array",
    [
        np.array([[1.5, 2.5, 3.5]] * 3),
        np.array([[1, 2, 3]], dtype="int64"),
        np.array([[1, 2, 3]], dtype=">f4"),
        np.array([[1, 2, math.nan]]),
        np.array([[1, 2, math.inf]]),
        np.array([[1, 2, 1e300]]),
        np.array([[True, False, True]]),
        np.array([["1", "2", "3"]]),
        np.array([[1.0, 2.0]]),
        np.array([1.0, 2.0]),
        np.zeros((0, 3)),
    ],
)
def test_an_array_is_decoded_like_its_rows(array):
    values = json.loads(json.dumps(array.tolist()).replace("NaN", "null").replace("Infinity", "null"))
    assert_same(ARRAY, outcome(Decoder(ARRAY).array, array), outcome(slow(ARRAY).instances, values))


def test_a_model_may_write_into_an_array_that_arrived_as_bytes():
    array = np.frombuffer(np.ones(3, dtype="float32").tobytes(), dtype="float32").reshape(1, 3)
    decoder = Decoder(ARRAY)
    asked = decoder.array(array)
    decoder.batch([asked])[0] = 7
    assert json.loads(asked.inputs) == [[1.0, 1.0, 1.0]]


def test_bounds_of_the_schema_hold_for_columns():
    schema = {
        "type": "object",
        "properties": {"a": {"type": "number", "exclusiveMinimum": 0}, "b": {"type": "integer", "maximum": 9}},
        "required": ["a", "b"],
        "additionalProperties": False,
    }
    codec, _ = captured(pd.DataFrame({"a": [1.0], "b": [2]}), "frame", schema=schema)
    fits = {"a": np.array([0.5]), "b": np.array([9])}
    assert Decoder(codec).columns(fits).rows == 1
    for wrong in ({"a": np.array([0.0])}, {"b": np.array([10])}):
        with pytest.raises(InvalidInstances):
            Decoder(codec).columns(fits | wrong)
