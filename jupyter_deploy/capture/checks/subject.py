"""What the checks look at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jupyter_deploy.capture.frameworks import Framework
from jupyter_deploy.capture.inspection import Inspected
from jupyter_deploy.capture.training_table import NotFound, Training
from jupyter_deploy.domain.capture.artifacts import Manifest
from jupyter_deploy.domain.ports import Live


@dataclass(frozen=True)
class Glanced:
    """The live object with its notebook, before anything was asked."""

    live: Live


@dataclass(frozen=True)
class Subject(Glanced):
    """Before the replay: the live object with its notebook, and what is known of it by now.

    ``folder`` holds what was written of it. ``training`` is the table that it was fitted on, or why that is not known;
    None: it was not fitted, it seems.
    """

    seen: Inspected
    framework: Framework
    folder: Path
    training: Training | NotFound | None = None


@dataclass(frozen=True)
class Proved:
    """After the replay: the files as they will be kept, the lock, and the modules that the clean process loaded."""

    live: Live
    manifest: Manifest
    folder: Path
    modules: tuple[str, ...]
