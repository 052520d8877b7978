"""The table that a model was fitted on, as much of it as may be kept, and what its predecessor says about it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from pydantic import Field

from jupyter_deploy.domain.base import Value

from .findings import Finding, Severity, listed

CHECK = "outdated-data"

FEWER_ROWS = 0.9
"""Below this share of the last release's rows it is a warning; above it, another split of the same data."""


class Column(Value):
    """What is kept of one column: never a text's value."""

    dtype: str
    missing: float = Field(description="Share of rows without a value.")
    minimum: float | str | None = Field(default=None, description="Of numbers; of dates as ISO 8601.")
    maximum: float | str | None = None
    distinct: int | None = Field(default=None, description="How many values there are, of what is neither.")


class Period(Value):
    """The first and the last moment of a column of dates, as ISO 8601."""

    first: str
    last: str


class SourceFile(Value):
    """A file that the table was read from, as it was on disk at capture."""

    size: int = Field(description="Bytes.")
    modified: datetime
    sha256: str | None = Field(default=None, description="None: too large to be hashed in passing.")


class TrainingData(Value):
    """The table that a model was fitted on."""

    expression: str | None = Field(default=None, description="What it is in the notebook.")
    cell: int | None = Field(default=None, exclude=True, description="In which cell it was fitted on; not kept.")
    rows: int
    width: int = Field(description="How many columns; more than are described, if there are many.")
    columns: dict[str, Column] = {}
    sha256: str = Field(description="Over the rows, in their order, and the columns' names.")
    hashed_rows: int = Field(
        description="Of how many rows, evenly spread, hash and columns speak; fewer if it is large."
    )
    periods: dict[str, Period] = Field(
        default={}, description="Of columns of dates, of this table and of those that it was made from."
    )
    files: dict[str, SourceFile] = Field(default={}, description="Path -> the file that it was read from.")


def outdated(new: TrainingData, last: TrainingData, release: str) -> Iterator[Finding]:
    """Where a training table looks older than, or less than, that of the last release."""
    table = new.expression or "the training table"

    def finding(message: str, remedy: str, severity: Severity = "warning") -> Finding:
        return Finding(check=CHECK, severity=severity, message=message, remedy=remedy, cell=new.cell)

    if new.sha256 == last.sha256:
        for path in _changed_files(new, last):
            yield finding(
                f"{table} has the very rows that {release} was fitted on, although {path} has changed since",
                "run the cells that read it again, and fit again",
            )
    if new.rows < last.rows:
        many = new.rows >= FEWER_ROWS * last.rows
        yield finding(
            f"{table} has {new.rows} rows, {release} was fitted on {last.rows}",
            "is the data complete? Were rows filtered out?",
            "note" if many else "warning",
        )
    told = set()  # the tables that it was made from have the column too
    for name, period in new.periods.items():
        before = last.periods.get(name)
        fact = before and (name.rpartition(".")[2], period.last, before.last)
        if before and fact not in told and period.last < before.last:
            told.add(fact)
            yield finding(
                f"{name} ends at {period.last}, for {release} it ended at {before.last}",
                "load the newer data, and fit again",
            )
    gone = [name for name in last.columns if name not in new.columns]
    # With no column in common it is a table of another form, such as a tensor made of the frame.
    if gone and len(gone) < len(last.columns) and new.width <= len(new.columns):
        names = listed(gone, 10)
        yield finding(f"{table} lacks columns that {release} was fitted on: {names}", "were they left out on purpose?")


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
