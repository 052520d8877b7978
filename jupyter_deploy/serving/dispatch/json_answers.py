"""A model's answer as JSON, for common types without a Python call for each value."""

from __future__ import annotations

import sys
from typing import Any

import msgspec
import numpy as np

from ..values.codec import checked, encode
from ..values.column_table import is_numeric
from .parsed_request import Raw

__all__ = ["checked", "numbers_of", "part", "strict_json"]

_encode = msgspec.json.Encoder().encode

_PLAIN = frozenset((type(None), bool, int, float, str))
"""Types that JSON writes as ``to_json`` does; NaN and infinities become null in both."""


def part(answer: Any, begin: int, end: int) -> Any:
    """Return the rows from ``begin`` to ``end`` of a ``checked`` answer."""
    if hasattr(answer, "iloc"):
        return answer.iloc[begin:end]
    return answer[begin:end]


def numbers_of(answer: Any) -> np.ndarray[Any, Any] | None:
    """Return an array or tensor of numbers as an array; None for other answers and dtypes that NumPy lacks."""
    torch = sys.modules.get("torch")
    if torch is not None and type(answer) is torch.Tensor and answer.layout is torch.strided:
        try:
            answer = answer.detach().cpu().numpy()
        except (TypeError, RuntimeError):  # bfloat16 and others
            return None
    return answer if is_numeric(answer) else None


def strict_json(answer: Any, rows: int) -> Raw:
    """Return the predictions for ``rows`` instances as a JSON list in UTF-8.

    The values are those of ``codec.encode``; a number has the fewest digits that restore it.

    Raises
    ------
    BadAnswer
        The answer is not one value for each row.
    TypeError, ValueError
        A value has no JSON form.
    """
    plain = _plain(answer)
    if plain is None or len(plain) != rows:
        plain = encode(answer, rows)
    return Raw(_encode(plain))


def _plain(answer: Any) -> list[Any] | None:
    """Return a list that needs no conversion to JSON values, or None."""
    kind = type(answer)
    if kind is np.ndarray:
        return _of_array(answer)
    if kind is list:
        return answer if _PLAIN.issuperset(map(type, answer)) else None
    torch = sys.modules.get("torch")
    if torch is not None and kind is torch.Tensor and answer.ndim and answer.layout is torch.strided:
        return None if answer.is_complex() or answer.is_quantized else list(answer.tolist())
    return None


def _of_array(array: np.ndarray[Any, Any]) -> list[Any] | None:
    kind = array.dtype.kind
    if not array.ndim:
        return None
    if kind in "biuU" or (kind == "f" and array.itemsize <= 8):
        return list(array.tolist())
    if kind == "O" and array.ndim == 1:
        values = list(array.tolist())
        return values if _PLAIN.issuperset(map(type, values)) else None
    return None
