"""Types of an example's values that JSON does not express (``serving/values/value_types.py``)."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any
from uuid import UUID

import numpy as np

from jupyter_deploy.serving.values.json_values import to_json
from jupyter_deploy.serving.values.value_types import ValueType

from .annotations import schema_of
from .frameworks.base import loaded

_BY_TYPE = (date, time, timedelta, Decimal, UUID, Enum, PurePath)
_PLAIN = (type(None), bool, int, float, str)
_LISTS = (list, tuple, set, frozenset, collections.deque)


class UnsupportedValue(TypeError):
    """JSON cannot restore the value: the message describes it and completes "holds …"."""


class MixedValues(UnsupportedValue):
    """Values of several types where one is required."""


def form_of(value: Any) -> ValueType:
    """Return the form of a value; None if JSON expresses it.

    Raises
    ------
    UnsupportedValue
        No request could restore the value.
    """
    return common_form([value])


def common_form(values: Iterable[Any]) -> ValueType:
    """Return the common form of all values, of which some may be None.

    Raises
    ------
    UnsupportedValue
        No request could restore one of the values.
    MixedValues
        The values' forms differ.
    """
    items = list(values)
    present = [value for value in items if value is not None]
    if not present:
        return None
    kinds = dict.fromkeys(map(type, present))
    kind, *others = kinds
    if others:
        form = _one_of([common_form(value for value in present if type(value) is type_) for type_ in kinds])
    elif kind is dict:
        form = _form_of_dicts(present)
    elif kind in _LISTS:
        form = _form_of_lists(kind, present)
    elif hasattr(kind, "_make"):
        form = ("tuple", kind, tuple(map(common_form, zip(*present, strict=True))))
    elif dataclasses.is_dataclass(kind) and _pydantics(kind) is None:
        names = [field.name for field in dataclasses.fields(kind) if field.init]
        form = ("object", kind, {name: common_form(getattr(value, name) for value in present) for name in names})
    else:
        form = _form_of_singles(kind, present)
    return ("optional", form) if len(present) < len(items) and form is not None else form


def _form_of_singles(kind: type, values: list[Any]) -> ValueType:
    if kind in _PLAIN:
        return None
    if kind in (bytes, bytearray):
        return ("bytes", kind)
    if (known := _pydantics(kind)) is not None:
        return ("type", known)
    return _one_of([_form_of_single(value) for value in values])


def _pydantics(kind: type) -> type | None:
    """Return the type by which pydantic restores such values, if it does."""
    if issubclass(kind, datetime):  # pydantic's result would have its own time zone type
        return None
    if issubclass(kind, _BY_TYPE):
        kind = next((base for base in (PurePath,) if issubclass(kind, base)), kind)
    elif not hasattr(kind, "__pydantic_core_schema__"):
        return None
    return kind if schema_of(kind) is not None else None


def _form_of_single(value: Any) -> ValueType:
    kind = type(value)
    if hasattr(value, "columns") or hasattr(value, "dtype"):
        return _form_of_rows(value)
    for name in ("Timestamp", "Timedelta", "Period"):
        if (pandas_kind := loaded("pandas", name)) is not None and isinstance(value, pandas_kind):
            return ("element", loaded("pandas", "Series")([value]).iloc[:0])
    if kind is datetime:
        return ("moment", value.tzinfo)
    if (image := loaded("PIL.Image", "Image")) is not None and isinstance(value, image):
        return ("image", value.mode)
    raise UnsupportedValue(f"a {kind.__module__}.{kind.__qualname__}".replace("a builtins.", "a "))


def _form_of_rows(value: Any) -> ValueType:
    if isinstance(value, np.generic):
        return value
    if isinstance(value, np.ndarray):
        return value[:0] if value.ndim else value
    module = type(value).__module__.partition(".")[0]
    if module == "polars":
        return value.clear()
    if module == "pandas":
        if hasattr(value, "columns"):
            return frame_form(value)
        if type(value).__name__ == "Series":
            return value.iloc[:0]
        raise UnsupportedValue(f"a pandas.{type(value).__name__}")
    if module != "torch":
        raise UnsupportedValue(f"a {type(value).__module__}.{type(value).__qualname__}")
    return value[:0].detach().clone() if value.ndim else value


def frame_form(frame: Any) -> ValueType:
    """Return a pandas frame's form: the frame without rows, and the forms of objects in its columns.

    Raises
    ------
    MixedValues
        A column has values of several types that JSON cannot distinguish.
    """
    forms = {}
    for position, name in enumerate(map(str, frame.columns)):
        column = frame.iloc[:, position]
        if column.dtype == object:
            missing = column.isna()
            try:
                form = common_form(column[~missing])
            except UnsupportedValue as error:
                what = "values of several kinds" if isinstance(error, MixedValues) else "objects"
                raise type(error)(f"{what} in the column '{name}': {error}") from error
            # Otherwise a missing object becomes NaN, as in pandas itself.
            if missing.any() and all(value is None for value in column[missing]):
                form = ("optional", form)
            if form is not None:
                forms[name] = form
    empty = frame.iloc[:0]
    return ("frame", empty, forms) if forms else empty


def _form_of_lists(kind: type, values: list[Any]) -> ValueType:
    try:
        form = common_form(item for value in values for item in value)
    except MixedValues:
        if kind not in (list, tuple) or len({len(value) for value in values}) > 1:
            raise
        return ("tuple", kind, tuple(map(common_form, zip(*values, strict=True))))
    return None if kind is list and form is None else ("list", kind, form)


def _form_of_dicts(values: list[dict[Any, Any]]) -> ValueType:
    keys = dict.fromkeys(key for value in values for key in value)
    names: dict[str, tuple[Any, ValueType]] = {}
    for key in keys:
        name = to_json(key)
        name = name if isinstance(name, str) else str(name)
        if name in names:
            raise UnsupportedValue(f"a dict with two keys that are '{name}' in JSON")
        names[name] = (key, common_form(value[key] for value in values if key in value))
    return None if all(key == name and form is None for name, (key, form) in names.items()) else ("dict", names)


def _one_of(forms: list[ValueType]) -> ValueType:
    """Return the form that all of these equal."""
    first = forms[0]
    for other in forms[1:]:
        if _same(first, other):
            continue
        if not (_is_number(first) and _is_number(other)):
            raise MixedValues(f"{_named(first)} and {_named(other)}")
        first = None
    return first


def _is_number(form: ValueType) -> bool:
    return form is None or isinstance(form, np.generic)


def _same(first: ValueType, other: ValueType) -> bool:
    if first is other or type(first) is not type(other):
        return first is other
    if isinstance(first, tuple):
        return len(first) == len(other) and all(map(_same, first, other))
    if isinstance(first, dict):
        return first.keys() == other.keys() and all(_same(inner, other[name]) for name, inner in first.items())
    if isinstance(first, np.generic | np.ndarray):
        return bool(first.dtype == other.dtype and first.shape[1:] == other.shape[1:])
    if hasattr(first, "columns"):
        return str(getattr(first, "dtypes", "")) == str(getattr(other, "dtypes", "")) and list(first.columns) == list(
            other.columns
        )
    return bool(first.dtype == other.dtype) if hasattr(first, "dtype") else bool(first == other)


def _named(form: ValueType) -> str:
    if form is None:
        return "plain values"
    if isinstance(form, tuple):
        if form[0] == "moment":
            return "moments with a zone" if form[1] else "moments"
        if form[0] in ("type", "bytes", "list", "tuple", "object"):
            return f"{getattr(form[1], '__name__', form[1])}s"
        return f"images of mode {form[1]}" if form[0] == "image" else f"{form[0]}s"
    return type(form).__name__
