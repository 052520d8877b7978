"""Features of an instance or an answer: its columns by name, each text, date or array as a few plain values. Pure.

The same function reads the training rows and the recorded requests, both as JSON.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from math import isfinite
from typing import Any, Literal

from pydantic import Field

from jupyter_deploy.domain.base import Value

Kind = Literal["number", "category", "date", "text", "array", "image"]

MOST_COLUMNS = 300
"""Columns of an instance; a longer list of numbers is an array."""

MOST_CATEGORIES = 50
"""Distinct values of a category in the reference; a column with more is a text."""

_PLACES = [str(place) for place in range(MOST_COLUMNS)]
_PLAIN_TYPES = frozenset((str, int, float, bool, type(None)))
_DEPTH = 3
_DATE = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d.*)?")
_WORD = re.compile(r"\w+")
_VOCABULARY = 2_000
_TWICE = 2

Plain = float | str | None
"""A feature's value: a number, a category's label, or None if it is missing."""

ImageMean = Callable[[str], float | None]
"""Returns the mean brightness, 0 to 1, of an image in base64; None: it cannot be read."""


class Column(Value):
    """How the values of a column become features."""

    kind: Kind
    words: tuple[int, ...] = Field(default=(), description="CRC-32 of the known words of a text.")


def flatten(value: Any, root: str) -> dict[str, Any]:
    """Return the columns of an instance or an answer by name.

    Keys of objects and places of short lists become names; ``root`` is the name of a single value.
    """
    # The usual rows, without a call for each column.
    if not isinstance(value, dict | list):
        return {root: value}
    if isinstance(value, dict) and len(value) <= MOST_COLUMNS and _PLAIN_TYPES.issuperset(map(type, value.values())):
        return value
    if isinstance(value, list) and 0 < len(value) <= MOST_COLUMNS and _PLAIN_TYPES.issuperset(map(type, value)):
        return dict(zip(_PLACES, value, strict=False))
    return dict(_flattened(value, "", root, 0))


def _flattened(value: Any, name: str, root: str, depth: int) -> Iterator[tuple[str, Any]]:
    parts: list[tuple[str, Any]] = []
    if isinstance(value, dict) and depth < _DEPTH:
        parts = [(str(key), each) for key, each in value.items()]
    elif isinstance(value, list) and depth == 0 and len(value) <= MOST_COLUMNS and not any(map(_nested, value)):
        parts = [(str(at), each) for at, each in enumerate(value)]
    if not parts:
        yield name or root, value
    for key, each in parts[:MOST_COLUMNS]:
        yield from _flattened(each, f"{name}.{key}" if name else key, root, depth + 1)


def _nested(value: Any) -> bool:
    return isinstance(value, list | dict)


def column_of(values: list[Any], *, image: bool = False) -> Column | None:
    """Return how a column's values are read; None: all are missing.

    The words of a text are those of the first half of the values: shares of known words are measured on the other
    half, since a text's own words would all be known.
    """
    known = [value for value in values if not is_missing(value)]
    if not known:
        return None
    if image:
        return Column(kind="image")
    if any(map(_nested, known)):
        return Column(kind="array")
    if not any(isinstance(value, str | bool) for value in known):
        return Column(kind="number")
    return _column_of_texts([label_of(value) for value in known])


def _column_of_texts(texts: list[str]) -> Column:
    if all(map(_is_date, texts[:100])) and all(map(_is_date, set(texts))):
        return Column(kind="date")
    distinct = len(set(texts))
    if distinct <= MOST_CATEGORIES and (distinct <= 10 or distinct * 4 <= len(texts)):
        return Column(kind="category")
    counts: dict[int, int] = {}
    for text in texts[: len(texts) // 2]:
        for word in set(_words(text)):
            counts[word] = counts.get(word, 0) + 1
    often = sorted((word for word, count in counts.items() if count >= _TWICE), key=lambda word: (-counts[word], word))
    return Column(kind="text", words=tuple(sorted(often[:_VOCABULARY])))


def features_of(
    name: str, value: Any, column: Column, words: Collection[int], image_mean: ImageMean | None = None
) -> Iterator[tuple[str, Plain]]:
    """Yield the features of a column's value, each with its name.

    Parameters
    ----------
    words
        ``column.words`` as a set.
    """
    missing = is_missing(value)
    match column.kind:
        case "number":
            yield name, None if missing else number_of(value)
        case "category":
            yield name, None if missing else label_of(value)
        case "date":
            moment = None if missing else _moment(str(value))
            yield f"{name} · weekday", moment.strftime("%a") if moment else None
            yield f"{name} · hour", float(moment.hour) if moment else None
        case "text":
            text = None if missing else label_of(value)
            yield f"{name} · length", None if text is None else float(len(text))
            found = _words(text or "")
            yield f"{name} · known words", sum(word in words for word in found) / len(found) if found else None
        case "array":
            numbers = [] if missing else list(_numbers(value))
            yield f"{name} · size", None if missing else float(len(numbers))
            yield f"{name} · mean", sum(numbers) / len(numbers) if numbers else None
        case "image":
            yield f"{name} · bytes", None if missing else len(str(value)) * 3 / 4
            yield f"{name} · mean", None if missing or image_mean is None else image_mean(str(value))


def is_missing(value: Any) -> bool:
    """Whether a value is missing: null, NaN, or an empty text."""
    return value is None or value == "" or (isinstance(value, float) and not isfinite(value))


def label_of(value: Any) -> str:
    """Return a category's label."""
    return value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)


def number_of(value: Any) -> float | None:
    """Return a number; None: the value is missing or has another type."""
    if isinstance(value, float):
        return value if isfinite(value) else None
    try:
        return float(value) if isinstance(value, int) else None
    except OverflowError:  # an integer of more than 308 digits, as infinite as 1e400
        return None


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, list):
        for each in value:
            yield from _numbers(each)
    elif isinstance(value, dict):
        for each in value.values():
            yield from _numbers(each)
    elif (number := number_of(value)) is not None:
        yield number


def _words(text: str) -> list[int]:
    return [zlib.crc32(word.encode()) for word in _WORD.findall(text.lower())]


def _is_date(text: str) -> bool:
    return _moment(text) is not None


def _moment(text: str) -> datetime | None:
    if not _DATE.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
