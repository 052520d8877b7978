"""The cells that make, train and use each variable; each cell is parsed once."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from jupyter_deploy.notebooks.syntax import Statement, called_by, root, statements_in, statements_run, stored

_READ = 500
"""The number of most recent cells that are analysed."""

_FITS = ("fit", "fit_transform", "partial_fit", "train")


@dataclass(frozen=True)
class CellNames:
    """The names that a cell binds or changes, those that it reads, and the training variable of each fit."""

    made: frozenset[str] = frozenset()
    read: frozenset[str] = frozenset()
    fitted: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class History:
    """By variable: the last cell that made or changed it, the last that used it, and its last training variable."""

    made: Mapping[str, int]
    used: Mapping[str, int]
    fitted: Mapping[str, str]


def history(cells: Sequence[str], failed: Mapping[int, int]) -> History:
    """Analyse the cells of a kernel in order; see ``Live`` for both parameters."""
    made: dict[str, int] = {}
    used: dict[str, int] = {}
    fitted: dict[str, str] = {}
    for number in range(max(1, len(cells) - _READ + 1), len(cells) + 1):
        source = cells[number - 1]
        names = _completed(source, failed[number]) if number in failed else _whole(source)
        made |= dict.fromkeys(names.made, number)
        used |= dict.fromkeys(names.read, number)
        fitted |= names.fitted
    return History(made, used, fitted)


@lru_cache(maxsize=2 * _READ)
def _whole(source: str) -> CellNames:
    return _names_of(statements_in(1, source) or [])


@lru_cache(maxsize=_READ)
def _completed(source: str, line: int) -> CellNames:
    return _names_of(statements_run([source], {1: line}))


def _names_of(statements: Sequence[Statement]) -> CellNames:
    made: set[str] = set()
    read: set[str] = set()
    fitted: dict[str, str] = {}
    for statement in statements:
        effects = statement.effects
        made |= effects.touched | effects.fits | effects.drives
        read |= effects.reads
        for call in (node for node in ast.walk(statement.tree) if isinstance(node, ast.Call)):
            if called_by(call) in _FITS and call.args and (table := _table(call.args[0])):
                names = [*stored(statement.tree), root(call.func, of_result=True)]
                fitted |= {name: table for name in names if name}
    return CellNames(frozenset(made), frozenset(read), fitted)


def _table(argument: ast.expr) -> str | None:
    """Return the variable of a fit's table: ``X``, or ``frame`` of ``frame[columns]``; None: neither."""
    table = argument.value if isinstance(argument, ast.Subscript) else argument
    return table.id if isinstance(table, ast.Name) else None
