"""The models, the rows, the true answers and the subgroups of a choice, checked before slow work."""

from __future__ import annotations

from typing import Any

import numpy as np

from jupyter_deploy.domain.capture.ports import Finder
from jupyter_deploy.domain.errors import InvalidInput


def require_served(name: str, model: Any, method: str | None, finder: Finder) -> None:
    """Raise InvalidInput, with the name, for a model that cannot be served."""
    try:
        finder.require_method(model, method)
    except InvalidInput as error:
        raise InvalidInput(f"the model '{name}' cannot be served: {error.message}", error.remedy) from error


def rows_in(table: Any) -> int:
    """Return the number of rows. Raises InvalidInput: the value has none."""
    try:
        return table.shape[0] if hasattr(table, "shape") else len(table)
    except (TypeError, IndexError) as error:
        raise InvalidInput(f"X is a {type(table).__name__}, which has no rows", "give a table or an array") from error


def truth_of(y: Any, rows: int) -> Any:
    """Return y as an array of one dimension. Raises InvalidInput: it does not fit X, or has missing values."""
    truth = np.asarray(y)
    if truth.ndim == 2 and truth.shape[1] == 1:
        truth = truth[:, 0]
    if truth.ndim != 1:
        raise InvalidInput(f"y has the shape {truth.shape}", "give one answer a row")
    if len(truth) != rows:
        raise InvalidInput(f"there are {rows} rows, and {len(truth)} true answers", "give the answers of the same rows")
    if rows == 0:
        raise InvalidInput("X has no rows", "is the table empty, or does a filter leave nothing?")
    missing = [
        place
        for place, value in enumerate(truth.tolist())
        if value is None or value != value  # noqa: PLR0124 - a NaN of any type is not equal to itself
    ]
    if missing:
        raise InvalidInput(
            f"y is missing in row {missing[0]}{f' and {len(missing) - 1} more' if len(missing) > 1 else ''}",
            "leave these rows out of X and y",
        )
    return truth


def subgroups_of(by: Any, table: Any) -> Any:
    """Return ``by`` with names of columns replaced by the columns."""
    names = [by] if isinstance(by, str) else by
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return by
    columns = list(getattr(table, "columns", ()))
    for name in names:
        if name not in columns:
            raise InvalidInput(f"X has no column '{name}' to group by", f"its columns are {columns[:20]}")
    return {name: table[name] for name in names}
