"""pandas DataFrames like the example's from objects by column name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC
from decimal import Decimal
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.extensions import ExtensionDtype

from .arrays import ConversionError, decode_base64, invalid_rows, to_array
from .json_values import records, to_json

Converter = Callable[[Any], Any]
ObjectReader = tuple[Converter, float | None]
"""The converter of a column's values, and its missing value: None if the example has None, else pandas' NaN."""

# pandas 3 and later: 8 µs instead of 150.
_from_blocks: Any = getattr(getattr(pd.api, "internals", None), "create_dataframe_from_blocks", None)


class FrameBuilder:
    """Builds data frames with the columns and dtypes of ``prototype``, which has no rows.

    Parameters
    ----------
    readers
        Converters of the values in object columns, by the column's name in JSON; strings, numbers and the like need
        none.
    """

    def __init__(self, prototype: pd.DataFrame, readers: Mapping[str, ObjectReader] = MappingProxyType({})) -> None:
        self._columns = prototype.columns
        self.keys = [str(name) for name in prototype.columns]
        self._casts = [
            partial(_objects, reader=readers[key]) if key in readers else partial(_cast, dtype=dtype)
            for key, dtype in zip(self.keys, prototype.dtypes, strict=True)
        ]

    def frame(self, rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
        """Build one row for each object, whatever the order of its keys.

        Raises
        ------
        InvalidInstances
            A column's dtype cannot hold a value; the errors name rows and column.
        """
        return self.assembled(self.columns([[row.get(key) for row in rows] for key in self.keys]), len(rows))

    def columns(self, values: Sequence[Sequence[Any]]) -> list[Any]:
        """Convert JSON values, a list for each column, to the columns that ``assembled`` takes.

        Raises
        ------
        InvalidInstances
            As ``frame``.
        """
        columns = []
        for key, cast, column in zip(self.keys, self._casts, values, strict=True):
            try:
                columns.append(cast(column))
            except ConversionError as error:
                raise invalid_rows(column, partial(_one, cast=cast), error, key) from error
        return columns

    def assembled(self, columns: Sequence[Any], rows: int) -> pd.DataFrame:
        """Return a frame of ``columns``, each an array or a Series."""
        frame = pd.DataFrame(dict(enumerate(columns)), index=pd.RangeIndex(rows))
        frame.columns = self._columns.view()  # a name that a model gives to the columns is set on the Index itself
        return frame

    def column(self, at: int, values: Sequence[Any]) -> Any:
        """Convert JSON values to the column at a position.

        Raises
        ------
        ConversionError
            The column's dtype cannot hold a value.
        """
        return self._casts[at](values)

    def of_blocks(self, blocks: Sequence[Any], places: Sequence[np.ndarray[Any, Any]]) -> pd.DataFrame:
        """Return a frame over blocks (``block_of``) that hold the columns at ``places``, without copying them."""
        rows = blocks[0].shape[-1]
        if not places:
            return self.assembled([], rows)
        if _from_blocks is not None:
            made = list(zip(blocks, places, strict=True))
            frame: pd.DataFrame = _from_blocks(made, index=pd.RangeIndex(rows), columns=self._columns.view())
            return frame
        columns: dict[int, Any] = {}
        for block, at in zip(blocks, places, strict=True):
            if block.ndim == 2:  # as Series, since pandas may infer another dtype for an array of objects
                columns |= {place: pd.Series(block[row], dtype=block.dtype) for row, place in enumerate(at.tolist())}
            else:
                columns[int(at[0])] = block
        return self.assembled([columns[at] for at in range(len(columns))], rows)


def block_of(column: Any) -> Any:
    """Return a column of ``FrameBuilder.columns`` as a block: two-dimensional if it is a NumPy array."""
    if isinstance(column.dtype, np.dtype):
        return np.array(column)[np.newaxis]
    return column.array.copy() if isinstance(column, (pd.Series, pd.Index)) else column


def joined(blocks: Sequence[Any]) -> Any:
    """Concatenate the blocks of the same columns."""
    if isinstance(blocks[0], np.ndarray):
        return np.concatenate(blocks, axis=1, dtype=blocks[0].dtype)
    return pd.concat([pd.Series(block) for block in blocks], ignore_index=True).array


def to_series(values: list[Any], prototype: Any) -> Any:
    """Convert ``values`` to a Series of the prototype's dtype and name."""
    return pd.Series(_cast(values, prototype.dtype), name=prototype.name)


def frame_json(frame: pd.DataFrame, writers: Mapping[str, Converter]) -> list[dict[str, Any]]:
    """Return the rows of ``frame`` as objects by column name, the values of object columns by their ``writers``."""
    rows = records(frame)
    for position, name in enumerate(map(str, frame.columns)):
        if name in writers:
            write, values = writers[name], frame.iloc[:, position]
            for row, value, missing in zip(rows, values, values.isna(), strict=True):
                row[name] = None if missing else write(value)
    return rows


def _objects(values: list[Any], reader: ObjectReader) -> Any:
    read, missing = reader
    return pd.Series([missing if value is None else read(value) for value in values], dtype=object)


def _one(value: Any, cast: Converter) -> None:
    cast([value])


def _cast(values: list[Any], dtype: Any) -> Any:
    if isinstance(dtype, ExtensionDtype):
        return _extension(values, dtype)
    match dtype.kind:
        case "M":
            return _moments(values, dtype)
        case "m":
            return _durations(values, dtype)
        case "O":  # NaN, as pandas marks a missing object
            return pd.Series([np.nan if value is None else value for value in values], dtype=object)
        case "i" | "u" | "b" if None in values:
            raise ConversionError(f"must not be missing: a column of {dtype} cannot hold missing values")
        case _:
            return to_array(values, dtype)


def _durations(values: list[Any], dtype: Any) -> Any:
    try:  # as seconds: see to_json
        return pd.to_timedelta(np.asarray(values, dtype=np.float64), unit="s").astype(dtype)
    except (ValueError, OverflowError) as error:  # OutOfBoundsTimedelta is a ValueError
        raise ConversionError(f"is not a duration that {dtype} can hold: {error}") from error


def _categorical(values: list[Any], dtype: pd.CategoricalDtype) -> pd.Categorical:
    # pandas silently turns unknown categories into missing values.
    codes = {to_json(category): code for code, category in enumerate(dtype.categories)}
    try:
        return pd.Categorical.from_codes([-1 if v is None else codes[v] for v in values], dtype=dtype)
    except KeyError as error:
        known = ", ".join(map(repr, list(codes)[:10]))
        raise ConversionError(f"is the unknown category {error}; the model knows {known}") from error


def _moments(values: list[Any], dtype: Any) -> Any:
    zone = getattr(dtype, "tz", None)
    try:
        if zone is None:
            return pd.Series([_moment(value, None) for value in values], dtype=dtype)
        # Through UTC: applying a zone's rules to each moment is slow in pandas.
        moments = [_moment(value, UTC) for value in values]
        return pd.DatetimeIndex(moments, dtype=pd.DatetimeTZDtype(dtype.unit, UTC)).tz_convert(zone).array
    except (ValueError, TypeError, OverflowError) as error:  # OutOfBoundsDatetime is a ValueError
        raise ConversionError(f"is not a moment that {dtype} can hold: {error}") from error


def _moment(value: Any, zone: Any) -> Any:
    moment: Any = pd.NaT if value is None else pd.Timestamp(value)
    if moment is pd.NaT:
        return moment
    if zone is None:  # an offset in a column without a zone: the same moment in UTC
        return moment if moment.tzinfo is None else moment.tz_convert("UTC").tz_localize(None)
    if moment.tzinfo is None:
        raise ValueError('it needs its offset from UTC, such as "2026-11-25T12:00:00+00:00"')
    return moment.tz_convert(zone)


def _extension(values: list[Any], dtype: Any) -> Any:
    if isinstance(dtype, pd.CategoricalDtype):
        return _categorical(values, dtype)
    if isinstance(dtype, pd.DatetimeTZDtype):
        return _moments(values, dtype)
    if isinstance(dtype, pd.ArrowDtype):
        values = _for_arrow(values, dtype)
    numpy_dtype = getattr(dtype, "numpy_dtype", None)
    if isinstance(numpy_dtype, np.dtype) and numpy_dtype.kind in "iuf":
        # pandas' overflow checks differ between types; NumPy's are uniform.
        to_array([0 if value is None else value for value in values], numpy_dtype)
    try:
        return pd.array(values, dtype=dtype)
    except Exception as error:  # each extension type has its own errors
        raise ConversionError(f"does not fit {dtype}: {error}") from error


def _for_arrow(values: list[Any], dtype: pd.ArrowDtype) -> list[Any]:
    """Convert the JSON values that Arrow does not convert itself."""
    import pyarrow as pa  # only where a column is Arrow's

    kind = dtype.pyarrow_dtype
    read: Converter | None = None
    if pa.types.is_timestamp(kind):
        read = partial(_moment, zone=kind.tz)
    elif pa.types.is_duration(kind):  # as seconds: see to_json
        read = partial(pd.Timedelta, unit="s")
    elif pa.types.is_decimal(kind):
        read = _decimal
    elif pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        read = decode_base64
    if read is None:
        return values
    try:
        return [None if value is None else read(value) for value in values]
    except (ValueError, TypeError, OverflowError) as error:
        raise ConversionError(f"does not fit {dtype}: {error}") from error


def _decimal(value: float | str) -> Decimal:
    return Decimal(str(value))
