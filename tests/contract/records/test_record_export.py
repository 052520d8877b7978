"""Records as one file: CSV, Parquet, and a notebook that opens them."""

from __future__ import annotations

import csv
import json

import duckdb
import pytest

from jupyter_deploy.comparison.record_log import RecordLog
from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.evidence.record_pages import RecordFilter
from jupyter_deploy.records.compaction import compact_all
from tests.contract.records.test_record_log import line, write

COLUMNS = {"age": "number", 'odd "name"': "string", "row": "integer"}


@pytest.fixture(params=["lines", "Parquet"])
def log(request, tmp_path):
    rows = [{"age": 30.5, 'odd "name"': "a,\n'b'", "row": 7}, {"age": None, 'odd "name"': "ü", "row": 8}]
    lines = [
        line(1, inputs=rows, outputs=[1.5, 2.5], rows=2),
        line(2, inputs=[{"age": "no number", "more": 1}], outputs=[3.5], role="shadow"),
        line(3, inputs=None, outputs=None, status=422, error={"type": "Invalid", "message": "age"}),
        line(4, inputs=[{'odd "name"': "redacted age", "row": 9}], outputs=[4.5], redacted=["age"]),
    ]
    write(tmp_path, "\n".join(lines) + "\n")
    if request.param == "Parquet":
        compact_all(tmp_path)
    return RecordLog(tmp_path)


def test_each_instance_is_a_row_with_its_fields_as_columns(log, tmp_path):
    path = tmp_path / "it's.csv"
    assert log.export("tumour", RecordFilter(), path, columns=COLUMNS, answer="number") == 5
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        "request_id", "row_", "ts", "release", "role", "status", "latency_ms", *COLUMNS, "predicted", "error",
    ]  # fmt: skip
    assert [(row["row_"], row["age"], row['odd "name"'], row["row"], row["predicted"]) for row in rows] == [
        ("0", "30.5", "a,\n'b'", "7", "1.5"),
        ("1", "", "ü", "8", "2.5"),
        ("0", "", "", "", "3.5"),
        ("0", "", "", "", ""),
        ("0", "", "redacted age", "9", "4.5"),
    ]
    assert json.loads(rows[3]["error"])["message"] == "age"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.glob(".it*")] == []


def test_parquet_has_types_and_the_filter_counts(log, tmp_path):
    path = tmp_path / "out.parquet"
    assert log.export("tumour", RecordFilter(role="shadow"), path, columns={}, answer="number") == 1
    (row,) = duckdb.sql(f"SELECT instance, predicted, typeof(predicted) FROM '{path}'").fetchall()
    assert (json.loads(row[0]), *row[1:]) == ({"age": "no number", "more": 1}, 3.5, "DOUBLE")


def test_a_file_that_exists_stays_and_a_missing_folder_is_named(log, tmp_path):
    path = tmp_path / "there.csv"
    path.write_text("mine")
    with pytest.raises(InvalidInput, match=r"there\.csv exists already"):
        log.export("tumour", RecordFilter(), path, columns={}, answer="")
    assert path.read_text() == "mine"
    with pytest.raises(InvalidInput, match="cannot be written"):
        log.export("tumour", RecordFilter(), tmp_path / "none" / "x.csv", columns={}, answer="")
    assert (
        RecordLog(tmp_path / "empty").export("tumour", RecordFilter(), tmp_path / "e.csv", columns={}, answer="") == 0
    )
