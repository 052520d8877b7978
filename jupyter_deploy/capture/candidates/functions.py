"""The notebook's functions that call a model, and those among them that answer requests."""

from __future__ import annotations

import dis
import re
from collections.abc import Iterator, Mapping
from types import CodeType, FunctionType, ModuleType
from typing import Any

_MOST_USES = 5

_TRAINING = frozenset(
    {
        *("fit", "fit_transform", "partial_fit", "train_test_split", "cross_val_score", "cross_validate"),
        *("backward", "zero_grad", "savefig", "subplots", "figure", "imshow", "plot", "scatter", "show"),
    }
)
"""Names in the code of a function that trains or draws."""

_METRIC = re.compile(r"(?:accuracy|auc|rmse|_score|_loss|_error|_report|_matrix|_curve|_deviance)$")
_SOLUTIONS = frozenset(
    {
        *("y", "ys", "labels", "label", "target", "targets", "y_true", "y_test", "y_train", "truth"),
        *("epochs", "n_epochs", "loader", "dataloader", "data_loader", "optimizer", "criterion", "trial", "ax"),
    }
)
"""Parameters of a function that trains or evaluates."""

_WORK = re.compile(
    r"^(?:train|fit|eval|evaluate|test|plot|show|draw|display|accuracy|loss|objective|cross|validate|benchmark|compare|"
    r"report|tune|main|run|visuali[sz]e)(?:_|$)"
)


def calling(
    functions: Mapping[str, FunctionType], models: Mapping[int, str]
) -> list[tuple[str, FunctionType, tuple[str, ...], tuple[str, ...]]]:
    """Return the notebook's functions that call a model, directly or indirectly; else those that return a value.

    Parameters
    ----------
    functions
        By variable.
    models
        The variables of the models, by the objects' ids.

    Returns
    -------
    list
        Name, function, names of the models and functions that it calls, and other variables that it reads.
    """
    mine = {
        name: function
        for name, function in functions.items()
        if function.__module__ == "__main__" and _answers(function)
    }
    calls: dict[str, tuple[str, ...]] = {}
    for _ in mine:  # until no more are known: a chain of calls is at most as long as the list of functions
        before = len(calls)
        for name, function in mine.items():
            if name not in calls and (
                called := _called(function, models, {id(mine[caller]): caller for caller in calls})
            ):
                calls[name] = called
        if len(calls) == before:
            break
    chosen = [name for name in mine if name in calls or not (calls or models)]
    return [(name, mine[name], calls.get(name, ()), _uses(mine[name], calls.get(name, ()))) for name in chosen]


def answers_requests(function: FunctionType) -> bool:
    """Whether a function that calls a model may answer requests: it does not train, evaluate or draw, by its names."""
    if _WORK.match(function.__name__) or _SOLUTIONS & set(parameters_of(function)):
        return False
    return not any(name in _TRAINING or _METRIC.search(name) for name in _names(function.__code__))


def parameters_of(function: FunctionType) -> tuple[str, ...]:
    """Return the names of a function's parameters, without ``*args`` and ``**kwargs``."""
    code = function.__code__
    return tuple(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])


def _called(function: FunctionType, *known: Mapping[int, str]) -> tuple[str, ...]:
    """Return the known objects that a function can reach: globals, closures, defaults, and items of containers."""
    reached = [function.__globals__[name] for name in _names(function.__code__) if name in function.__globals__]
    reached += function.__defaults__ or ()
    for cell in function.__closure__ or ():
        try:
            reached.append(cell.cell_contents)
        except ValueError:  # not bound yet
            continue
    for value in list(reached):
        if type(value) in (dict, list, tuple) and len(value) <= 100:
            reached += value.values() if type(value) is dict else value
    return tuple(dict.fromkeys(names[id(value)] for value in reached for names in known if id(value) in names))


def _uses(function: FunctionType, calls: tuple[str, ...]) -> tuple[str, ...]:
    """Return the other variables that a function reads: neither modules, nor a library's functions and classes."""
    names = [
        name
        for name in dict.fromkeys(_names(function.__code__))
        if name in function.__globals__ and name not in calls and _is_own(function.__globals__[name])
    ]
    return tuple(names[:_MOST_USES])


def _is_own(value: Any) -> bool:
    if type(value) is FunctionType:
        return value.__module__ == "__main__"
    return not (isinstance(value, ModuleType) or callable(value))


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _answers(function: FunctionType) -> bool:
    """Whether the function takes an argument and returns a value."""
    if not parameters_of(function):
        return False
    before: Any = None
    for instruction in dis.get_instructions(function.__code__):
        gives = instruction.opname == "RETURN_VALUE" and not (
            before is not None and before.opname == "LOAD_CONST" and before.argval is None
        )
        if gives or (instruction.opname == "RETURN_CONST" and instruction.argval is not None):
            return True
        before = instruction
    return False
