"""Job runners of a home, as of a Jupyter server."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from jupyter_deploy.faces.server.jobs.job_runner import JobRunner


@contextmanager
def opened(home: Any) -> Iterator[JobRunner]:
    """Run one with the settings of a home; at the end its active jobs are killed."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in home.environment.items():
            patch.setenv(name, value)
        runner = JobRunner(home.path / "nbdeploy")
        runner.open()
        yield runner
        runner.close()
        for job in runner.jobs.active():
            runner.jobs.signal(job.id, signal.SIGKILL)
