"""Idempotent expressions, such as the usual cleaning of tables."""

from __future__ import annotations

import ast

_METHODS = frozenset(
    {"dropna", "fillna", "drop_duplicates", "astype", "copy", "sort_values", "sort_index", "clip", "round", "abs"}
    | {"strip", "lower", "upper", "title", "to_datetime", "to_numeric", "to", "cpu", "float", "double", "eval", "numpy"}
    | {"ffill", "filter", "select_dtypes", "reset_index", "drop", "rename", "query", "get_dummies"}
)

# Conditions of a mask on each row alone.
_OF_ROWS = frozenset(
    {"isin", "between", "isna", "isnull", "notna", "notnull", "contains", "startswith", "endswith", "match", "len"}
    | {"lower", "upper", "strip", "abs", "eq", "ne", "lt", "le", "gt", "ge"}
)
_OF_MASKS = (
    *(ast.Compare, ast.BoolOp, ast.BinOp, ast.UnaryOp, ast.Constant, ast.Name, ast.Attribute, ast.Subscript, ast.List),
    *(ast.Tuple, ast.Set, ast.Call, ast.keyword, ast.operator, ast.unaryop, ast.boolop, ast.cmpop, ast.expr_context),
)


def is_idempotent(value: ast.expr, target: str) -> bool:
    """Whether it is a chain of such methods on the target, on its rows or columns, or ``pd.to_datetime(target)``."""
    while isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
        if value.func.attr not in _METHODS or not _keeps_idempotence(value.func.attr, value):
            return False
        if value.args and ast.unparse(value.args[0]) == target:
            return True
        value = value.func.value
        if isinstance(value, ast.Attribute) and value.attr == "str":
            value = value.value
    if isinstance(value, ast.Subscript) and ast.unparse(value.value) in (target, f"{target}.loc"):
        return _is_of_columns(value.slice) or _is_mask(value.slice, target)
    return ast.unparse(value) == target


def _keeps_idempotence(method: str, call: ast.Call) -> bool:
    """Whether the method is idempotent with these arguments."""
    keywords = {word.arg: word.value for word in call.keywords}
    match method:
        case "reset_index":
            return _is_constant(keywords.get("drop"), value=True)
        case "drop":
            return _is_constant(keywords.get("errors"), value="ignore")
        case "query":
            return len(call.args) == 1 and isinstance(call.args[0], ast.Constant) and "(" not in str(call.args[0].value)
        case "rename":
            return not call.args and set(keywords) == {"columns"} and _is_to_others(keywords["columns"])
    return not (method == "get_dummies" and "columns" in keywords)


def _is_to_others(names: ast.expr) -> bool:
    if not isinstance(names, ast.Dict):
        return False
    texts = [{ast.unparse(name) for name in these if name} for these in (names.keys, names.values)]
    return not texts[0] & texts[1]


def _is_constant(node: ast.expr | None, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value == value


def _is_of_columns(node: ast.expr) -> bool:
    return isinstance(node, ast.List) and all(isinstance(element, ast.Constant) for element in node.elts)


def _is_mask(node: ast.expr, target: str) -> bool:
    """Whether it is a condition on each row of the target alone, without a mean of all rows or positions."""
    if not isinstance(node, ast.Compare | ast.BinOp | ast.UnaryOp | ast.Call):
        return False
    for part in ast.walk(node):
        if not isinstance(part, _OF_MASKS):
            return False
        if isinstance(part, ast.Call) and not (isinstance(part.func, ast.Attribute) and part.func.attr in _OF_ROWS):
            return False
        if isinstance(part, ast.Subscript) and not isinstance(part.slice, ast.Constant):
            return False
    return any(isinstance(part, ast.Name) and part.id == target for part in ast.walk(node))
