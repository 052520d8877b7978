"""Arbitrary bodies by each protocol: the response is below 500, since these models never fail."""

from __future__ import annotations

import copy
import functools
import gzip
import io
import json
import operator
import struct

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from protocol_models import FRAME, MODELS, made

from jupyter_deploy.serving.asgi.problems import Problem
from jupyter_deploy.serving.protocols import Protocols, Request
from jupyter_deploy.serving.protocols.packing import unpacked
from jupyter_deploy.serving.protocols.tensors import DTYPES
from jupyter_deploy.serving.values.validation import InvalidInstances
from tests.contract.serving.test_serving_protocols import INFER
from tests.examples import examples

LIMIT = 1024 * 1024

NAMES = [name for name in MODELS if name not in ("tensor", "slowly")]

ALL = settings(max_examples=examples(100), deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def spoken(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    models = {name: made(folder, name) for name in NAMES}
    return {name: Protocols(model, name) for name, model in models.items()}


def asked(spoken, name, path, content, **headers):
    """Return the number of rows; None: refused, in the protocol's own form."""
    adapter = spoken[name].adapter_at(path.format(name))
    named = [(key.replace("_", "-").encode(), value.encode()) for key, value in headers.items()]
    request = Request(dict(named), LIMIT)
    refused = None
    try:
        parsed = adapter.parse(unpacked(content, request), request)
    except Problem as problem:
        refused = problem
    except InvalidInstances as invalid:
        refused = Problem(422, str(invalid), invalid.errors)
    if refused is None:
        json.loads(parsed.inputs) if isinstance(parsed.inputs, bytes) else json.dumps(parsed.inputs)
        return parsed.rows
    response = adapter.problem(refused, "r")
    assert 400 <= response.status == refused.status < 500
    assert json.loads(response.body)["detail"]
    return None


SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from([2**31, 2**63, 2**64, -1, 10**30, 1e308, "nan", "\ud800", "2026-01-01"])
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
GOOD = VALUES | st.sampled_from([1, 2.5, "a", True, [1, 2], ["a", "b"], 0, [2], "BYTES", "FP32", "INT64", "BOOL"])


def places(value, at=()):
    """Yield the path of each value in a document."""
    yield at
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from places(one, (*at, key))


@st.composite
def nearly(draw, documents):
    """Draw a valid document and replace or delete a few of its values."""
    document = copy.deepcopy(draw(st.sampled_from(documents)))
    for _ in range(draw(st.integers(0, 2))):
        *outer, last = draw(st.sampled_from([place for place in places(document) if place] or [("x",)]))
        parent = functools.reduce(operator.getitem, outer, document)
        if isinstance(parent, dict) and draw(st.booleans()):
            parent.pop(last, None)
        elif last != "x" or last in parent:
            parent[last] = copy.deepcopy(draw(GOOD))
    return document


ROWS = json.loads(FRAME.to_json(orient="records"))
RIGHT = {
    "frame": ROWS, "both": ROWS, "array": [[1, 2], [3, 4.5]], "list": ["a", "b"], "nested": [{"words": ["a"]}],
    "call": [{"left": 1, "right": 2}], "counted": [1, 0],
}  # fmt: skip


def documents_of(name, path):
    rows = RIGHT[name]
    if "v2" in path:
        inputs = INFER[name][0]
        return [{"inputs": inputs}, {"inputs": inputs, "id": "1", "outputs": [{"name": "output-0"}], "parameters": {}}]
    if "invocations" not in path:
        return [{"instances": rows}]
    split = {"columns": ["a", "b"], "data": [[1, 2]]}
    if isinstance(rows[0], dict):
        split = {"columns": list(rows[0]), "data": [list(row.values()) for row in rows]}
    columns = dict(zip(split["columns"], map(list, zip(*split["data"], strict=True)), strict=True))
    return [
        {"instances": rows},
        {"inputs": rows},
        {"dataframe_split": split},
        {"inputs": columns},
        {"dataframe_records": rows},
    ]


def triton_bytes(sent):
    """Return a tensor's elements in the binary extension's form."""
    flat = np.asarray(sent["data"], dtype=object).ravel()
    if sent["datatype"] == "BYTES":
        return b"".join(struct.pack("<I", len(text)) + text.encode() for text in flat)
    return flat.astype(DTYPES[sent["datatype"]]).tobytes()


def written(document):
    return json.dumps(document).encode("utf-8")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("path", ["/predict", "/invocations", "/v1/models/{}:predict", "/v2/models/{}/infer"])
def test_documents(spoken, name, path):
    found = []

    @ALL
    @given(nearly(documents_of(name, path)))
    def run(document):
        found.append(asked(spoken, name, path, written(document), content_type="application/json"))

    run()
    assert any(found)  # some are answered
    assert None in found


@pytest.mark.parametrize("path", ["/predict", "/invocations", "/v1/models/{}:predict", "/v2/models/{}/infer"])
@ALL
@given(
    content=st.binary(max_size=200),
    kind=st.sampled_from(
        [
            "application/json",
            "text/csv",
            "application/vnd.apache.arrow.stream",
            "application/vnd.apache.arrow.file",
            "application/vnd.apache.parquet",
            'text/csv; header=absent; charset="',
            "",
            "application/json; a*b",
        ]
    ),
    encoding=st.sampled_from(["", "gzip", "zstd", "deflate", "br", "identity"]),
    length=st.sampled_from(["", "0", "10", "-1", "x", "9" * 20]),
)
def test_bytes(spoken, path, content, kind, encoding, length):  # noqa: PLR0917  what hypothesis gives
    headers = {"inference_header_content_length": length} if length else {}
    asked(spoken, "frame", path, content, content_type=kind, content_encoding=encoding, **headers)


@pytest.mark.parametrize("name", ["frame", "array", "list", "nested", "call"])
def test_tensors_behind_their_json(spoken, name):
    found = []
    inputs, tails = [], []
    for sent in INFER[name][0]:
        tensor = triton_bytes(sent)
        inputs.append({**sent, "parameters": {"binary_data_size": len(tensor)}} | {"data": None})
        tails.append(tensor)
    bare = [{key: value for key, value in one.items() if key != "data"} for one in inputs]
    whole = b"".join(tails)

    @ALL
    @given(
        nearly([{"inputs": bare}]),
        st.just(whole) | st.binary(max_size=60) | st.sampled_from([whole[:-1], whole + b"x"]),
    )
    def run(document, tail):
        content = written(document)
        headers = {"inference_header_content_length": str(len(content))}
        found.append(asked(spoken, name, "/v2/models/{}/infer", content + tail, **headers))

    run()
    assert any(found)
    assert None in found


@pytest.mark.parametrize("name", NAMES)
def test_csv(spoken, name):
    cells = st.sampled_from(
        ["1", "x", "", "true", " 2.5", "nan", "1e999", '"', '""', "age", "sex", "\0", "９"]
    ) | st.text(max_size=4)
    lines = st.lists(st.lists(cells, max_size=4).map(",".join), max_size=4).map("\n".join)

    @ALL
    @given(lines, st.sampled_from(["text/csv", "text/csv; header=absent"]))
    def run(text, kind):
        asked(spoken, name, "/invocations", text.encode("utf-8", "replace"), content_type=kind)

    run()


def tables():
    for name, write in (
        ("stream", lambda table, sink: pa.ipc.new_stream(sink, table.schema)),
        ("file", lambda table, sink: pa.ipc.new_file(sink, table.schema)),
        (
            "stream",
            lambda table, sink: pa.ipc.new_stream(
                sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")
            ),
        ),
        (
            "file",
            lambda table, sink: pa.ipc.new_file(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")),
        ),
    ):
        table = pa.Table.from_pandas(FRAME, preserve_index=False)
        table = table.append_column("kind", pa.array(["a", "b"]).dictionary_encode())
        sink = io.BytesIO()
        with write(table, sink) as writer:
            writer.write_table(table)
        yield f"application/vnd.apache.arrow.{name}", sink.getvalue()
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(FRAME, preserve_index=False), sink)
    yield "application/vnd.apache.parquet", sink.getvalue()


@pytest.mark.parametrize(("kind", "content"), tables())
def test_tables_with_a_few_other_bytes(spoken, kind, content):
    @settings(ALL, max_examples=examples(300))
    @given(
        st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), min_size=1, max_size=6),
        st.integers(0, len(content)),
    )
    def run(changes, end):
        changed = bytearray(content)
        for place, byte in changes:
            changed[place] = byte
        asked(spoken, "frame", "/predict", bytes(changed[:end] if end % 3 == 0 else changed), content_type=kind)

    run()


COLUMNS = st.one_of(
    st.lists(SCALARS.filter(lambda value: not isinstance(value, str) or value.isascii()), min_size=2, max_size=2),
    st.sampled_from([[1, 2], ["a", "b"], [True, False], [1.5, None], [b"x", b"y"], [[1], []], [{"a": 1}, None]]),
)


@pytest.mark.parametrize("name", NAMES)
def test_tables_of_any_types(spoken, name):
    @ALL
    @given(
        st.dictionaries(
            st.sampled_from(["age", "weight", "sex", "member", "left", "right", "upto", "words"]), COLUMNS, max_size=4
        )
    )
    def run(columns):
        try:
            table = pa.table({key: pa.array(values) for key, values in columns.items()})
        except (pa.ArrowException, OverflowError, TypeError, ValueError):
            return
        sink = io.BytesIO()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        asked(
            spoken,
            name,
            "/predict",
            gzip.compress(sink.getvalue()),
            content_type="application/vnd.apache.arrow.stream",
            content_encoding="gzip",
        )

    run()
