"""Names in a syntax tree: reads and bindings, and the code that runs with a statement."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

Bound = frozenset[str]
Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef

DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def names_of(expression: str | None) -> set[str]:
    """Return the names that an expression reads; none if it is not an expression."""
    try:
        return set(loads(ast.parse(expression or "", mode="eval")))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()


def loads(node: ast.AST, bound: Bound = frozenset()) -> Iterator[str]:
    """Yield the names that are read, now or in a called function, without names bound by it or a comprehension."""
    if isinstance(node, ast.Name):
        if isinstance(node.ctx, ast.Load) and node.id not in bound:
            yield node.id
        return
    if isinstance(node, _FUNCTIONS):
        for part in evaluated(node):
            yield from loads(part, bound)
        yield from inner_loads(node, bound)
        return
    if isinstance(node, COMPREHENSIONS):
        bound |= {name for generator in node.generators for name in stored(generator.target)}
    for child in ast.iter_child_nodes(node):
        yield from loads(child, bound)


def inner_loads(node: ast.AST, bound: Bound = frozenset()) -> Iterator[str]:
    """Yield the names that a function's or a class's body reads from outside when it is called."""
    body = node.body if isinstance(node, (*_FUNCTIONS, ast.ClassDef)) else [node]
    inner = body if isinstance(body, list) else [body]
    if isinstance(node, _FUNCTIONS):
        own = {name for child in inner for name in stored(child)}
        shared = {n for child in inner for s in ast.walk(child) if isinstance(s, ast.Global) for n in s.names}
        bound |= parameters(node) | (own - shared)
    for child in inner:
        yield from loads(child, bound)


def evaluated(node: ast.AST) -> Iterator[ast.expr]:
    """Yield the expressions evaluated at a definition: decorators, bases, defaults, annotations."""
    if isinstance(node, DEFINITIONS):
        yield from node.decorator_list
    if isinstance(node, ast.ClassDef):
        yield from node.bases
        yield from (keyword.value for keyword in node.keywords)
    if isinstance(node, _FUNCTIONS):
        yield from node.args.defaults
        yield from (default for default in node.args.kw_defaults if default)
        yield from (argument.annotation for argument in _arguments(node) if argument.annotation)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.returns:
        yield node.returns


def parameters(node: Function | ast.Lambda) -> set[str]:
    """Return the names of a function's parameters."""
    return {argument.arg for argument in _arguments(node)}


def _arguments(node: Function | ast.Lambda) -> list[ast.arg]:
    arguments = node.args
    return [
        *arguments.posonlyargs,
        *arguments.args,
        *arguments.kwonlyargs,
        *filter(None, (arguments.vararg, arguments.kwarg)),
    ]


def stored(node: ast.AST) -> Iterator[str]:
    """Yield names that are bound or deleted, outside inner functions; ``*``: a star import may bind any name."""
    match node:
        case ast.Name(ctx=ast.Store() | ast.Del()):
            yield node.id
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            yield node.name
        case ast.Import() | ast.ImportFrom():
            yield from ((alias.asname or alias.name).partition(".")[0] for alias in node.names)
        case ast.Lambda():
            pass
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            yield from (inner.target.id for inner in ast.walk(node) if isinstance(inner, ast.NamedExpr))
        case _:
            if isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
                yield node.name
            if isinstance(node, ast.MatchMapping) and node.rest:
                yield node.rest
            for child in ast.iter_child_nodes(node):
                yield from stored(child)


def now(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the node and the nodes that run with it, outer ones first, without the bodies of defined functions."""
    waiting = [node]
    while waiting:
        current = waiting.pop()
        yield current
        inner: Iterable[ast.AST] = (
            evaluated(current) if isinstance(current, _FUNCTIONS) else ast.iter_child_nodes(current)
        )
        waiting += reversed(list(inner))


def root(node: ast.AST, *, of_result: bool = False) -> str | None:
    """Return the first name of ``name.a[0].b``; with ``of_result``, also of ``name.a().b``."""
    while True:
        match node:
            case ast.Attribute() | ast.Subscript() | ast.Starred():
                node = node.value
            case ast.Call() if of_result:
                node = node.func
            case _:
                return node.id if isinstance(node, ast.Name) else None


def called_by(call: ast.Call) -> str:
    """Return the last name of the called function: ``fit`` of ``a.b.fit()``."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else str(getattr(call.func, "id", ""))


def as_lambda(tree: ast.stmt) -> ast.Assign | None:
    """Return the assignment of ``f = lambda …``, which defines a function too."""
    return tree if isinstance(tree, ast.Assign) and isinstance(tree.value, ast.Lambda) else None
