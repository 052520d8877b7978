"""Which of a notebook's executed cells a model came from, by a static look at who defines what it needs."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from jupyter_deploy.domain.capture.source_changes import Cell

from .effects import effects_of
from .names import DEFINITIONS, as_lambda, loads, names_of, now, stored
from .statements import Statement, statements_in

_LOOKING = frozenset(
    {"head", "tail", "describe", "info", "sample", "value_counts", "plot", "hist", "boxplot", "corr", "score", "show"}
    | {"predict", "predict_proba", "memory_usage", "nunique", "unique", "isna", "isnull", "groupby", "get_params"}
)
"""Methods that show something of an object and leave it as it is."""

_BLOCKS = (ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith)


def cells_behind(sources: Sequence[str], variable: str | None) -> list[Cell]:
    """The cells without which ``variable`` would be another, in order of execution.

    Walked from the last one back, a cell belongs to them if it defines or changes a name that is needed by then; what
    it reads is needed from there on. A loop or a ``with`` that reads a needed name counts as changing it, as does a
    call of one of the notebook's own functions with it, since that is how training looks, and a method that is not
    known to only look. What cannot be parsed is kept. Of a cell that was run several times the last run counts.
    Without a variable that a cell makes, all that hold code.
    """
    read = [(Cell(number=n, source=source), statements_in(n, source)) for n, source in enumerate(sources, start=1)]
    uses = [(cell, None if found is None else _use(found)) for cell, found in read if found != []]
    names = names_of(variable)
    bodies = {name: body for _, use in uses if use for name, body in use.functions}
    while names:
        found, needed = _walked_back(uses, names, set(bodies))
        # What a function reads it reads when it is called: what was bound last counts, also after its definition.
        late = {name for function in needed & set(bodies) for name in bodies[function]}
        if late <= names:
            return _last_runs(found or [cell for cell, _ in uses])
        names |= late
    return _last_runs([cell for cell, _ in uses])


def _walked_back(
    uses: Sequence[tuple[Cell, _Use | None]], names: set[str], own: set[str]
) -> tuple[list[Cell], set[str]]:
    """The cells that matter if ``names`` are needed at the end, and all names that were needed on the way."""
    found, now_needed, ever = [], set(names), set(names)
    for cell, use in reversed(uses):
        if use is not None:
            if "*" not in use.defines and not now_needed & (use.defines | use.changes | use.handed_to(own)):
                continue
            now_needed = (now_needed - use.replaces) | use.reads
            ever |= use.reads
        found.append(cell)
    return found[::-1], ever


@dataclass(frozen=True)
class _Use:
    """Names by what a cell does with them.

    ``defines`` binds a name, ``replaces`` does so surely and without reading it first, ``changes`` keeps the object
    and may alter it; ``functions`` come with what their bodies read; ``calls`` are functions called by a plain name,
    each with the names in its arguments.
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
    found = effects_of(trees)
    in_blocks = {name for tree in trees for n in now(tree) if isinstance(n, _BLOCKS) for name in loads(n)}
    called_on = {name for name, method in found.methods if method not in _LOOKING}
    functions = [tree for tree in trees if isinstance(tree, DEFINITIONS) or as_lambda(tree)]
    return _Use(
        frozenset(found.binds | found.may_bind),
        frozenset(found.binds - found.may_bind - found.reads),
        frozenset(found.changes | called_on | in_blocks),
        frozenset(found.reads),
        tuple((name, frozenset(loads(tree))) for tree in functions for name in stored(tree)),
        tuple((call.function, call.names) for call in found.calls),
    )


def _last_runs(cells: Sequence[Cell]) -> list[Cell]:
    last = {cell.source.strip(): cell for cell in cells}
    return [cell for cell in cells if last[cell.source.strip()] is cell]
