"""Columns that the model was fitted on against those of the example."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from jupyter_deploy.capture.frameworks import Framework, features_of, framework_of
from jupyter_deploy.capture.training_table import Training
from jupyter_deploy.domain.capture.findings import Finding, listed
from jupyter_deploy.domain.capture.signature import Schema, types_of
from jupyter_deploy.domain.errors import InvalidExample
from jupyter_deploy.domain.ports import Live

from .subject import Glanced, Subject

_NAMED = 8

_REQUESTS = "requests are made like the example"


def features(subject: Subject) -> Iterator[Finding]:
    """Check ``features``: missing, extra, re-ordered and re-typed columns; for arrays their number."""
    live, seen = subject.live, subject.seen
    if seen.signature.container == "array":
        yield from _counted(live.model, seen.example)
    if seen.signature.container == "frame":
        training = subject.training.source if isinstance(subject.training, Training) else live.training
        yield from compare_columns(live.model, subject.framework, seen.example, training)


def features_at_a_glance(subject: Glanced) -> Iterator[Finding]:
    """As much of ``features`` as needs no answer of the model."""
    live, given = subject.live, _columns(subject.live.example)
    fitted = features_of(live.model)
    if given and fitted is not None and set(fitted) & set(given):
        yield from _missing_and_extra(fitted, given)
    elif not given:
        yield from _counted(live.model, live.example)


def missing_values(subject: Subject) -> Iterator[Finding]:
    """Check ``missing-values``: what the model was fitted with and requests may not have, as the example has none."""
    training, schema = subject.training, subject.seen.signature.instance_schema
    if not isinstance(training, Training):
        return
    absent = [name for name, column in training.table.described().items() if column.missing]
    if subject.seen.signature.container == "frame":
        taken = schema.get("properties", {})
        absent = [name for name in absent if name in taken and not _takes_null(taken[name])]
        where = f" in {listed(absent, _NAMED)}"
    elif subject.seen.signature.container in ("array", "tensor") and not _takes_null(schema.get("items", {})):
        where = ""
    else:
        return
    if absent:
        yield Finding(
            check="missing-values",
            severity="warning",
            message=f"the training table has missing values{where}; the example has none, so such requests will be "
            "refused",
            remedy="add such a row to the example, or give a --signature that allows null there",
        )


def _takes_null(schema: Schema) -> bool:
    """Whether a schema, or what it says of its innermost items, allows null."""
    while isinstance(schema.get("items"), dict):
        schema = schema["items"]
    kinds = types_of(schema)
    return not kinds or "null" in kinds


def compare_columns(model: Any, framework: Framework, example: Any, training: Any = None) -> Iterator[Finding]:
    """The example's columns against the model's, and their types against the training table's, where it is known.

    Columns are compared by name, as text. What the model does not know of itself is not judged by the training table:
    that one may have the target in it too.
    """
    given = _columns(example)
    fitted = features_of(model)
    if not given:
        return
    if fitted is not None and set(fitted) & set(given):
        yield from _missing_and_extra(fitted, given)
        yield from _order(model, framework, fitted, example)
    if training is not None:
        yield from _types(example, training)


def explained(error: InvalidExample, live: Live) -> InvalidExample:
    """The error of a model that raises on its example, with what the columns say about it."""
    fitted, given = features_of(live.model), _columns(live.example)
    if fitted is None or not given or not set(fitted) & set(given):
        return error
    found = [*_missing_and_extra(fitted, given)]
    lines = [finding.message for finding in found]
    if not found and list(fitted) != given:
        lines = [_order_in_words(fitted, given)]
    if not lines:
        return error
    remedy = f"give an example with the {len(fitted)} columns of the fit, in their order"
    return InvalidExample(
        error.message, remedy, "\n".join(filter(None, (error.details, *(f"  {line}" for line in lines))))
    )


def _missing_and_extra(fitted: Sequence[str], given: Sequence[str]) -> Iterator[Finding]:
    missing = [name for name in fitted if name not in given]
    if missing:
        yield Finding(
            check="features",
            severity="error",
            message=f"the model was fitted on {_named(missing)}, which the example lacks",
            remedy=f"give an example with all {len(fitted)} columns of the fit, since {_REQUESTS}",
        )
    extra = [name for name in given if name not in fitted]
    if extra:
        yield Finding(
            check="features",
            severity="warning",
            message=f"the example has {_named(extra)}, on which the model was not fitted; clients must send it too",
            remedy="leave it out of the example, unless the model's own code uses it",
        )


def _order(model: Any, framework: Framework, fitted: Sequence[str], example: Any) -> Iterator[Finding]:
    message = _order_in_words(fitted, _columns(example))
    if not message:
        return
    if framework.chooses_columns(model) and _answers_alike(model, framework, fitted, example):
        yield Finding(check="features", severity="note", message=f"{message}; the model answers alike in both orders")
    else:
        yield Finding(
            check="features",
            severity="error",
            message=f"{message}, and {type(model).__name__} takes columns by their position, so its answers are wrong",
            remedy="give the example with the columns in the order of the fit",
        )


def _order_in_words(fitted: Sequence[str], given: Sequence[str]) -> str:
    at_fit = [name for name in fitted if name in given]
    now = [name for name in given if name in fitted]
    where = next((index for index, (one, other) in enumerate(zip(at_fit, now, strict=False)) if one != other), None)
    if where is None:
        return ""
    return (
        f"the example's columns are in another order than at the fit: number {where + 1} of them is '{now[where]}' and "
        f"was '{at_fit[where]}'"
    )


def _answers_alike(model: Any, framework: Framework, fitted: Sequence[str], example: Any) -> bool:
    """Whether the order is nothing to it, by asking: within a search or a pipeline of scikit-learn's may be any model.

    Its most exact answers count, since a few rows may be of one class either way.
    """
    names = {str(name): name for name in example.columns}
    wanted = [names[name] for name in fitted if name in names]
    extra = [name for name in example.columns if name not in wanted]
    ask = next((m for n in _EXACT if callable(m := getattr(model, n, None))), None)
    if ask is None:
        return False
    try:
        with framework.asking(model):
            one, other = (np.asarray(ask(example[these])) for these in (list(example.columns), [*wanted, *extra]))
        if one.dtype.kind in "fc":
            return bool(np.allclose(one, other, rtol=1e-6, equal_nan=True))
        return bool(np.array_equal(one, other))
    except Exception:  # noqa: BLE001 - whatever a model raises for one of the orders tells them apart
        return False


_EXACT = ("predict_proba", "decision_function", "predict", "transform")


def _types(example: Any, training: Any) -> Iterator[Finding]:
    changed = []
    for name in _columns(example):
        if name in _columns(training):
            was, now = (_kind(table, name) for table in (training, example))
            if was != now:
                changed.append(f"'{name}' is {now} and was {was}")
    if changed:
        yield Finding(
            check="features",
            severity="warning",
            message=f"columns have other types than in the training table: {'; '.join(changed[:_NAMED])}",
            remedy="prepare the example as the training table was prepared",
        )


def _kind(table: Any, name: str) -> str:
    """What matters of a column's type: whether whole or not, and in how many bits, does not."""
    dtype = next(dtype for column, dtype in zip(table.columns, table.dtypes, strict=True) if str(column) == name)
    categories = getattr(dtype, "categories", None)
    if categories is not None:
        shown = ", ".join(map(str, list(categories)[:_NAMED]))
        return f"one of the {len(categories)} categories {shown}"
    text = str(dtype).lower()
    for kind, beginnings in _KINDS.items():
        if text.startswith(beginnings):
            return kind
    return text


_KINDS = {
    "number": ("int", "uint", "float", "decimal"),
    "true or false": ("bool",),
    "text": ("object", "str", "utf8", "large_string"),
    "a moment": ("datetime", "date"),
}


def _counted(model: Any, example: Any) -> Iterator[Finding]:
    fitted = framework_of(model).width(model)
    shape: tuple[int, ...] = getattr(example, "shape", ())
    if fitted is not None and len(shape) == 2 and shape[1] != fitted:
        yield Finding(
            check="features",
            severity="error",
            message=f"the model was fitted on {fitted} columns, and the example has {shape[1]}",
            remedy=f"give the example with the columns of the fit, since {_REQUESTS}",
        )


def _columns(table: Any) -> list[str]:
    lazy = getattr(table, "collect_schema", None)  # polars warns of a LazyFrame's columns
    return [str(name) for name in (lazy().names() if lazy else getattr(table, "columns", ()))]


def _named(names: Sequence[str]) -> str:
    shown = listed([f"'{name}'" for name in names], _NAMED)
    return f"{'column' if len(names) == 1 else 'columns'} {shown}"
