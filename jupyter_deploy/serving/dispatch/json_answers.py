"""A model's answer as JSON, the usual kinds of it without a Python call for each value."""

from __future__ import annotations

import sys
from typing import Any

import msgspec
import numpy as np

from ..values.codec import checked, encode
from .parsed_request import Raw

__all__ = ["checked", "part", "strict_json"]

_encode = msgspec.json.Encoder().encode

_PLAIN = frozenset((type(None), bool, int, float, str))
"""What JSON writes as ``to_json`` has it: also NaN, and infinity, which both make null."""


def part(answer: Any, begin: int, end: int) -> Any:
    """Some rows of a model's answer, which was ``checked`` to have one for each row."""
    if hasattr(answer, "iloc"):
        return answer.iloc[begin:end]
    return answer[begin:end]


def strict_json(answer: Any, rows: int) -> Raw:
    """The predictions for ``rows`` instances as a list in JSON, in UTF-8.

    The values are those of ``codec.encode``, numbers by the fewest digits that give them back.

    Raises
    ------
    BadAnswer
        It is not one value for each row.
    TypeError, ValueError
        A value in it has no JSON form.
    """
    plain = _plain(answer)
    if plain is None or len(plain) != rows:
        plain = encode(answer, rows)
    return Raw(_encode(plain))


def _plain(answer: Any) -> list[Any] | None:
    """A list that needs no turning to JSON values; None: it has to be looked at."""
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
