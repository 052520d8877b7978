"""Provenance of a model: the executed cells behind it, by static analysis of definitions and uses."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from jupyter_deploy.domain.capture.source_changes import Cell

from .effects import effects_of
from .names import DEFINITIONS, as_lambda, loads, names_of, now, stored
from .statements import Statement, statements_in

_PURE = frozenset(
    {"head", "tail", "describe", "info", "sample", "value_counts", "plot", "hist", "boxplot", "corr", "score", "show"}
    | {"predict", "predict_proba", "memory_usage", "nunique", "unique", "isna", "isnull", "groupby", "get_params"}
)
"""Methods that inspect an object without changing it."""

_BLOCKS = (ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith)


def cells_behind(sources: Sequence[str], variable: str | None) -> list[Cell]:
    """Return the cells that ``variable`` depends on, in order of execution.

    The walk goes back from the last cell. A cell belongs to the result if it defines or changes a needed name; the
    names that it reads are needed from there on. A loop or a ``with`` that reads a needed name counts as a change,
    since training looks like that; so does a call of one of the notebook's own functions with the name, and a method
    outside the known pure ones. A cell that cannot be parsed belongs to the result. Of a cell's several runs the last
    counts. Without a variable that a cell makes, the result is all cells with code.
    """
    read = [(Cell(number=n, source=source), statements_in(n, source)) for n, source in enumerate(sources, start=1)]
    uses = [(cell, None if statements is None else _use(statements)) for cell, statements in read if statements != []]
    names = names_of(variable)
    bodies = {name: body for _, use in uses if use for name, body in use.functions}
    while names:
        statements, needed = _walk_back(uses, names, set(bodies))
        # A function reads its globals when it is called: the last binding counts, also after its definition.
        late = {name for function in needed & set(bodies) for name in bodies[function]}
        if late <= names:
            return _last_runs(statements or [cell for cell, _ in uses])
        names |= late
    return _last_runs([cell for cell, _ in uses])


def _walk_back(uses: Sequence[tuple[Cell, _Use | None]], names: set[str], own: set[str]) -> tuple[list[Cell], set[str]]:
    """Return the relevant cells if ``names`` are needed at the end, and all names needed on the way."""
    cells, now_needed, ever = [], set(names), set(names)
    for cell, use in reversed(uses):
        if use is not None:
            if "*" not in use.defines and not now_needed & (use.defines | use.changes | use.handed_to(own)):
                continue
            now_needed = (now_needed - use.replaces) | use.reads
            ever |= use.reads
        cells.append(cell)
    return cells[::-1], ever


@dataclass(frozen=True)
class _Use:
    """Names by a cell's use of them.

    ``defines`` binds a name, ``replaces`` does so surely and without reading it first, ``changes`` keeps the object
    and may modify it; ``functions`` come with the reads of their bodies; ``calls`` are functions called by a plain
    name, each with the names in its arguments.
    """

    defines: frozenset[str]
    replaces: frozenset[str]
    changes: frozenset[str]
    reads: frozenset[str]
    functions: tuple[tuple[str, frozenset[str]], ...]
    calls: tuple[tuple[str, frozenset[str]], ...]

    def handed_to(self, functions: set[str]) -> set[str]:
        return {name for function, names in self.calls if function in functions for name in names}


def _use(statements: Sequence[Statement]) -> _Use:
    trees = [statement.tree for statement in statements]
    effects = effects_of(trees)
    in_blocks = {name for tree in trees for n in now(tree) if isinstance(n, _BLOCKS) for name in loads(n)}
    called_on = {name for name, method in effects.methods if method not in _PURE}
    functions = [tree for tree in trees if isinstance(tree, DEFINITIONS) or as_lambda(tree)]
    return _Use(
        frozenset(effects.binds | effects.may_bind),
        frozenset(effects.binds - effects.may_bind - effects.reads),
        frozenset(effects.changes | called_on | in_blocks),
        frozenset(effects.reads),
        tuple((name, frozenset(loads(tree))) for tree in functions for name in stored(tree)),
        tuple((call.function, call.names) for call in effects.calls),
    )


def _last_runs(cells: Sequence[Cell]) -> list[Cell]:
    last = {cell.source.strip(): cell for cell in cells}
    return [cell for cell in cells if last[cell.source.strip()] is cell]
