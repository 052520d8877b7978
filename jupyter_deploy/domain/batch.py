"""A batch: the rows of files are answered by a release; its request, its result and its port."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

from pydantic import BeforeValidator, Field

from .base import Value
from .errors import InvalidInput
from .requests import EndpointName, Request

if TYPE_CHECKING:
    from .capture.artifacts import Snapshot


def check_allowed_errors(given: Any) -> Any:
    """Check ``10`` (rows) or ``1%`` (of the rows); it stays a text.

    Raises
    ------
    InvalidInput
        The text is neither.
    """
    text = str(given).strip()
    try:
        valid = 0 <= float(text[:-1]) <= 100 if text.endswith("%") else int(text) >= 0
    except ValueError:
        valid = False
    if not valid:
        raise InvalidInput(
            f"'{given}' is no number of refused rows", "write a number of rows, such as 10, or a share: 1%"
        )
    return text


def allows(most: str, refused: int, rows: int) -> bool:
    """Return whether so many refused rows of so many are within ``10`` (rows) or ``1%``."""
    return refused <= (float(most[:-1]) / 100 * rows if most.endswith("%") else int(most))


class BatchRequest(Request):
    """Answer the rows of files by a release."""

    name: EndpointName
    source: str = Field(
        description="Files to read: a path, a folder, a pattern such as 'data/day=*/*.parquet', or a URL (s3://…, "
        "gs://…). Parquet, CSV, JSON lines and Arrow, by the end of the name.",
    )
    sink: str = Field(description="Folder of the answers, a path or a URL. What is scored there already stays.")
    release: str | None = Field(
        default=None, description="The release (default: stable).", json_schema_extra={"completes": "release"}
    )
    keep: tuple[str, ...] = Field(
        default=(), description="A column of the source that goes along with the answers, such as an id (repeatable)."
    )
    format: Literal["parquet", "csv", "jsonl", "arrow"] = Field(default="parquet", description="Format of the answers.")
    workers: int | None = Field(default=None, ge=1, le=64, description="Processes (default: one a processor).")
    max_errors: Annotated[str, BeforeValidator(check_allowed_errors)] = Field(
        default="0",
        description="Refused rows up to which the exit code is 0: a number, or a share such as 1%.",
    )
    dry_run: bool = Field(default=False, description="Show what would be scored, and write nothing.")


class BatchJob(Value):
    """What workers do: the request with absolute places, and ``rows``, the most rows of a partition."""

    source: str
    sink: str
    keep: tuple[str, ...]
    format: str
    workers: int
    rows: int = 1_000_000


class Batch(Value):
    """The result of a batch.

    Attributes
    ----------
    state
        ``complete``; ``interrupted``: the same command goes on; ``planned``: a dry run.
    partitions
        Parts of the source: files, or groups of rows of a large Parquet file.
    already
        Partitions that were scored before, by the same release, and have not changed since.
    rows, refused
        Of the partitions that were scored now.
    reasons
        Refused rows by reason, the most frequent ones.
    replaced
        Partitions whose former answers are replaced, since the file or the release changed.
    """

    endpoint: str
    release: str
    source: str
    sink: str
    state: Literal["complete", "interrupted", "planned"]
    partitions: int
    already: int = 0
    scored: int = 0
    replaced: int = 0
    rows: int = 0
    refused: int = 0
    reasons: dict[str, int] = {}
    seconds: float = 0.0
    max_errors: str = "0"


class BatchRunner(Protocol):
    """Runs batches on this machine."""

    def run(
        self, snapshot: Snapshot, job: BatchJob, report: Callable[[str], None], *, dry_run: bool = False
    ) -> Mapping[str, Any]:
        """Score the partitions that are not scored yet, and commit them.

        A Ctrl-C ends the workers; the finished partitions are committed, and the state is ``interrupted``.

        Parameters
        ----------
        report
            Called with progress in words, about once a second.

        Returns
        -------
        Mapping
            The fields of ``Batch`` from ``state`` to ``seconds``.

        Raises
        ------
        InvalidInput
            The source or the sink cannot be used, or a column is missing.
        EnvironmentChanged, TargetError
            The model cannot be loaded, or raised for too many rows; the finished partitions are kept.
        """
