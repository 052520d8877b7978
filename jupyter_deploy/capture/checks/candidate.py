"""The input of the checks at three stages of a deploy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jupyter_deploy.capture.frameworks import Framework
from jupyter_deploy.capture.inspection import Inspected
from jupyter_deploy.capture.training_table import TrainingTable, TrainingUnknown
from jupyter_deploy.domain.capture.artifacts import Manifest
from jupyter_deploy.domain.capture.ports import Live


@dataclass(frozen=True)
class LiveCandidate:
    """The live object with its notebook, before the model is called."""

    live: Live


@dataclass(frozen=True)
class Candidate(LiveCandidate):
    """The live object before the replay, with the results of its inspection.

    ``folder`` holds the written files. ``training`` is the training table, or the reason why it is unknown; None: the
    model was probably not fitted.
    """

    seen: Inspected
    framework: Framework
    folder: Path
    training: TrainingTable | TrainingUnknown | None = None


@dataclass(frozen=True)
class ProvedCandidate:
    """The snapshot after the replay: its files, its lock, and the modules that the clean process loaded."""

    live: Live
    manifest: Manifest
    folder: Path
    modules: tuple[str, ...]
