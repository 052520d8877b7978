"""Which of a notebook's executed cells a model came from, by a static look at who defines what it needs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .base import Value

_LOOKING = frozenset(
    {"head", "tail", "describe", "info", "sample", "value_counts", "plot", "hist", "boxplot", "corr", "score", "show"}
    | {"predict", "predict_proba", "memory_usage", "nunique", "unique", "isna", "isnull", "groupby", "get_params"}
)
"""Methods that show something of an object and leave it as it is."""

_MAGIC = re.compile(r"[%!?]|.*\?\s*$")  # at the beginning of a line: within a block nothing may be taken out
_CELL_MAGIC = re.compile(r"\s*%%(\w+)")
_OVER_PYTHON = frozenset({"time", "timeit", "capture", "prun", "deploy"})


class Cell(Value):
    """An executed cell; ``number`` as in In [7]."""

    number: int
    source: str


def cells_behind(sources: Sequence[str], variable: str | None) -> list[Cell]:
    """The cells without which ``variable`` would be another, in order of execution.

    Walked from the last one back, a cell belongs to them if it defines or changes a name that is needed by then; what
    it reads is needed from there on. A loop or a ``with`` that reads a needed name counts as changing it, as does a
    call of one of the notebook's own functions with it, since that is how training looks. What cannot be parsed is
    kept. Of a cell that was run several times the last run counts. Without a variable that a cell makes, all that hold
    code.
    """
    cells = [Cell(number=n, source=source) for n, source in enumerate(sources, start=1) if _code(source).strip()]
    names = _names_of(variable)
    if not names:
        return _last_runs(cells)
    uses = [(cell, _use(cell.source)) for cell in cells]
    bodies = {name: body for _, use in uses if use for name, body in use.functions}
    while True:
        found, needed = _walked_back(uses, names, set(bodies))
        # What a function reads it reads when it is called: what was bound last counts, also after its definition.
        late = {name for function in needed & set(bodies) for name in bodies[function]}
        if late <= names:
            return _last_runs(found or cells)
        names |= late


def _walked_back(
    uses: Sequence[tuple[Cell, _Use | None]], names: set[str], own: set[str]
) -> tuple[list[Cell], set[str]]:
    """The cells that matter if ``names`` are needed at the end, and all names that were needed on the way."""
    found, now, ever = [], set(names), set(names)
    for cell, use in reversed(uses):
        if use is not None:
            if "*" not in use.defines and not now & (use.defines | use.changes | use.handed_to(own)):
                continue
            now = (now - use.replaces) | use.reads
            ever |= use.reads
        found.append(cell)
    return found[::-1], ever


@dataclass(frozen=True)
class _Use:
    """Names by what a cell does with them at its top level (in functions: reads only).

    ``defines`` binds a name, ``replaces`` does so without reading it first, ``changes`` keeps the object and alters
    it; ``functions`` come with what their bodies read; ``calls`` are functions called by a plain name, each with the
    names in its arguments.
    """

    defines: frozenset[str]
    replaces: frozenset[str]
    changes: frozenset[str]
    reads: frozenset[str]
    functions: tuple[tuple[str, frozenset[str]], ...]
    calls: tuple[tuple[str, frozenset[str]], ...]

    def handed_to(self, functions: set[str]) -> set[str]:
        return {name for function, names in self.calls if function in functions for name in names}


def _use(source: str) -> _Use | None:
    """None: it cannot be parsed."""
    try:
        return _use_of(ast.parse(_code(source)))
    except (SyntaxError, ValueError, RecursionError):
        return None


def _use_of(tree: ast.Module) -> _Use:
    defines: set[str] = set()
    changes: set[str] = set()
    reads: set[str] = set()
    read_first: set[str] = set()
    functions: list[tuple[str, frozenset[str]]] = []
    calls: list[tuple[str, frozenset[str]]] = []
    for statement in tree.body:
        loaded = _loaded(statement)
        read_first |= loaded - defines
        reads |= loaded
        bound = set(_bound(statement))
        defines |= bound
        if isinstance(statement, ast.AugAssign) and isinstance(statement.target, ast.Name):
            read_first.add(statement.target.id)
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            functions.append((statement.name, loaded))
        if isinstance(statement, ast.For | ast.AsyncFor | ast.While | ast.With | ast.AsyncWith):
            changes |= loaded
        changes |= set(_changed(statement))
        calls += _calls(statement)
    # A name that only some branch binds may keep its former value.
    replaces = defines - read_first - {n for s in tree.body if isinstance(s, ast.If | ast.Try) for n in _bound(s)}
    return _Use(
        frozenset(defines),
        frozenset(replaces),
        frozenset(changes),
        frozenset(reads | read_first),
        tuple(functions),
        tuple(calls),
    )


def _loaded(node: ast.AST) -> frozenset[str]:
    return frozenset(n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load))


def _calls(statement: ast.stmt) -> Iterator[tuple[str, frozenset[str]]]:
    for node in _outside_functions(statement):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
            yield node.func.id, frozenset(name for argument in arguments for name in _loaded(argument))


def _bound(statement: ast.stmt) -> Iterator[str]:
    """The names that a statement binds at its cell's top level."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
        return
    for node in _outside_functions(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.alias):
            yield (node.asname or node.name).partition(".")[0]


def _changed(statement: ast.stmt) -> Iterator[str]:
    """The names whose object a statement alters: by an item, an attribute, or a method called on it."""
    for node in _outside_functions(statement):
        if isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
            yield from _root(node)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr not in _LOOKING:
            yield from _root(node.func)


def _root(node: ast.expr) -> Iterator[str]:
    while isinstance(node, ast.Subscript | ast.Attribute):
        node = node.value
    if isinstance(node, ast.Name):
        yield node.id


def _outside_functions(statement: ast.AST) -> Iterator[ast.AST]:
    yield statement
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
        return
    for child in ast.iter_child_nodes(statement):
        yield from _outside_functions(child)


def _names_of(variable: str | None) -> set[str]:
    """The names in the expression by which the model was named."""
    try:
        tree = ast.parse(variable or "", mode="eval")
    except (SyntaxError, ValueError):
        return set()
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _code(source: str) -> str:
    """Without magics, shell lines and questions, of which IPython alone knows."""
    found = _CELL_MAGIC.match(source)
    if found and found[1] not in _OVER_PYTHON:
        return ""
    return "\n".join(line for line in source.splitlines() if not _MAGIC.match(line))


def _last_runs(cells: Sequence[Cell]) -> list[Cell]:
    last = {cell.source.strip(): cell for cell in cells}
    return [cell for cell in cells if last[cell.source.strip()] is cell]
