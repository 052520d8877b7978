"""Which of a notebook's variables are models, and which of them is likely meant."""

from __future__ import annotations

import dis
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import CodeType, FunctionType, ModuleType
from typing import Any

from jupyter_deploy.capture.frameworks import features_of, framework_of
from jupyter_deploy.capture.frameworks.base import Framework
from jupyter_deploy.capture.static_attributes import (
    attribute,
    dodges,
    has_method,
    is_library,
    module_of,
    of_library,
    own,
)

from .cells import History

METHODS = ("predict", "predict_proba", "decision_function", "transform", "score_samples")
"""Those that answer rows, as libraries name them."""

_NO_MODELS = frozenset({"builtins", "numpy", "pandas", "polars"})
_PARTS = 2000
"""Objects that are looked into for whether one model is a part of another."""


@dataclass(frozen=True)
class Candidate:
    """A variable that holds a model.

    Attributes
    ----------
    fitted
        False only where its library says that it is not.
    calls
        Of a function: the names of models that it calls.
    part_of
        The variable of a model that has it inside.
    """

    variable: str
    value: Any
    framework: str
    methods: tuple[str, ...]
    method: str | None
    fitted: bool = True
    calls: tuple[str, ...] = ()
    part_of: str | None = None

    @property
    def is_function(self) -> bool:
        """Whether it is a plain function."""
        return type(self.value) is FunctionType

    @property
    def kind(self) -> str:
        """Its class in short; of a pipeline the steps."""
        name = type(self.value).__qualname__
        steps = framework_of(self.value).steps(self.value)
        if steps:
            return f"{name} ({' → '.join(type(step[1]).__name__ for step in steps)})"
        return name

    def rank(self) -> int:
        """The kinds in the order in which people mean them."""
        if self.is_function:
            return 1 if self.calls else 5
        if not self.fitted:
            return 3
        if self.method == "transform":
            return 4
        called = self.framework == Framework.name and self.method is None  # whatever has a __call__
        return 2 if self.part_of or called else 0


def candidates(namespace: Mapping[str, Any]) -> list[Candidate]:
    """All of them, in the order in which the variables came. No code of the notebook's objects runs."""
    found: list[Candidate] = []
    functions: dict[str, FunctionType] = {}
    for name, value in namespace.items():
        if name.startswith("_"):
            continue
        try:
            if type(value) is FunctionType:
                functions[name] = value
            elif (one := _candidate(name, value)) is not None:
                found.append(one)
        except Exception:  # noqa: BLE001, S112 - an odd class is no reason not to find the others
            continue
    own_models = _with_parts(found)
    return [*own_models, *_functions(functions, own_models)]


def ordered(found: Sequence[Candidate], cells: History) -> list[Candidate]:
    """Best first: what can be deployed as it is, then the last one made or used."""
    place = {id(one): number for number, one in enumerate(found)}

    def key(one: Candidate) -> tuple[int, int, int, int]:
        made, used = cells.made.get(one.variable, 0), cells.used.get(one.variable, 0)
        return one.rank(), -max(made, used), -made, -place[id(one)]

    return sorted(found, key=key)


def _candidate(name: str, value: Any) -> Candidate | None:
    kind = type(value)
    if module_of(kind).partition(".")[0] in _NO_MODELS or issubclass(kind, type | ModuleType) or dodges(kind):
        return None
    framework = framework_of(value)
    if framework.name == Framework.name:
        return _plain_object(name, value)
    if not framework.is_model(value):
        return None
    if framework.called:
        return Candidate(name, value, framework.name, (), None)
    answering = framework.answering(value)
    methods = tuple(one for one in METHODS if has_method(answering, one))
    if not methods:
        return None
    return Candidate(name, value, framework.name, methods, methods[0], fitted=framework.is_fitted(value))


def _plain_object(name: str, value: Any) -> Candidate | None:
    """Whatever has ``predict``; of the user's own classes also what can be called."""
    methods = tuple(one for one in METHODS if has_method(value, one))
    if "predict" in methods:
        return Candidate(name, value, Framework.name, methods, "predict")
    if not is_library(module_of(type(value))) and has_method(value, "__call__"):
        return Candidate(name, value, Framework.name, methods, None)
    return None


def _with_parts(found: Sequence[Candidate]) -> list[Candidate]:
    """With those marked that are inside of others."""
    by_id = {id(one.value): one.variable for one in found}
    inside: dict[int, str] = {}
    for one in found:
        for part in _inside(one.value):
            if id(part) in by_id and part is not one.value:
                inside.setdefault(id(part), one.variable)
    return [_part(one, inside.get(id(one.value))) for one in found]


def _part(one: Candidate, of: str | None) -> Candidate:
    return one if of is None else Candidate(**{**vars(one), "part_of": of})


def _inside(value: Any) -> Iterator[Any]:
    """The objects that it holds, as deep as models hold others."""
    waiting, seen = [value], set[int]()
    while waiting and len(seen) < _PARTS:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if one is not value:
            yield one
        if type(one) is dict:
            waiting += one.values()
        elif type(one) in (list, tuple):
            waiting += one[:100]
        elif type(one) is not FunctionType:
            waiting += own(one).values()


def _functions(functions: Mapping[str, FunctionType], models: Sequence[Candidate]) -> list[Candidate]:
    """The notebook's own functions that call a model, directly or by way of each other; else those that answer."""
    known = {id(one.value): one.variable for one in models}
    mine = {name: one for name, one in functions.items() if one.__module__ == "__main__" and _answers(one)}
    calls: dict[str, tuple[str, ...]] = {}
    for _ in mine:  # until nothing more is known: a chain of functions is as long as there are functions
        before = len(calls)
        for name, function in mine.items():
            if name not in calls and (called := _called(function, known, {id(mine[one]): one for one in calls})):
                calls[name] = called
        if len(calls) == before:
            break
    chosen = [name for name in mine if name in calls or not (calls or models)]
    return [Candidate(name, mine[name], Framework.name, (), None, calls=calls.get(name, ())) for name in chosen]


def _called(function: FunctionType, *known: Mapping[int, str]) -> tuple[str, ...]:
    """The known objects that a function has in sight: its globals, closures, defaults, and what is in containers."""
    reached = [function.__globals__[name] for name in _names(function.__code__) if name in function.__globals__]
    reached += function.__defaults__ or ()
    for cell in function.__closure__ or ():
        try:
            reached.append(cell.cell_contents)
        except ValueError:  # not bound yet
            continue
    for one in list(reached):
        if type(one) in (dict, list, tuple) and len(one) <= 100:
            reached += one.values() if type(one) is dict else one
    return tuple(dict.fromkeys(names[id(one)] for one in reached for names in known if id(one) in names))


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _answers(function: FunctionType) -> bool:
    """Whether it takes something and gives something back."""
    code = function.__code__
    if not code.co_argcount + code.co_kwonlyargcount:
        return False
    before: Any = None
    for instruction in dis.get_instructions(code):
        gives = instruction.opname == "RETURN_VALUE" and not (
            before is not None and before.opname == "LOAD_CONST" and before.argval is None
        )
        if gives or (instruction.opname == "RETURN_CONST" and instruction.argval is not None):
            return True
        before = instruction
    return False


def known_features(value: Any) -> tuple[str, ...] | None:
    """Names of the columns that a model was fitted on, its own or those of what it has inside; None: not known."""
    names = _known(value, "feature_names_in_")
    if names is None and first_step(value) is None and of_library(type(value)):
        return features_of(value)
    return None if names is None else tuple(map(str, names))


def known_width(value: Any) -> int | None:
    """How many columns it was fitted on; None: not known."""
    width = _known(value, "n_features_in_")
    return int(width) if isinstance(width, int) else None


def _known(value: Any, name: str) -> Any:
    """Its own; else that of what it has inside, which its library's property would ask, whoever wrote that."""
    while (found := own(value).get(name)) is None and (inner := first_step(value)) is not None:
        value = inner
    return attribute(value, name) if found is None else found


def first_step(value: Any) -> Any:
    """What in a pipeline or a search sees the table first; None: the model itself."""
    parts = own(value)
    steps = parts.get("steps")
    if type(steps) is list and steps:
        return steps[0][1]
    return next((parts[name] for name in ("best_estimator_", "estimator_", "estimator") if name in parts), None)
