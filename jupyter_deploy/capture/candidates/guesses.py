"""Examples of what a model is asked with, guessed from the notebook's variables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jupyter_deploy.capture.frameworks import framework_of
from jupyter_deploy.capture.static_attributes import bases_of
from jupyter_deploy.domain.capture.candidates import ExampleGuess

from .arguments import arguments_for
from .models import Candidate, first_step, known_features, known_width
from .tables import TableFound, by_name

MOST = 5
_LISTED = 12
"""Columns that an expression still names one by one."""

_VECTORIZERS = ("_VectorizerMixin", "TfidfVectorizer", "CountVectorizer", "HashingVectorizer")


@dataclass(frozen=True)
class Around:
    """What there is to guess from."""

    tables: Sequence[TableFound]
    models: Mapping[str, Candidate]
    namespace: Mapping[str, Any]
    fitted_on: Mapping[str, str]


def examples_for(model: Candidate, around: Around) -> tuple[ExampleGuess, ...]:
    """At most five, best first."""
    found: dict[str, tuple[float, ExampleGuess]] = {}
    for score, guess in _scored(model, around):
        if guess.expression not in found or found[guess.expression][0] < score:
            found[guess.expression] = (score, guess)
    best = sorted(found.values(), key=lambda pair: -pair[0])
    return tuple(guess for _, guess in best[:MOST])


def _scored(model: Candidate, around: Around) -> Iterator[tuple[float, ExampleGuess]]:
    if model.is_function:
        yield from arguments_for(model.value, around.tables, around.namespace)
        for called in model.calls:  # one parameter: it is handed on, perhaps
            if len(_parameters(model.value)) == 1 and called in around.models:
                yield from ((score - 1, guess) for score, guess in _scored(around.models[called], around))
        return
    fitted_on = around.fitted_on.get(model.variable)
    for table in around.tables:
        expression, fits = _fitting(model, table, around.namespace)
        if expression is not None:
            score = fits + by_name(table.variable, fitted_on)
            seen = "; the model was fitted on it" if table.variable == fitted_on else ""
            yield score, ExampleGuess(expression=expression, words=f"of {table.words}{seen}")


def _parameters(function: Any) -> tuple[str, ...]:
    code = function.__code__
    return tuple(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])


def _fitting(model: Candidate, table: TableFound, namespace: Mapping[str, Any]) -> tuple[str | None, float]:
    """An expression that the model can be asked with, and how well it fits; None: it cannot."""
    guess = framework_of(model.value).guess(model.value, table, namespace)
    if guess is not None:
        return guess
    if _takes_texts(model.value):
        return (table.sliced if table.form == "texts" else None), 4.0
    return _for_estimator(model, table)


def _for_estimator(model: Candidate, table: TableFound) -> tuple[str | None, float]:
    features, width = known_features(model.value), known_width(model.value)
    if features is not None:
        if table.form == "frame":
            return _with_columns(features, table)
        return (table.sliced if table.width == len(features) and table.ndim == 2 else None), -2.0
    if width is not None:
        fits = table.width == width and table.ndim == 2
        return (table.sliced if fits else None), {"array": 4.0, "rows": 1.0}.get(table.form, 2.0)
    return (table.sliced if table.form != "numbers" else None), 1.0 if table.form in ("frame", "array") else 0.0


def _takes_texts(value: Any) -> bool:
    """Whether what sees the rows first makes numbers of texts."""
    while (inner := first_step(value)) is not None:
        value = inner
    return any(base.__name__ in _VECTORIZERS for base in bases_of(type(value)))


def _with_columns(features: Sequence[str], table: TableFound) -> tuple[str | None, float]:
    given = table.columns or ()
    if not set(features) <= set(given):
        return None, 0.0
    if tuple(features) == given:
        return table.sliced, 6.0
    if len(features) > _LISTED:
        return None, 0.0
    names = [name for name in table.value.columns if str(name) in features]
    ordered = sorted(names, key=lambda name: features.index(str(name)))
    return table.sliced.replace(table.variable, f"{table.variable}[{ordered!r}]", 1), 5.0
