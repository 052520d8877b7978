"""The statements of a notebook's cells as Python without IPython's magics."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from .effects import Effects, effects_of
from .names import loads, stored

# Magics over Python that runs in the notebook's namespace; other cell magics hold no Python, or run it elsewhere.
_OVER_PYTHON = ("time", "capture", "prun", "memit", "deploy")
_TIMEIT = "timeit"  # runs in a function: its names are local, but its effects on the notebook's objects remain
_BEFORE_PYTHON = ("time", "prun", "memit", _TIMEIT)

_CELL_MAGIC = re.compile(r"%%(\S+).*\n?")
_DEPLOYS = re.compile(r"(?m)^(?:[ \t]*(?:\w+[ \t]*=[ \t]*)?%deploy\b|[^#\n]*(?<![\w.])(?:nbdeploy\.)?deploy\()")
_EMPTY = re.compile(r"\A(?:[ \t]*\n)+")  # lines that IPython removes before it counts


@dataclass(frozen=True)
class Statement:
    """One statement at a cell's top level; ``cell`` is the execution count, or the number in a file, from 1."""

    cell: int
    text: str
    tree: ast.stmt = field(compare=False, repr=False)

    @cached_property
    def effects(self) -> Effects:
        """The names that the statement reads, binds and changes."""
        return effects_of([self.tree])


def statements_of(cells: Iterable[str]) -> list[Statement]:
    """Return the statements of all cells; cells that cannot be parsed are skipped."""
    return [statement for number, source in enumerate(cells, 1) for statement in statements_in(number, source) or ()]


def statements_run(cells: Iterable[str], failed: Mapping[int, int]) -> list[Statement]:
    """Return the completed statements of executed cells; in a failed cell (``Live.failed``) those above the line."""
    return [s for number, source in enumerate(cells, 1) for s in _ended(number, source, failed.get(number))]


def _ended(number: int, source: str, line: int | None) -> list[Statement]:
    statements = statements_in(number, source) or []
    if line is None:
        return statements
    over = source.lstrip().startswith("%%")
    if not line and (deploys := _DEPLOYS.search(source)):  # whose errors show no line number
        line = source[: deploys.end()].count("\n") + 1
    elif not line and source.lstrip().startswith("%%deploy"):  # after the function below it
        return statements
    return [s for s in statements if (s.tree.end_lineno or 0) + over < line]


def statements_in(number: int, source: str) -> list[Statement] | None:
    """Return the Python statements of a cell without magics; empty: not Python, None: not parseable.

    Code behind ``%time`` and similar magics is treated as a plain statement.
    """
    magic = _CELL_MAGIC.match(source := source.lstrip() if source.lstrip().startswith("%%") else source)
    if magic and magic[1] not in (*_OVER_PYTHON, _TIMEIT):
        return []
    try:
        trees = _parsed(source[magic.end() :] if magic else source)
        if magic and magic[1] == _TIMEIT:
            trees = _independent(trees)
        return [Statement(number, ast.unparse(tree), tree) for tree in trees]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _parsed(source: str) -> list[ast.stmt]:
    with warnings.catch_warnings(action="ignore"):  # about escapes in strings, which the user saw when the cell ran
        try:
            tree = ast.parse(_EMPTY.sub("", source))
        except SyntaxError:
            tree = ast.parse(_without_magics(source))
            _Unwrapping().visit(tree)
    return tree.body


def _without_magics(source: str) -> str:
    from IPython.core.inputtransformer2 import TransformerManager

    return str(TransformerManager().transform_cell(source))


def _independent(trees: list[ast.stmt]) -> list[ast.stmt]:
    """Return the statements that neither bind a name nor use one that the others bind."""
    own = {name for tree in trees for name in stored(tree)}
    return [tree for tree in trees if not own & {*stored(tree), *loads(tree)}]


class _Unwrapping(ast.NodeTransformer):
    """Replaces ``%time model.fit(X)`` by ``model.fit(X)``; removes other magics that stand alone."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | list[ast.stmt] | None:
        name, line = _magic(node.value)
        if name not in _BEFORE_PYTHON:
            return None if name else self.generic_visit(node)
        try:
            trees = _parsed(line)
        except SyntaxError:
            return None
        for tree in trees:
            ast.increment_lineno(tree, node.lineno - 1)
        return _independent(trees) if name == _TIMEIT else trees

    def visit_Call(self, node: ast.Call) -> ast.AST:
        name, line = _magic(node)
        if name == "time":  # x = %time f(y)
            try:
                return ast.copy_location(ast.parse(line.strip(), mode="eval").body, node)
            except SyntaxError:
                return node
        return self.generic_visit(node)


def _magic(node: ast.expr) -> tuple[str, str]:
    """Return name and line of a magic in IPython's Python form; else an empty name."""
    match node:
        case ast.Call(
            func=ast.Attribute(value=ast.Call(func=ast.Name(id="get_ipython")), attr=method), args=[*words]
        ) if method.startswith("run_") or method in ("system", "getoutput"):
            arguments = [str(word.value) for word in words if isinstance(word, ast.Constant)]
            return (arguments[0], arguments[1]) if method == "run_line_magic" and len(arguments) == 2 else (method, "")
    return "", ""
