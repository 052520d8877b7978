"""Examples for a model, guessed from the notebook's variables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jupyter_deploy.capture.frameworks import framework_of
from jupyter_deploy.capture.static_attributes import bases_of
from jupyter_deploy.domain.capture.candidates import ExampleGuess

from .arguments import arguments_for
from .models import ModelVariable, first_step, known_features, known_width
from .tables import TableVariable, name_score

MOST = 5
_LISTED = 12
"""The most columns that an expression names one by one."""

_VECTORIZERS = ("_VectorizerMixin", "TfidfVectorizer", "CountVectorizer", "HashingVectorizer")


@dataclass(frozen=True)
class GuessContext:
    """The notebook's variables, by which examples are guessed."""

    tables: Sequence[TableVariable]
    models: Mapping[str, ModelVariable]
    namespace: Mapping[str, Any]
    fitted_on: Mapping[str, str]


def examples_for(model: ModelVariable, context: GuessContext) -> tuple[ExampleGuess, ...]:
    """Return at most five examples, best first."""
    best_scores: dict[str, tuple[float, ExampleGuess]] = {}
    for score, guess in _scored(model, context):
        if guess.expression not in best_scores or best_scores[guess.expression][0] < score:
            best_scores[guess.expression] = (score, guess)
    ranked = sorted(best_scores.values(), key=lambda pair: -pair[0])
    return tuple(guess for _, guess in ranked[:MOST])


def _scored(model: ModelVariable, context: GuessContext) -> Iterator[tuple[float, ExampleGuess]]:
    if model.is_function:
        yield from arguments_for(model.value, context.tables, context.namespace)
        for called in model.calls:  # a single parameter is probably passed on
            if len(_parameters(model.value)) == 1 and called in context.models:
                yield from ((score - 1, guess) for score, guess in _scored(context.models[called], context))
        return
    fitted_on = context.fitted_on.get(model.variable)
    for table in context.tables:
        expression, fits = _fitting(model, table, context.namespace)
        if expression is not None:
            score = fits + name_score(table.variable, fitted_on)
            seen = "; the model was fitted on it" if table.variable == fitted_on else ""
            yield score, ExampleGuess(expression=expression, words=f"of {table.words}{seen}")


def _parameters(function: Any) -> tuple[str, ...]:
    code = function.__code__
    return tuple(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])


def _fitting(model: ModelVariable, table: TableVariable, namespace: Mapping[str, Any]) -> tuple[str | None, float]:
    """Return an expression that suits the model, and its score; None: none."""
    guess = framework_of(model.value).guess(model.value, table, namespace)
    if guess is not None:
        return guess
    if _takes_texts(model.value):
        return (table.sliced if table.form == "texts" else None), 4.0
    return _for_estimator(model, table)


def _for_estimator(model: ModelVariable, table: TableVariable) -> tuple[str | None, float]:
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
    """Whether the model's first step converts texts to numbers."""
    while (inner := first_step(value)) is not None:
        value = inner
    return any(base.__name__ in _VECTORIZERS for base in bases_of(type(value)))


def _with_columns(features: Sequence[str], table: TableVariable) -> tuple[str | None, float]:
    columns = table.columns or ()
    if not set(features) <= set(columns):
        return None, 0.0
    if tuple(features) == columns:
        return table.sliced, 6.0
    if len(features) > _LISTED:
        return None, 0.0
    names = [name for name in table.value.columns if str(name) in features]
    ordered = sorted(names, key=lambda name: features.index(str(name)))
    return table.sliced.replace(table.variable, f"{table.variable}[{ordered!r}]", 1), 5.0
