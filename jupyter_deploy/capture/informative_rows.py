"""Rows that show the variety of a table: missing values, categories, and extremes.

A look at a column yields pairs: a subject (``missing``, ``type``, ``value``, ``extreme``), and the position of a row
that shows a new kind of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from jupyter_deploy.domain.capture.signature import Container

FEW_KINDS = 50
"""A column with at most this many different texts is treated as categorical."""

_SPREAD = 0.5
"""The largest share of rows chosen for their values."""

_LOOKED_AT = 50_000
"""The number of rows of a variable, evenly spread, in which an expression's rows are searched."""

_MOST_COLUMNS = 300
_SHOWN = 20
"""The most rows that an expression names."""

Look = Callable[[Any], Iterator[tuple[str, int]]]


def spread_rows(table: Any, container: Container, most: int) -> Any:
    """Return the sorted positions of ``most`` rows: informative ones, and others evenly."""
    chosen: dict[int, None] = {}
    if container in ("frame", "array"):
        limit = max(0, int(most * _SPREAD))
        for row in _informative_rows(table, container):
            if len(chosen) >= limit:
                break
            chosen[int(row)] = None
    evenly = np.linspace(0, len(table) - 1, most - len(chosen)).round().astype(int)
    return np.array(sorted({*chosen, *evenly.tolist()}))


def varied_rows(frame: Any, first: int) -> tuple[int, ...]:
    """Return the sorted positions of at most 20 rows that show missing values, each category, and the extremes.

    Empty if the first rows (``first`` of them) show every missing value and category, or if the frame is too wide.
    """
    columns = _columns(frame)
    if len(columns) > _MOST_COLUMNS:
        return ()
    step = _step(frame)
    looked_at = [column[::step] for column in columns]
    *kinds, extremes = _looks(frame)
    needed = list(_subjects(looked_at, kinds))
    if all(row * step < first for _, _, row in needed):
        return ()
    chosen: list[int] = []
    for at, subject, row in [*needed, *_subjects(looked_at, [extremes])]:
        shown = (_kind_at(looked_at[at], subject, other) for other in chosen)
        if len(chosen) < _SHOWN and row not in chosen and _kind_at(looked_at[at], subject, row) not in shown:
            chosen.append(row)
    return tuple(sorted(row * step for row in chosen))


def _kind_at(column: Any, subject: str, row: int) -> str | bool:
    """Return what the row shows of a subject; equal for two rows of which one is enough."""
    value = column.iloc[row] if hasattr(column, "iloc") else column[row]
    if subject == "missing":
        return bool(column.isna().iloc[row]) if hasattr(column, "iloc") else value is None
    return str(type(value)) if subject == "type" else f"{type(value)} {value!r}"


def missing_columns(frame: Any) -> frozenset[str]:
    """Return the names of a frame's columns with missing values among the rows that are looked at."""
    step, look = _step(frame), _looks(frame)[0]
    names = map(str, frame.columns)
    return frozenset(name for name, column in zip(names, _columns(frame), strict=True) if any(look(column[::step])))


def _step(frame: Any) -> int:
    """Return the distance of the rows that are looked at."""
    return max(1, -(-len(frame) // _LOOKED_AT))


def _columns(table: Any) -> Sequence[Any]:
    return [table.iloc[:, at] if hasattr(table, "iloc") else table[:, at] for at in range(table.shape[1])]


def _looks(frame: Any) -> tuple[Look, ...]:
    """Return the looks at a frame of either library, the most important one first."""
    if hasattr(frame, "iloc"):
        return _missing, _kinds, _extremes
    return _polars_missing, _polars_kinds, _polars_extremes


def _subjects(columns: Sequence[Any], looks: Sequence[Look]) -> Iterator[tuple[int, str, int]]:
    """Yield the number of the column, the subject and the row, all columns look by look."""
    for look in looks:
        for at, column in enumerate(columns):
            yield from ((at, subject, row) for subject, row in look(column))


def _informative_rows(table: Any, container: Container) -> Iterator[int]:
    """Yield informative rows, the most important kind of all columns first."""
    if container == "array":
        if table.dtype.kind in "biuf":
            flat = table.reshape(len(table), -1)
            missing = np.isnan(flat).any(axis=1) if table.dtype.kind == "f" else np.zeros(len(table), bool)
            yield from np.flatnonzero(missing)[:1]
            for find in (np.nanargmin, np.nanargmax):
                if not missing.all():
                    yield find(flat) // flat.shape[1]
        return
    yield from (row for _, _, row in _subjects(_columns(table), _looks(table)))


def _missing(column: Any) -> Iterator[tuple[str, int]]:
    yield from (("missing", int(row)) for row in np.flatnonzero(column.isna().to_numpy())[:1])


def _kinds(column: Any) -> Iterator[tuple[str, int]]:
    """Yield the first row of each Python type in a column of objects, and of each category."""
    values = column.reset_index(drop=True)
    if values.dtype == object:
        types = values.map(type).drop_duplicates()
        yield from (("type", int(row)) for row in types.index)
    if values.dtype == object or str(values.dtype) in ("category", "str", "string", "boolean", "bool"):
        try:
            first = values.drop_duplicates()
        except TypeError:  # lists and dicts are not hashable
            return
        if len(first) <= FEW_KINDS:
            yield from (("value", int(row)) for row in first.index)


def _extremes(column: Any) -> Iterator[tuple[str, int]]:
    if getattr(column.dtype, "kind", "O") in "iufmM" and not column.isna().all():
        yield "extreme", int(column.argmin())
        yield "extreme", int(column.argmax())


def _polars_missing(column: Any) -> Iterator[tuple[str, int]]:
    yield from (("missing", int(row)) for row in column.is_null().arg_true()[:1])


def _polars_kinds(column: Any) -> Iterator[tuple[str, int]]:
    if str(column.dtype.base_type()) not in ("String", "Categorical", "Enum", "Boolean"):
        return
    if column.n_unique() <= FEW_KINDS:
        yield from (("value", int(row)) for row in column.arg_unique())


def _polars_extremes(column: Any) -> Iterator[tuple[str, int]]:
    if not (column.dtype.is_numeric() or column.dtype.is_temporal()):
        return
    yield from (("extreme", row) for row in (column.arg_min(), column.arg_max()) if row is not None)
