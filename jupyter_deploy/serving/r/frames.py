"""Data frames between pandas and R, as bytes: ``answers.R`` and ``server.R`` are the other side.

Numbers are little-endian. A missing whole number, logical value or factor code is R's own NA, -2**31; a missing number
is R's NA, a NaN with a payload; a missing text has the length -1.
"""

from __future__ import annotations

import datetime as dt
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypedDict

import numpy as np

from ..values.validation import InvalidInstances

KINDS = ("double", "integer", "logical", "text", "factor", "ordered", "Date", "POSIXct")
FORMS = ("vector", "array", "table")

_NA = -(1 << 31)
_NA_DOUBLE = np.uint64(0x7FF00000000007A2)
_LARGEST = (1 << 31) - 1
_DOUBLES = ("double", "Date", "POSIXct")
_FACTORS = ("factor", "ordered")
_EPOCH = dt.date(1970, 1, 1)
_SEPARATOR = "\x1f"


class Column(TypedDict):
    """A column of R's data frame: one of ``KINDS``; ``levels`` of a factor, else empty.

    ``levels`` of a text are those that the model knows, or None.
    """

    name: str
    kind: str
    levels: list[str] | None


def encoded(frame: Any, columns: Sequence[Column]) -> tuple[int, bytes]:
    """Return the number of rows and the message of a pandas frame with these columns, which may have others too.

    Raises
    ------
    InvalidInstances
        R cannot hold a value: a whole number beyond 32 bits, or a text that is no level. The error names the value.
    """
    rows = len(frame)
    doubles, wholes, texts = [], [], []
    for column in columns:
        values = frame[column["name"]]
        if column["kind"] in _DOUBLES:
            doubles.append(_TO_DOUBLES[column["kind"]](values))
        elif column["kind"] == "text":
            texts.append(values)
        else:
            wholes.append(_codes(values, column) if column["kind"] in _FACTORS else _wholes(values, column))
    numbers = np.concatenate(doubles) if doubles else np.empty(0)
    if (missing := np.isnan(numbers)).any():
        numbers.view(np.uint64)[missing] = _NA_DOUBLE
    sizes, content = _texts(texts)
    whole = np.concatenate(wholes) if wholes else np.empty(0, np.int32)
    head = struct.pack("<3i", 0, rows, len(content))
    return rows, b"".join((head, numbers.astype("<f8", copy=False).tobytes(), whole.astype("<i4", copy=False).tobytes(),
                           sizes.tobytes(), content))  # fmt: skip


def _doubles(values: Any) -> np.ndarray[Any, Any]:
    return np.array(values.to_numpy(dtype=np.float64, na_value=np.nan))


def _days(values: Any) -> np.ndarray[Any, Any]:
    if values.dtype.kind == "M":
        days: np.ndarray[Any, Any] = values.to_numpy("datetime64[D]").astype(np.float64)
        days[values.isna().to_numpy()] = np.nan
        return days
    return np.array([(v - _EPOCH).days if isinstance(v, dt.date) else np.nan for v in values], np.float64)


def _seconds(values: Any) -> np.ndarray[Any, Any]:
    if getattr(values.dtype, "tz", None) is not None:
        values = values.dt.tz_convert("UTC").dt.tz_localize(None)
    seconds: np.ndarray[Any, Any] = values.to_numpy("datetime64[us]").astype(np.int64) / 1e6
    seconds[values.isna().to_numpy()] = np.nan
    return seconds


_TO_DOUBLES: Mapping[str, Callable[[Any], np.ndarray[Any, Any]]] = {
    "double": _doubles, "Date": _days, "POSIXct": _seconds,
}  # fmt: skip


def _wholes(values: Any, column: Column) -> np.ndarray[Any, Any]:
    missing = values.isna().to_numpy()
    wide: np.ndarray[Any, Any] = (
        values.to_numpy(dtype=np.int64, na_value=0) if missing.any() else values.to_numpy(np.int64)
    )
    beyond = np.flatnonzero(np.abs(wide) > _LARGEST)
    if len(beyond):
        raise _invalid(int(beyond[0]), column, f"is {wide[beyond[0]]}, beyond R's whole numbers (32 bits)")
    if missing.any():
        wide = np.where(missing, _NA, wide)
    return wide.astype(np.int32)


def _codes(values: Any, column: Column) -> np.ndarray[Any, Any]:
    levels = column["levels"] or []
    known = getattr(values.dtype, "categories", None)
    if known is not None and list(known) == levels:
        codes = values.cat.codes.to_numpy(np.int32) + 1
        return np.where(codes == 0, _NA, codes).astype(np.int32)
    places = {level: place for place, level in enumerate(levels, 1)}
    missing, made = values.isna().to_numpy(), []
    for row, value in enumerate(values):
        if not missing[row] and value not in places:
            raise _invalid(row, column, f"is {value!r}; the model's levels are {', '.join(map(repr, levels[:10]))}")
        made.append(_NA if missing[row] else places[value])
    return np.array(made, np.int32)


def _texts(columns: Sequence[Any]) -> tuple[np.ndarray[Any, Any], bytes]:
    parts = [value.encode() if isinstance(value, str) else None for values in columns for value in values]
    sizes = np.array([-1 if part is None else len(part) for part in parts], "<i4")
    return sizes, b"".join(part for part in parts if part is not None)


def _invalid(row: int, column: Column, problem: str) -> InvalidInstances:
    return InvalidInstances([{"loc": ["instances", row, column["name"]], "msg": problem}])


class Decoded:
    """R's answer, or a data frame that the kernel wrote: its form, and its columns by name in their order."""

    def __init__(self, form: str, rows: int, names: list[str], kinds: list[str], columns: list[Any]) -> None:
        self.form, self.rows, self.names, self.kinds, self.columns = form, rows, names, kinds, columns

    @property
    def frame(self) -> Any:
        """As a pandas frame."""
        import pandas as pd

        return pd.DataFrame(dict(zip(self.names, self.columns, strict=True)), index=pd.RangeIndex(self.rows))

    @property
    def answer(self) -> Any:
        """As a model's answer, one value a row: an array, or objects by the columns' names."""
        if self.form == "vector":
            return _plain(self.columns[0])
        if self.form == "array":
            return np.column_stack([_plain(column) for column in self.columns])
        if any(_SEPARATOR in name for name in self.names) or not set(self.kinds) <= {"double", "integer", "logical"}:
            return self._rows()
        return self.frame

    def _rows(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = [{} for _ in range(self.rows)]
        for name, column in zip(self.names, self.columns, strict=True):
            *outer, inner = name.split(_SEPARATOR)
            values = _plain(column)
            for row, value in zip(rows, values.tolist() if hasattr(values, "tolist") else values, strict=True):
                for part in outer:
                    row = row.setdefault(part, {})  # noqa: PLW2901 - down to the innermost object
                row[inner] = value
        return rows

    def schema(self, known: Mapping[str, list[str]]) -> list[Column]:
        """Return the columns as the model's; ``known`` has the levels of texts that the model knows, by name."""
        columns = []
        for name, kind, values in zip(self.names, self.kinds, self.columns, strict=True):
            levels = list(values.categories) if kind in _FACTORS else known.get(name)
            columns.append(Column(name=name, kind=kind, levels=levels))
        return columns


def _plain(column: Any) -> Any:
    """Return an array of numbers, or a list with None where a value is missing."""
    if isinstance(column, np.ndarray) and column.dtype.kind in "fb":
        return column
    if isinstance(column, np.ndarray) and column.dtype.kind == "i":
        return column
    missing = column.isna() if hasattr(column, "isna") else [value is None for value in column]
    return [None if gone else value for value, gone in zip(column.tolist(), missing, strict=True)]


class _Reader:
    def __init__(self, content: bytes) -> None:
        self.content, self.at = content, 0

    def array(self, dtype: str, count: int) -> np.ndarray[Any, Any]:
        made: np.ndarray[Any, Any] = np.frombuffer(self.content, dtype, count, self.at)
        self.at += made.nbytes
        return made

    def wholes(self, count: int) -> list[int]:
        return [int(number) for number in self.array("<i4", count)]

    def text(self, size: int) -> str:
        self.at += size
        return self.content[self.at - size : self.at].decode()

    def texts(self, count: int) -> list[str | None]:
        return [None if size < 0 else self.text(size) for size in self.wholes(count)]


def decoded(content: bytes) -> Decoded:
    """Return an answer of R's ``nbdeploy_encode``."""
    form, rows, count = struct.unpack_from("<3i", content)
    if form == 1 and content[12:20] == b"\1\0\0\0\0\0\0\0":  # one column of numbers, the usual answer
        return Decoded("vector", rows, [""], ["double"], [np.frombuffer(content, "<f8", rows, 20).copy()])
    reader = _Reader(content)
    reader.at = 12
    names, kinds, columns = [], [], []
    for _ in range(count):
        kind, size = reader.wholes(2)
        names.append(reader.text(size))
        kinds.append(KINDS[kind - 1])
        columns.append(_column(reader, kinds[-1], rows))
    return Decoded(FORMS[form - 1], rows, names, kinds, columns)


def _column(reader: _Reader, kind: str, rows: int) -> Any:
    match kind:
        case "double":
            return reader.array("<f8", rows).copy()
        case "integer" | "logical":
            return _nullable(reader.array("<i4", rows), kind)
        case "text":
            return np.array([*reader.texts(rows), None], object)[:-1]
        case "factor" | "ordered":
            (count,) = reader.wholes(1)
            levels = reader.texts(count)
            codes = reader.array("<i4", rows)
            import pandas as pd

            known = pd.Index(levels, dtype=object)
            return pd.Categorical.from_codes(np.where(codes == _NA, -1, codes - 1), known, ordered=kind == "ordered")
        case "Date":
            return np.array([*map(_day, reader.array("<f8", rows)), None], object)[:-1]
        case _:
            return _moments(reader, rows)


def _nullable(values: np.ndarray[Any, Any], kind: str) -> Any:
    """Return whole numbers or logical values, of pandas' nullable type if one is missing."""
    missing = values == _NA
    plain: Any = values.astype(bool) if kind == "logical" else values.astype(np.int32)
    if not missing.any():
        return plain
    import pandas as pd

    array = pd.arrays.BooleanArray if kind == "logical" else pd.arrays.IntegerArray
    return array(plain, missing)


def _day(days: float) -> dt.date | None:
    return None if np.isnan(days) else _EPOCH + dt.timedelta(days=int(np.floor(days)))


def _moments(reader: _Reader, rows: int) -> Any:
    import pandas as pd

    (zone,) = reader.texts(1)
    seconds = reader.array("<f8", rows)
    missing = np.isnan(seconds)
    micros = np.round(np.where(missing, 0, seconds) * 1e6).astype(np.int64)
    moments = micros.view("datetime64[us]").copy()
    moments[missing] = np.datetime64("NaT")
    return pd.DatetimeIndex(moments).tz_localize("UTC").tz_convert(zone).array
