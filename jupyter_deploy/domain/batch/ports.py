"""The port of batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from jupyter_deploy.domain.base import RecordMode, Value

if TYPE_CHECKING:
    from jupyter_deploy.domain.capture.artifacts import Snapshot
    from jupyter_deploy.domain.release.endpoint import Release


class BatchRecording(Value):
    """How the answers of a batch are recorded: ``folder`` of the release's records, and the endpoint's mode.

    ``folder`` is one of this machine; a cluster's pod has its own.
    """

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
    pods
        Of a cluster: the pods that score at the same time; ``workers`` is of each.
    rows
        The most rows of a partition.
    records
        None: the answers are not recorded.
    shadow
        The release is a shadow: its code sees that role, and takes a shadow's connections.
    """

    source: str
    sink: str
    keep: tuple[str, ...]
    format: str
    workers: int
    pods: int = 1
    rows: int = 1_000_000
    records: BatchRecording | None = None
    shadow: bool = False


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
            The model cannot be loaded, raised for too many rows, or a database that it needs is away; the finished
            partitions are kept.
        """


class ClusterBatchRunner(Protocol):
    """Runs batches in a cluster, by the release's own image."""

    def run(
        self, release: Release, job: BatchJob, report: Callable[[str], None], *, dry_run: bool = False
    ) -> Mapping[str, Any]:
        """Score as ``BatchRunner.run`` does, and wait for the end.

        ``job.workers`` 0: as many as the release has processors.

        A run that goes on in the cluster already, as after its caller was killed, is awaited. A Ctrl-C ends the run:
        what is whole is committed, and the state is ``interrupted``.

        Raises
        ------
        InvalidInput
            A place is on this machine, the release has no image, or the source cannot be used.
        TargetError
            The cluster cannot be reached, or the run failed again and again; the finished partitions are kept.
        """
