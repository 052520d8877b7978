"""Columns that accept null in requests although the example has none: a row with null for each is added to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jupyter_deploy.domain.capture.ports import Live
from jupyter_deploy.domain.errors import InvalidExample, InvalidInput

from .examples import table_of
from .inspection import Inspected, inspect_model


def inspect_live(live: Live) -> Inspected:
    """Call the model with its example, and with a row for each column that shall accept null.

    Raises
    ------
    InvalidInput
        A column is unknown, or the example has no columns.
    InvalidExample
        The model raises on its example, or on null in one of the columns.
    """
    if not live.nullable:
        return inspect_model(live.model, live.example, live.method, live.signature)
    if live.signature is not None:
        raise InvalidInput(
            "a signature says itself which columns accept null", "leave out --nullable, or annotate it: float | None"
        )
    for column in live.nullable:
        example = with_nulls(live.example, [column])
        try:
            inspect_model(live.model, example, live.method)
        except InvalidExample as error:
            inspect_model(live.model, live.example, live.method)  # if that raises too, null is not the reason
            raise InvalidExample(
                f"the model does not accept null in '{column}': {error.message}",
                f"impute it in a pipeline with the model, or leave out --nullable {column}",
                error.details,
            ) from error
    return inspect_model(live.model, with_nulls(live.example, live.nullable), live.method)


def with_nulls(example: Any, columns: Sequence[str]) -> Any:
    """Return the example with a copy of its first row for each column, with null there.

    Raises
    ------
    InvalidInput
        A column is unknown, or the example is neither a table nor rows that are dicts.
    """
    table = table_of(example)
    example = example if table is None else table
    names = _names(example)
    if names is None:
        raise InvalidInput(
            "--nullable names columns, and the example has none",
            "annotate the parameter, such as income: float | None, or give an example with null",
        )
    unknown = [column for column in columns if column not in names]
    if unknown:
        raise InvalidInput(f"the example has no column '{unknown[0]}'", f"its columns are: {', '.join(names)}")
    if isinstance(example, list):
        return [*example, *({**example[0], column: None} for column in columns)]
    if hasattr(example, "iloc"):
        return _with_pandas_nulls(example, columns)
    return _with_polars_nulls(example, columns)


def _names(example: Any) -> list[str] | None:
    if isinstance(example, list) and example and all(isinstance(row, dict) for row in example):
        return list(map(str, example[0]))
    columns = getattr(example, "columns", None)
    return None if columns is None or not len(example) else list(map(str, columns))


def _with_pandas_nulls(frame: Any, columns: Sequence[str]) -> Any:
    import pandas as pd

    rows = frame.iloc[[0] * len(columns)].copy()
    for at, column in enumerate(columns):
        name = next(name for name in frame.columns if str(name) == column)
        rows[name] = rows[name].mask([row == at for row in range(len(columns))])
    return pd.concat([frame, rows])


def _with_polars_nulls(frame: Any, columns: Sequence[str]) -> Any:
    import polars as pl

    rows = frame[[0] * len(columns)]
    for at, column in enumerate(columns):
        nulls = pl.Series([row == at for row in range(len(columns))])
        rows = rows.with_columns(pl.when(nulls).then(None).otherwise(pl.col(column)).alias(column))
    return pl.concat([frame, rows])
