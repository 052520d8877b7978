"""Checks of the example's columns against those of the fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from jupyter_deploy.capture.cell_history import history
from jupyter_deploy.capture.frameworks import Framework, features_of, framework_of
from jupyter_deploy.capture.informative_rows import missing_columns
from jupyter_deploy.capture.training_table import TrainingTable
from jupyter_deploy.domain.capture.findings import Finding, listed
from jupyter_deploy.domain.capture.ports import Live
from jupyter_deploy.domain.capture.signature import Schema, types_of
from jupyter_deploy.domain.errors import InvalidExample

from .candidate import Candidate, LiveCandidate

_NAMED = 8

_REQUESTS = "requests are made like the example"


def features(candidate: Candidate) -> Iterator[Finding]:
    """Check ``features``: missing, extra, re-ordered and re-typed columns; for arrays their number."""
    live, seen = candidate.live, candidate.seen
    if seen.signature.container == "array":
        yield from _counted(live.model, seen.example)
    if seen.signature.container == "frame":
        training = candidate.training.source if isinstance(candidate.training, TrainingTable) else live.training
        yield from compare_columns(live.model, candidate.framework, seen.example, training)


def features_fast(candidate: LiveCandidate) -> Iterator[Finding]:
    """Run the part of ``features`` that does not call the model."""
    live, columns = candidate.live, _columns(candidate.live.example)
    fitted = features_of(live.model)
    if columns and fitted is not None and set(fitted) & set(columns):
        yield from _missing_and_extra(fitted, columns)
    elif not columns:
        yield from _counted(live.model, live.example)


def missing_values(candidate: Candidate) -> Iterator[Finding]:
    """Check ``missing-values``: missing values in the training table that the example, and so a request, lacks."""
    training, schema = candidate.training, candidate.seen.signature.instance_schema
    if not isinstance(training, TrainingTable):
        return
    absent = [name for name, column in training.table.described().items() if column.missing]
    if candidate.seen.signature.container == "frame":
        taken = schema.get("properties", {})
        absent = [name for name in absent if name in taken and not _takes_null(taken[name])]
        where = f" in {listed(absent, _NAMED)}"
    elif candidate.seen.signature.container in ("array", "tensor") and not _takes_null(schema.get("items", {})):
        where = ""
    else:
        return
    if absent:
        yield _missing_values(where, absent)


def missing_values_fast(candidate: LiveCandidate) -> Iterator[Finding]:
    """Run the part of ``missing-values`` for frames that needs no search for the training table."""
    live = candidate.live
    if live.signature is not None or not _columns(live.example):
        return
    variable = history(live.python_cells, live.failed).fitted.get(live.source.variable or "")
    training = live.training if live.training is not None else live.namespace.get(variable or "")
    if training is None or not hasattr(live.example, "shape") or not _columns(training):
        return
    taken = set(_columns(live.example)) - missing_columns(live.example) - set(live.nullable)
    missing = missing_columns(training) & taken
    absent = [name for name in _columns(training) if name in missing]
    if absent:
        yield _missing_values(f" in {listed(absent, _NAMED)}", absent)


def _missing_values(where: str, columns: Sequence[str]) -> Finding:
    return Finding(
        check="missing-values",
        severity="warning",
        message=f"the training table has missing values{where}; the example has none, so such requests are refused",
        remedy=f"accept them: {' '.join(f'--nullable {name}' for name in columns[:_NAMED])}"
        if where
        else "add such a row to the example, or a --signature that allows null there",
        columns=tuple(columns) if where else (),
    )


def _takes_null(schema: Schema) -> bool:
    """Whether a schema, or that of its innermost items, allows null."""
    while isinstance(schema.get("items"), dict):
        schema = schema["items"]
    kinds = types_of(schema)
    return not kinds or "null" in kinds


def compare_columns(model: Any, framework: Framework, example: Any, training: Any = None) -> Iterator[Finding]:
    """Compare the example's columns with the model's, and their types with the training table's, if known.

    Columns are compared by name, as text. Without the model's own column names there is no comparison by name, since
    the training table may contain the target.
    """
    columns = _columns(example)
    fitted = features_of(model)
    if not columns:
        return
    if fitted is not None and set(fitted) & set(columns):
        yield from _missing_and_extra(fitted, columns)
        yield from _order(model, framework, fitted, example)
    if training is not None:
        yield from _types(example, training)


def explained(error: InvalidExample, live: Live) -> InvalidExample:
    """Return the error of a model that raises on its example, with the findings about its columns."""
    fitted, columns = features_of(live.model), _columns(live.example)
    if fitted is None or not columns or not set(fitted) & set(columns):
        return error
    findings = [*_missing_and_extra(fitted, columns)]
    lines = [finding.message for finding in findings]
    if not findings and list(fitted) != columns:
        lines = [_order_in_words(fitted, columns)]
    if not lines:
        return error
    remedy = f"pass an example with the {len(fitted)} columns of the fit, in their order"
    return InvalidExample(
        error.message, remedy, "\n".join(filter(None, (error.details, *(f"  {line}" for line in lines))))
    )


def _missing_and_extra(fitted: Sequence[str], columns: Sequence[str]) -> Iterator[Finding]:
    missing = [name for name in fitted if name not in columns]
    if missing:
        yield Finding(
            check="features",
            severity="error",
            message=f"the model was fitted on {_named(missing)}, which the example lacks",
            remedy=f"pass an example with all {len(fitted)} columns of the fit, since {_REQUESTS}",
        )
    extra = [name for name in columns if name not in fitted]
    if extra:
        yield Finding(
            check="features",
            severity="warning",
            message=f"the example has {_named(extra)}, which the fit lacks; clients must send it too",
            remedy="remove it from the example, unless the model's own code uses it",
        )


def _order(model: Any, framework: Framework, fitted: Sequence[str], example: Any) -> Iterator[Finding]:
    message = _order_in_words(fitted, _columns(example))
    if not message:
        return
    if framework.chooses_columns(model) and _answers_alike(model, framework, fitted, example):
        yield Finding(check="features", severity="note", message=f"{message}; the answers are equal in both orders")
    else:
        yield Finding(
            check="features",
            severity="error",
            message=f"{message}, and {type(model).__name__} takes columns by their position, so its answers are wrong",
            remedy="pass the example's columns in the order of the fit",
        )


def _order_in_words(fitted: Sequence[str], columns: Sequence[str]) -> str:
    at_fit = [name for name in fitted if name in columns]
    now = [name for name in columns if name in fitted]
    where = next(
        (index for index, (expected, actual) in enumerate(zip(at_fit, now, strict=False)) if expected != actual), None
    )
    if where is None:
        return ""
    return (
        f"the example's columns are in a different order than at the fit: number {where + 1} is '{now[where]}' and "
        f"was '{at_fit[where]}'"
    )


def _answers_alike(model: Any, framework: Framework, fitted: Sequence[str], example: Any) -> bool:
    """Whether the model gives the same answers in both orders: a search or pipeline may hold any model.

    The most precise method is compared, since a few rows may have the same class by chance.
    """
    names = {str(name): name for name in example.columns}
    fit_order = [names[name] for name in fitted if name in names]
    extra = [name for name in example.columns if name not in fit_order]
    predict = next((m for n in _EXACT if callable(m := getattr(model, n, None))), None)
    if predict is None:
        return False
    try:
        with framework.asking(model):
            as_given, as_fitted = (
                np.asarray(predict(example[these])) for these in (list(example.columns), [*fit_order, *extra])
            )
        if as_given.dtype.kind in "fc":
            return bool(np.allclose(as_given, as_fitted, rtol=1e-6, equal_nan=True))
        return bool(np.array_equal(as_given, as_fitted))
    except Exception:  # noqa: BLE001 - an error in one of the orders shows that the order matters
        return False


_EXACT = ("predict_proba", "decision_function", "predict", "transform")


def _types(example: Any, training: Any) -> Iterator[Finding]:
    changed = []
    for name in _columns(example):
        if name in _columns(training):
            expected, actual = (_kind(table, name) for table in (training, example))
            if expected != actual:
                changed.append(f"'{name}' is {actual} and was {expected}")
    if changed:
        yield Finding(
            check="features",
            severity="warning",
            message=f"columns have different types than in the training table: {'; '.join(changed[:_NAMED])}",
            remedy="prepare the example in the same way as the training table",
        )


def _kind(table: Any, name: str) -> str:
    """Return a column's kind without its bits and without the distinction of integers and floats."""
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
            message=f"the model was fitted on {fitted} columns, but the example has {shape[1]}",
            remedy=f"pass the example with the columns of the fit, since {_REQUESTS}",
        )


def _columns(table: Any) -> list[str]:
    lazy = getattr(table, "collect_schema", None)  # polars warns about a LazyFrame's columns
    return [str(name) for name in (lazy().names() if lazy else getattr(table, "columns", ()))]


def _named(names: Sequence[str]) -> str:
    shown = listed([f"'{name}'" for name in names], _NAMED)
    return f"{'column' if len(names) == 1 else 'columns'} {shown}"
