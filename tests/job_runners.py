"""Job runners of a home, as of a Jupyter server."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psutil
import pytest

from jupyter_deploy.faces.server.jobs.job_runner import JobRunner
from tests.e2e.conftest import until


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


def building_of(waiting: psutil.Process) -> psutil.Process:
    """The process with the expected build, once it is that program and no longer a copy of its parent."""

    def begun() -> list[psutil.Process]:
        found = []
        for child in waiting.children():
            with suppress(psutil.Error):  # it ends just now
                found += [child] if any("bento_build.py" in word for word in child.cmdline()) else []
        return found

    (building,) = until(begun, 60)
    return building
