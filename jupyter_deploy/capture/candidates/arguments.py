"""Examples of a function's arguments: from a table with such columns, from variables of such names, from its types."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from types import FunctionType
from typing import Any

from jupyter_deploy.domain.capture.candidates import ExampleGuess

from .tables import TableFound, by_name

_PLAIN = (bool, int, float, str)
_BY_TYPE = {"bool": "True", "int": "1", "float": "1.0", "str": "'text'"}
_OF_TEXTS = re.compile(r"^(?:list|Sequence|Iterable)\[str\]$", re.IGNORECASE)


def arguments_for(
    function: FunctionType, tables: Sequence[TableFound], namespace: Mapping[str, Any]
) -> Iterator[tuple[float, ExampleGuess]]:
    """Guesses with how good each is."""
    parameters = _parameters(function)
    required = [one.name for one in parameters if one.default is one.empty]
    if not parameters:
        return
    if len(parameters) == 1:
        yield from _alone(parameters[0], tables, namespace)
        return
    for table in tables:
        taken = [one.name for one in parameters if one.name in (table.columns or ())]
        if taken and set(required) <= set(taken) and (row := _first_row(table, taken)) is not None:
            words = f"the first row of {table.variable}"
            yield 6 + by_name(table.variable, None), ExampleGuess(expression=_call(row), words=words)
    names = {one.name for one in parameters}
    for variable, value in namespace.items():
        if type(value) is dict and not variable.startswith("_") and set(required) <= value.keys() <= names and value:
            yield 5.5, ExampleGuess(expression=variable, words="a dict of its arguments")
    same = {name: name for name in required if _is_plain(namespace.get(name))}
    if required and len(same) == len(required):
        yield 5.0, ExampleGuess(expression=_call(same), words="variables of these names")
    made = {one.name: text for one in parameters if (text := _made(one)) is not None}
    if set(required) <= set(made):
        yield 1.0, ExampleGuess(expression=_call(made), words="made up, of the parameters' types")


def _parameters(function: FunctionType) -> list[inspect.Parameter]:
    found = inspect.signature(function, follow_wrapped=False).parameters.values()
    return [one for one in found if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]


def _alone(
    parameter: inspect.Parameter, tables: Sequence[TableFound], namespace: Mapping[str, Any]
) -> Iterator[tuple[float, ExampleGuess]]:
    """The one argument itself."""
    kind = _type_name(parameter.annotation)
    wanted = {"DataFrame": ("frame",), "ndarray": ("array",), "Tensor": ("tensor",), "Series": ("texts", "numbers")}
    forms = ("texts",) if _OF_TEXTS.match(kind) else wanted.get(kind.rpartition(".")[2], ())
    for table in tables:
        said = by_name(table.variable, None)
        if table.form in forms:
            yield 5 + said, ExampleGuess(expression=table.sliced, words=f"of {table.words}")
        elif table.form == "texts" and (kind == "str" or (not kind and _is_of(parameter.name, table.variable))):
            yield 4 + said, ExampleGuess(expression=f"{table.variable}[0]", words=f"the first of {table.words}")
        elif not kind and _is_of(table.variable, parameter.name):
            yield 3 + said, ExampleGuess(expression=table.sliced, words=f"of {table.words}")
    if _is_plain(namespace.get(parameter.name)):
        yield 4.5, ExampleGuess(expression=parameter.name, words="the variable of this name")
    made = _made(parameter)
    if made is not None:
        yield 1.0, ExampleGuess(expression=made, words="made up, of the parameter's type")


def _is_of(longer: str, shorter: str) -> bool:
    """``text`` and ``texts``, ``X_test`` and ``X``."""
    one, other = longer.lower(), shorter.lower()
    return one == other or one.startswith(f"{other}_") or f"{one}s" == other or other.startswith(f"{one}s_")


def _is_plain(value: Any) -> bool:
    return type(value) in _PLAIN


def _type_name(annotation: Any) -> str:
    """As it is written; empty: none is."""
    if annotation is inspect.Parameter.empty:
        return ""
    if isinstance(annotation, str):
        return annotation
    return (
        annotation.__name__ if isinstance(annotation, type) and not hasattr(annotation, "__args__") else str(annotation)
    )


def _made(parameter: inspect.Parameter) -> str | None:
    if _is_plain(parameter.default):
        return repr(parameter.default)
    kind = _type_name(parameter.annotation)
    return "['text']" if _OF_TEXTS.match(kind) else _BY_TYPE.get(kind)


def _call(arguments: Mapping[str, str]) -> str:
    return f"dict({', '.join(f'{name}={text}' for name, text in arguments.items())})"


def _first_row(table: TableFound, names: Sequence[str]) -> dict[str, str] | None:
    """The values as they are written in Python; None: some have no such form."""
    row = {}
    for name in names:
        if table.form == "rows":
            value = table.value[0].get(name)
        else:
            column = table.value[name]
            value = column.iloc[0] if hasattr(column, "iloc") else column[0]
        value = value.item() if hasattr(value, "item") else value
        if not _is_plain(value) or value != value:  # noqa: PLR0124 - NaN
            return None
        row[name] = repr(float(f"{value:.6g}")) if type(value) is float else repr(value)
    return row
