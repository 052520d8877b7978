"""The stored description of a model's training table, and its comparison with that of the last release."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from pydantic import Field

from jupyter_deploy.domain.base import Value

from .findings import Finding, Severity, listed

CHECK = "outdated-data"

FEWER_ROWS = 0.9
"""Below this share of the last release's rows the finding is a warning; above it, a note: another split."""


class Column(Value):
    """The stored description of one column, without any text value."""

    dtype: str
    missing: float = Field(description="Share of rows without a value.")
    minimum: float | str | None = Field(default=None, description="The smallest number, or the first date as ISO 8601.")
    maximum: float | str | None = None
    distinct: int | None = Field(default=None, description="Distinct values, of all other columns.")


class Period(Value):
    """The first and the last moment of a column of dates as ISO 8601."""

    first: str
    last: str


class SourceFile(Value):
    """A source file of the table, as it was on disk at capture."""

    size: int = Field(description="Bytes.")
    modified: datetime
    sha256: str | None = Field(default=None, description="None: too large to be hashed.")


class SourceQuery(Value):
    """A query of a database by which the table, or one behind it, was read."""

    text: str = Field(description="The query with its secrets masked.")
    rows: int | None = Field(default=None, description="Rows of the table that it gave; None: not known.")
    at: datetime | None = Field(default=None, description="The start of the cell that ran it; None: not known.")
    cell: int | None = Field(default=None, exclude=True, description="That cell; not stored.")


class TrainingData(Value):
    """The training table of a model."""

    expression: str | None = Field(default=None, description="The table's expression in the notebook.")
    cell: int | None = Field(default=None, exclude=True, description="The cell of the fit; not stored.")
    rows: int
    width: int = Field(description="The number of columns; a wide table describes only the first of them.")
    columns: dict[str, Column] = {}
    sha256: str = Field(description="SHA-256 over the rows in order and the columns' names.")
    hashed_rows: int = Field(
        description="The number of evenly spread rows behind hash and columns; a large table is sampled."
    )
    periods: dict[str, Period] = Field(
        default={}, description="Periods of the date columns, of this table and of the tables behind it."
    )
    files: dict[str, SourceFile] = Field(default={}, description="Path -> source file.")
    queries: tuple[SourceQuery, ...] = Field(default=(), description="Queries of databases, the last one first.")


def outdated(new: TrainingData, last: TrainingData, release: str) -> Iterator[Finding]:
    """Yield findings where a training table looks older or smaller than that of the last release."""
    table = new.expression or "the training table"

    def finding(message: str, remedy: str, severity: Severity = "warning") -> Finding:
        return Finding(check=CHECK, severity=severity, message=message, remedy=remedy, cell=new.cell)

    if new.sha256 == last.sha256:
        for path in _changed_files(new, last):
            yield finding(
                f"{table} has the same rows as the training table of {release}, although {path} has changed since",
                "run the cells that read it again, and fit again",
            )
    if new.rows < last.rows:
        is_split = new.rows >= FEWER_ROWS * last.rows
        yield finding(
            f"{table} has {new.rows} rows, that of {release} had {last.rows}",
            "check that the data is complete and that no rows were filtered out",
            "note" if is_split else "warning",
        )
    yield from _older_queries(new, last, release)
    reported = set()  # the tables behind it may have the same column
    for name, period in new.periods.items():
        before = last.periods.get(name)
        fact = before and (name.rpartition(".")[2], period.last, before.last)
        if before and fact not in reported and period.last < before.last:
            reported.add(fact)
            yield finding(
                f"{name} ends at {period.last}; in {release} it ended at {before.last}",
                "load the newer data, and fit again",
            )
    missing = [name for name in last.columns if name not in new.columns]
    # Without a common column the table has another form, such as a tensor made from the frame.
    if missing and len(missing) < len(last.columns) and new.width <= len(new.columns):
        names = listed(missing, 10)
        yield finding(f"{table} lacks columns of {release}: {names}", "check that they are missing on purpose")


def _older_queries(new: TrainingData, last: TrainingData, release: str) -> Iterator[Finding]:
    """Yield findings on queries that gave fewer rows than for the last release, or ran before."""
    former = {query.text: query for query in reversed(last.queries)}
    for query in new.queries:
        before = former.get(query.text)
        if before is None:
            continue
        if query.rows is not None and before.rows is not None and query.rows < before.rows:
            yield Finding(
                check=CHECK,
                severity="warning",
                message=f"the query in In [{query.cell}] gave {query.rows} rows; for {release} it gave {before.rows}",
                remedy="see whether the database lacks rows that it had",
                cell=query.cell,
            )
        if query.at and before.at and query.at < before.at:
            yield Finding(
                check=CHECK,
                severity="warning",
                message=f"the query in In [{query.cell}] ran at {query.at:%Y-%m-%d %H:%M}, before that of {release}, "
                f"{before.at:%Y-%m-%d %H:%M} UTC",
                remedy="run the cell again, and fit again",
                cell=query.cell,
            )


def _changed_files(new: TrainingData, last: TrainingData) -> Iterator[str]:
    for path, file in new.files.items():
        before = last.files.get(path)
        if before is None:
            continue
        if file.sha256 and before.sha256:
            same = file.sha256 == before.sha256
        else:
            same = (file.size, file.modified) == (before.size, before.modified)
        if not same:
            yield path
