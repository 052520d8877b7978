"""Examples for a model, guessed from the notebook's variables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jupyter_deploy.domain.capture.candidates import ExampleGuess

from .arguments import arguments_for
from .models import ModelVariable, first_step, known_features, known_width
from .static_attributes import bases_of, own
from .tables import TableVariable, name_score

MOST = 5
_LISTED = 12
"""The most columns that an expression names one by one."""

_VECTORIZERS = ("_VectorizerMixin", "TfidfVectorizer", "CountVectorizer", "HashingVectorizer")


@dataclass(frozen=True)
class GuessContext:
    """The notebook's variables; ``torch`` is the notebook's name of that library."""

    tables: Sequence[TableVariable]
    models: Mapping[str, ModelVariable]
    namespace: Mapping[str, Any]
    fitted_on: Mapping[str, str]
    torch: str | None


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
        expression, fits = _fitting(model, table, context.torch)
        if expression is not None:
            score = fits + name_score(table.variable, fitted_on)
            seen = "; the model was fitted on it" if table.variable == fitted_on else ""
            yield score, ExampleGuess(expression=expression, words=f"of {table.words}{seen}")


def _parameters(function: Any) -> tuple[str, ...]:
    code = function.__code__
    return tuple(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])


def _fitting(model: ModelVariable, table: TableVariable, torch: str | None) -> tuple[str | None, float]:
    """Return an expression that suits the model, and its score; None: none."""
    if model.framework == "torch":
        return _for_module(model.value, table, torch)
    if model.framework == "onnx":
        return (table.sliced if table.form == "array" else None), 0.0
    if model.framework == "transformers" or _takes_texts(model.value):
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


def _for_module(module: Any, table: TableVariable, torch: str | None) -> tuple[str | None, float]:
    """Return rows that the module's first layer accepts."""
    layer = _first_layer(module)
    if table.form == "tensor":
        fits = layer is None or _suits(layer, table)
        return (table.sliced if fits else None), 7.0
    if layer is None or torch is None or table.form not in ("array", "frame") or not _suits(layer, table):
        return None, 0.0
    if table.form == "frame" and any(getattr(dtype, "kind", "f") not in "biuf" for dtype in table.value.dtypes):
        return None, 0.0
    rows = f"{table.sliced}.to_numpy()" if table.form == "frame" else table.sliced
    kind = "long" if layer[0] == "num_embeddings" else "float32"
    return f"{torch}.tensor({rows}, dtype={torch}.{kind})", 4.0


def _suits(layer: tuple[str, int, int], table: TableVariable) -> bool:
    name, size, ndim = layer
    if name == "num_embeddings":
        return "int" in str(getattr(table.value, "dtype", "")) and table.ndim == 2
    if name == "in_channels":
        return table.ndim == ndim and table.value.shape[1] == size
    return table.width == size


def _first_layer(module: Any) -> tuple[str, int, int] | None:
    """Return attribute, size and dimensions of the first layer's input; None: unknown."""
    parts = own(module)
    for name in ("in_features", "in_channels", "num_embeddings"):
        if type(parts.get(name)) is int:
            kernel = parts.get("kernel_size")
            return name, parts[name], 2 + len(kernel) if type(kernel) is tuple else 2
    inner = parts.get("_modules")
    for part in inner.values() if isinstance(inner, dict) else ():
        if part is not None and (layer := _first_layer(part)) is not None:
            return layer
    return None
