"""Rows that a model refuses leave the table, and the others are answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from ..asgi.problems import Problem
from ..table_predictor import TablePredictor
from ..values.validation import InvalidInstances

MOST_FAILURES = 1000
"""Rows of a partition for which the model may raise; more end the batch, since each is called alone."""

_ROUNDS = 3
_REASON_CHARACTERS = 300


class ModelFailed(Exception):
    """The model raised for too many rows."""


@dataclass
class Scored:
    """The answers to some rows of a table.

    Attributes
    ----------
    answers
        One row for each of ``rows``; None if there is none.
    rows
        The numbers of the answered rows, in order.
    refused
        Reason by the number of a row.
    failures
        The rows for which the model raised.
    """

    answers: pa.Table | None = None
    rows: list[int] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)
    failures: int = 0


def scored(predictor: TablePredictor, table: pa.Table) -> Scored:
    """Answer the rows that the model takes.

    Raises
    ------
    ModelFailed
        The model raised for more than ``MOST_FAILURES`` rows.
    """
    return _Scoring(predictor).run(table)


class _Scoring:
    """The error of a table names at most some twenty rows; these leave it.

    If further rows are refused again and again, or the model raises, the halves of the table are answered apart.
    """

    def __init__(self, predictor: TablePredictor) -> None:
        self._predictor = predictor
        self._result = Scored()
        self._parts: list[pa.Table] = []

    def run(self, table: pa.Table) -> Scored:
        self._answer(table, list(range(table.num_rows)))
        if self._parts:
            self._result.answers = pa.concat_tables(self._parts, promote_options="permissive")
        return self._result

    def _answer(self, table: pa.Table, numbers: list[int]) -> None:
        """Answer rows; ``numbers`` are their numbers in the whole table."""
        reason = ""
        for _ in range(_ROUNDS):
            if not numbers:
                return
            try:
                self._parts.append(self._predictor.answer(table))
            except InvalidInstances as error:
                named = _rows_of(error.errors)
                reason = str(error)
                if not named:
                    break
                self._result.refused |= {numbers[row]: words for row, words in named.items() if row < len(numbers)}
                left = [row for row in range(len(numbers)) if row not in named]
                table, numbers = table.take(left), [numbers[row] for row in left]
            except Problem:
                raise  # the whole table has another form
            except Exception as error:  # noqa: BLE001 - a model may raise anything
                reason = self._failure(error, len(numbers))
                break
            else:
                self._result.rows += numbers
                return
        self._answer_halves(table, numbers, reason)

    def _failure(self, error: Exception, rows: int) -> str:
        """Return the reason in words; raise ModelFailed if the model has raised too often."""
        self._result.failures += rows == 1
        reason = f"{type(error).__name__}: {error}"[:_REASON_CHARACTERS]
        if self._result.failures > MOST_FAILURES:
            raise ModelFailed(f"it raised for more than {MOST_FAILURES} rows, at last: {reason}") from error
        return reason

    def _answer_halves(self, table: pa.Table, numbers: list[int], reason: str) -> None:
        if len(numbers) == 1:
            self._result.refused[numbers[0]] = reason[:_REASON_CHARACTERS]
        elif numbers:
            middle = len(numbers) // 2
            self._answer(table.slice(0, middle), numbers[:middle])
            self._answer(table.slice(middle), numbers[middle:])


def _rows_of(errors: Sequence[Mapping[str, Any]]) -> dict[int, str]:
    """Return the reason of each row that the errors name; further errors of a row are added to its reason."""
    found: dict[int, str] = {}
    for error in errors:
        _, *place = error["loc"]
        if not place or not isinstance(place[0], int):
            continue  # how many more there are
        words = f"{'.'.join(map(str, place[1:]))}: {error['msg']}" if place[1:] else str(error["msg"])
        row = place[0]
        found[row] = f"{found[row]}; {words}"[:_REASON_CHARACTERS] if row in found else words[:_REASON_CHARACTERS]
    return found
