"""What an example is, and as much of it as a snapshot needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from jupyter_deploy.capture.frameworks import frameworks
from jupyter_deploy.domain.capture.signature import Container
from jupyter_deploy.domain.errors import InvalidExample

MOST_ROWS = 1000
MOST_VALUES = 1_000_000
"""Numbers, texts and their like in all rows together; one row may have more."""

_DEPTH = 20
_FEW_KINDS = 50  # as many different texts in a column are categories in all but name
_SPREAD = 0.5  # of the rows that are taken, at most so many for what they show


def container_of(example: Any, *, estimator: bool) -> tuple[Container, Any]:
    """What the example is, and the example in the form in which the model gets a batch of it.

    Raises
    ------
    InvalidExample
        There is none, it is empty, or no request could have its form.
    """
    _require_some(example)
    kind = f"{type(example).__module__.partition('.')[0]}.{type(example).__name__}"
    if any(kind in framework.containers for framework in frameworks()):
        raise InvalidExample(
            f"the example is a {kind}, which no request can bring",
            "give the rows that it was made of, such as X_test[:5]",
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
    """What an estimator takes that is no table: it is asked for rows, never for one call."""
    if kind in ("numpy.ndarray", "torch.Tensor") and example.ndim == 1:
        example = example.tolist()
    if kind in ("pandas.Series", "polars.Series"):
        return "list", _texts_of(example)
    if not isinstance(example, list):
        return "call", example
    _require_rows(len(example))
    return "list", example


def _require_some(example: Any) -> None:
    if example is None:
        raise InvalidExample(
            "there is no example of what the model is asked", "add one, such as --example 'X_test[:5]'"
        )
    if hasattr(example, "tocsr"):
        raise InvalidExample("the example is a sparse matrix", "deploy the pipeline that makes it, with its own input")


def _texts_of(series: Any) -> list[str]:
    if not all(isinstance(value, str) for value in series):
        raise InvalidExample(
            f"the example is a {type(series).__module__.partition('.')[0]} Series",
            "give rows of a table (X[:5]) or a list (x[:5].tolist())",
        )
    _require_rows(len(series))
    return list(series)


def _check_frame(frame: Any) -> None:
    _require_rows(len(frame))
    names = [str(column) for column in frame.columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidExample(f"the example has several columns named {', '.join(twice)}", "give each its own name")
    if getattr(frame.columns, "nlevels", 1) > 1:
        raise InvalidExample("the example has several levels of column names", "flatten them first")


def _require_rows(count: int) -> None:
    if count == 0:
        raise InvalidExample("the example is empty", "give a few rows, such as 'X_test[:5]'")


def alone(example: Any, depth: int = 0) -> Any:
    """Without what a slice of a tensor keeps alive but does not show: five rows would be stored as the whole of it."""
    if depth > _DEPTH:  # it holds itself, perhaps; what becomes JSON is looked at later
        return example
    if type(example) is tuple:
        return tuple(alone(value, depth + 1) for value in example)
    if type(example) is dict:
        return {key: alone(value, depth + 1) for key, value in example.items()}
    if not hasattr(example, "untyped_storage") or example.untyped_storage().nbytes() <= example.nbytes:
        return example
    return example.detach().clone().requires_grad_(example.requires_grad)


def sampled(batch: Any, container: Container) -> tuple[Any, tuple[str, ...]]:
    """As many rows as a snapshot needs, compact, and what is to be said of it.

    Rows are taken evenly, and those that show most: the first missing value, the extremes, and each category of a
    column. The same example gives the same rows.
    """
    if container == "call":
        return batch, ()
    lazy = hasattr(batch, "collect")
    table = batch.collect() if lazy else batch
    count = len(table)
    most = max(1, min(MOST_ROWS, MOST_VALUES // max(1, _width(table))))
    if count <= most:
        one = ("the example is one row: it shows little of missing values, ranges and categories",)
        return batch, one if count == 1 else ()
    rows = _telling(table, container, most)
    note = (
        f"the example has {count:,} rows: {len(rows):,} of them were taken, evenly and with the extremes, missing "
        "values and categories; the model was asked those"
    )
    table = _taken(table, container, rows)
    return (table.lazy() if lazy else table), (note,)


def _width(table: Any) -> int:
    """Values in a row."""
    shape = getattr(table, "shape", None)
    if shape is not None:
        return int(np.prod(shape[1:]))
    return len(table[0]) if isinstance(table[0], list | tuple | dict) else 1


def _taken(table: Any, container: Container, rows: Any) -> Any:
    if container == "list":
        return [table[row] for row in rows]
    if hasattr(table, "iloc"):
        return table.iloc[rows]
    return table[rows.tolist()] if container == "tensor" else table[rows]


def _telling(table: Any, container: Container, most: int) -> Any:
    told: dict[int, None] = {}
    if container in ("frame", "array"):
        room = max(0, int(most * _SPREAD))
        for row in _rows_that_tell(table, container):
            if len(told) >= room:
                break
            told[int(row)] = None
    evenly = np.linspace(0, len(table) - 1, most - len(told)).round().astype(int)
    return np.array(sorted({*told, *evenly.tolist()}))


def _rows_that_tell(table: Any, container: Container) -> Iterator[int]:
    """What a column needs first comes first, for all columns."""
    if container == "array":
        if table.dtype.kind in "biuf":
            flat = table.reshape(len(table), -1)
            missing = np.isnan(flat).any(axis=1) if table.dtype.kind == "f" else np.zeros(len(table), bool)
            yield from np.flatnonzero(missing)[:1]
            for find in (np.nanargmin, np.nanargmax):
                if not missing.all():
                    yield find(flat) // flat.shape[1]
        return
    columns = [table.iloc[:, at] if hasattr(table, "iloc") else table[:, at] for at in range(table.shape[1])]
    looks = (
        (_missing, _kinds, _extremes) if hasattr(table, "iloc") else (_polars_missing, _polars_kinds, _polars_extremes)
    )
    for look in looks:
        for column in columns:
            yield from look(column)


def _missing(column: Any) -> Iterable[int]:
    found: Iterable[int] = np.flatnonzero(column.isna().to_numpy())[:1]
    return found


def _kinds(column: Any) -> Iterator[int]:
    """The first row of each Python type in a column of objects, and of each of a few texts or categories."""
    values = column.reset_index(drop=True)
    if values.dtype == object:
        yield from values.map(type).drop_duplicates().index
    if values.dtype == object or str(values.dtype) in ("category", "str", "string", "boolean", "bool"):
        try:
            first = values.drop_duplicates()
        except TypeError:  # lists and dicts, which cannot be compared so
            return
        if len(first) <= _FEW_KINDS:
            yield from first.index


def _extremes(column: Any) -> Iterator[int]:
    if getattr(column.dtype, "kind", "O") in "iufmM" and not column.isna().all():
        yield column.argmin()
        yield column.argmax()


def _polars_missing(column: Any) -> Iterable[int]:
    found: Iterable[int] = column.is_null().arg_true()[:1]
    return found


def _polars_kinds(column: Any) -> Iterable[int]:
    if str(column.dtype.base_type()) not in ("String", "Categorical", "Enum", "Boolean"):
        return ()
    first: Iterable[int] = column.arg_unique()
    return first if column.n_unique() <= _FEW_KINDS else ()


def _polars_extremes(column: Any) -> Iterable[int]:
    if not (column.dtype.is_numeric() or column.dtype.is_temporal()):
        return ()
    return [row for row in (column.arg_min(), column.arg_max()) if row is not None]
