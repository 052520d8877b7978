"""Safe evaluation of expressions in a notebook, without running code that has side effects."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

_LIBRARIES = ("numpy", "pandas", "polars", "scipy", "torch")

_ATTRIBUTES = frozenset(("values", "T", "loc", "iloc", "columns", "index", "array", "str", "dt", "data"))

# Methods of tables that return a new table and do not modify the original.
_METHODS = frozenset(
    (
        *("drop", "to_numpy", "to_frame", "to_pandas", "copy", "astype", "fillna", "dropna", "drop_nulls", "tolist"),
        *("head", "tail", "filter", "select", "select_dtypes", "sort_values", "rename", "isin", "isna", "notna"),
        *("between", "reset_index", "numpy", "detach", "cpu", "float", "reshape", "ravel", "toarray"),
    )
)
_FUNCTIONS = frozenset(("numpy.array", "numpy.asarray", "pandas.DataFrame", "pandas.Series"))

_OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Invert: operator.invert,
    ast.USub: operator.neg,
}


class NotEvaluable(Exception):
    """The expression cannot be evaluated without running code that may have side effects."""


def evaluate(expression: ast.expr, namespace: Mapping[str, Any]) -> Any:
    """Evaluate an expression of names, attributes, subscripts, comparisons and pure methods of tables.

    Raises
    ------
    NotEvaluable
        The expression contains another element, or raises now.
    """
    try:
        return _evaluate(expression, namespace)
    except NotEvaluable:
        raise
    except Exception as error:  # any error of a library about incompatible operands
        raise NotEvaluable(str(error)) from error


def _evaluate(node: ast.expr, namespace: Mapping[str, Any]) -> Any:  # noqa: C901, PLR0911 - one case a kind of expression
    match node:
        case ast.Constant():
            return node.value
        case ast.Name() if node.id in namespace:
            return namespace[node.id]
        case ast.List() | ast.Tuple():
            items = [_evaluate(item, namespace) for item in node.elts]
            return tuple(items) if isinstance(node, ast.Tuple) else items
        case ast.Slice():
            return slice(
                *(_evaluate(part, namespace) if part else None for part in (node.lower, node.upper, node.step))
            )
        case ast.JoinedStr():
            return "".join(str(_plain(_evaluate(part, namespace))) for part in node.values)
        case ast.FormattedValue(format_spec=None):
            return _evaluate(node.value, namespace)
        case ast.Attribute():
            return _attribute(_evaluate(node.value, namespace), node.attr)
        case ast.Subscript():
            return _of_library(_evaluate(node.value, namespace), dict, list, tuple)[_evaluate(node.slice, namespace)]
        case ast.Compare(ops=[operation], comparators=[other]) if type(operation) in _OPERATORS:
            return _apply_operator(operation, _evaluate(node.left, namespace), _evaluate(other, namespace))
        case ast.BinOp() if type(node.op) in _OPERATORS:
            return _apply_operator(node.op, _evaluate(node.left, namespace), _evaluate(node.right, namespace))
        case ast.UnaryOp() if type(node.op) in _OPERATORS:
            return _apply_operator(node.op, _evaluate(node.operand, namespace))
        case ast.Call():
            return _call_method(node, namespace)
    raise NotEvaluable(ast.unparse(node))


def _attribute(owner: Any, name: str) -> Any:
    if isinstance(owner, dict) and name in owner:  # scikit-learn's data sets are dicts with their keys as attributes
        return owner[name]
    if isinstance(owner, Path) and name == "parent":
        return owner.parent
    attributes = getattr(owner, "__dict__", {})  # not getattr: that may run a property
    if name in attributes:
        return attributes[name]
    if _is_of_library(owner) and (name in _ATTRIBUTES or name in getattr(owner, "columns", ())):
        return getattr(owner, name)
    raise NotEvaluable(name)


def _apply_operator(operation: ast.AST, *operands: Any) -> Any:
    for operand in operands:
        _of_library(operand, bool, int, float, str, Path, list)
    return _OPERATORS[type(operation)](*operands)


def _call_method(node: ast.Call, namespace: Mapping[str, Any]) -> Any:
    keywords = {word.arg: _evaluate(word.value, namespace) for word in node.keywords if word.arg}
    if len(keywords) != len(node.keywords) or keywords.get("inplace"):
        raise NotEvaluable(ast.unparse(node))
    if isinstance(node.func, ast.Attribute):
        owner = _evaluate(node.func.value, namespace)
        if isinstance(owner, ModuleType):
            allowed = f"{owner.__name__}.{node.func.attr}" in _FUNCTIONS
        else:
            allowed = _is_of_library(owner) and node.func.attr in _METHODS
        if allowed:
            return getattr(owner, node.func.attr)(
                *(_evaluate(argument, namespace) for argument in node.args), **keywords
            )
    elif isinstance(node.func, ast.Name) and namespace.get(node.func.id) is Path:
        return Path(*(_plain(_evaluate(argument, namespace)) for argument in node.args))
    raise NotEvaluable(ast.unparse(node))


def _plain(value: Any) -> Any:
    if isinstance(value, str | int | Path):
        return value
    raise NotEvaluable(type(value).__name__)


def _of_library(value: Any, *kinds: type) -> Any:
    if _is_of_library(value) or isinstance(value, kinds):
        return value
    raise NotEvaluable(type(value).__name__)


def _is_of_library(value: Any) -> bool:
    return type(value).__module__.partition(".")[0] in _LIBRARIES
