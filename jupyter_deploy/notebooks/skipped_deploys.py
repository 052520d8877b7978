"""Cells that fail in a rerun only because the notebook's own deploys were skipped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from jupyter_deploy.notebooks.rerun import SkippedDeploy

from .syntax import Statement, loads, names_of, statements_in, statements_of, stored

_UNDEFINED = re.compile(r"name '(\w+)' is not defined")


class ErrorsOfSkippedDeploys:
    """Decides which cells may raise: those that use a deploy's result and make nothing that the model needs.

    Parameters
    ----------
    cells
        Sources of all code cells.
    expressions
        The expressions evaluated at the end: the model, its example.
    """

    def __init__(self, cells: Sequence[str], expressions: Iterable[str]) -> None:
        self._needed = {name for expression in expressions for name in names_of(expression)}
        self._unmade: set[str] = set()
        statements = statements_of(cells)
        while more := {n for s in statements if _makes(s) & self._needed for n in loads(s.tree)} - self._needed:
            self._needed |= more

    def may_raise(self, source: str, kind: str, message: str) -> bool:
        """Whether a cell's exception may be ignored; names that it would have bound may be missing later, too."""
        missing = _UNDEFINED.search(message) if kind == "NameError" else None
        if not (is_skipped(message) or (missing and missing[1] in self._unmade)):
            return False
        statements = statements_in(1, source)
        if statements is None:
            return False
        made = {name for statement in statements for name in _makes(statement)}
        self._unmade |= made
        return not made & self._needed


def is_skipped(message: str) -> bool:
    """Whether an exception comes from the use of a skipped deploy's result."""
    return repr(SkippedDeploy("")) in message or f"'{SkippedDeploy.__name__}' object" in message


def _makes(statement: Statement) -> set[str]:
    return {*stored(statement.tree), *statement.effects.changes}
