"""A parsed request, independent of its protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


class Raw(bytes):
    """Strict JSON in UTF-8, which is written unchanged in place of a serialisation."""

    __slots__ = ()


@dataclass(slots=True)
class ParsedRequest:
    """The validated rows of one request.

    Attributes
    ----------
    content
        The decoder's intermediate form of the rows, an input of ``Decoder.batch``.
    rows
        The number of expected answers.
    inputs
        The instances for the record: JSON values (a list with one item a row), or their JSON.
    """

    content: Any
    rows: int
    inputs: list[Any] | Raw
