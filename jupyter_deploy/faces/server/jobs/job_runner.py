"""Who starts the processes of jobs, in the Jupyter server: the standard library, and the jobs' file when it is needed.

One process that has imported everything, the *spare*, forks those of this server's own Python, so that a toggle does
not wait for imports. A job's process needs this server no more; what an earlier server left is seen like the rest.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING

from . import jobs_in

if TYPE_CHECKING:  # a starting server imports no pydantic
    from jupyter_deploy.domain.jobs import Job, Jobs

_log = logging.getLogger(__name__)

_MODULE = "jupyter_deploy.faces.server.jobs.process"
_BUSY, _IDLE = 0.05, 0.25  # seconds between two looks
_SWEPT_EVERY = 1.0
_OTHERS = 2.0  # seconds until a job is started that another server may have been about to start
_SPARE_AGAIN = 5.0  # seconds until another spare is tried when one ended; twice as long each time that it ends at once
_AT_ONCE = 60.0
_ALONE = 30.0  # seconds until a job that the spare did not come to is given a process that imports for itself
_PATIENCE = 20.0  # seconds from one way of stopping a job to the next, harder one
_TRIES = 2


@dataclass
class _Started:
    """A process for a job; ``said`` is what it printed before the job was its own."""

    process: subprocess.Popen[bytes]
    said: IO[bytes]
    tries: int = 1


@dataclass
class _Stopping:
    since: float
    interrupts: int = 1


@dataclass
class _Known:
    """What this server remembers of jobs; all else stands in their file."""

    own: set[str] = field(default_factory=set)
    first_seen: dict[str, float] = field(default_factory=dict)
    started: dict[str, _Started] = field(default_factory=dict)
    told: dict[str, float] = field(default_factory=dict)
    stopping: dict[str, _Stopping] = field(default_factory=dict)


class JobRunner:
    """Starts, cancels and looks after the jobs of one home; from any thread. All methods wait for the disk.

    Parameters
    ----------
    home : Path
        Given to the processes as ``NBDEPLOY_HOME``.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._known = _Known()
        self._spare: _Started | None = None
        self._spare_at = self._swept = 0.0
        self._spares_lost = 0
        self._lock = threading.RLock()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    @cached_property
    def jobs(self) -> Jobs:
        """The jobs of this home."""
        return jobs_in(self._home)

    def open(self) -> None:
        """Look after the jobs in a thread from now on, with a spare ready."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._attend, daemon=True, name="nbdeploy-jobs")
                self._thread.start()

    def close(self) -> None:
        """The server ends: so does the spare, while jobs go on."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join()
        with self._lock:
            if self._spare is not None:
                _dismiss(self._spare)
                self._spare = None

    def start(self, job: Job) -> None:
        """Start its process now, or, while it waits for its kernel, as soon as that has captured."""
        with self._lock:
            self._known.own.add(job.id)
            if job.state == "queued":
                self._start(job)

    def cancel(self, job_id: str) -> Job:
        """As Ctrl-C would: at once what no process runs yet, else its operation undoes what is half-made first.

        Raises ``UnknownJob``.
        """
        with self._lock:
            job = self.jobs.withdraw(job_id)
            if job.state == "running" and job_id not in self._known.stopping:
                if self.jobs.signal(job_id, signal.SIGINT):
                    self._known.stopping[job_id] = _Stopping(time.monotonic())
                else:
                    self.jobs.sweep()
                    return self.jobs.job(job_id)
            return job

    def tick(self) -> float:
        """Look once; seconds until the next look."""
        with self._lock:
            active = self.jobs.active()
            self._forget({job.id for job in active})
            ended = self._reap(active)
            for job in active:
                if job.state == "queued" and self._is_due(job):
                    self._start(job)
                if job.id in self._known.stopping:
                    self._press(job)
            if active and (ended or time.monotonic() - self._swept > _SWEPT_EVERY):
                self._swept = time.monotonic()
                self.jobs.sweep()
            self._have_spare()
            return _BUSY if active else _IDLE

    def _attend(self) -> None:
        from jupyter_deploy.domain.errors import DeployError

        pause = 0.0
        while not self._closed.wait(pause):
            try:
                pause = self.tick()
            except DeployError:  # a full disk, say: whoever asks for jobs is told, and it may pass
                pause = _SWEPT_EVERY
            except Exception:  # noqa: BLE001 - a bug; who else would start what is asked for next?
                _log.exception("jobs cannot be looked after")
                pause = _SWEPT_EVERY

    def _is_due(self, job: Job) -> bool:
        """At once if it was asked of this server; what others were asked for only if they do not come to it."""
        if job.id in self._known.started:
            return False
        if job.id in self._known.told:
            return time.monotonic() - self._known.told[job.id] > _ALONE
        seen = self._known.first_seen.setdefault(job.id, time.monotonic())
        return job.id in self._known.own or time.monotonic() - seen > _OTHERS

    def _start(self, job: Job, tries: int = 1) -> None:
        known = self._known
        if _is_ours(job.interpreter) and job.id not in known.told and tries == 1 and self._tell_spare(job.id):
            known.told[job.id] = time.monotonic()
            return
        try:
            known.started[job.id] = self._process(job.interpreter or sys.executable, job.id)
            known.started[job.id].tries = tries
        except OSError as error:
            self._could_not(job, str(error))

    def _tell_spare(self, job_id: str) -> bool:
        """Whether it took the job; it forks, and the job's process is none of ours then."""
        if self._spare is None or self._spare.process.poll() is not None or self._spare.process.stdin is None:
            return False
        try:
            self._spare.process.stdin.write(f"{job_id}\n".encode())
            self._spare.process.stdin.flush()
        except OSError:
            return False
        return True

    def _process(self, interpreter: str, *arguments: str) -> _Started:
        said = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
        process = subprocess.Popen(
            [interpreter, "-P", "-m", _MODULE, *arguments],
            env=os.environ | {"NBDEPLOY_HOME": str(self._home)},
            cwd="/",  # settings are read from the working directory's nbdeploy.yaml too: here is none of a stranger
            stdin=subprocess.DEVNULL if arguments else subprocess.PIPE,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
        return _Started(process, said)

    def _reap(self, active: list[Job]) -> bool:
        """Whether a process ended; one that did not come to its job is started once more, and then given up."""
        by_id = {job.id: job for job in active}
        ended = {name: one for name, one in self._known.started.items() if one.process.poll() is not None}
        for job_id, one in ended.items():
            del self._known.started[job_id]
            job = by_id.get(job_id)
            if job is not None and self.jobs.job(job_id).state == "queued":
                if one.tries < _TRIES and one.process.returncode:
                    self._start(job, one.tries + 1)
                else:
                    self._could_not(job, _tail(one.said))
            one.said.close()
        if self._spare is not None and self._spare.process.poll() is not None:
            _dismiss(self._spare)
            self._spare = None
            self._spares_lost = self._spares_lost + 1 if time.monotonic() - self._spare_at < _AT_ONCE else 0
            self._known.told.clear()  # what it did not come to is started anew; what it did is claimed
        return bool(ended)

    def _could_not(self, job: Job, why: str) -> None:
        if job.id not in self._known.own and job.id not in self._known.told:
            # Asked of another server, perhaps in another container, where that interpreter is: it may yet come to it.
            self._known.told[job.id] = time.monotonic()
            return
        from jupyter_deploy.domain.jobs import Problem

        python = job.interpreter or sys.executable
        problem = Problem(
            code="job_not_started",
            title="The job did not start",
            status=500,
            detail=f"no process for it could be started by {python}",
            remedy=f"see that nbdeploy is installed there, as here: {python} -m pip install nbdeploy",
            details=why,
        )
        self.jobs.end(job.id, "failed", problem=problem)

    def _press(self, job: Job) -> None:
        """A job that was told to stop is told again, and then killed."""
        asked = self._known.stopping[job.id]
        if time.monotonic() - asked.since < _PATIENCE * asked.interrupts:
            return
        if asked.interrupts < 2:
            asked.interrupts += 1
            self.jobs.signal(job.id, signal.SIGINT)
            return
        from jupyter_deploy.domain.jobs import gone

        self.jobs.signal(job.id, signal.SIGKILL)
        words = f"it was cancelled, did not end within {_PATIENCE * asked.interrupts:g} s and was killed"
        self.jobs.end(job.id, "failed", problem=gone(job).model_copy(update={"detail": words}))

    def _have_spare(self) -> None:
        if self._spare is None and time.monotonic() - self._spare_at > _SPARE_AGAIN * 2 ** min(self._spares_lost, 6):
            self._spare_at = time.monotonic()
            with contextlib.suppress(OSError):  # too many processes, say: a job asks for its own, and tells
                self._spare = self._process(sys.executable)

    def _forget(self, active: set[str]) -> None:
        known = self._known
        known.own &= active
        for table in (known.first_seen, known.stopping, known.told):
            for gone in table.keys() - active:
                del table[gone]


def _is_ours(interpreter: str) -> bool:
    """Whether it is this very Python; environments share one binary, so its folder counts."""
    mine, other = Path(sys.executable), Path(interpreter or sys.executable)
    return mine.parent == other.parent and mine.resolve() == other.resolve()


def _dismiss(spare: _Started) -> None:
    """What is still importing would only see the end of stdin afterwards."""
    spare.process.kill()
    if spare.process.stdin is not None:
        with contextlib.suppress(OSError):  # a job's id that it did not take
            spare.process.stdin.close()
    spare.process.wait()
    spare.said.close()


def _tail(said: IO[bytes]) -> str:
    from jupyter_deploy.domain.release.processes import last_lines

    said.seek(0)
    return last_lines(said.read().decode("utf-8", "replace"), 20)
