"""Jobs: who starts their processes (``desk``), and what such a process does (``process``)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a starting server imports no pydantic
    from jupyter_deploy.domain.jobs import Jobs


def jobs_in(home: Path) -> Jobs:
    """The jobs of a home, past the wiring: neither a server nor a job's process may need the settings to be right."""
    from jupyter_deploy.store.jobs import SqliteJobs

    return SqliteJobs(home)
