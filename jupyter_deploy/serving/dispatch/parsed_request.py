"""What one request asks the model, whatever protocol it came by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


class Raw(bytes):
    """JSON in UTF-8 that is known to be strict: it is written as it is, wherever it would be serialised."""

    __slots__ = ()


@dataclass(slots=True)
class ParsedRequest:
    """One request's rows, found right.

    Attributes
    ----------
    content
        The decoder's own, half-way form of the rows: only ``Decoder.batch`` makes something of it.
    rows
        How many answers are wanted.
    inputs
        What a record keeps of it: JSON values (a list with one item a row), or their JSON.
    """

    content: Any
    rows: int
    inputs: list[Any] | Raw
