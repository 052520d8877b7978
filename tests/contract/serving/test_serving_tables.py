"""Arrow and Parquet from pyarrow, pandas and Polars, and tables with false sizes."""

from __future__ import annotations

import importlib.metadata
import io
import json
import struct

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from protocol_models import FRAME, MODELS, ROWS, ask, front_of

from jupyter_deploy.serving.protocols import columnar
from jupyter_deploy.serving.protocols.parquet_pages import announced_in_pages
from jupyter_deploy.serving.values.column_table import table_of
from tests.hostile_bodies import unreadable_column

STREAM, FILE, PARQUET = (f"application/vnd.apache.{kind}" for kind in ("arrow.stream", "arrow.file", "parquet"))

SCORES = [1816.0, 2800.0]

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def fronts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return {name: front_of(folder, name) for name in MODELS}


def stream(table, **options):
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table)
    return sink.getvalue()


def saved(write):
    sink = io.BytesIO()
    write(sink)
    return sink.getvalue()


def post(front, content, kind, accept="application/json", path="/predict"):
    return ask(front, "POST", path, content=content, headers={"content-type": kind, "accept": accept})


TABLE = pa.Table.from_pandas(FRAME, preserve_index=False)

BODIES = {
    "pyarrow stream": (STREAM, stream(TABLE)),
    "pyarrow stream, compressed": (STREAM, stream(TABLE, compression="zstd")),
    "pyarrow stream, dictionaries": (STREAM, stream(TABLE.set_column(2, "sex", TABLE["sex"].dictionary_encode()))),
    "pandas feather": (FILE, saved(lambda sink: FRAME.to_feather(sink, compression="lz4"))),
    "pandas parquet": (PARQUET, saved(FRAME.to_parquet)),
    "pandas parquet with a category": (PARQUET, saved(FRAME.astype({"sex": "category"}).to_parquet)),
    "polars file": (FILE, saved(pl.DataFrame(FRAME.to_dict("list")).write_ipc)),  # its texts are views
    "polars stream": (STREAM, saved(pl.DataFrame(FRAME.to_dict("list")).write_ipc_stream)),
    "polars parquet": (PARQUET, saved(pl.DataFrame(FRAME.to_dict("list")).write_parquet)),
    "columns in another order, small numbers": (
        STREAM, stream(TABLE.select([3, 2, 1, 0]).set_column(3, "age", TABLE["age"].cast(pa.int16()))),
    ),
}  # fmt: skip


@pytest.mark.parametrize("path", ["/predict", "/invocations"])
@pytest.mark.parametrize("name", BODIES)
def test_a_table_is_equivalent_to_its_rows_in_json(fronts, name, path):
    kind, content = BODIES[name]
    assert post(fronts["frame"], content, kind, path=path).json() == {"predictions": SCORES}


@pytest.mark.parametrize(
    ("kind", "read"),
    [
        (STREAM, lambda content: pa.ipc.open_stream(content).read_all()),
        (FILE, lambda content: pa.ipc.open_file(content).read_all()),
        (PARQUET, lambda content: pq.read_table(pa.BufferReader(content))),
    ],
)
def test_the_response_is_a_table_of_the_accepted_or_the_sent_type(fronts, kind, read):
    body_kind, content = next(body for body in BODIES.values() if body[0] == kind)
    for accept in (kind, "*/*", ""):
        response = post(fronts["frame"], content, body_kind, accept)
        assert response.headers["content-type"] == kind
        assert read(response.content).to_pydict() == {"prediction": SCORES}
    asked_in_json = ask(
        fronts["both"], "POST", "/predict", json={"instances": FRAME.to_dict("records")}, headers={"accept": kind}
    )
    assert read(asked_in_json.content).to_pydict() == {"score": SCORES, "label": ["a", "b"]}


def test_a_numeric_answer_keeps_its_type_in_the_table(fronts):
    table = pa.table({"a": pa.array(ROWS[:, 0]), "b": pa.array(ROWS[:, 1])})
    for name, width in (("tensor", 2), ("array", 3)):
        answered = post(fronts[name], stream(table), STREAM, accept=STREAM)
        column = pa.ipc.open_stream(answered.content).read_all()["prediction"]
        assert column.type == pa.list_(pa.float32(), width)
        assert column.to_pylist()[0][:2] == (ROWS * (2 if name == "array" else 1))[0].tolist()


def test_json_is_answered_in_json_whatever_else_is_accepted(fronts):
    for accept in ("application/json", "*/*", "text/html,*/*;q=0.8", f"application/json, {STREAM};q=0.5"):
        body = {"instances": FRAME.to_dict("records")}
        assert ask(fronts["frame"], "POST", "/predict", json=body, headers={"accept": accept}).json()


NESTED = pa.table({"x": pa.FixedSizeListArray.from_arrays(pa.array(ROWS.ravel()), 2)})


@pytest.mark.parametrize("table", [NESTED, pa.table({"a": ROWS[:, 0], "b": ROWS[:, 1]})], ids=["lists", "columns"])
@pytest.mark.parametrize("name", ["array", "tensor"])
def test_a_row_of_an_array_is_a_list_or_the_values_of_all_columns(fronts, name, table):
    answer = pa.ipc.open_stream(post(fronts[name], stream(table), STREAM, "").content).read_all()
    expected = np.hstack([ROWS * 2, ROWS[:, :1]]) if name == "array" else ROWS
    assert answer["prediction"].to_pylist() == expected.tolist()


@pytest.mark.parametrize(
    ("name", "table", "expected"),
    [
        ("list", {"text": ["a", "b"]}, ["A", "B"]),
        ("call", {"left": [1.0, 2.0], "right": [3, 4]}, [4.0, 6.0]),
        ("nested", {"words": [["x"], []]}, [{"count": 1, "words": ["x"]}, {"count": 0, "words": []}]),
        ("counted", {"upto": [1]}, [[{"number": 0}]]),
    ],
)
def test_tables_fit_other_models_too(fronts, name, table, expected):
    assert post(fronts[name], stream(pa.table(table)), STREAM).json() == {"predictions": expected}


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"age": ["x", "y"]}, 'instances.0.age: must be a whole number, not the string "x"'),
        ({"age": [1, None]}, "instances.1.age: must be a whole number"),
        ({"age": [1, 2.5]}, "instances.1.age: must be a whole number, not 2.5"),
        ({"weight": [1.0, float("inf")]}, "instances.1"),
        ({"extra": [1, 2]}, "instances.0.extra: unknown feature 'extra'"),
        ({"sex": None}, "instances.0.sex: missing feature 'sex'"),
    ],
)
def test_invalid_values_of_a_table_are_named_by_row_and_feature(fronts, columns, words):
    table = {name: values for name, values in (FRAME.to_dict("list") | columns).items() if values is not None}
    response = post(fronts["frame"], stream(pa.table(table)), STREAM)
    assert response.status_code == 422
    assert words in response.json()["detail"]


@pytest.mark.parametrize(("name", "column"), [("frame", "age"), ("list", "text")])
def test_a_value_without_a_python_object_is_named_by_row_and_feature(fronts, name, column):
    moments = pa.array([0, 2**62], pa.timestamp("s"))
    table = TABLE.set_column(0, column, moments) if name == "frame" else pa.table({column: moments})
    response = post(fronts[name], stream(table), STREAM)
    assert response.status_code == 422
    assert f"instances.1.{column}: is not a value that can be read" in response.json()["detail"]


def test_a_repeated_column_is_refused(fronts):
    twice = pa.Table.from_arrays([TABLE["age"], TABLE["age"]], names=["age", "age"])
    response = post(fronts["frame"], stream(twice), STREAM)
    assert (response.status_code, "the column 'age' is repeated" in response.text) == (422, True)


def with_pyarrow(monkeypatch, installed):
    """Let another version of pyarrow be installed, or none."""
    real = importlib.metadata.version

    def version(name):
        if name != "pyarrow":
            return real(name)
        if installed is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return installed

    columnar._version.cache_clear()
    monkeypatch.setattr(importlib.metadata, "version", version)


@pytest.mark.parametrize(
    ("installed", "body", "least"),
    [
        (None, "pyarrow stream", "14.0.1"),
        ("13.0.0", "pandas feather", "14.0.1"),
        (None, "pandas parquet", "19.0.1"),
        ("18.1.0", "pandas parquet", "19.0.1"),
    ],
)
def test_without_pyarrow_the_error_has_the_line_that_installs_it(fronts, monkeypatch, installed, body, least):
    with_pyarrow(monkeypatch, installed)
    response = post(fronts["frame"], *reversed(BODIES[body]))
    assert response.status_code == 415
    install = f"run `pip install 'pyarrow>={least}'` in the notebook's environment and deploy again"
    assert install in response.json()["detail"]
    assert ask(fronts["frame"], "POST", "/predict", json={"instances": FRAME.to_dict("records")}).status_code == 200
    columnar._version.cache_clear()


def test_an_answer_in_a_table_needs_pyarrow_too(fronts, monkeypatch):
    with_pyarrow(monkeypatch, "18.1.0")
    body = {"instances": FRAME.to_dict("records")}
    for accept, status in ((PARQUET, 415), (STREAM, 200)):
        assert ask(fronts["frame"], "POST", "/predict", json=body, headers={"accept": accept}).status_code == status
    columnar._version.cache_clear()


def lied(content, pattern, replacement):
    assert content.count(pattern) == 1
    return content.replace(pattern, replacement)


def bombs():
    long = "x" * MIB
    many = pa.array(np.zeros(2**20, np.int8))
    dictionary = pa.DictionaryArray.from_arrays(many, pa.array([long]))
    yield "texts by a dictionary", STREAM, stream(pa.table({"sex": dictionary}))
    yield (
        "texts by a dictionary, as Parquet",
        PARQUET,
        saved(lambda sink: pq.write_table(pa.table({"sex": dictionary}), sink)),
    )
    yield (
        "numbers as Parquet",
        PARQUET,
        saved(lambda sink: pq.write_table(pa.table({"age": np.zeros(2**25)}), sink, compression="zstd")),
    )
    yield "compressed", STREAM, stream(pa.table({"age": np.zeros(2**25)}), compression="zstd")
    number = struct.pack("<q", 8 * 1009)
    small = stream(pa.table({"age": np.arange(1009.0)}), compression="zstd")
    yield "compressed, and says it is longer still", STREAM, lied(small, number, struct.pack("<q", 2**40))
    named = saved(lambda sink: pd.DataFrame({"age": np.arange(1009.0)}).to_feather(sink, compression="zstd"))
    yield "the same as a file", FILE, lied(named, number, struct.pack("<q", 2**40))
    yield "nothing, many times", STREAM, stream(pa.table({"age": pa.nulls(2**26)}))
    view = pa.array([long], pa.string_view()).buffers()
    views = pa.py_buffer(view[1].to_pybytes() * 2**10)
    many_views = pa.Array.from_buffers(pa.string_view(), 2**10, [None, views, *view[2:]])
    yield "views of one text", STREAM, stream(pa.table({"sex": many_views}))


@pytest.mark.parametrize(("kind", "content"), [pytest.param(k, c, id=name) for name, k, c in bombs()])
def test_a_table_that_is_too_large_is_refused_early(fronts, kind, content):
    before = pa.total_allocated_bytes()
    front = fronts["frame"]
    response = post(front, content, kind)
    assert response.status_code == 413, response.text
    assert pa.total_allocated_bytes() - before < 64 * MIB


@pytest.mark.parametrize(
    ("kind", "table"),
    [
        (STREAM, pa.table({"age": pa.RunEndEncodedArray.from_arrays([2**30], [1.0])})),
        (STREAM, pa.table({"age": pa.array([[(1, 2)]], pa.map_(pa.int64(), pa.int64()))})),
        (PARQUET, pa.table({"age": [[1.0]]})),
    ],
)
def test_columns_of_unsupported_types_are_named(fronts, kind, table):
    content = stream(table) if kind == STREAM else saved(lambda sink: pq.write_table(table, sink))
    response = post(fronts["frame"], content, kind)
    assert response.status_code == 422
    assert "age: is a column of" in response.json()["detail"]


def test_malformed_metadata_of_a_parquet_column_get_a_400(fronts):
    response = post(fronts["frame"], unreadable_column(), PARQUET)
    assert response.status_code == 400
    assert "the body is not Parquet: Definition level histogram size mismatch" in response.json()["detail"]


def test_a_dictionary_whose_values_have_a_type_that_pyarrow_lacks_gets_a_400(fronts):
    table = pa.table({"sex": pa.array(["F", "M"], pa.large_string()).dictionary_encode()})
    content = stream(table)
    large_text, months = 20, 11  # numbers of Schema.fbs
    places = [at for at, byte in enumerate(content[:600]) if byte == large_text]
    changed = [content[:at] + bytes([months]) + content[at + 1 :] for at in places]
    answers = {post(fronts["frame"], one, STREAM).json()["detail"][:60] for one in changed}
    assert any("is not an Arrow IPC stream: 21" in detail for detail in answers)


@pytest.mark.parametrize(
    ("table", "options"),
    [
        ({"sex": ["x" * 100_000] * 1000}, {"use_dictionary": False, "column_encoding": "DELTA_BYTE_ARRAY"}),
    ],
)
def test_parquet_pages_that_multiply_their_bytes_are_refused(fronts, table, options):
    content = saved(lambda sink: pq.write_table(pa.table(table), sink, **options))
    response = post(fronts["frame"], content, PARQUET)
    assert response.status_code == 400
    assert "the encoding DELTA_BYTE_ARRAY" in response.json()["detail"]


def test_declared_sizes_of_parquet_pages_are_counted_in_every_layout():
    numbers = pa.table({"a": np.arange(5000.0), "b": [f"{number % 7}" for number in range(5000)]})
    for options in ({}, {"compression": "zstd"}, {"row_group_size": 100}, {"data_page_size": 500},
                    {"data_page_version": "2.0"}, {"use_dictionary": False}):  # fmt: skip
        content = saved(lambda sink, options=options: pq.write_table(numbers, sink, **options))
        about = pq.ParquetFile(pa.BufferReader(content)).metadata
        chunks = [about.row_group(at).column(column) for at in range(about.num_row_groups) for column in range(2)]
        with_headers = sum(chunk.total_uncompressed_size for chunk in chunks)
        assert 0.6 * with_headers < announced_in_pages(content) < with_headers


@pytest.mark.parametrize(("kind", "content"), [(STREAM, b""), (STREAM, b"x" * 100), (FILE, b"x"), (PARQUET, b"PAR1"),
                                              (FILE, b"ARROW1\0\0"), (STREAM, stream(TABLE)[:-40])])  # fmt: skip
def test_an_invalid_table_gets_a_400(fronts, kind, content):
    response = post(fronts["frame"], content, kind)
    assert response.status_code == 400
    assert "the body is not" in response.json()["detail"]


def test_a_table_without_rows_gets_none(fronts):
    assert post(fronts["frame"], stream(TABLE[:0]), STREAM).json() == {"predictions": []}
    answer = post(fronts["frame"], stream(TABLE[:0]), STREAM, STREAM)
    assert pa.ipc.open_stream(answer.content).read_all().num_rows == 0


def test_pandas_reads_the_response(fronts):
    response = post(fronts["both"], saved(FRAME.to_parquet), PARQUET, PARQUET)
    pd.testing.assert_frame_equal(
        pd.read_parquet(io.BytesIO(response.content)), pd.DataFrame({"score": SCORES, "label": ["a", "b"]})
    )


def test_a_large_table_is_recorded_in_columns_and_its_answer_too(tmp_path, monkeypatch):
    monkeypatch.setenv("NBDEPLOY_RECORDS", str(tmp_path / "records"))
    front = front_of(tmp_path, "tensor")
    rows = np.arange(6000, dtype="float32").reshape(-1, 2)
    content = stream(pa.table({"a": rows[:, 0], "b": rows[:, 1]}))
    for accept in (STREAM, "application/json"):
        assert post(front, content, STREAM, accept=accept).status_code == 200
    [segment] = (tmp_path / "records").glob("*.jsonl")
    as_arrow, as_json = (json.loads(line) for line in segment.read_text().splitlines())
    assert json.loads(table_of(as_arrow["input_table"]).json()) == rows.tolist()
    assert json.loads(table_of(as_arrow["output_table"]).json()) == as_json["outputs"] == rows.tolist()
