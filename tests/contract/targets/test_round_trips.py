"""Generated examples: their signatures, and equal answers over HTTP."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import pickle

import httpx
import numpy as np
import pandas as pd
import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette

from jupyter_deploy.capture.inspection import inspect_model
from jupyter_deploy.serving.asgi.front import Front
from jupyter_deploy.serving.snapshot import Model
from tests.contract import shapes
from tests.examples import examples

few = settings(max_examples=examples(60), deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))

# Python's own fold, an hour that comes twice, is not in ISO 8601.
MOMENTS = st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2200, 1, 1)).map(lambda at: at.replace(fold=0))  # noqa: DTZ001
TIMES = st.times().map(lambda at: at.replace(fold=0))
DAYS = st.dates(dt.date(1900, 1, 1), dt.date(2200, 1, 1))
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(max_size=6)


def asked(inspected, native):
    """The answers over HTTP: the model is rebuilt from a snapshot."""
    prototype = pickle.loads(pickle.dumps(inspected.prototype))
    signature = json.loads(inspected.signature.model_dump_json())
    manifest = {"name": "m", "kind": "m", "signature": signature, "framework": "python", "method": None}
    model = Model(native, manifest, {"prototype": prototype}, "m:1", "sha256:0")
    front = Front(Starlette(), model=model)

    async def send():
        transport = httpx.ASGITransport(app=front, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://model") as client:
            return await client.post("/predict", json={"instances": inspected.instances})

    response = asyncio.run(send())
    front._close()
    assert response.status_code == 200, response.text
    return response.json()["predictions"]


def whole(bits):
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def maybe(values):
    return st.none() | values


PANDAS = {
    "int8": (whole(8), "int8"),
    "int64": (whole(64), "int64"),
    "uint16": (st.integers(0, 2**16 - 1), "uint16"),
    "float32": (st.floats(width=32, allow_infinity=False), "float32"),
    "float64": (st.floats(allow_infinity=False), "float64"),
    "bool": (st.booleans(), "bool"),
    "str": (maybe(TEXTS), "str"),
    "string": (maybe(TEXTS), "string"),
    "object": (maybe(TEXTS), "object"),
    "mixed": (TEXTS | st.booleans() | NUMBERS, "object"),
    "days": (maybe(DAYS), "object"),
    "bytes": (maybe(st.binary(max_size=4)), "object"),
    "lists": (st.lists(maybe(DAYS), max_size=3), "object"),
    "category": (maybe(st.sampled_from("abc")), pd.CategoricalDtype(list("abc"))),
    "Int32": (maybe(whole(32)), "Int32"),
    "boolean": (maybe(st.booleans()), "boolean"),
    "moments": (maybe(MOMENTS), "datetime64[us]"),
    "zones": (maybe(MOMENTS), "datetime64[us, UTC]"),
    "arrow": (maybe(whole(16)), "int16[pyarrow]"),
}

POLARS = {
    "int8": (maybe(whole(8)), pl.Int8),
    "uint64": (maybe(st.integers(0, 2**64 - 1)), pl.UInt64),
    "float64": (maybe(NUMBERS), pl.Float64),
    "text": (maybe(TEXTS), pl.String),
    "flag": (maybe(st.booleans()), pl.Boolean),
    "day": (maybe(DAYS), pl.Date),
    "moment": (maybe(MOMENTS), pl.Datetime("us")),
    "zone": (maybe(MOMENTS), pl.Datetime("us", "UTC")),
    "time": (maybe(TIMES), pl.Time),
    "raw": (maybe(st.binary(max_size=4)), pl.Binary),
    "lists": (maybe(st.lists(maybe(whole(16)), max_size=3)), pl.List(pl.Int16)),
    "record": (
        maybe(st.fixed_dictionaries({"a": maybe(whole(8)), "day": maybe(DAYS)})),
        pl.Struct({"a": pl.Int8, "day": pl.Date}),
    ),
}


def tables(kinds):
    """Columns by name, each a kind with its values."""
    rows = st.integers(1, 5)
    names = st.lists(st.text(max_size=4), min_size=1, max_size=4, unique=True)

    def columns(drawn):
        count, labels = drawn
        column = st.sampled_from(sorted(kinds)).flatmap(
            lambda kind: st.tuples(st.just(kind), st.lists(kinds[kind][0], min_size=count, max_size=count))
        )
        return st.fixed_dictionaries(dict.fromkeys(labels, column))

    return st.tuples(rows, names).flatmap(columns)


@few
@given(tables(PANDAS))
def test_pandas_frames_answer_over_http_as_they_did_in_the_notebook(columns):
    frame = pd.DataFrame({name: pd.Series(values, dtype=PANDAS[kind][1]) for name, (kind, values) in columns.items()})
    inspected = inspect_model(shapes.rows, frame, None)
    assert asked(inspected, shapes.rows) == shapes.rows(frame)


@few
@given(tables(POLARS), st.booleans())
def test_polars_frames_answer_over_http_as_they_did_in_the_notebook(columns, lazy):
    frame = pl.DataFrame([pl.Series(name, values, dtype=POLARS[kind][1]) for name, (kind, values) in columns.items()])
    inspected = inspect_model(shapes.rows, frame.lazy() if lazy else frame, None)
    assert asked(inspected, shapes.rows) == shapes.rows(frame)


PLAIN = st.none() | st.booleans() | whole(64) | NUMBERS | TEXTS
SPECIAL = (
    *(DAYS, MOMENTS, TIMES, st.timedeltas(dt.timedelta(-(10**6)), dt.timedelta(10**6)), st.uuids()),
    *(st.decimals(allow_nan=False, allow_infinity=False), st.binary(max_size=5), st.sampled_from(shapes.Colour)),
    MOMENTS.map(lambda at: at.replace(tzinfo=shapes.ZONE)),
)
VALUES = st.recursive(
    st.one_of(PLAIN, *SPECIAL),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(TEXTS | st.integers(0, 99).map(lambda key: key + 0), inner, max_size=3)
        | st.tuples(inner, inner)
        | st.builds(shapes.Pair, inner, inner)
    ),
    max_leaves=8,
)


@few
@given(VALUES.filter(lambda value: value is not None))
def test_values_of_all_kinds_answer_over_http_as_they_did_in_the_notebook(value):
    inspected = inspect_model(shapes.any_value, value, None)
    assert asked(inspected, shapes.any_value) == [shapes.told(value)]


@few
@given(
    st.sampled_from(["int8", "uint64", "float32", "float64", "bool"]),
    st.lists(st.integers(1, 3), min_size=2, max_size=4),
    st.randoms(use_true_random=False),
)
def test_arrays_answer_over_http_as_they_did_in_the_notebook(dtype, shape, random):
    array = np.random.default_rng(random.randrange(2**32)).integers(0, 2 if dtype == "bool" else 120, shape)
    array = array.astype(dtype)

    def model(batch):
        return [shapes.told(row) for row in batch]

    assert asked(inspect_model(model, array, None), model) == model(array)
