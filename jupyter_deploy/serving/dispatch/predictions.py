"""The predictions of one request, for its response and its record."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..values.column_table import LARGE, ColumnTable
from .json_answers import numbers_of, strict_json
from .parsed_request import Raw


class Predictions:
    """A list of predictions; many numbers become JSON only where a client or a reader needs it.

    Parameters
    ----------
    json
        None: ``table`` has the predictions.
    """

    __slots__ = ("_json", "_table")

    def __init__(self, json: Raw | None, table: ColumnTable | None = None) -> None:
        self._json = json
        self._table = table

    @property
    def json(self) -> Raw:
        """The predictions as a JSON list in UTF-8."""
        if self._json is None:
            self._json = Raw(b"[]") if self._table is None else self._table.json()
        return self._json

    @property
    def recorded(self) -> Raw | ColumnTable:
        """The predictions for the record, in JSON only if that is written already."""
        return self.json if self._json is not None or self._table is None else self._table


def predictions_of(answer: Any, rows: int) -> Predictions:
    """Return the predictions for ``rows`` instances.

    Raises
    ------
    BadAnswer
        The answer is not one value for each row.
    TypeError, ValueError
        A value has no JSON form.
    """
    if getattr(answer, "nbytes", 0) >= LARGE:
        array = numbers_of(answer)
        # Of a subclass, such as a masked array, the numbers are not the whole answer.
        if type(array) is np.ndarray and array.size >= LARGE and len(array) == rows:
            return Predictions(None, ColumnTable(array))
    return Predictions(strict_json(answer, rows))
