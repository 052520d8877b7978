"""The layout of the notebook's code: long calls and lists on several lines. Pure."""

from __future__ import annotations

from collections.abc import Sequence

WIDTH = 100
_OPEN, _CLOSE = "([{", ")]}"


def wrapped(source: str, indent: int = 0) -> str:
    """Return a statement whose first call has an argument a line, if it is longer than ``WIDTH``.

    Its texts have neither brackets nor commas.
    """
    if len(source) + indent <= WIDTH or "(" not in source:
        return source
    begin = source.index("(")
    end = _matching(source, begin)
    inner = " " * (indent + 4)
    lines = [f"{inner}{wrapped(part, indent + 4)}," for part in _parts(source[begin + 1 : end])]
    return "\n".join([source[: begin + 1], *lines, f"{' ' * indent}{source[end:]}"])


def assigned(name: str, values: Sequence[str]) -> str:
    """Return the assignment of a list of texts; a line is broken between two of them alone."""
    line = f"{name} = {list(values)!r}"
    if len(line) <= WIDTH:
        return line
    return "\n".join([f"{name} = [", *filled([repr(value) for value in values], 4), "]"])


def imported(module: str, names: Sequence[str]) -> str:
    """Return an import."""
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= WIDTH:
        return line
    return "\n".join([f"from {module} import (", *(f"    {name}," for name in names), ")"])


def filled(words: Sequence[str], indent: int) -> list[str]:
    """Return lines of words, each with a comma."""
    lines, current = [], ""
    for word in words:
        if len(current) + len(word) + 2 > WIDTH - indent and current:
            lines.append(current.rstrip())
            current = ""
        current += f"{word}, "
    return [f"{' ' * indent}{line}" for line in (*lines, current.rstrip()) if line]


def _matching(source: str, begin: int) -> int:
    depth = 0
    for place in range(begin, len(source)):
        depth += (source[place] in _OPEN) - (source[place] in _CLOSE)
        if depth == 0:
            return place
    raise ValueError(source)


def _parts(arguments: str) -> list[str]:
    """Split arguments at the commas outside of brackets."""
    parts, depth, current = [], 0, ""
    for character in arguments:
        depth += (character in _OPEN) - (character in _CLOSE)
        if character == "," and depth == 0:
            parts.append(current.strip())
            current = ""
        else:
            current += character
    return [*parts, *([current.strip()] if current.strip() else [])]
