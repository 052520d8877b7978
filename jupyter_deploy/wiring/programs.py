"""The command lines and variables of programs that run next to the releases."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jupyter_deploy.settings import Settings


def archivist_command(settings: Settings, home: Path) -> tuple[str, ...]:
    """Return the command line of the archivist, which compacts and expires records while releases run."""
    age = settings.records_max_age
    command = [sys.executable, "-P", "-m", "jupyter_deploy.records.archivist", str(home)]
    command += ["--max-bytes", str(settings.records_max_bytes)]
    command += ["--watcher", "jupyter_deploy.drift_detection.watcher"]
    command += ["--max-seconds", str(age.total_seconds())] if age else []
    return (*command, *(["--to", settings.records_to] if settings.records_to else []))


def ramp_variables(settings: Settings) -> dict[str, str]:
    """Return the core's settings that a ramp's driver on another machine has from here."""
    variables = {"KEEP_REVISIONS": str(settings.keep_revisions), "RAMP_EVERY": f"{settings.ramp_every:g}"}
    variables |= {"RECORDS_TO": settings.records_to} if settings.records_to else {}
    return {f"NBDEPLOY_{name}": value for name, value in variables.items()}
