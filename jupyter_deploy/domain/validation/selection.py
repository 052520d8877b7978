"""Selections of planned runs: ``price and not (slow or R)``. Pure; no ``eval``.

::

    any  = all { "or" all }
    all  = one { "and" one }
    one  = "not" one | "(" any ")" | WORD | QUOTED

A word is true of a run if one of the run's names contains it, in upper or lower case.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from jupyter_deploy.domain.expressions import Reader

Selection = Callable[[Sequence[str]], bool]
"""Whether an expression is true of a run, by its names: its title and its notebook's tags."""

_TOKENS = re.compile(r"(?P<mark>[()])|(?P<quoted>'[^']*'|\"[^\"]*\")|(?P<word>[^\s()'\"]+)")
_RESERVED = ("and", "or", "not")


def parse_selection(expression: str) -> Selection:
    """Parse a selection.

    Raises
    ------
    InvalidInput
        The text is no selection; the message names the position.
    """
    reader = Reader(expression, _TOKENS, "selection", "'price and not slow'")
    selected = _any(reader)
    reader.end("'and' or 'or'")
    return selected


def _any(reader: Reader) -> Selection:
    parts = [_all(reader)]
    while reader.comes("or"):
        parts.append(_all(reader))
    return lambda names: any(part(names) for part in parts)


def _all(reader: Reader) -> Selection:
    parts = [_one(reader)]
    while reader.comes("and"):
        parts.append(_one(reader))
    return lambda names: all(part(names) for part in parts)


def _one(reader: Reader) -> Selection:
    if reader.comes("not"):
        inner = _one(reader)
        return lambda names: not inner(names)
    if reader.comes("("):
        inner = _any(reader)
        if not reader.comes(")"):
            reader.fail(reader.next, "')'")
        return inner
    token = reader.next
    if token.kind not in ("word", "quoted") or token.text.lower() in _RESERVED:
        reader.fail(token, "a word of a run's title, 'not' or '('")
    word = reader.skip().text.strip("'\"").lower()
    return lambda names: any(word in name.lower() for name in names)
