"""Cells that fail in a rerun only because the notebook's own deploys were left out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from jupyter_deploy.notebooks.rerun import LeftOut

from .syntax import Statement, loads, names_of, statements_in, statements_of, stored

_UNDEFINED = re.compile(r"name '(\w+)' is not defined")


class Excuses:
    """Which cells may raise: those that ask a deploy for what it returns and make nothing that the model needs.

    Parameters
    ----------
    cells
        Sources of all cells of code.
    expressions
        What is asked of the kernel in the end: the model, its example.
    """

    def __init__(self, cells: Sequence[str], expressions: Iterable[str]) -> None:
        self._needed = {name for expression in expressions for name in names_of(expression)}
        self._unmade: set[str] = set()
        statements = statements_of(cells)
        while more := {n for s in statements if _makes(s) & self._needed for n in loads(s.tree)} - self._needed:
            self._needed |= more

    def excused(self, source: str, kind: str, message: str) -> bool:
        """Whether a cell that raised may be passed over; what it would have bound, later cells may miss too."""
        missing = _UNDEFINED.search(message) if kind == "NameError" else None
        if not (is_left_out(message) or (missing and missing[1] in self._unmade)):
            return False
        statements = statements_in(1, source)
        if statements is None:
            return False
        made = {name for statement in statements for name in _makes(statement)}
        self._unmade |= made
        return not made & self._needed


def is_left_out(message: str) -> bool:
    """Whether an exception comes of asking a deploy that was left out for something."""
    return repr(LeftOut("")) in message or f"'{LeftOut.__name__}' object" in message


def _makes(statement: Statement) -> set[str]:
    return {*stored(statement.tree), *statement.effects.changes}
