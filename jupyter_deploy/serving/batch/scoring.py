"""Rows that a model refuses leave the table, and the others are answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ..asgi.problems import Problem
from ..connections import after_failure, unavailable
from ..output_masking import without_secrets
from ..table_predictor import TablePredictor
from ..values.validation import InvalidInstances

if TYPE_CHECKING:
    from ..features.tables import Completed

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
    inputs
        All rows as the model gets them: with the features that it looks up.
    """

    answers: pa.Table | None = None
    rows: list[int] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)
    failures: int = 0
    inputs: pa.Table | None = None


def scored(predictor: TablePredictor, table: pa.Table, *, texts: bool = False) -> Scored:
    """Answer the rows that the model takes.

    Parameters
    ----------
    texts
        Keys of lookups are texts, as in a CSV file.

    Raises
    ------
    ModelFailed
        The model raised for more than ``MOST_FAILURES`` rows.
    ResourceUnavailable, LookupFailed
        A database of the model or of its lookups is away, or the query of a lookup fails: no fault of the rows.
    """
    return _Scoring(predictor).run(table, texts=texts)


class _Scoring:
    """The error of a table names at most some twenty rows; these leave it.

    If further rows are refused again and again, or the model raises, the halves of the table are answered apart.
    """

    def __init__(self, predictor: TablePredictor) -> None:
        self._predictor = predictor
        self._result = Scored()
        self._parts: list[pa.Table] = []
        self._completed: Completed | None = None

    def run(self, table: pa.Table, *, texts: bool = False) -> Scored:
        rows = list(range(table.num_rows))
        completed = self._completed = self._predictor.completed(table, texts=texts)
        if completed is not None:
            table = completed.table
            self._result.refused |= self._rows_of(completed.errors, rows)
            rows = [row for row in rows if row not in self._result.refused]
        self._result.inputs = table
        if rows:
            self._answer(table.take(rows) if len(rows) < table.num_rows else table, rows)
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
                named = self._rows_of(error.errors, numbers)
                reason = str(error)
                if not named:
                    break
                self._result.refused |= named
                left = [row for row, number in enumerate(numbers) if number not in named]
                table, numbers = table.take(left), [numbers[row] for row in left]
            except Problem:
                raise  # the whole table has another form
            except Exception as error:
                away = unavailable(error)
                if away is not None:
                    raise away from error  # it is no fault of the rows
                reason = self._failure(error, len(numbers))
                if after_failure() is None:
                    break
                # The rows may have broken a connection, or it went away: the next round makes it again.
            else:
                self._result.rows += numbers
                return
        self._answer_halves(table, numbers, reason)

    def _failure(self, error: Exception, rows: int) -> str:
        """Return the reason in words; raise ModelFailed if the model has raised too often."""
        self._result.failures += rows == 1
        reason = without_secrets(f"{type(error).__name__}: {error}")[:_REASON_CHARACTERS]
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

    def _rows_of(self, errors: Sequence[Mapping[str, Any]], numbers: Sequence[int]) -> dict[int, str]:
        """Return the reason of each row that the errors name; further errors of a row are added to its reason."""
        found: dict[int, str] = {}
        for error in errors:
            _, *place = error["loc"]
            if not place or not isinstance(place[0], int) or place[0] >= len(numbers):
                continue  # how many more there are
            row = numbers[place[0]]
            words = str(error["msg"])
            if place[1:]:
                origin = self._completed.origin(row, str(place[1])) if self._completed else ""
                words = f"{'.'.join(map(str, place[1:]))}: {words}{'' if words.endswith(origin) else origin}"
            found[row] = f"{found[row]}; {words}"[:_REASON_CHARACTERS] if row in found else words[:_REASON_CHARACTERS]
        return found
