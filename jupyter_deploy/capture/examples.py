"""Examples: their container type, and the rows that a snapshot stores."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from jupyter_deploy.capture.frameworks import frameworks
from jupyter_deploy.domain.capture.signature import Container
from jupyter_deploy.domain.errors import InvalidExample

from .informative_rows import spread_rows

MOST_ROWS = 1000
MOST_VALUES = 1_000_000
"""The most values in all rows together; a single row may have more."""

_DEPTH = 20


def container_of(example: Any, *, estimator: bool) -> tuple[Container, Any]:
    """Return the example's container type, and the example in the form of a batch for the model.

    Raises
    ------
    InvalidExample
        The example is missing or empty, or no request can have its form.
    """
    _require_rows_at_all(example)
    kind = f"{type(example).__module__.partition('.')[0]}.{type(example).__name__}"
    if any(kind in framework.containers for framework in frameworks()):
        raise InvalidExample(
            f"the example is a {kind}, which no request can contain",
            "pass the rows behind it, such as X_test[:5]",
        )
    if kind in ("pandas.DataFrame", "polars.DataFrame"):
        _check_frame(example)
        return "frame", example
    if kind == "polars.LazyFrame":
        _require_rows(len(example.collect()))
        return "frame", example
    if kind in ("numpy.ndarray", "torch.Tensor") and example.ndim >= 2:
        _require_rows(len(example))
        return ("array" if kind.startswith("numpy") else "tensor"), example
    return _rows_of(example, kind) if estimator else ("call", example)


def _rows_of(example: Any, kind: str) -> tuple[Container, Any]:
    """Return a non-table example of an estimator, which always takes rows, never a single call."""
    if kind in ("numpy.ndarray", "torch.Tensor") and example.ndim == 1:
        example = example.tolist()
    if kind in ("pandas.Series", "polars.Series"):
        return "list", _texts_of(example)
    if not isinstance(example, list):
        return "call", example
    _require_rows(len(example))
    return "list", example


def _require_rows_at_all(example: Any) -> None:
    if example is None:
        raise InvalidExample("the model has no example", "add one, such as --example 'X_test[:5]'")
    if hasattr(example, "tocsr"):
        raise InvalidExample("the example is a sparse matrix", "deploy the pipeline around the model, with its input")


def _texts_of(series: Any) -> list[str]:
    if not all(isinstance(value, str) for value in series):
        raise InvalidExample(
            f"the example is a {type(series).__module__.partition('.')[0]} Series",
            "pass rows of a table (X[:5]) or a list (x[:5].tolist())",
        )
    _require_rows(len(series))
    return list(series)


def _check_frame(frame: Any) -> None:
    _require_rows(len(frame))
    names = [str(column) for column in frame.columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidExample(f"the example has several columns named {', '.join(twice)}", "rename them")
    if getattr(frame.columns, "nlevels", 1) > 1:
        raise InvalidExample("the example has several levels of column names", "flatten the column names")


def _require_rows(count: int) -> None:
    if count == 0:
        raise InvalidExample("the example is empty", "pass a few rows, such as 'X_test[:5]'")


def table_of(example: Any) -> Any:
    """Return a dict of columns as a data frame; None: it is none, or pandas is not installed."""
    if not isinstance(example, dict) or not example or not all(isinstance(name, str) for name in example):
        return None
    columns = list(example.values())
    if not all(isinstance(column, list | tuple) or getattr(column, "ndim", 0) == 1 for column in columns):
        return None
    if len({len(column) for column in columns}) != 1 or len(columns[0]) == 0:
        return None
    try:
        import pandas as pd
    except ImportError:
        return None
    return pd.DataFrame({name: list(column) for name, column in example.items()})


def request_of(instances: Sequence[Any]) -> str:
    """Return the line to send: a request with the first instance."""
    return f"A request: {json.dumps({'instances': list(instances[:1])}, ensure_ascii=False)}"


def detached(example: Any, depth: int = 0) -> Any:
    """Copy a tensor's slice, so that five rows are not stored with the memory of the whole tensor."""
    if depth > _DEPTH:  # the value may contain itself; the conversion to JSON detects that later
        return example
    if type(example) is tuple:
        return tuple(detached(value, depth + 1) for value in example)
    if type(example) is dict:
        return {key: detached(value, depth + 1) for key, value in example.items()}
    if not hasattr(example, "untyped_storage") or example.untyped_storage().nbytes() <= example.nbytes:
        return example
    return example.detach().clone().requires_grad_(example.requires_grad)


def sampled(batch: Any, container: Container) -> tuple[Any, tuple[str, ...]]:
    """Return the rows that a snapshot stores, in contiguous memory, and a note about the selection.

    Rows are taken evenly, plus the most informative ones: the first missing value, the extremes, and each category of a
    column. The same example always gives the same rows.
    """
    if container == "call":
        return batch, ()
    lazy = hasattr(batch, "collect")
    table = batch.collect() if lazy else batch
    count = len(table)
    most = max(1, min(MOST_ROWS, MOST_VALUES // max(1, _width(table))))
    if count <= most:
        single_row = ("the example is one row: it says little about missing values, ranges and categories",)
        return batch, single_row if count == 1 else ()
    rows = spread_rows(table, container, most)
    note = (
        f"the example has {count:,} rows: {len(rows):,} of them were selected, evenly and with extremes, missing "
        "values and categories; the model was called with these"
    )
    table = selected_rows(table, container, rows)
    return (table.lazy() if lazy else table), (note,)


def _width(table: Any) -> int:
    """Return the number of values in a row."""
    shape = getattr(table, "shape", None)
    if shape is not None:
        return int(np.prod(shape[1:]))
    return len(table[0]) if isinstance(table[0], list | tuple | dict) else 1


def selected_rows(table: Any, container: Container, rows: Any) -> Any:
    """Return the rows of a batch at these places (an array)."""
    if container == "list":
        return [table[row] for row in rows]
    if hasattr(table, "iloc"):
        return table.iloc[rows]
    return table[rows.tolist()] if container == "tensor" else table[rows]
