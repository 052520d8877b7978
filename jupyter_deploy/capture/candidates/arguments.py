"""Examples of a function's arguments: from its calls, tables, variables of the same names, or from types."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from types import FunctionType
from typing import Any

from jupyter_deploy.capture.cell_history import CallArguments
from jupyter_deploy.domain.capture.candidates import ExampleGuess

from .calls import of_calls
from .record_classes import of_record, record_of
from .tables import TableVariable, name_score

_PLAIN = (bool, int, float, str)
_BY_TYPE = {"bool": "True", "int": "1", "float": "1.0", "str": "'text'"}
_OF_TEXTS = re.compile(r"^(?:list|Sequence|Iterable)\[str\]$", re.IGNORECASE)


def arguments_for(
    function: FunctionType,
    tables: Sequence[TableVariable],
    namespace: Mapping[str, Any],
    calls: Sequence[tuple[int, CallArguments]],
) -> Iterator[tuple[float, ExampleGuess]]:
    """Yield guesses with their scores; ``calls`` as in ``History``."""
    parameters = _parameters(function)
    required = [parameter.name for parameter in parameters if parameter.default is parameter.empty]
    if not parameters:
        return
    tabular = {table.variable for table in tables}
    yield from of_calls([parameter.name for parameter in parameters], calls, namespace, tabular)
    if record := record_of(function):
        yield from of_record(record, namespace)
        return
    if len(parameters) == 1:
        yield from _alone(parameters[0], tables, namespace)
        return
    for table in tables:
        taken = [parameter.name for parameter in parameters if parameter.name in (table.columns or ())]
        if taken and set(required) <= set(taken) and (row := _first_row(table, taken)) is not None:
            words = f"the first row of {table.variable}"
            yield 6 + name_score(table.variable, None), ExampleGuess(expression=_call(row), words=words)
    names = {parameter.name for parameter in parameters}
    for variable, value in namespace.items():
        if type(value) is dict and not variable.startswith("_") and set(required) <= value.keys() <= names and value:
            yield 5.5, ExampleGuess(expression=variable, words="a dict of its arguments")
    same = {name: name for name in required if _is_plain(namespace.get(name))}
    if required and len(same) == len(required):
        yield 5.0, ExampleGuess(expression=_call(same), words="variables of these names")
    placeholders = {parameter.name: text for parameter in parameters if (text := _made(parameter)) is not None}
    if set(required) <= set(placeholders):
        yield (
            1.0,
            ExampleGuess(
                expression=_call(placeholders), words="placeholders by the parameters' types", placeholder=True
            ),
        )


def _parameters(function: FunctionType) -> list[inspect.Parameter]:
    parameters = inspect.signature(function, follow_wrapped=False).parameters.values()
    return [
        parameter
        for parameter in parameters
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    ]


def _alone(
    parameter: inspect.Parameter, tables: Sequence[TableVariable], namespace: Mapping[str, Any]
) -> Iterator[tuple[float, ExampleGuess]]:
    """Yield guesses for a function with a single argument."""
    kind = _type_name(parameter.annotation)
    forms_of_type = {
        "DataFrame": ("frame",),
        "ndarray": ("array",),
        "Tensor": ("tensor",),
        "Series": ("texts", "numbers"),
    }
    forms = ("texts",) if _OF_TEXTS.match(kind) else forms_of_type.get(kind.rpartition(".")[2], ())
    for table in tables:
        name_points = name_score(table.variable, None)
        if table.form in forms:
            yield 5 + name_points, ExampleGuess(expression=table.sliced, words=f"of {table.words}")
        elif table.form == "texts" and (kind == "str" or (not kind and _is_of(parameter.name, table.variable))):
            yield 4 + name_points, ExampleGuess(expression=f"{table.variable}[0]", words=f"the first of {table.words}")
        elif not kind and _is_of(table.variable, parameter.name):
            yield 3 + name_points, ExampleGuess(expression=table.sliced, words=f"of {table.words}")
    if _is_plain(namespace.get(parameter.name)):
        yield 4.5, ExampleGuess(expression=parameter.name, words="the variable of this name")
    made = _made(parameter)
    if made is not None:
        yield 1.0, ExampleGuess(expression=made, words="a placeholder by the parameter's type", placeholder=True)


def _is_of(longer: str, shorter: str) -> bool:
    """Whether the names match: ``text`` and ``texts``, ``X_test`` and ``X``."""
    long_name, short_name = longer.lower(), shorter.lower()
    return (
        long_name == short_name
        or long_name.startswith(f"{short_name}_")
        or f"{long_name}s" == short_name
        or short_name.startswith(f"{long_name}s_")
    )


def _is_plain(value: Any) -> bool:
    return type(value) in _PLAIN


def _type_name(annotation: Any) -> str:
    """Return the annotation's text; empty: no annotation."""
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


def _first_row(table: TableVariable, names: Sequence[str]) -> dict[str, str] | None:
    """Return the values as Python literals; None: some have no literal."""
    row = {}
    for name in names:
        if table.form == "rows":
            value = table.value[0].get(name)
        else:
            column = table.value[name]
            value = column.iloc[0] if hasattr(column, "iloc") else column[0]
        value = value.item() if hasattr(value, "item") else value
        if not _is_plain(value) or (isinstance(value, float) and math.isnan(value)):
            return None
        row[name] = repr(float(f"{value:.6g}")) if type(value) is float else repr(value)
    return row
