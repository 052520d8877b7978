"""Arrays of one NumPy dtype, from JSON numbers within its range or from other arrays."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from .msgspec_types import EVERY_FLOAT, INT64, NoFastPath, msgspec_type

_FEW = 4
"""Rows; above this NumPy is faster with a flat iterator of numbers."""

_MANY = 100_000
"""Numbers that are passed as arguments of one call; above this NumPy takes them one after the other."""

_EXACT = 2.0**53

# NaN violates no bound.
_VIOLATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "minimum": np.less,
    "maximum": np.greater,
    "exclusiveMinimum": np.less_equal,
    "exclusiveMaximum": np.greater_equal,
}


def are_numbers(schema: Mapping[str, Any], dtype: Any) -> bool:
    """Return whether all values of the schema are numbers (or booleans) that the NumPy dtype holds."""
    types = schema.get("type", ())
    declared = {types} if isinstance(types, str) else set(types)
    if not isinstance(dtype, np.dtype) or "enum" in schema or "const" in schema:
        return False
    match dtype.kind:
        case "f":  # None becomes NaN
            return dtype.itemsize <= 8 and bool(declared - {"null"}) and declared <= {"number", "integer", "null"}
        case "i" | "u":
            return declared == {"integer"}
        case "b":
            return declared == {"boolean"}
        case _:
            return False


class Numbers:
    """Makes arrays of one dtype."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self._dtype = dtype
        self._whole = dtype.kind in "iu"
        self._format = dtype.char if dtype.isnative and dtype.char in "fd" else ""  # the same letters in ``struct``
        self._floats, self._ints = EVERY_FLOAT, INT64
        if dtype.kind == "f":
            most = float(np.finfo(dtype).max)
            self._floats = -most, most
            self._ints = max(INT64[0], -most), min(INT64[1], most)
        elif self._whole:
            known = np.iinfo(dtype)
            self._ints = max(INT64[0], int(known.min)), min(INT64[1], int(known.max))

    def type(self, schema: Mapping[str, Any]) -> Any:
        """Return the msgspec type of the schema's values, or lists of them, for ``array``."""
        return msgspec_type(schema, self._floats, self._ints, whole=self._whole)

    def array(self, rows: Sequence[Any], width: int | None = None) -> np.ndarray[Any, Any]:
        """Return the values decoded as ``type`` as an array.

        Parameters
        ----------
        width
            The number of values in each row, if it is the same in all rows and none of them is None.

        Raises
        ------
        NoFastPath
            A whole number may have a fraction.
        """
        if self._whole:
            return self._integers(np.array(rows))
        if width and len(rows) > _FEW:
            count = len(rows) * width
            if self._format and count <= _MANY:  # two thirds of the time of np.fromiter
                packed = bytearray(count * self._dtype.itemsize)
                struct.pack_into(f"{count}{self._format}", packed, 0, *chain.from_iterable(rows))
                return np.frombuffer(packed, self._dtype).reshape(-1, width)
            return np.fromiter(chain.from_iterable(rows), self._dtype, count).reshape(-1, width)
        return np.array(rows, self._dtype)

    def of_array(self, source: np.ndarray[Any, Any], schema: Mapping[str, Any]) -> np.ndarray[Any, Any]:
        """Return a copy of another array's numbers that satisfies the schema of one number.

        Raises
        ------
        NoFastPath
            A number may violate the schema or not fit the dtype.
        """
        kind = source.dtype.kind
        if kind not in ("b" if self._dtype.kind == "b" else "iuf") or source.itemsize > 8:
            raise NoFastPath(f"{source.dtype} for {self._dtype}")
        if kind == "f":
            finite = np.isfinite(source)
            if not finite.all() and not ("null" in schema["type"] and (finite | np.isnan(source)).all()):
                raise NoFastPath("values that are no numbers")
        if "integer" in schema["type"] and not self._whole and kind == "f":
            raise NoFastPath("perhaps no whole numbers")
        if any(compare(source, schema[word]).any() for word, compare in _VIOLATIONS.items() if word in schema):
            raise NoFastPath("out of bounds")
        if self._whole:
            return self._integers(source)
        with np.errstate(over="ignore"):  # checked below
            made = source.astype(self._dtype)
        if self._dtype.itemsize < source.dtype.itemsize and np.isinf(made).any():
            raise NoFastPath("out of range")
        return made

    def _integers(self, source: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        if source.dtype.kind == "f":
            # Beyond 2**53 a float may be a rounded integer.
            if not ((np.abs(source) < _EXACT) & (source % 1 == 0)).all():
                raise NoFastPath("perhaps no whole numbers")
        elif source.dtype.kind not in "iu":
            raise NoFastPath(f"{source.dtype} for {self._dtype}")
        low, high = self._ints
        if source.size and not (low <= source.min() and source.max() <= high):
            raise NoFastPath("out of range")
        return source.astype(self._dtype)
