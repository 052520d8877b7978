"""The statements of executed cells, as Python without IPython's magics."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_OVER_PYTHON = re.compile(r"%%(?:time|timeit|capture|prun|deploy)\b.*\n")


@dataclass(frozen=True)
class Statement:
    """One statement at a cell's top level; ``cell`` as in In [7]."""

    cell: int
    node: ast.stmt


def statements_of(cells: Sequence[str]) -> list[Statement]:
    """In order of execution; what is not Python is passed over."""
    from IPython.core.inputtransformer2 import TransformerManager  # noqa: PLC0415 - cells come from an IPython kernel

    found = []
    for number, cell in enumerate(cells, 1):
        source = _OVER_PYTHON.sub("", cell.lstrip(), count=1)
        if source.startswith("%%"):
            continue
        try:
            with warnings.catch_warnings(action="ignore"):  # of escapes in the user's strings
                tree = ast.parse(TransformerManager().transform_cell(source))
        except (SyntaxError, ValueError, RecursionError):
            continue
        found += [Statement(number, node) for node in tree.body]
    return found


def here(node: ast.AST) -> Iterator[ast.AST]:
    """A node and what is in it, but not the bodies of functions and classes, which run when they are called."""
    yield node
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
        return
    for child in ast.iter_child_nodes(node):
        yield from here(child)


def names_in(node: ast.AST) -> set[str]:
    """The names that are read."""
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}


def bound_by(node: ast.AST) -> set[str]:
    """The names that a statement binds."""
    bound = {n.id for n in here(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return bound | {n.name for n in here(node) if isinstance(n, ast.FunctionDef | ast.ClassDef)}


def changed_by(node: ast.AST) -> set[str]:
    """The names whose object a statement alters in place: by an item, an attribute, or ``inplace=True``."""
    changed = set()
    for n in here(node):
        if isinstance(n, ast.Subscript | ast.Attribute) and isinstance(n.ctx, ast.Store | ast.Del):
            changed.add(root(n))
        elif isinstance(n, ast.Call) and any(word.arg == "inplace" for word in n.keywords):
            changed.add(root(n.func))
    return {name for name in changed if name}


def root(node: ast.expr) -> str | None:
    """The name at the beginning of ``a.b[c].d()``."""
    while True:
        match node:
            case ast.Attribute() | ast.Subscript():
                node = node.value
            case ast.Call():
                node = node.func
            case ast.Name():
                return node.id
            case _:
                return None


def called_by(call: ast.Call) -> str:
    """The last name of what is called: ``fit`` of ``a.b.fit()``."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else str(getattr(call.func, "id", ""))
