"""Large tables of records are written in columns, and read as the rows that they were."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from jupyter_deploy.serving.dispatch.parsed_request import Raw
from jupyter_deploy.serving.dispatch.predictions import predictions_of
from jupyter_deploy.serving.telemetry.recording import Recording, drop_columns, redact_inputs
from jupyter_deploy.serving.telemetry.records import Entry, Recorder, StdoutRecorder
from jupyter_deploy.serving.values.column_table import LARGE, ColumnTable, table_of
from jupyter_deploy.serving.values.decoding import Decoder
from tests.decodings import captured
from tests.examples import examples

ARRAY = np.arange(LARGE, dtype="float32").reshape(-1, 4)
PEOPLE = ColumnTable({"age": np.array([30.5, math.nan]), "member": np.array([True, False]), "city": ["Bern", None]})
ROWS = [{"age": 30.5, "member": True, "city": "Bern"}, {"age": None, "member": False, "city": None}]


def rows(table):
    return json.loads(table.json() if isinstance(table, ColumnTable) else table)


def again(table):
    return json.loads(table_of(json.loads(table.encoded())).json())


def test_a_table_is_read_as_its_rows():
    assert rows(PEOPLE) == again(PEOPLE) == ROWS
    assert b"\n" not in PEOPLE.encoded()


@settings(max_examples=examples(200), deadline=None)
@given(
    hnp.arrays(
        st.sampled_from(["f8", "f4", "f2", "i8", "u8", "i1", "?", ">f8", ">i2"]),
        hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4),
    )
)
def test_any_array_of_numbers_is_read_as_its_rows(array):
    expected = json.loads(json.dumps(array.tolist()), parse_constant=lambda _: None)
    assert json.dumps(again(ColumnTable(array))) == json.dumps(expected)


def test_an_array_that_is_not_in_row_order_is_read_as_its_rows():
    assert again(ColumnTable(ARRAY.T)) == ARRAY.T.tolist()
    assert again(ColumnTable(ARRAY[::-2])) == ARRAY[::-2].tolist()


@pytest.mark.parametrize(
    "damaged",
    [
        None,
        7,
        [],
        {},
        {"columns": None},
        {"columns": {"a": 1}},
        {"columns": {"a": [1], "b": []}},
        {"dtype": "<f4", "shape": [2], "data": "AAAA"},
        {"dtype": "<f4", "shape": [1], "data": "AAAAA!=="},
        {"dtype": "<f4", "shape": [], "data": "AAAAAA=="},
        {"dtype": "<f4", "shape": [2**70], "data": "AAAAAA=="},
        {"dtype": "O", "shape": [1], "data": "AAAAAAAAAAA="},
        {"dtype": 4, "shape": [1], "data": "AAAAAA=="},
    ],
    ids=repr,
)
def test_a_damaged_table_is_an_error(damaged):
    with pytest.raises(ValueError, match="the table of a record is damaged"):
        table_of(damaged)


def test_large_requests_and_answers_are_recorded_in_columns_and_small_ones_in_rows():
    codec, _ = captured(ARRAY[:1], "array")
    large, small = Decoder(codec).array(ARRAY).inputs, Decoder(codec).array(ARRAY[:3]).inputs
    assert isinstance(large, ColumnTable)
    assert isinstance(small, Raw)
    assert (rows(large), rows(small)) == (ARRAY.tolist(), ARRAY[:3].tolist())
    answer = predictions_of(ARRAY, len(ARRAY))
    assert isinstance(answer.recorded, ColumnTable)
    assert json.loads(answer.json) == rows(answer.recorded) == ARRAY.tolist()
    assert isinstance(predictions_of(ARRAY[:3], 3).recorded, Raw)


def test_masked_numbers_are_not_recorded():
    masked = np.ma.masked_equal(ARRAY, 7)
    recorded = predictions_of(masked, len(masked)).recorded
    assert (again(recorded) if isinstance(recorded, ColumnTable) else rows(recorded))[1] == [4, 5, 6, None]


def test_redacted_columns_are_left_out_of_a_table():
    expected = [{"age": row["age"], "member": row["member"]} for row in ROWS]
    assert rows(drop_columns(PEOPLE, ["city"])) == expected
    assert rows(redact_inputs(PEOPLE, ["city"], 200, ["age", "member", "city"])) == expected
    assert rows(redact_inputs(PEOPLE, ["city"], 500, ["age", "city"])) == [{"age": 30.5}, {"age": None}]
    assert redact_inputs(PEOPLE, ["city"], 422, ["age", "city"]) is None
    assert drop_columns(PEOPLE, ["age", "member", "city"]) == [{}, {}]
    array = ColumnTable(ARRAY)
    assert drop_columns(array, ["city"]) is array
    assert redact_inputs(array, ["city"], 500, []) == [None] * len(ARRAY)


def entry(mode):
    return Entry("r", None, 1, "direct", 200, 1.5, 2, PEOPLE, ColumnTable(ARRAY), None, mode)


@pytest.mark.parametrize("mode", [Recording("full"), Recording("full", redact=("city",)), Recording("meta")])
def test_a_segment_has_columns_and_standard_output_rows(tmp_path, capfd, mode):
    recorder = Recorder(tmp_path, "tumour", "tumour:1a2b")
    assert recorder.write_all([entry(mode)])
    recorder.close()
    in_segment = json.loads(recorder.path.read_text())
    assert (in_segment["inputs"], in_segment["outputs"]) == (None, None)
    assert StdoutRecorder("tumour", "tumour:1a2b").write_all([entry(mode)])
    in_rows = json.loads(capfd.readouterr().out)
    for field, table in (("inputs", "input_table"), ("outputs", "output_table")):
        decoded = json.loads(table_of(in_segment[table]).json()) if table in in_segment else None
        assert decoded == in_rows[field]
    assert (in_rows["inputs"] is None) == (mode.kept == "meta")
    assert "Bern" not in recorder.path.read_text() or not mode.redact
