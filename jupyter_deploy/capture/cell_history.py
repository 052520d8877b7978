"""The cells that make, train and use each variable; each cell is parsed once."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from jupyter_deploy.notebooks.syntax import Statement, called_by, now, root, statements_in, statements_run, stored

_READ = 500
"""The number of most recent cells that are analysed."""

_FITS = ("fit", "fit_transform", "partial_fit", "train")
_RESHAPES = ("reshape", "to_frame")
_PREDICTS = ("predict", "predict_proba", "decision_function", "transform", "score_samples", "score", "forward")


@dataclass(frozen=True)
class CallArguments:
    """The arguments of a call of a function, by position and by name."""

    positional: tuple[ast.expr, ...]
    named: Mapping[str, ast.expr]


@dataclass(frozen=True)
class CellNames:
    """The names that a cell binds or changes, those that it reads, the training variable of each fit, and the calls.

    ``last``: by name, the number of the last statement that binds, changes or reads it.
    """

    made: frozenset[str] = frozenset()
    read: frozenset[str] = frozenset()
    last: Mapping[str, int] = field(default_factory=dict)
    fitted: Mapping[str, str] = field(default_factory=dict)
    predicted: Mapping[str, str] = field(default_factory=dict)
    calls: tuple[tuple[str, CallArguments], ...] = ()


@dataclass(frozen=True)
class History:
    """By variable: the last cell that made or changed it, the cells that used it, and its last training variable.

    Attributes
    ----------
    last
        By variable, the cell and the statement in it that made, changed or used it last.
    predicted
        By model, the variable of the last rows that it predicted.
    calls
        By function, the cell and the arguments of each call, the latest first.
    """

    made: Mapping[str, int]
    used: Mapping[str, Sequence[int]]
    fitted: Mapping[str, str]
    last: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    predicted: Mapping[str, str] = field(default_factory=dict)
    calls: Mapping[str, Sequence[tuple[int, CallArguments]]] = field(default_factory=dict)


def history(cells: Sequence[str], failed: Mapping[int, int]) -> History:
    """Analyse the cells of a kernel in order; see ``Live`` for both parameters."""
    made: dict[str, int] = {}
    used: dict[str, list[int]] = {}
    fitted: dict[str, str] = {}
    last: dict[str, tuple[int, int]] = {}
    predicted: dict[str, str] = {}
    calls: dict[str, list[tuple[int, CallArguments]]] = {}
    for number in range(max(1, len(cells) - _READ + 1), len(cells) + 1):
        source = cells[number - 1]
        names = _completed(source, failed[number]) if number in failed else _whole(source)
        made |= dict.fromkeys(names.made, number)
        last |= {name: (number, statement) for name, statement in names.last.items()}
        for name in names.read:
            used.setdefault(name, []).append(number)
        fitted |= names.fitted
        predicted |= names.predicted
        for function, arguments in names.calls:
            calls.setdefault(function, []).insert(0, (number, arguments))
    return History(made, used, fitted, last, predicted, calls)


@lru_cache(maxsize=2 * _READ)
def _whole(source: str) -> CellNames:
    return _names_of(statements_in(1, source) or [])


@lru_cache(maxsize=_READ)
def _completed(source: str, line: int) -> CellNames:
    return _names_of(statements_run([source], {1: line}))


def _names_of(statements: Sequence[Statement]) -> CellNames:
    made: set[str] = set()
    read: set[str] = set()
    last: dict[str, int] = {}
    fitted: dict[str, str] = {}
    predicted: dict[str, str] = {}
    calls: list[tuple[str, CallArguments]] = []
    for number, statement in enumerate(statements):
        effects = statement.effects
        made |= effects.touched | effects.fits | effects.drives
        read |= effects.reads
        last |= dict.fromkeys(effects.touched | effects.fits | effects.drives | effects.reads, number)
        for call in (node for node in ast.walk(statement.tree) if isinstance(node, ast.Call)):
            if not call.args or (table := _table(call.args[0])) is None:
                continue
            if called_by(call) in _FITS:
                names = [*stored(statement.tree), root(call.func, of_result=True)]
                fitted |= {name: table for name in names if name}
            elif called_by(call) in _PREDICTS and (model := root(call.func)):
                predicted[model] = table
        calls += filter(None, map(_call, now(statement.tree)))
    return CellNames(frozenset(made), frozenset(read), last, fitted, predicted, tuple(calls))


def _call(node: ast.AST) -> tuple[str, CallArguments] | None:
    """Return a function's name and its arguments; None: no call of a name, or one with ``*`` or ``**``."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
        return None
    if any(isinstance(argument, ast.Starred) for argument in node.args) or any(not word.arg for word in node.keywords):
        return None
    named = {word.arg: word.value for word in node.keywords if word.arg}
    return node.func.id, CallArguments(tuple(node.args), named)


def _table(argument: ast.expr) -> str | None:
    """Return a table's variable: ``X``, ``frame`` of ``frame[columns]``, ``x`` of ``x.reshape(-1, 1)``; else None."""
    table = argument.value if isinstance(argument, ast.Subscript) else argument
    if isinstance(table, ast.Call) and isinstance(table.func, ast.Attribute) and table.func.attr in _RESHAPES:
        table = table.func.value
    return table.id if isinstance(table, ast.Name) else None
