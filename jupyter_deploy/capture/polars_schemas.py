"""JSON Schema of polars' columns by their types."""

from __future__ import annotations

from typing import Any

import polars as pl

from jupyter_deploy.domain.capture.schema import Schema, closed, infer_schema, nullable
from jupyter_deploy.serving.values.json_values import to_json


def columns_of(frame: Any) -> dict[str, Schema]:
    """Return the schema of each column of a frame, eager or lazy, by name; null is allowed where one occurs."""
    eager = frame.collect() if isinstance(frame, pl.LazyFrame) else frame
    return {name: _column(eager[name]) for name in eager.columns}


def _column(series: pl.Series) -> Schema:
    missing = series.null_count() > 0 or (series.dtype.is_float() and bool(series.is_nan().any()))
    schema = _of_type(series.dtype, series)
    return nullable(schema) if missing else schema


def _of_type(dtype: Any, series: pl.Series) -> Schema:
    match dtype:
        case pl.Enum():
            return {"type": "string", "enum": list(dtype.categories)}
        case pl.List() | pl.Array():
            inner = (
                series.drop_nulls().explode().drop_nulls()
                if isinstance(dtype, pl.List)
                else series.drop_nulls().explode()
            )
            items = _of_type(dtype.inner, inner)
            nothing = any(None in row for row in series.drop_nulls().to_list())
            sized = {"minItems": dtype.size, "maxItems": dtype.size} if isinstance(dtype, pl.Array) else {}
            return {"type": "array", "items": nullable(items) if nothing else items, **sized}
        case pl.Struct():
            return closed({field.name: _column(series.struct.field(field.name)) for field in dtype.fields})
    base = dtype.base_type()
    if base in _BOUNDS:
        low, high = _BOUNDS[base]
        return {"type": "integer", "minimum": low, "maximum": high}
    if base in _SCHEMAS:
        return dict(_SCHEMAS[base])
    return infer_schema(to_json(value) for value in series.drop_nulls().to_list())


_BOUNDS: dict[Any, tuple[int, int]] = {
    kind: (0, 2**bits - 1) if unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    for kind, bits, unsigned in (
        *((pl.Int8, 8, False), (pl.Int16, 16, False), (pl.Int32, 32, False)),
        *((pl.UInt8, 8, True), (pl.UInt16, 16, True), (pl.UInt32, 32, True), (pl.UInt64, 64, True)),
    )
}

_SCHEMAS: dict[Any, Schema] = {
    pl.Int64: {"type": "integer"},
    pl.Boolean: {"type": "boolean"},
    pl.String: {"type": "string"},
    pl.Categorical: {"type": "string"},
    pl.Date: {"type": "string", "format": "date"},
    pl.Datetime: {"type": "string", "format": "date-time"},
    pl.Time: {"type": "string", "format": "time"},
    pl.Binary: {"type": "string", "contentEncoding": "base64"},
    pl.Float32: {"type": "number"},
    pl.Float64: {"type": "number"},
    pl.Decimal: {"type": "number"},
    pl.Duration: {"type": "number"},
}
