"""Rows to which a translation gives another answer than the original, as a table of text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

_WIDTH = 78
"""Characters of a line: a terminal, a cell's output and a job's details show it whole."""

_CELL = 28
_COLUMNS = 100


@dataclass(frozen=True)
class UnequalRow:
    """A row to which the translation gives another answer than the original.

    Attributes
    ----------
    origin
        Where the row is from, such as ``training``; see ``Translation.rows``.
    inputs
        The row's values by column name; by position, if the model takes an array.
    original, translated
        Both answers: a label, a number, or the number at ``position``.
    position
        Where in an answer of several numbers the two differ most; None: the answer is one value.
    difference
        Of the two numbers, in the answers' unit; infinite if one of them is missing; None: they are labels.
    flip
        Whether the label or the most likely class is another one.
    """

    origin: str
    inputs: dict[Any, Any]
    original: Any
    translated: Any
    position: int | None
    difference: float | None
    flip: bool

    @property
    def rank(self) -> tuple[bool, float]:
        """The larger, the worse: flips first, then by the difference."""
        return self.flip, self.difference or 0.0


def table_of(rows: Sequence[UnequalRow], redact: Sequence[str] = ()) -> str:
    """Return rows as a table of text, in blocks of at most 78 characters a line, each with the rows' numbers.

    Redacted columns are left out; an array's columns have no names, so that none of them is shown if any is redacted.
    """
    several = any(row.position is not None for row in rows)
    columns = {
        "origin": [row.origin for row in rows],
        **({"answer": [_cell(row.position) for row in rows]} if several else {}),
        "original": [_cell(row.original) for row in rows],
        "translated": [_cell(row.translated) for row in rows],
        "difference": ["" if row.difference is None else f"{row.difference:.3g}" for row in rows],
        "label": ["flips" if row.flip else "" for row in rows],
    }
    answers = [[name, *cells] for name, cells in columns.items() if any(cells)]
    shown, left_out = _shown(rows[0].inputs, redact)
    inputs = [[_cell(name), *(_cell(row.inputs[name]) for row in rows)] for name in shown]
    return "\n".join([*_blocks(answers), *_blocks(inputs), *([left_out] if left_out else [])])


def _shown(inputs: dict[Any, Any], redact: Sequence[str]) -> tuple[list[Any], str]:
    """Return the names of the columns to show, and a line about the others."""
    if not redact:
        names, why = list(inputs), ""
    elif all(isinstance(name, int) for name in inputs):
        names, why = [], "the inputs are left out: columns are redacted, and an array's have no names"
    else:
        names = [name for name in inputs if name not in redact]
        why = "redacted columns are left out" if len(names) < len(inputs) else ""
    further = f"{len(names) - _COLUMNS} further columns are left out" if len(names) > _COLUMNS else ""
    return names[:_COLUMNS], "; ".join(filter(None, (why, further)))


def _cell(value: Any) -> str:
    """Return a value as a cell: numbers with all their digits, since a threshold lies between two neighbours."""
    text = str(value)
    text = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
    return text if len(text) <= _CELL else f"{text[: _CELL - 1]}…"


def _blocks(columns: Iterable[Sequence[str]]) -> list[str]:
    """Return columns of cells side by side, as lines; those that do not fit go on below, as a further block."""
    lines: list[str] = []
    block: list[str] = []
    for column in columns:
        width = max(map(len, column))
        cells = [cell.rjust(width) for cell in column]
        if block and len(block[0]) + 2 + width > _WIDTH:
            lines += [*block, ""]
            block = []
        block = block or [f"  {number or '#':>2}" for number in range(len(cells))]
        block = [f"{line}  {cell}" for line, cell in zip(block, cells, strict=True)]
    return [line.rstrip() for line in [*lines, *block, *([""] if block else [])]]
