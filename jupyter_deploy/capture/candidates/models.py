"""The models among a notebook's variables, ranked by likelihood."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import FunctionType, ModuleType
from typing import Any

from jupyter_deploy.capture.cell_history import History
from jupyter_deploy.capture.frameworks import features_of, framework_of
from jupyter_deploy.capture.frameworks.base import Framework
from jupyter_deploy.capture.static_attributes import (
    attribute,
    bases_of,
    dodges,
    has_method,
    is_library,
    module_of,
    of_library,
    own,
)

from .functions import answers_requests, calling

METHODS = ("predict", "predict_proba", "decision_function", "transform", "score_samples")
"""Method names by which libraries predict."""

_NO_MODELS = frozenset({"builtins", "numpy", "pandas", "polars"})
_PARTS = 2000
"""The number of objects that are searched for parts of models."""


@dataclass(frozen=True)
class ModelVariable:
    """A variable that holds a model.

    Attributes
    ----------
    fitted
        False only if the model's library says so.
    calls
        The names of models and functions that a function calls.
    uses
        Other variables of the notebook that a function reads.
    part_of, called_by
        The variable of a model that contains this one; that of a function that calls it to answer requests.
    alone
        No other model or function of the notebook can answer requests.
    """

    variable: str
    value: Any
    framework: str
    methods: tuple[str, ...]
    method: str | None
    fitted: bool = True
    calls: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    part_of: str | None = None
    called_by: str | None = None
    alone: bool = False

    @property
    def is_function(self) -> bool:
        """Whether the model is a plain function."""
        return type(self.value) is FunctionType

    @property
    def exported(self) -> bool:
        """Whether the model is in a neutral format, which a notebook makes of a trained one."""
        return framework_of(self.value).exports

    @property
    def kind(self) -> str:
        """The class name; for a pipeline with its steps."""
        name = type(self.value).__qualname__
        steps = framework_of(self.value).steps(self.value)
        if steps:
            return f"{name} ({' → '.join(type(step[1]).__name__ for step in steps)})"
        return name

    def rank(self) -> int:
        """The rank of the model's kind: the likeliest first."""
        if self.is_function:
            return 2 if self.called_by else 5 if not self.calls else 0 if answers_requests(self.value) else 1
        if not self.fitted:
            return 3
        if self.method == "transform":
            return 4
        called = self.framework == Framework.name and self.method is None  # any object with __call__
        return 2 if self.part_of or self.called_by or called else 0

    @property
    def unusual(self) -> bool:
        """Whether a form asks first: it is not fitted, a transformer, a plain object, or a detector among models."""
        if self.is_function:
            return False
        detects_outliers = any(base.__name__ == "OutlierMixin" for base in bases_of(type(self.value)))
        plain = self.framework == Framework.name and not self.method
        return self.rank() in (3, 4) or plain or (detects_outliers and not self.alone)


def candidates(namespace: Mapping[str, Any]) -> list[ModelVariable]:
    """Return all candidates in the order of the variables. The notebook's code does not run."""
    models: list[ModelVariable] = []
    functions: dict[str, FunctionType] = {}
    for name, value in namespace.items():
        if name.startswith("_"):
            continue
        try:
            if type(value) is FunctionType:
                functions[name] = value
            elif (model := _candidate(name, value)) is not None:
                models.append(model)
        except Exception:  # noqa: BLE001, S112 - an unusual class must not hide the other models
            continue
    own_models = _with_parts(models)
    found = [*own_models, *(_function(*item) for item in calling(functions, {id(m.value): m.variable for m in models}))]
    callers = {called: model.variable for model in found if model.rank() == 0 for called in model.calls}
    found = [replace(model, called_by=callers.get(model.variable)) for model in found]
    answering = {id(model.value) for model in found if model.rank() == 0 and not model.exported}
    return [replace(model, alone={id(model.value)} == answering) for model in found]


def _function(name: str, function: FunctionType, calls: tuple[str, ...], uses: tuple[str, ...]) -> ModelVariable:
    return ModelVariable(name, function, Framework.name, (), None, calls=calls, uses=uses)


def ordered(models: Sequence[ModelVariable], cells: History) -> list[ModelVariable]:
    """Sort candidates: deployable ones first, then by the last cell that made or used them.

    Of those of the same cell, and of models that are compared cell by cell, pipelines and searches come first: they
    take the rows as clients have them; then the one of the last statement. An export comes after the models that it may
    be made of.
    """
    position = {id(model): number for number, model in enumerate(models)}
    trained = any(model.rank() == 0 and not model.is_function and not model.exported for model in models)
    compared = _compared(models, cells)

    def key(model: ModelVariable) -> tuple[int, int, int, bool, int, int, int]:
        name = model.variable
        made, (cell, statement) = cells.made.get(name, 0), cells.last.get(name, (0, 0))
        rank = 2 if trained and model.exported else model.rank()
        alone = first_step(model.value) is None
        return rank, -compared.get(name, cell), -made, alone, -cell, -statement, -position[id(model)]

    return sorted(models, key=key)


def _compared(models: Sequence[ModelVariable], cells: History) -> dict[str, int]:
    """Return, for models that are compared, the last cell of the comparison.

    One cell makes them, and each is then used in one cell: the order of these cells says nothing about a choice.
    """
    groups: dict[int, list[str]] = {}
    for model in models:
        if model.rank() == 0 and not model.is_function and (made := cells.made.get(model.variable)):
            groups.setdefault(made, []).append(model.variable)
    last: dict[str, int] = {}
    for made, names in groups.items():
        uses = [[cell for cell in cells.used.get(name, ()) if cell > made] for name in names]
        if all(len(later) == 1 for later in uses):
            last |= dict.fromkeys(names, max(cell for (cell,) in uses))
    return last


def _candidate(name: str, value: Any) -> ModelVariable | None:
    kind = type(value)
    if module_of(kind).partition(".")[0] in _NO_MODELS or issubclass(kind, type | ModuleType) or dodges(kind):
        return None
    framework = framework_of(value)
    if framework.name == Framework.name:
        return _plain_object(name, value)
    if not framework.is_model(value):
        return None
    if framework.called:
        return ModelVariable(name, value, framework.name, (), None)
    answering = framework.answering(value)
    methods = tuple(method for method in METHODS if has_method(answering, method))
    if not methods:
        return None
    return ModelVariable(name, value, framework.name, methods, methods[0], fitted=framework.is_fitted(value))


def _plain_object(name: str, value: Any) -> ModelVariable | None:
    """Accept any object with ``predict``, and callable objects of the user's own classes."""
    methods = tuple(method for method in METHODS if has_method(value, method))
    if "predict" in methods:
        return ModelVariable(name, value, Framework.name, methods, "predict")
    if not is_library(module_of(type(value))) and has_method(value, "__call__"):
        return ModelVariable(name, value, Framework.name, methods, None)
    return None


def _with_parts(models: Sequence[ModelVariable]) -> list[ModelVariable]:
    """Mark the models that others contain."""
    by_id = {id(model.value): model.variable for model in models}
    inside: dict[int, str] = {}
    for model in models:
        for part in _inside(model.value):
            if id(part) in by_id and part is not model.value:
                inside.setdefault(id(part), model.variable)
    return [_part(model, inside.get(id(model.value))) for model in models]


def _part(model: ModelVariable, of: str | None) -> ModelVariable:
    return model if of is None else replace(model, part_of=of)


def _inside(value: Any) -> Iterator[Any]:
    """Yield the objects that a model contains, to the depth of nested models."""
    waiting, seen = [value], set[int]()
    while waiting and len(seen) < _PARTS:
        item = waiting.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if item is not value:
            yield item
        if type(item) is dict:
            waiting += item.values()
        elif type(item) in (list, tuple):
            waiting += item[:100]
        elif type(item) is not FunctionType:
            waiting += own(item).values()


def known_features(value: Any) -> tuple[str, ...] | None:
    """Return the names of the columns at the fit, of the model or its inner model; None: unknown."""
    names = _known(value, "feature_names_in_")
    if names is None and first_step(value) is None and of_library(type(value)):
        return features_of(value)
    return None if names is None else tuple(map(str, names))


def known_width(value: Any) -> int | None:
    """Return the number of columns at the fit; None: unknown."""
    width = _known(value, "n_features_in_")
    if width is None and first_step(value) is None and of_library(type(value)):
        with contextlib.suppress(Exception):
            width = framework_of(value).width(value)
    return int(width) if isinstance(width, int) else None


def _known(value: Any, name: str) -> Any:
    """Return the model's own attribute, else its inner model's, as the library's property would."""
    while (attribute_value := own(value).get(name)) is None and (inner := first_step(value)) is not None:
        value = inner
    return attribute(value, name) if attribute_value is None else attribute_value


def first_step(value: Any) -> Any:
    """Return the step of a pipeline or search that gets the table first; None: the model itself."""
    parts = own(value)
    steps = parts.get("steps")
    if type(steps) is list and steps:
        return steps[0][1]
    return next((parts[name] for name in ("best_estimator_", "estimator_", "estimator") if name in parts), None)
