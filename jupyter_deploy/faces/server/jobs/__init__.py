"""Jobs: the runner starts their processes (``job_runner``), and each process runs one job (``process``)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a starting server imports no pydantic
    from jupyter_deploy.domain.jobs import Jobs


def jobs_in(home: Path) -> Jobs:
    """Return the jobs of a home, without the wiring: a server and a job's process must work with wrong settings too."""
    from jupyter_deploy.store.jobs import SqliteJobs

    return SqliteJobs(home)
