"""The port of batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from jupyter_deploy.domain.base import RecordMode, Value

if TYPE_CHECKING:
    from jupyter_deploy.domain.capture.artifacts import Snapshot


class BatchRecording(Value):
    """How the answers of a batch are recorded: ``folder`` of the release's records, and the endpoint's mode."""

    folder: str
    endpoint: str
    release: str
    role: str
    kept: RecordMode
    sample: float
    redact: tuple[str, ...]


class BatchJob(Value):
    """What workers do: the request with absolute places.

    Attributes
    ----------
    rows
        The most rows of a partition.
    records
        None: the answers are not recorded.
    """

    source: str
    sink: str
    keep: tuple[str, ...]
    format: str
    workers: int
    rows: int = 1_000_000
    records: BatchRecording | None = None


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
