"""Objects by column name as a pandas DataFrame like the one that the model was shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.extensions import ExtensionDtype

from .arrays import Unfit, blame, to_array
from .values import to_json


class FrameMaker:
    """Builds data frames with the columns and the types of ``prototype``, which has no rows."""

    def __init__(self, prototype: pd.DataFrame) -> None:
        self._columns = prototype.columns
        self._keys = [str(name) for name in prototype.columns]
        self._dtypes: list[Any] = list(prototype.dtypes)

    def frame(self, rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
        """One row for each object, whatever the order of its keys.

        Raises
        ------
        InvalidInstances
            It names the rows and the column of values that the column's type cannot hold.
        """
        columns = {}
        for position, (key, dtype) in enumerate(zip(self._keys, self._dtypes, strict=True)):
            values = [row.get(key) for row in rows]
            try:
                columns[position] = _cast(values, dtype)
            except Unfit as unfit:
                raise blame(values, partial(_cast_one, dtype=dtype), unfit, key) from unfit
        frame = pd.DataFrame(columns, index=pd.RangeIndex(len(rows)))
        frame.columns = self._columns
        return frame


def to_series(values: list[Any], prototype: Any) -> Any:
    """``values`` as a Series of the prototype's type and name."""
    return pd.Series(_cast(values, prototype.dtype), name=prototype.name)


def _cast_one(value: Any, dtype: Any) -> None:
    _cast([value], dtype)


def _cast(values: list[Any], dtype: Any) -> Any:
    if isinstance(dtype, ExtensionDtype):
        return _extension(values, dtype)
    match dtype.kind:
        case "M":
            return _moments(values, dtype)
        case "m":  # as seconds: see to_json
            return pd.to_timedelta(np.asarray(values, dtype=np.float64), unit="s").astype(dtype)
        case "O":  # NaN is what pandas itself puts where an object is missing
            return pd.Series([np.nan if value is None else value for value in values], dtype=object)
        case "i" | "u" | "b" if None in values:
            raise Unfit(f"must not be missing: a column of {dtype} has no missing values")
        case _:
            return to_array(values, dtype)


def _categorical(values: list[Any], dtype: pd.CategoricalDtype) -> pd.Categorical:
    # pandas turns unknown categories into missing values without a word.
    codes = {to_json(category): code for code, category in enumerate(dtype.categories)}
    try:
        return pd.Categorical.from_codes([-1 if v is None else codes[v] for v in values], dtype=dtype)
    except KeyError as error:
        known = ", ".join(map(repr, list(codes)[:10]))
        raise Unfit(f"is the unknown category {error}; the model knows {known}") from error


def _moments(values: list[Any], dtype: Any) -> Any:
    zone = getattr(dtype, "tz", None)
    try:
        return pd.Series([_moment(value, zone) for value in values], dtype=dtype)
    except (ValueError, TypeError, OverflowError) as error:  # OutOfBoundsDatetime is a ValueError
        raise Unfit(f"is not a moment that {dtype} can hold: {error}") from error


def _moment(value: Any, zone: Any) -> Any:
    moment: Any = pd.NaT if value is None else pd.Timestamp(value)
    if moment is pd.NaT:
        return moment
    if zone is None:  # an offset in a column without zones: the same moment in UTC
        return moment if moment.tzinfo is None else moment.tz_convert("UTC").tz_localize(None)
    if moment.tzinfo is None:
        raise ValueError('it needs its offset from UTC, such as "2026-11-25T12:00:00+00:00"')
    return moment.tz_convert(zone)


def _extension(values: list[Any], dtype: Any) -> Any:
    if isinstance(dtype, pd.CategoricalDtype):
        return _categorical(values, dtype)
    if isinstance(dtype, pd.DatetimeTZDtype):
        return _moments(values, dtype)
    numpy_dtype = getattr(dtype, "numpy_dtype", None)
    if isinstance(numpy_dtype, np.dtype) and numpy_dtype.kind in "iuf":
        # pandas' own overflow checks differ from type to type: numpy's are the same for all.
        to_array([0 if value is None else value for value in values], numpy_dtype)
    try:
        return pd.array(values, dtype=dtype)
    except Exception as error:  # any extension may come along, each with errors of its own
        raise Unfit(f"does not fit {dtype}: {error}") from error
