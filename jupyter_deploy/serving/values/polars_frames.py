"""Polars frames like the example's from objects by column name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from .arrays import ConversionError, decode_base64, invalid_rows

Converter = Callable[[Any], Any]


class PolarsFrameBuilder:
    """Builds frames with the schema of ``prototype``, which has no rows; lazy frames if it is lazy."""

    def __init__(self, prototype: pl.DataFrame | pl.LazyFrame) -> None:
        self._lazy = isinstance(prototype, pl.LazyFrame)
        self._schema = prototype.collect_schema()

    def frame(self, rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame | pl.LazyFrame:
        """Build one row for each object, whatever the order of its keys.

        Raises
        ------
        InvalidInstances
            A column's dtype cannot hold a value; the errors name rows and column.
        """
        columns = []
        for name, dtype in self._schema.items():
            values = [row.get(name) for row in rows]
            try:
                columns.append(_series(name, values, dtype))
            except ConversionError as error:
                raise invalid_rows(values, _one(dtype), error, name) from error
        frame = pl.DataFrame(columns)
        return frame.lazy() if self._lazy else frame


def reader_of(prototype: Any) -> Converter:
    """Return a converter from rows or values to a frame or Series like ``prototype``."""
    if isinstance(prototype, pl.Series):
        return lambda values: _series(prototype.name, values, prototype.dtype)
    return PolarsFrameBuilder(prototype).frame


def rows_of(frame: Any) -> list[dict[str, Any]]:
    """Return the rows of a frame, eager or lazy, as dictionaries by column name, for ``to_json``."""
    eager = frame.collect() if isinstance(frame, pl.LazyFrame) else frame
    rows: list[dict[str, Any]] = eager.to_dicts()
    for name, dtype in eager.schema.items():
        if isinstance(dtype, pl.Datetime) and dtype.time_unit == "ns":  # Python's datetime has microseconds only
            texts = eager[name].dt.to_string("iso:strict").to_list()
            for row, text in zip(rows, texts, strict=True):
                row[name] = text
    return rows


def _one(dtype: Any) -> Converter:
    return lambda value: _series("", [value], dtype)


def _series(name: str, values: Sequence[Any], dtype: Any) -> pl.Series:
    if isinstance(dtype, pl.Datetime):
        return _moments(name, values, dtype)
    read = _reader(dtype)
    try:
        return pl.Series(name, [None if value is None else read(value) for value in values], dtype=dtype, strict=True)
    except ConversionError:
        raise
    except Exception as error:  # Polars has an exception for each type
        raise ConversionError(f"does not fit {dtype}: {str(error).splitlines()[0]}") from error


def _moments(name: str, values: Sequence[Any], dtype: pl.Datetime) -> pl.Series:
    if dtype.time_zone is not None and any(value and datetime.fromisoformat(value).tzinfo is None for value in values):
        raise ConversionError('needs its offset from UTC, such as "2026-11-25T12:00:00+00:00"')
    in_utc = [_in_utc(value) for value in values]
    try:
        moments = pl.Series(name, in_utc, dtype=pl.String).str.to_datetime(time_unit=dtype.time_unit, time_zone="UTC")
    except Exception as error:
        raise ConversionError(f"is not a moment that {dtype} can hold") from error
    if dtype.time_zone is None:
        return moments.dt.replace_time_zone(None)
    return moments.dt.convert_time_zone(dtype.time_zone)


def _in_utc(text: str | None) -> str | None:
    if text is None:
        return None
    moment = datetime.fromisoformat(text)  # accepts a space, a Z, a date without a time
    whole, _, fraction = text.partition(".")
    del whole
    digits = "".join(next((fraction[:n] for n, c in enumerate(fraction) if not c.isdigit()), fraction)).ljust(9, "0")
    offset = moment.isoformat()[-6:] if moment.tzinfo is not None else "+00:00"
    return f"{moment.replace(microsecond=0, tzinfo=None).isoformat()}.{digits[:9]}{offset}"


def _reader(dtype: Any) -> Converter:
    """Return the converter from the JSON of a value to the value that Polars takes for the dtype."""
    match dtype:
        case pl.List() | pl.Array():
            inner = _optional(_reader(dtype.inner))
            return lambda values: [inner(value) for value in values]
        case pl.Struct():
            fields = {field.name: _optional(_reader(field.dtype)) for field in dtype.fields}
            return lambda row: {name: read(row.get(name)) for name, read in fields.items()}
        case _:
            return _SCALARS.get(dtype.base_type(), lambda value: value)


def _optional(read: Converter) -> Converter:
    return lambda value: None if value is None else read(value)


def _duration(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


def _whole(value: Any) -> int:
    if int(value) != value:
        raise ConversionError("must be a whole number")
    return int(value)


_SCALARS: dict[Any, Converter] = {
    pl.Date: date.fromisoformat,
    pl.Time: time.fromisoformat,
    pl.Datetime: datetime.fromisoformat,
    pl.Duration: _duration,
    pl.Decimal: lambda value: Decimal(str(value)),
    pl.Binary: decode_base64,
    pl.Float32: float,
    pl.Float64: float,
    **dict.fromkeys((pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64), _whole),
}
