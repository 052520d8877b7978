"""Examples of a function's arguments from its calls in the cells."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from jupyter_deploy.capture.cell_history import CallArguments
from jupyter_deploy.domain.capture.candidates import ExampleGuess

from .record_classes import is_record

_SCORE = 6.5
_LONGEST = 500
"""The most characters of an expression."""


def of_calls(
    parameters: Sequence[str],
    calls: Sequence[tuple[int, CallArguments]],
    namespace: Mapping[str, Any],
    tables: Collection[str],
) -> Iterator[tuple[float, ExampleGuess]]:
    """Yield a guess with its score from the latest call whose arguments can be evaluated again without side effects.

    A call with a whole table is no example: its first rows are another guess.
    """
    for cell, call in calls:
        arguments = {**dict(zip(parameters, call.positional, strict=False)), **call.named}
        fits = len(call.positional) <= len(parameters) and arguments.keys() <= set(parameters)
        if not fits or not arguments or not all(_repeats(value, namespace, tables) for value in arguments.values()):
            continue
        texts = {name: ast.unparse(value) for name, value in arguments.items()}
        (first, *others) = texts.values()
        named = ", ".join(f"{name}={text}" for name, text in texts.items())
        expression = f"dict({named})" if others or len(parameters) > 1 else first
        if len(expression) <= _LONGEST:
            yield _SCORE, ExampleGuess(expression=expression, words=f"as In [{cell}] calls it")
            return


def _repeats(node: ast.expr, namespace: Mapping[str, Any], tables: Collection[str]) -> bool:
    """Whether an argument is made of literals, variables and records, whose evaluation again changes nothing."""
    match node:
        case ast.Constant():
            return True
        case ast.Name():
            return node.id in namespace and node.id not in tables
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant()):
            return True
        case ast.Subscript(value=ast.Name() as owner, slice=ast.Constant()):
            return owner.id in namespace
        case _:
            parts = _parts(node, namespace)
            return parts is not None and all(_repeats(part, namespace, tables) for part in parts)


def _parts(node: ast.expr, namespace: Mapping[str, Any]) -> Sequence[ast.expr] | None:
    """Return the parts of a container, or the arguments of a record; None: it is another expression."""
    match node:
        case ast.List() | ast.Tuple():
            return node.elts
        case ast.Dict():
            return [*filter(None, node.keys), *node.values] if all(node.keys) else None
        case ast.Call(func=ast.Name() as called) if is_record(namespace.get(called.id)):
            return [*node.args, *(word.value for word in node.keywords)]
    return None
