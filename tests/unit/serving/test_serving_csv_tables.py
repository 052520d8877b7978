"""CSV bodies in columns: every layout gives the values that a look at each cell gives."""

from __future__ import annotations

import csv
import io
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_deploy.serving.asgi.problems import Problem
from jupyter_deploy.serving.protocols import csv_tables
from jupyter_deploy.serving.protocols.csv_tables import columns_in
from tests.examples import examples

LIMIT = 32 * 1024 * 1024

SCHEMAS = {
    "whole": {"type": "integer"},
    "number": {"type": "number"},
    "either": {"type": ["integer", "null"]},
    "maybe": {"type": ["number", "null"]},
    "text": {"type": "string"},
    "label": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    "flag": {"type": "boolean"},
    "perhaps": {"type": ["boolean", "null"]},
    "any": {},
    "one of": {"enum": [1, 2]},
}
CELLS = [
    *("", "1", "-7", "0", "007", "+3", " 4", "2.5", "-0.0", ".5", "1.", "1e3", "1E400", "nan", "inf", "1_0", "９", "x"),
    *("9223372036854775807", "9223372036854775808", "-1000000000000000000", "12345678901234567890", "1" * 25),
    *("0.1000000000000000055511151231257827", "true", "False", "TRUE", "null", "[1]", "{}", "é", "a b"),
]


def read(text, names, **options):
    found, columns = columns_in(
        text.encode(), header=True, names=names, schema_of=lambda name: SCHEMAS[name], limit=LIMIT, **options
    )
    return found, [[_value(value) for value in column] for column in columns]


def _value(value):
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and math.isnan(value) else value


def cell_by_cell(text):
    names, *lines = [line for line in csv.reader(io.StringIO(text, newline=""), strict=True) if line]
    kinds = [csv_tables._types(SCHEMAS[name]) for name in names]
    return names, [[csv_tables._cell(line[at], kind) for line in lines] for at, kind in enumerate(kinds)]


@settings(max_examples=examples(300), deadline=None)
@given(st.data())
def test_columns_are_equal_to_a_look_at_each_cell(data):
    names = data.draw(st.lists(st.sampled_from(list(SCHEMAS)), min_size=1, max_size=3, unique=True))
    cells = data.draw(st.lists(st.sampled_from(CELLS), min_size=1, max_size=3, unique=True))
    row = st.lists(st.sampled_from(cells), min_size=len(names), max_size=len(names))
    rows = data.draw(st.lists(row, max_size=4))
    quoting = data.draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    sink = io.StringIO()
    writer = csv.writer(sink, quoting=quoting, lineterminator=data.draw(st.sampled_from(["\n", "\r\n"])))
    writer.writerows([names, *rows])
    assert read(sink.getvalue(), names) == cell_by_cell(sink.getvalue())


def test_an_empty_cell_does_not_hide_a_text_that_is_null_in_json():
    text = "whole,number\n,\n,null\n1, null\n"
    assert (
        read(text, ["whole", "number"])
        == cell_by_cell(text)
        == (["whole", "number"], [[None, None, 1], [None, "null", " null"]])
    )


def test_an_empty_cell_does_not_hide_a_number_that_is_no_integer_of_64_bits():
    text = "whole,either\n1,\n2,12345678901234567890\n"
    assert read(text, ["whole", "either"]) == cell_by_cell(text)


@pytest.mark.parametrize("quote", ["", '"'])
def test_pieces_of_a_long_body_are_joined_and_lines_keep_their_numbers(monkeypatch, quote):
    monkeypatch.setattr(csv_tables, "_PIECE_BYTES", 64)
    monkeypatch.setattr(csv_tables, "_PIECE_ROWS", 7)
    lines = [f"{quote}{number}{quote},{number / 4}" for number in range(100)]
    text = "\n".join(["whole,number", *lines])
    names, (whole, number) = read(text, ["whole", "number"])
    assert (names, whole) == (["whole", "number"], list(range(100)))
    assert number == [one / 4 for one in range(100)]
    lines[90] += ",1"
    with pytest.raises(Problem, match=r"instances.90: must have 2 values"):
        read("\n".join(["whole,number", *lines]), ["whole", "number"])


def test_plain_numbers_become_arrays():
    found, columns = columns_in(
        b"whole,number\n1,2\n3,4.5\n", header=True, names=(), schema_of=lambda name: SCHEMAS[name], limit=LIMIT
    )
    assert found == ["whole", "number"]
    assert [column.dtype for column in columns] == [np.int64, np.float64]


@pytest.mark.parametrize("quote", ["", '"'])
def test_too_many_rows_are_refused(quote):
    text = "whole\n" + f"{quote}1{quote}\n" * 101
    with pytest.raises(Problem, match="the CSV has more than 100 rows"):
        columns_in(text.encode(), header=True, names=(), schema_of=lambda name: SCHEMAS[name], limit=1600)


def test_only_a_cell_beyond_pythons_limit_is_refused():
    names, columns = read("text\n" + "x" * 131_072, ["text"])
    assert len(columns[0][0]) == 131_072
    with pytest.raises(Problem, match="not CSV: field larger"):
        read("text\n" + "x" * 131_073, names)
