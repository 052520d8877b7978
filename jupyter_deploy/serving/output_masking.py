"""Masking in the output of a model: of redacted values while it answers, and of its secrets at all times.

What is masked is the text of a value as the request has it, in what Python writes to ``sys.stdout`` and ``sys.stderr``.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from .dispatch.parsed_request import Raw
from .values.column_table import ColumnTable

MASK = "***"

SECRETS = "NBDEPLOY_SECRETS"
"""The variable with the names of the variables that are secrets, divided by commas."""

SHORTEST = 4
"""Characters. A shorter value is in many words that do not come from it: masking ``1`` would leave nothing of a log."""


class ValueMask:
    """Texts that are masked wherever they occur in another text."""

    def __init__(self, values: Iterable[str]) -> None:
        self._values = {value for value in values if len(value) >= SHORTEST}
        # For the beginning of a value the lengths of such values, so that ten thousand values take no longer than ten.
        self._lengths: dict[str, list[int]] = {}
        for start, length in sorted({(value[:SHORTEST], len(value)) for value in self._values}):
            self._lengths.setdefault(start, []).insert(0, length)

    def masked(self, text: str) -> str:
        """Return a text with ``***`` in place of each value, the longest first."""
        if not self._values:
            return text
        parts, copied, at = [], 0, 0
        while at <= len(text) - SHORTEST:
            lengths = self._lengths.get(text[at : at + SHORTEST], ())
            found = next((length for length in lengths if text[at : at + length] in self._values), 0)
            if found:
                parts += [text[copied:at], MASK]
                copied = at + found
            at += found or 1
        return "".join([*parts, text[copied:]])


class _Output:
    """The masking of this process: a model runs one call at a time (``predictor.py``)."""

    find: Callable[[], Iterable[str]] | None = None
    mask: ValueMask | None = None
    secrets: ValueMask | None = None


def mask_secrets(environment: Mapping[str, str]) -> None:
    """Mask the values of the variables that ``NBDEPLOY_SECRETS`` names in all output and errors, from now on."""
    values = [environment[name] for name in environment.get(SECRETS, "").split(",") if environment.get(name)]
    _Output.secrets = secret_mask(values) if values else None


def secret_mask(values: Iterable[str]) -> ValueMask:
    """Return the mask of secrets: of each value, its lines, and the password in a URL."""
    return ValueMask(part for value in values for part in _parts(value))


def without_secrets(text: str) -> str:
    """Return a text for a client or a record, with ``***`` in place of each secret."""
    return _Output.secrets.masked(text) if _Output.secrets else text


def _parts(value: str) -> Iterator[str]:
    """Yield the value, its lines, and the password in a URL, as drivers print them; each as written and escaped."""
    texts = {value, *value.splitlines()}
    with contextlib.suppress(ValueError):
        password = urlsplit(value).password
        texts |= {password, unquote(password)} if password else set()
    for text in texts:
        yield from {text, repr(text)[1:-1], json.dumps(text)[1:-1]}


@contextlib.contextmanager
def masking(find: Callable[[], Iterable[str]]) -> Iterator[None]:
    """Mask texts in all output within this context; ``find`` returns them, and is called when anything is written."""
    _Output.find = find
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):  # the end of a line that has no line break yet
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
        _Output.find = _Output.mask = None


def masked(text: str) -> str:
    """Return a text for the log."""
    find = _Output.find
    if find is not None:
        if _Output.mask is None:
            _Output.mask = ValueMask(find())
        text = _Output.mask.masked(text)
    return without_secrets(text)


def texts_of(inputs: Any, columns: Collection[str]) -> Iterator[str]:
    """Yield the texts of all values in these columns of a request's instances."""
    if isinstance(inputs, ColumnTable):
        inputs = json.loads(inputs.json())
    rows = json.loads(inputs) if isinstance(inputs, Raw) else inputs
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict):
            for name in columns:
                yield from _texts(row.get(name))


def _texts(value: Any) -> Iterator[str]:
    match value:
        case None | bool():
            return
        case str():
            yield from {value, repr(value)[1:-1], json.dumps(value)[1:-1]}
        case float():
            yield str(value)
            if value.is_integer():
                yield str(int(value))
        case list():
            for item in value:
                yield from _texts(item)
        case dict():
            for item in value.values():
                yield from _texts(item)
        case _:
            yield str(value)
