"""Where the executed cells make, train and use each variable; what a cell says is read once."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from jupyter_deploy.notebooks.syntax import Statement, called_by, root, statements_in, statements_run, stored

_READ = 500
"""So many cells are looked at, the last ones."""

_FITS = ("fit", "fit_transform", "partial_fit", "train")


@dataclass(frozen=True)
class Said:
    """What one cell says: names that it binds or changes, those that it reads, and what each is fitted on."""

    made: frozenset[str] = frozenset()
    read: frozenset[str] = frozenset()
    fitted: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class History:
    """By variable: the last cell that made or changed it, the last that used it, and what it was fitted on last."""

    made: Mapping[str, int]
    used: Mapping[str, int]
    fitted: Mapping[str, str]


def history(cells: Sequence[str], failed: Mapping[int, int]) -> History:
    """Of the cells of a kernel, in their order; see ``Live`` for both."""
    made: dict[str, int] = {}
    used: dict[str, int] = {}
    fitted: dict[str, str] = {}
    for number in range(max(1, len(cells) - _READ + 1), len(cells) + 1):
        source = cells[number - 1]
        said = _ended(source, failed[number]) if number in failed else _whole(source)
        made |= dict.fromkeys(said.made, number)
        used |= dict.fromkeys(said.read, number)
        fitted |= said.fitted
    return History(made, used, fitted)


@lru_cache(maxsize=2 * _READ)
def _whole(source: str) -> Said:
    return _said(statements_in(1, source) or [])


@lru_cache(maxsize=_READ)
def _ended(source: str, line: int) -> Said:
    return _said(statements_run([source], {1: line}))


def _said(statements: Sequence[Statement]) -> Said:
    made: set[str] = set()
    read: set[str] = set()
    fitted: dict[str, str] = {}
    for statement in statements:
        effects = statement.effects
        made |= effects.touched | effects.fits | effects.drives
        read |= effects.reads
        for call in (node for node in ast.walk(statement.tree) if isinstance(node, ast.Call)):
            if called_by(call) in _FITS and call.args and isinstance(call.args[0], ast.Name):
                names = [*stored(statement.tree), root(call.func, of_result=True)]
                fitted |= {name: call.args[0].id for name in names if name}
    return Said(frozenset(made), frozenset(read), fitted)
