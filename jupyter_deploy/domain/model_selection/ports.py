"""The ports of a choice among models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from jupyter_deploy.domain.capture.artifacts import Snapshot
from jupyter_deploy.domain.validation.validation import Metric

from .selection import Performance, Score


@dataclass(frozen=True)
class Measured:
    """The answers of one snapshot to all instances, its performance, and the bytes of its files.

    Attributes
    ----------
    library_bytes
        The installed size of the distributions of its lock; None: one is not installed here in its version.
    classes
        The classes that its object names (``classes_``), each as ``repr``; None: it names none, as a translation.
    """

    answers: list[Any]
    performance: Performance
    artifact_bytes: int
    library_bytes: int | None = None
    classes: tuple[str, ...] | None = None


class Measurer(Protocol):
    @property
    def processor(self) -> str:
        """The name of this machine's processor; empty: it is not known."""

    def measure(
        self, snapshots: Sequence[Snapshot], instances: Sequence[Sequence[Any]], report: Callable[[str], None]
    ) -> list[Measured]:
        """Measure snapshots in clean processes, in interleaved rounds.

        Parameters
        ----------
        instances
            For each snapshot the same rows, in the form of its requests.

        Raises TargetError (a process ended, or its model raised), EnvironmentChanged.
        """


class ScoreIntervals(Protocol):
    def estimate(self, metric: Metric) -> Score:
        """Return the value of a metric with its own interval, at 95 %."""

    def simultaneous(self, metrics: Sequence[Metric], level: float) -> Callable[[int, int], Score]:
        """Return the function of the differences between two metrics by their positions.

        All intervals of all pairs hold together with a probability of ``level``.
        """
