"""Examples for a model, guessed from the notebook's variables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

from jupyter_deploy.capture.cell_history import History
from jupyter_deploy.capture.frameworks import framework_of
from jupyter_deploy.capture.informative_rows import missing_columns
from jupyter_deploy.capture.static_attributes import bases_of, of_library
from jupyter_deploy.domain.capture.candidates import ExampleGuess
from jupyter_deploy.domain.capture.findings import listed

from .arguments import arguments_for
from .functions import parameters_of
from .models import ModelVariable, first_step, known_features, known_width
from .record_classes import record_of
from .tables import FIRST, TableVariable, name_score

MOST = 5
_NAMED = 4
_LISTED = 12
"""The most columns that an expression names one by one."""

_VECTORIZERS = ("_VectorizerMixin", "TfidfVectorizer", "CountVectorizer", "HashingVectorizer")


@dataclass(frozen=True)
class GuessContext:
    """The notebook's variables, by which examples are guessed."""

    tables: Sequence[TableVariable]
    models: Mapping[str, ModelVariable]
    namespace: Mapping[str, Any]
    cells: History


@dataclass(frozen=True)
class _Scored:
    """A guess with its score, and the table of which it takes the first rows, if it does."""

    score: float
    guess: ExampleGuess
    table: TableVariable | None = None
    fitted: bool = False

    def varied(self, missing: frozenset[str] = frozenset()) -> ExampleGuess:
        """Return the guess with rows that show the table's variety; ``missing``: columns that no other guess shows."""
        if self.table is None or not self.table.varied:
            return self.guess
        frame = self.guess.expression.removesuffix(self.table.first_rows)
        chosen = (
            f"{len(self.table.varied)} rows, chosen for missing values, categories and extremes, {self.guess.words}"
        )
        words = f"{chosen}; only it has missing values in {listed(sorted(missing), _NAMED)}" if missing else chosen
        return ExampleGuess(expression=self.table.rows_as(frame), words=words)


def examples_for(model: ModelVariable, context: GuessContext) -> tuple[ExampleGuess, ...]:
    """Return at most five examples, best first.

    Rows of the model's training table come first if only these have missing values that the model was fitted with:
    other rows would make a form that refuses them.
    """
    best_scores: dict[str, _Scored] = {}
    for scored in _scored(model, context):
        known = best_scores.get(scored.guess.expression)
        if known is None or known.score < scored.score:
            best_scores[scored.guess.expression] = scored
    ranked = sorted(best_scores.values(), key=lambda scored: -scored.score)
    training = next((scored for scored in ranked if scored.fitted), None)
    missing = frozenset[str]()
    if training is not None and ranked[0].table is not None and training is not ranked[0]:
        missing = _missing(training) - _missing(ranked[0])
    if missing and training is not None:
        ranked = [training, *(scored for scored in ranked if scored is not training)]
    return tuple(scored.varied(missing if scored is training else frozenset()) for scored in ranked[:MOST])


def _missing(scored: _Scored) -> frozenset[str]:
    """Return the columns with missing values."""
    return missing_columns(scored.table.value) if scored.table and scored.table.form == "frame" else frozenset()


def _scored(model: ModelVariable, context: GuessContext) -> Iterator[_Scored]:
    if model.is_function:
        calls = context.cells.calls.get(model.variable, ())
        for score, guess in arguments_for(model.value, context.tables, context.namespace, calls):
            yield _Scored(score, guess, next((t for t in context.tables if t.sliced == guess.expression), None))
        passed_on = len(parameters_of(model.value)) == 1 and record_of(model.value) is None
        for called in model.calls if passed_on else ():  # probably
            if called in context.models:
                for scored in _scored(context.models[called], context):
                    yield replace(scored, score=scored.score - 1)
        return
    fitted_on, predicted = context.cells.fitted.get(model.variable), context.cells.predicted.get(model.variable)
    for table in context.tables:
        expression, fits = _fitting(model, table, context.namespace)
        if expression is None and table.variable in (fitted_on, predicted):
            expression = _one_column(model, table)
        if expression is not None:
            score = fits + name_score(table.variable, fitted_on, predicted)
            fitted = table.variable == fitted_on
            seen = "; the model was fitted on it" if fitted else ""
            sliced = table if expression.endswith(table.first_rows) else None
            yield _Scored(score, ExampleGuess(expression=expression, words=f"of {table.words}{seen}"), sliced, fitted)
    yield from _of_dicts(known_features(model.value) or (), context.namespace)


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


def _one_column(model: ModelVariable, table: TableVariable) -> str | None:
    """Return rows of a single column of numbers, in the form in which the model takes them; None: it takes none."""
    if table.form != "numbers" or table.library not in ("numpy", "pandas") or known_features(model.value) is not None:
        return None
    width = known_width(model.value)
    if width == 1:
        return f"{table.sliced}.{'to_frame()' if table.library == 'pandas' else 'reshape(-1, 1)'}"
    if width is None and framework_of(model.value).takes_lists(model.value):
        return f"{table.sliced}.tolist()" if table.library == "pandas" else table.sliced
    return None


def _of_dicts(features: Sequence[str], namespace: Mapping[str, Any]) -> Iterator[_Scored]:
    """Yield guesses from dicts of columns, as tables if the notebook imports pandas."""
    if not 0 < len(features) <= _LISTED:
        return
    modules = [name for name, value in namespace.items() if type(value) is ModuleType and value.__name__ == "pandas"]
    for variable, value in namespace.items():
        if variable.startswith("_") or type(value) is not dict or not all(_is_column(value.get(f)) for f in features):
            continue
        if modules:
            expression = f"{modules[0]}.DataFrame({variable})[{list(features)!r}][:{FIRST}]"
        else:
            columns = (f"{feature!r}: {variable}[{feature!r}][:{FIRST}]" for feature in features)
            expression = f"{{{', '.join(columns)}}}"
        guess = ExampleGuess(expression=expression, words=f"of the dict {variable}")
        yield _Scored(3.0 + name_score(variable, None), guess)


def _is_column(value: Any) -> bool:
    """Whether a value is a non-empty list, or a library's array or column of one dimension."""
    if type(value) in (list, tuple):
        return bool(value)
    return of_library(type(value)) and len(getattr(value, "shape", ())) == 1 and value.shape[0] > 0


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
