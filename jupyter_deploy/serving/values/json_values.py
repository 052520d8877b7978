"""Conversion of any value that a model may return to plain JSON values; values are never changed in place."""

from __future__ import annotations

import base64
import dataclasses
import math
import sys
from collections.abc import Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import singledispatch
from typing import Any
from uuid import UUID

import numpy as np

_PLAIN = (type(None), bool, int, str)
_registered: set[str] = set()


def to_json(value: Any) -> Any:
    """Convert ``value`` to None, bool, int, float, str, list or dict.

    NaN, infinities, NaT and ``pandas.NA`` become None, since JSON has no other form for them. Moments become ISO 8601,
    durations seconds, bytes base64, images PNG in base64.

    Raises
    ------
    TypeError
        The value has no JSON form; the message names its type.
    """
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is float:
        return value if math.isfinite(value) else None
    if kind is list or kind is tuple:
        return [to_json(item) for item in value]
    return _other(value)


def records(frame: Any) -> list[dict[str, Any]]:
    """Return the rows of a data frame as objects by ``str(column)``."""
    keys = [str(name) for name in frame.columns]
    columns = [column(series) for _, series in frame.items()]  # access by position takes twice as long
    if not columns:
        return [{} for _ in range(len(frame))]
    return [dict(zip(keys, row, strict=True)) for row in zip(*columns, strict=True)]


def column(values: Any) -> list[Any]:
    """Return the values of a pandas Series, Index or extension array."""
    if isinstance(values.dtype, np.dtype) and values.dtype.kind in "biuf":
        return list(_array(np.asarray(values)))
    return [to_json(item) for item in values.tolist()]


@singledispatch
def _other(value: Any) -> Any:
    if _register_libraries("pandas", "torch", "polars", "PIL.Image"):
        return _other(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if hasattr(value, "model_dump"):  # a pydantic model
        return to_json(value.model_dump())
    raise TypeError(f"a {type(value).__module__}.{type(value).__qualname__} has no JSON form")


def _register_libraries(*modules: str) -> bool:
    """Register the types of libraries that are imported by now; importing them here would take seconds."""
    new = {name for name in modules if name in sys.modules} - _registered
    _registered.update(new)
    if "pandas" in new:
        pandas = sys.modules["pandas"]
        _other.register(pandas.DataFrame, records)
        for kind in (pandas.Series, pandas.Index, pandas.api.extensions.ExtensionArray):
            _other.register(kind, column)
        for kind in (pandas.Period, pandas.Interval):
            _other.register(kind, str)
        _other.register(type(pandas.NA), _null)
    if "polars" in new:
        polars = sys.modules["polars"]
        for kind in (polars.DataFrame, polars.LazyFrame):
            _other.register(kind, _polars)
        _other.register(polars.Series, lambda series: to_json(series.to_list()))
    if "PIL.Image" in new:
        from .images import image_json  # Pillow only where it is imported anyway

        _other.register(sys.modules["PIL.Image"].Image, image_json)
    if "torch" in new:
        _other.register(sys.modules["torch"].Tensor, _tensor)
    return bool(new)


def _polars(frame: Any) -> Any:
    from .polars_frames import rows_of

    return to_json(rows_of(frame))


def _null(_: Any) -> None:
    return None


def _tensor(tensor: Any) -> Any:
    if tensor.is_complex():
        raise TypeError(f"a tensor of {tensor.dtype} has no JSON form")
    return to_json((tensor.to_dense() if tensor.is_sparse else tensor).tolist())


@_other.register
def _array(array: np.ndarray) -> Any:  # singledispatch takes plain classes only
    kind = array.dtype.kind
    if isinstance(array, np.ma.MaskedArray) and kind in "biufU":  # iterating over it yields masked arrays again
        return to_json(array.tolist())
    if kind in "biuU":
        return array.tolist()
    # Most answers are finite: one check of the array saves a Python call for each number.
    if kind == "f" and np.isfinite(array).all():
        return array.astype(np.float64).tolist()
    if kind in "fmMOS":
        return to_json(array[()]) if array.ndim == 0 else [to_json(item) for item in array]
    raise TypeError(f"an array of {array.dtype} has no JSON form")


@_other.register
def _scalar(value: np.generic) -> Any:
    if isinstance(value, (np.datetime64, np.timedelta64)) and np.isnat(value):
        return None
    if isinstance(value, np.datetime64):
        return str(np.datetime_as_string(value))
    if isinstance(value, np.timedelta64):
        return float(value / np.timedelta64(1, "s"))
    if isinstance(value, np.floating):
        return to_json(float(value))
    if isinstance(value, (np.bool_, np.integer, np.str_, np.bytes_)):
        return to_json(value.item())
    raise TypeError(f"a {type(value).__name__} has no JSON form")


@_other.register
def _(value: Enum) -> Any:
    return to_json(value.value)


@_other.register(bytes)
@_other.register(bytearray)
@_other.register(memoryview)
def _(value: Any) -> str:
    return base64.b64encode(value).decode("ascii")


@_other.register(date)  # datetime and pandas' Timestamp are dates, and so is NaT
@_other.register(time)
def _(value: Any) -> str | None:
    text: str = value.isoformat()
    return None if text == "NaT" else text


@_other.register
def _(value: timedelta) -> float:  # pandas' Timedelta too
    return value.total_seconds()


@_other.register
def _(value: UUID) -> str:
    return str(value)


@_other.register
def _(value: Mapping) -> dict[str, Any]:  # type: ignore[type-arg]
    return {_key(key): to_json(item) for key, item in value.items()}


# Subclasses of the plain types (and Decimal): string enumerations, named tuples, …
@_other.register(float)
@_other.register(Decimal)
def _(value: Any) -> float | None:
    return float(value) if math.isfinite(value) else None


@_other.register
def _(value: int) -> int:
    return int(value)


@_other.register
def _(value: str) -> str:
    return str.__str__(value)  # an enumeration's own __str__ gives its name


@_other.register(list)
@_other.register(tuple)
def _(value: Any) -> list[Any]:
    return [to_json(item) for item in value]


def _key(key: Any) -> str:
    plain = to_json(key)
    return plain if isinstance(plain, str) else str(plain)
