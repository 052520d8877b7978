"""The label of a table: its checks, and whether its values are classes or numbers."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from jupyter_deploy.domain.capture.findings import listed
from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.model_search.search import Task

LEAST_OF_A_CLASS = 10
"""Rows of a class: some must be held out, and each fold of the others needs some."""

_MOST_CLASSES = 100
_MOST_WHOLE_NUMBERS = 20


def require_column(columns: Iterable[Any], name: str, option: str) -> None:
    """Raise InvalidInput, with near names, if a table lacks a column."""
    names = list(map(str, columns))
    if name in names:
        return
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    remedy = f"did you mean {' or '.join(near)}?" if near else f"its columns are {listed(names, 20)}"
    raise InvalidInput(f"the table has no column '{name}' (--{option})", remedy)


def task_of(table: Any, name: str, asked: str) -> Task:
    """Check the label, and return what it is to be predicted by.

    Parameters
    ----------
    asked
        ``auto``, ``classification`` or ``regression``.

    Raises
    ------
    InvalidInput
        There is no such column, it has missing values, one value alone, rare classes, or values of no use.
    """
    import pandas as pd

    require_column(table.columns, name, "label-column")
    label = table[name]
    missing = label.isna()
    if missing.any():
        first = int(missing.to_numpy().argmax())
        raise InvalidInput(
            f"the label '{name}' is missing in {int(missing.sum()):,} of {len(label):,} rows, first in row {first}",
            "leave these rows out of the table",
        )
    try:
        counts = label.value_counts()
    except TypeError:
        kind = type(label.iloc[0]).__name__
        raise InvalidInput(f"the label '{name}' holds values of the type {kind}", "give a class or a number") from None
    if len(counts) < 2:
        raise InvalidInput(
            f"the label '{name}' has the value {counts.index[0]!r} in every row, so there is nothing to learn",
            "is it the right column?",
        )
    numeric = pd.api.types.is_numeric_dtype(label.dtype) and not pd.api.types.is_bool_dtype(label.dtype)
    if asked == "regression" and not numeric:
        raise InvalidInput(f"the label '{name}' has no numbers, but {label.dtype}", "search with --task classification")
    task: Task
    if asked == "auto":
        whole = numeric and bool((label == label.round()).all())
        few = len(counts) <= min(_MOST_WHOLE_NUMBERS, len(label) // LEAST_OF_A_CLASS)
        task = "classification" if not numeric or (whole and few) else "regression"
    else:
        task = "regression" if asked == "regression" else "classification"
    if task == "regression":
        _require_finite(label, name)
    else:
        _require_classes(counts, name, len(label))
    return task


def _require_finite(label: Any, name: str) -> None:
    import numpy as np

    values = label.to_numpy(dtype=float)
    if not np.isfinite(values).all():
        first = int((~np.isfinite(values)).argmax())
        raise InvalidInput(f"the label '{name}' is infinite in row {first}", "leave such rows out of the table")


def _require_classes(counts: Any, name: str, rows: int) -> None:
    if len(counts) > _MOST_CLASSES:
        raise InvalidInput(
            f"the label '{name}' has {len(counts):,} classes in {rows:,} rows, and a search takes {_MOST_CLASSES}",
            "join classes, or search with --task regression if it is a number",
        )
    rare = counts[counts < LEAST_OF_A_CLASS]
    if len(rare):
        more = f", and so do {len(rare) - 1} other classes" if len(rare) > 1 else ""
        raise InvalidInput(
            f"the class {rare.index[-1]!r} of '{name}' has {rare.iloc[-1]} rows{more}: each needs {LEAST_OF_A_CLASS}",
            "join rare classes, leave their rows out, or add rows",
        )
