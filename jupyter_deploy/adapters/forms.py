"""What an example's values are beyond their JSON: forms (``serving/forms.py``), found by looking at them."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any
from uuid import UUID

import numpy as np

from jupyter_deploy.serving.forms import Form, is_form
from jupyter_deploy.serving.values import to_json

from .annotations import described
from .frameworks.base import loaded

_BY_TYPE = (date, time, timedelta, Decimal, UUID, Enum, PurePath)
_PLAIN = (type(None), bool, int, float, str)
_LISTS = (list, tuple, set, frozenset, collections.deque)


class NoForm(TypeError):
    """JSON cannot bring it back: the message names what, completing "holds …"."""


class Mixed(NoForm):
    """Values of several kinds stand where one form is needed."""


def form_of(value: Any) -> Form:
    """The form of a value; None if JSON says it all.

    Raises
    ------
    NoForm
        A request could not bring it back.
    """
    kind = type(value)
    if kind in _PLAIN:
        return None
    if hasattr(value, "columns") or hasattr(value, "dtype"):
        return _form_of_rows(value)
    if kind in (bytes, bytearray):
        return ("bytes", kind)
    if kind in _LISTS:
        return _form_of_items(kind, list(value))
    if kind is dict:
        return _form_of_dict(value)
    return _form_of_object(kind, value)


def _form_of_object(kind: type, value: Any) -> Form:
    for name in ("Timestamp", "Timedelta", "Period"):
        if (pandas_kind := loaded("pandas", name)) is not None and isinstance(value, pandas_kind):
            return ("element", loaded("pandas", "Series")([value]).iloc[:0])
    if (image := loaded("PIL.Image", "Image")) is not None and isinstance(value, image):
        return ("image", value.mode)
    if isinstance(value, _BY_TYPE) and described(_base_of(kind)) is not None:
        return ("type", _base_of(kind))
    if hasattr(kind, "__pydantic_core_schema__") and described(kind) is not None:
        return ("type", kind)
    if dataclasses.is_dataclass(kind):
        fields = [field for field in dataclasses.fields(kind) if field.init]
        return ("object", kind, {field.name: form_of(getattr(value, field.name)) for field in fields})
    if isinstance(value, tuple) and hasattr(kind, "_make"):
        return ("tuple", kind, tuple(form_of(item) for item in value))
    raise NoForm(f"a {kind.__module__}.{kind.__qualname__}".replace("a builtins.", "a "))


def _base_of(kind: type) -> type:
    """``Path`` for a ``PosixPath``, which another system does not have."""
    return next((base for base in (PurePath,) if issubclass(kind, base)), kind)


def _form_of_rows(value: Any) -> Form:
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
        raise NoForm(f"a pandas.{type(value).__name__}")
    if module != "torch":
        raise NoForm(f"a {type(value).__module__}.{type(value).__qualname__}")
    return value[:0].detach().clone() if value.ndim else value


def frame_form(frame: Any) -> Form:
    """A pandas frame's own: without rows, and what the objects in its columns are.

    Raises
    ------
    Mixed
        A column has values of several kinds that JSON cannot tell apart.
    """
    forms = {}
    for position, name in enumerate(map(str, frame.columns)):
        column = frame.iloc[:, position]
        if column.dtype == object:
            try:
                form = common_form(column[~column.isna()])
            except NoForm as error:
                what = "values of several kinds" if isinstance(error, Mixed) else "objects"
                raise type(error)(f"{what} in the column '{name}': {error}") from error
            if form is not None:
                forms[name] = form
    empty = frame.iloc[:0]
    return ("frame", empty, forms) if forms else empty


def _form_of_items(kind: type, items: list[Any]) -> Form:
    try:
        form = common_form(items)
    except Mixed:
        if kind not in (list, tuple):
            raise
        return ("tuple", kind, tuple(form_of(item) for item in items))
    return None if kind is list and form is None else ("list", kind, form)


def _form_of_dict(value: Mapping[Any, Any]) -> Form:
    names: dict[str, tuple[Any, Form]] = {}
    for key, inner in value.items():
        name = to_json(key)
        name = name if isinstance(name, str) else str(name)
        if name in names:
            raise NoForm(f"a dict with two keys that are '{name}' in JSON")
        names[name] = (key, form_of(inner))
    return None if all(key == name and form is None for name, (key, form) in names.items()) else ("dict", names)


def common_form(values: Iterable[Any]) -> Form:
    """The one form of all values, of which some may be None.

    Raises
    ------
    Mixed
        There is none.
    """
    found: list[Form] = []
    missing = False
    for value in values:
        if value is None:
            missing = True
            continue
        form = form_of(value)
        if not any(_same(form, known) for known in found):
            found.append(form)
    if not found:
        return None
    form = found[0]
    for other in found[1:]:
        form = _merged(form, other)
    return ("optional", form) if missing and form is not None and not is_form(form, "optional") else form


def _merged(one: Form, other: Form) -> Form:
    if _same(one, other):
        return one
    if _is_number(one) and _is_number(other):
        return None
    if is_form(one, "optional") or is_form(other, "optional"):
        inner = [form[1] if is_form(form, "optional") else form for form in (one, other)]
        return ("optional", _merged(*inner))
    if is_form(one, "dict") or is_form(other, "dict"):
        return _merged_dicts(one, other)
    if is_form(one, "list") and is_form(other, "list") and one[1] is other[1]:
        if one[2] is None or other[2] is None:  # an empty list says nothing of its items
            return ("list", one[1], one[2] if other[2] is None else other[2])
        return ("list", one[1], _merged(one[2], other[2]))
    raise Mixed(f"{_named(one)} and {_named(other)}")


def _merged_dicts(one: Form, other: Form) -> Form:
    if not (is_form(one, "dict") and is_form(other, "dict")):
        given = one if is_form(one, "dict") else other
        if (one is None or other is None) and all(form is None for _, form in given[1].values()):
            return given
        raise Mixed(f"{_named(one)} and {_named(other)}")
    names = dict(one[1])
    for name, (key, form) in other[1].items():
        names[name] = (key, _merged(names[name][1], form) if name in names else form)
    return ("dict", names)


def _is_number(form: Form) -> bool:
    return form is None or isinstance(form, np.generic)


def _same(one: Form, other: Form) -> bool:
    if one is other or type(one) is not type(other):
        return one is other
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(inner, other[name]) for name, inner in one.items())
    if isinstance(one, np.generic | np.ndarray):
        return bool(one.dtype == other.dtype and one.shape[1:] == other.shape[1:])
    if hasattr(one, "columns"):
        return str(getattr(one, "dtypes", "")) == str(getattr(other, "dtypes", "")) and list(one.columns) == list(
            other.columns
        )
    return bool(one.dtype == other.dtype) if hasattr(one, "dtype") else bool(one == other)


def _named(form: Form) -> str:
    if form is None:
        return "plain values"
    if isinstance(form, tuple):
        if form[0] in ("type", "bytes", "list", "tuple", "object"):
            return f"{getattr(form[1], '__name__', form[1])}s"
        return f"images of mode {form[1]}" if form[0] == "image" else f"{form[0]}s"
    return type(form).__name__
