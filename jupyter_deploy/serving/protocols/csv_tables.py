"""CSV bodies as columns: read a piece at a time, and each column converted by its schema as a whole.

A column of plain numbers becomes an array; any other becomes a list of JSON values. A cell that does not fit its column
stays a text, which the validation reports.
"""

from __future__ import annotations

import contextlib
import csv
import io
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import msgspec
import numpy as np

from ..asgi.problems import Problem
from .tables import invalid_form

Column = np.ndarray[Any, Any] | list[Any]

_BOM = b"\xef\xbb\xbf"

_PIECE_BYTES = 1 << 20
_PIECE_ROWS = 20_000

_ROW_BYTES = 16
"""The body's limit bounds the rows too: one for this many bytes. A row in JSON has about as many."""

_COMMA, _NEWLINE = b",\n"

_JSON_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}

_BOOLEANS = {"true": True, "false": False}
_EXACT_BOOLEANS = {text: value for word, value in _BOOLEANS.items() for text in (word, word.title(), word.upper())}

_LARGE = 10**18
"""Whole numbers from here on may have so many digits that they are read as floats."""

_whole_numbers = msgspec.json.Decoder(list[int])
_numbers = msgspec.json.Decoder(list[int | float])
_numbers_or_null = msgspec.json.Decoder(list[int | float | None])


def columns_in(
    content: bytes, *, header: bool, names: Sequence[str], schema_of: Callable[[str], Mapping[str, Any]], limit: int
) -> tuple[list[str], list[Column]]:
    """Return the names and the columns of a CSV body.

    Parameters
    ----------
    header
        Whether the first line has the names.
    names
        The names if no line has them; empty: the positions of the columns.
    schema_of
        Returns the JSON Schema of a column.
    limit
        The limit of the body in bytes.

    Raises
    ------
    Problem
        400: the body is not CSV in UTF-8. 413: it has too many rows. 422: a line has another number of values.
    """
    content = _checked(content)
    most = limit // _ROW_BYTES
    try:
        lines: _PlainLines | _QuotedLines = _QuotedLines(content) if _needs_parser(content) else _PlainLines(content)
        first = lines.first
        found = list(names) or ([] if header else [str(at) for at in range(len(first or ()))])
        if header:
            found = first or found or ["0"]
        readers = [_Reader(schema_of(name)) for name in found]
        parts: list[list[Column]] = [[] for _ in found]
        rows = 0
        for piece in lines.pieces(len(found), most, skip=header):
            columns = piece.read(readers)
            rows += len(columns[0])
            _require_at_most(most, rows)
            for kept, column in zip(parts, columns, strict=True):
                kept.append(column)
    except csv.Error as error:
        raise Problem(400, f"the body is not CSV: {error}") from error
    return found, [_joined(kept) for kept in parts]


def _checked(content: bytes) -> bytes:
    """Return the content without a byte order mark."""
    try:
        if not content.isascii():
            content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Problem(400, f"the body is not UTF-8: {error.reason} at byte {error.start}") from error
    content = content.removeprefix(_BOM)
    return content.replace(b"\r\n", b"\n") if b"\r\n" in content and b'"' not in content else content


def _needs_parser(content: bytes) -> bool:
    return b'"' in content or b"\r" in content or b"\n\n" in content or content.startswith(b"\n")


def _require_at_most(most: int, rows: int) -> None:
    if rows > most:
        raise Problem(413, f"the CSV has more than {most} rows; split it into several requests")


def _wrong_width(number: int, width: int) -> Problem:
    return invalid_form(["instances", number], f"must have {width} values, one for each column")


class _PlainLines:
    """Lines that need no parser: neither quotes nor empty lines, and newlines at their ends."""

    def __init__(self, content: bytes) -> None:
        self._content = content.removesuffix(b"\n")
        self._end = self._content.find(b"\n")
        if self._end < 0:
            self._end = len(self._content)

    @property
    def first(self) -> list[str] | None:
        return self._content[: self._end].decode("utf-8").split(",") if self._content else None

    def pieces(self, width: int, most: int, *, skip: bool) -> Iterator[_PlainPiece]:
        """Yield some lines at a time, without the first if it is to be skipped."""
        content, number = self._content, 0
        _require_at_most(most, content.count(b"\n") if skip else content.count(b"\n") + 1)
        at = self._end + 1 if skip else 0
        while at < len(content):
            end = len(content)
            if at + _PIECE_BYTES < end:
                end = content.rfind(b"\n", at, at + _PIECE_BYTES)
                end = content.find(b"\n", at) if end < 0 else end
                end = len(content) if end < 0 else end
            piece = content[at:end]
            _check_width(piece, width, number)
            number += piece.count(b"\n") + 1
            yield _PlainPiece(piece)
            at = end + 1


def _check_width(piece: bytes, width: int, number: int) -> None:
    """Raise Problem unless each line has ``width`` values; ``number`` is the first line's."""
    codes = np.frombuffer(piece, np.uint8)
    separators = (codes == _COMMA) | (codes == _NEWLINE)
    ends = codes[separators] == _NEWLINE
    if len(ends) % width != width - 1 or ends.sum() != len(ends) // width or not ends[width - 1 :: width].all():
        wrong = next(at for at, line in enumerate(piece.split(b"\n")) if line.count(b",") != width - 1)
        raise _wrong_width(number + wrong, width)
    longest = csv.field_size_limit()
    window = longest // 2
    halves = separators[: len(separators) // window * window].reshape(-1, window)
    if not halves.any(axis=1).all() and max(map(len, piece.replace(b"\n", b",").split(b","))) > longest:
        raise csv.Error(f"field larger than field limit ({longest})")


@dataclass(frozen=True, slots=True)
class _PlainPiece:
    content: bytes

    def read(self, readers: Sequence[_Reader]) -> list[Column]:
        width = len(readers)
        decoder = readers[0].numbers
        if decoder is not None and all(reader.numbers is decoder for reader in readers):
            with contextlib.suppress(msgspec.DecodeError, OverflowError):  # a cell that is no number in JSON
                values: list[Any] = decoder.decode(b"[%b]" % self.content.replace(b"\n", b","))
                array = _array_of(values, decoder)
                if array is not None:
                    return [array[column::width] for column in range(width)]
        cells = self.content.decode("utf-8").replace("\n", ",").split(",")
        return [reader.read(cells[column::width]) for column, reader in enumerate(readers)]


class _QuotedLines:
    """Lines by Python's parser; empty ones are skipped."""

    def __init__(self, content: bytes) -> None:
        text = io.TextIOWrapper(io.BytesIO(content), "utf-8", newline="")
        self._lines = (line for line in csv.reader(text, strict=True) if line)
        self.first = next(self._lines, None)

    def pieces(self, width: int, most: int, *, skip: bool) -> Iterator[_QuotedPiece]:
        """Yield some lines at a time, without the first if it is to be skipped."""
        lines = self._lines if skip or self.first is None else chain([self.first], self._lines)
        number = 0
        while piece := list(islice(lines, _PIECE_ROWS)):
            for at, line in enumerate(piece):
                if len(line) != width:
                    raise _wrong_width(number + at, width)
            yield _QuotedPiece(piece)
            number += len(piece)


@dataclass(frozen=True, slots=True)
class _QuotedPiece:
    lines: list[list[str]]

    def read(self, readers: Sequence[_Reader]) -> list[Column]:
        return [reader.read(texts) for reader, texts in zip(readers, zip(*self.lines, strict=True), strict=True)]


class _Reader:
    """Reads the cells of one column.

    Attributes
    ----------
    numbers
        The decoder of a column that holds numbers only; None: another column.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._types = types = _types(schema)
        self.numbers: msgspec.json.Decoder[Any] | None = None
        if types & {"integer", "number"} and not types & {"string", "boolean"}:
            self.numbers = _numbers if "number" in types else _whole_numbers

    def read(self, texts: Sequence[str]) -> Column:
        """Convert cells: together if they are plain, else each."""
        try:
            part = self._together(texts)
        except (msgspec.DecodeError, KeyError, OverflowError):
            part = None
        return [_cell(text, self._types) for text in texts] if part is None else part

    def _together(self, texts: Sequence[str]) -> Column | None:
        """Convert plain cells as ``_cell`` does; return None, or raise, if each needs a look."""
        types = self._types
        if "string" in types:
            return [text or None for text in texts] if "null" in types else list(texts)
        if self.numbers is not None:
            return _numbers_in(texts, self.numbers)
        if types <= {"boolean", "null"} and "boolean" in types:
            return np.array([_EXACT_BOOLEANS[text] for text in texts])
        return None


def _joined(parts: list[Column]) -> Column:
    if parts and all(isinstance(part, np.ndarray) for part in parts):
        return np.concatenate(parts)
    return list(chain.from_iterable(part.tolist() if isinstance(part, np.ndarray) else part for part in parts))


def _array_of(values: list[Any], decoder: Any) -> np.ndarray[Any, Any] | None:
    """Return decoded numbers as an array; None if there may be a whole number that ``_cell`` reads as a float."""
    array = np.array(values, np.int64 if decoder is _whole_numbers else np.float64)
    # Empty cells are NaN, which max and min would return.
    large = np.fmax.reduce(array, initial=0) >= _LARGE or np.fmin.reduce(array, initial=0) <= -_LARGE
    return None if large else array


def _numbers_in(texts: Sequence[str], decoder: Any) -> Column | None:
    """Convert cells that are numbers in JSON, or empty; return None if each needs a look."""
    blank = "" in texts
    document = ",".join([text or "null" for text in texts] if blank else texts)
    values: list[Any] = (_numbers_or_null if blank else decoder).decode(f"[{document}]")
    if len(values) != len(texts):  # a quoted cell with a comma
        return None
    if not blank:
        return _array_of(values, decoder)
    if values.count(None) != texts.count(""):  # the text "null" is no number, and no missing one
        return None
    array = _array_of(values, _numbers)
    return values if array is not None and decoder is _whole_numbers else array


def value_of(text: str, schema: Mapping[str, Any]) -> Any:
    """Return the JSON value of a cell by the schema of its column; a text that does not fit stays a text."""
    return _cell(text, _types(schema))


def _cell(text: str, types: set[str]) -> Any:
    """Convert a cell; a text that does not fit stays a text."""
    if not text and ("null" in types or "string" not in types):
        return None
    if "string" in types or not types:
        return text
    bare = text.strip()
    if "boolean" in types and bare.lower() in _BOOLEANS:
        return _BOOLEANS[bare.lower()]
    if types & {"integer", "number"}:
        try:
            number = int(bare) if bare.lstrip("+-").isdecimal() and len(bare) < 20 else float(bare)
        except ValueError:
            return text
        # Neither "nan" nor "inf" is a number, nor Python's own 1_000.
        return number if math.isfinite(number) and "_" not in bare else text
    return text


def _types(kind: Mapping[str, Any]) -> set[str]:
    declared = kind.get("type", ())
    types = {declared} if isinstance(declared, str) else set(declared)
    for branch in kind.get("anyOf", kind.get("oneOf", ())):
        types |= _types(branch)
    types |= {_JSON_TYPES.get(type(value), "") for value in kind.get("enum", ())}
    return types
