"""Tables of any library as columns: row hashes, and the stored description.

Numbers are hashed as 64-bit floats, so that a frame and an array of the same numbers have equal rows; other values are
hashed by pandas.
"""

from __future__ import annotations

import hashlib
import math
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jupyter_deploy.domain.capture.training import Column, Period

MAX_CELLS = 40_000_000
"""The number of rows, evenly spread, that represent a larger table: about a second's work."""

MAX_COLUMNS = 300
"""The most columns that are described; a wider table is an image or an embedding."""

_DATE = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d.*)?")  # the part of ``fromisoformat`` that people use for dates
_MAX_TEXTS = 100_000

_WIDE = 2048
"""Columns; beyond them a row is hashed as a whole."""

Hashes = NDArray[np.uint64]


@dataclass(frozen=True)
class Table:
    """Columns by name, or by position without names. Of a wide array (images), ``block`` holds all columns."""

    columns: Mapping[str, Any]
    rows: int
    named: bool
    block: NDArray[Any] | None = None

    @property
    def width(self) -> int:
        """The number of columns."""
        return len(self.columns) if self.block is None else int(self.block.shape[1])

    @cached_property
    def chosen(self) -> NDArray[np.int64] | None:
        """The sampled rows; None: all."""
        limit = max(MAX_CELLS // max(self.width, 1), 2)
        return None if self.rows <= limit else np.linspace(0, self.rows - 1, limit).astype(np.int64)

    @cached_property
    def hashes(self) -> Hashes:
        """A hash of each sampled row."""
        if self.block is not None:
            looked_at = self.block if self.chosen is None else self.block[self.chosen]
            rows = (np.ascontiguousarray(row, dtype=np.float64) + 0.0 for row in looked_at)
            return np.array([_digest(row.tobytes()) for row in rows], dtype=np.uint64)
        rows_hash = np.zeros(self.rows if self.chosen is None else len(self.chosen), dtype=np.uint64)
        for column in self.columns.values():
            rows_hash ^= _hashes(self._part(column))
            rows_hash *= np.uint64(0x9E3779B97F4A7C15)  # the same value in another column gives another hash
            rows_hash ^= rows_hash >> np.uint64(29)
        return rows_hash

    @cached_property
    def sha256(self) -> str:
        """SHA-256 over the names and the sampled rows."""
        digest = hashlib.sha256("\0".join([str(self.rows), *self.columns]).encode())
        digest.update(self.hashes.tobytes())
        return digest.hexdigest()

    def described(self) -> dict[str, Column]:
        """Return the stored description of each column, at most ``MAX_COLUMNS``."""
        first = list(self.columns.items())[:MAX_COLUMNS]
        return {name: _described(self._part(column)) for name, column in first}

    def periods(self) -> dict[str, Period]:
        """Return the first and last moment of the columns of dates, over all rows."""
        periods = {}
        for name, column in list(self.columns.items())[:MAX_COLUMNS]:
            ends = _ends_of_dates(column)
            if ends is not None:
                periods[name] = Period(first=ends[0], last=ends[1])
        return periods

    def _part(self, column: Any) -> Any:
        if self.chosen is None:
            return column
        return column.iloc[self.chosen] if hasattr(column, "iloc") else column[self.chosen]


def table_of(value: Any) -> Table | None:
    """Return a frame, an array, a tensor, a Series or a list of texts as columns; None: not a table."""
    kind = f"{type(value).__module__.partition('.')[0]}.{type(value).__name__}"
    if kind == "pandas.DataFrame":
        return Table({str(value.columns[i]): value.iloc[:, i] for i in range(value.shape[1])}, len(value), named=True)
    if kind == "pandas.Series":
        return Table({str(value.name): value}, len(value), named=value.name is not None)
    if kind == "polars.DataFrame":
        return Table({name: value[name].to_numpy() for name in value.columns}, value.height, named=True)
    if kind == "torch.Tensor":
        value = value.detach().cpu().numpy()
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        value = np.asarray(value, dtype=object)
    if not isinstance(value, np.ndarray) or value.ndim == 0 or value.dtype.names:
        return None
    flat = value.reshape(len(value), math.prod(value.shape[1:]))
    wide = flat.shape[1] > _WIDE and flat.dtype.kind in "biuf"
    described = MAX_COLUMNS if wide else flat.shape[1]
    return Table({str(i): flat[:, i] for i in range(described)}, len(value), named=False, block=flat if wide else None)


def _numbers(column: Any) -> NDArray[np.float64] | None:
    """Return the column as floats, missing ones NaN; None: not numeric."""
    kind = getattr(column.dtype, "kind", "O")
    if kind not in "biuf" or not (isinstance(column.dtype, np.dtype) or hasattr(column, "to_numpy")):
        return None
    if isinstance(column.dtype, np.dtype):
        return np.asarray(column, dtype=np.float64)
    floats: NDArray[np.float64] = column.to_numpy(dtype=np.float64, na_value=np.nan)
    return floats


def _is_moment(column: Any) -> bool:
    return getattr(column.dtype, "kind", "O") == "M"


def _hashes(column: Any) -> Hashes:
    numbers = _numbers(column)
    if numbers is not None:
        bits = (numbers + 0.0).view(np.uint64)  # -0.0 becomes 0.0
        bits = np.where(np.isnan(numbers), np.uint64(0x7FF8000000000000), bits)
        bits = (bits ^ (bits >> np.uint64(31))) * np.uint64(0xBF58476D1CE4E5B9)
        return np.asarray(bits ^ (bits >> np.uint64(27)), dtype=np.uint64)
    pandas = sys.modules.get("pandas")
    if pandas is None:
        return np.array([_digest(str(value).encode()) for value in column], dtype=np.uint64)
    series = column if hasattr(column, "iloc") else pandas.Series(column)
    try:
        hashes = pandas.util.hash_pandas_object(series, index=False)
    except TypeError:  # lists and dicts are not hashable
        hashes = pandas.util.hash_pandas_object(series.astype(str), index=False)
    return np.asarray(hashes, dtype=np.uint64)


def _digest(value: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(value, digest_size=8).digest(), "little")


def _described(column: Any) -> Column:
    dtype, numbers = str(column.dtype), _numbers(column)
    if numbers is not None:
        missing = np.isnan(numbers)
        known = numbers[~missing] if missing.any() else numbers
        ends = (float(known.min()), float(known.max())) if len(known) and np.isfinite(known).all() else (None, None)
        share = float(missing.mean()) if len(missing) else 0.0
        return Column(dtype=dtype, missing=round(share, 6), minimum=ends[0], maximum=ends[1])
    pandas = sys.modules.get("pandas")
    if pandas is None:
        absent = [value is None for value in column]
        texts = {str(value) for value in column if value is not None}
        return Column(dtype=dtype, missing=round(sum(absent) / max(len(absent), 1), 6), distinct=len(texts))
    series = column if hasattr(column, "iloc") else pandas.Series(column)
    share = float(series.isna().mean()) if len(series) else 0.0
    first, last = _ends_of_dates(series) or (None, None)
    if first is not None:
        return Column(dtype=dtype, missing=round(share, 6), minimum=first, maximum=last)
    try:
        distinct = int(series.nunique())
    except TypeError:
        distinct = int(series.astype(str).nunique())
    return Column(dtype=dtype, missing=round(share, 6), distinct=distinct)


def _ends_of_dates(column: Any) -> tuple[str, str] | None:
    """Return the first and last of a column of moments, or of texts that are all ISO 8601 dates."""
    if _is_moment(column):
        if not hasattr(column, "iloc"):
            known = column[~np.isnat(column)]
            return (str(known.min()), str(known.max())) if len(known) else None
        known = column.dropna()
        return (known.min().isoformat(), known.max().isoformat()) if len(known) else None
    if _numbers(column) is not None or not hasattr(column, "iloc"):
        return None
    beginning = column.dropna().iloc[:5]
    if not len(beginning) or not all(map(_is_date, beginning)):
        return None
    texts = column.dropna().unique()
    if len(texts) > _MAX_TEXTS or not all(map(_is_date, texts)):
        return None
    return min(texts), max(texts)


def _is_date(value: Any) -> bool:
    """Whether a text is a date and nothing else, so that it may be stored."""
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True
