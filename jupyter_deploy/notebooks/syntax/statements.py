"""The statements of a notebook's cells, as Python without IPython's magics."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from .effects import Effects, effects_of
from .names import loads, stored

# Magics over Python that runs in the notebook's namespace; what stands under any other is no Python, or runs elsewhere.
_OVER_PYTHON = ("time", "capture", "prun", "memit", "deploy")
_APART = "timeit"  # in a function: its names are its own, but what it does to the notebook's objects is done
_BEFORE_PYTHON = ("time", "prun", "memit", _APART)

_CELL_MAGIC = re.compile(r"%%(\S+).*\n?")
_DEPLOYS = re.compile(r"(?m)^(?:[ \t]*(?:\w+[ \t]*=[ \t]*)?%deploy\b|[^#\n]*(?<![\w.])(?:nbdeploy\.)?deploy\()")
_EMPTY = re.compile(r"\A(?:[ \t]*\n)+")  # lines that IPython takes off before it counts them


@dataclass(frozen=True)
class Statement:
    """One statement at a cell's top level; ``cell`` as in In [7], or among the cells of a file, from 1."""

    cell: int
    text: str
    tree: ast.stmt = field(compare=False, repr=False)

    @cached_property
    def effects(self) -> Effects:
        """What it reads, binds and changes."""
        return effects_of([self.tree])


def statements_of(cells: Iterable[str]) -> list[Statement]:
    """Of all cells; what cannot be parsed is passed over."""
    return [statement for number, source in enumerate(cells, 1) for statement in statements_in(number, source) or ()]


def statements_run(cells: Iterable[str], failed: Mapping[int, int]) -> list[Statement]:
    """Those statements of executed cells that ended: of one that raised (see ``Live.failed``), those above the line."""
    return [s for number, source in enumerate(cells, 1) for s in _ended(number, source, failed.get(number))]


def _ended(number: int, source: str, line: int | None) -> list[Statement]:
    found = statements_in(number, source) or []
    if line is None:
        return found
    over = source.lstrip().startswith("%%")
    if not line and (deploys := _DEPLOYS.search(source)):  # whose errors are told in words, without a line
        line = source[: deploys.end()].count("\n") + 1
    elif not line and source.lstrip().startswith("%%deploy"):  # after what it stands over
        return found
    return [s for s in found if (s.tree.end_lineno or 0) + over < line]


def statements_in(number: int, source: str) -> list[Statement] | None:
    """The Python statements of a cell, its magics taken off; none if it is not Python, None if it cannot be parsed.

    What ``%time`` and its like stand before is taken as if they did not.
    """
    magic = _CELL_MAGIC.match(source := source.lstrip() if source.lstrip().startswith("%%") else source)
    if magic and magic[1] not in (*_OVER_PYTHON, _APART):
        return []
    try:
        trees = _parsed(source[magic.end() :] if magic else source)
        if magic and magic[1] == _APART:
            trees = _apart(trees)
        return [Statement(number, ast.unparse(tree), tree) for tree in trees]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _parsed(source: str) -> list[ast.stmt]:
    with warnings.catch_warnings(action="ignore"):  # of escapes in strings the user was warned when the cell ran
        try:
            tree = ast.parse(_EMPTY.sub("", source))
        except SyntaxError:
            tree = ast.parse(_without_magics(source))
            _Unwrapping().visit(tree)
    return tree.body


def _without_magics(source: str) -> str:
    from IPython.core.inputtransformer2 import TransformerManager  # only for what is not plain Python

    return str(TransformerManager().transform_cell(source))


def _apart(trees: list[ast.stmt]) -> list[ast.stmt]:
    """Those statements that neither bind a name nor use one that the others bind."""
    own = {name for tree in trees for name in stored(tree)}
    return [tree for tree in trees if not own & {*stored(tree), *loads(tree)}]


class _Unwrapping(ast.NodeTransformer):
    """``model.fit(X)`` in the place of ``%time model.fit(X)``; other magics that stand alone are taken out."""

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
        return _apart(trees) if name == _APART else trees

    def visit_Call(self, node: ast.Call) -> ast.AST:
        name, line = _magic(node)
        if name == "time":  # x = %time f(y)
            try:
                return ast.copy_location(ast.parse(line.strip(), mode="eval").body, node)
            except SyntaxError:
                return node
        return self.generic_visit(node)


def _magic(node: ast.expr) -> tuple[str, str]:
    """The name and the line of a magic as IPython writes it in Python; else no name."""
    match node:
        case ast.Call(
            func=ast.Attribute(value=ast.Call(func=ast.Name(id="get_ipython")), attr=method), args=[*words]
        ) if method.startswith("run_") or method in ("system", "getoutput"):
            said = [str(word.value) for word in words if isinstance(word, ast.Constant)]
            return (said[0], said[1]) if method == "run_line_magic" and len(said) == 2 else (method, "")
    return "", ""
