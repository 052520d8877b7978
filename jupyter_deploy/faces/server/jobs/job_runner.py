"""The job runner of a Jupyter server: it starts, cancels and supervises the processes of jobs.

One process that has imported everything, the *spare*, forks the jobs of this server's own Python, so that a change of
traffic does not wait for imports. A job's process does not depend on this server; the runner also supervises the jobs
of earlier servers. The module imports the standard library only, until there are jobs.
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
from typing import IO, TYPE_CHECKING, Any

from jupyter_deploy.verbs import BY_NAME

from . import jobs_in

if TYPE_CHECKING:  # a starting server imports no pydantic
    from jupyter_deploy.domain.jobs import Job, Jobs
    from jupyter_deploy.system.spare import Spare

_log = logging.getLogger(__name__)

_MODULE = "jupyter_deploy.faces.server.jobs.process"
_BUSY, _IDLE = 0.05, 0.25  # seconds between two polls
_SWEEP_SECONDS = 1.0
_OTHERS_SECONDS = 2.0  # until a job of another server is started here
_SPARE_RETRY_SECONDS = 5.0  # until the next spare starts; doubled each time that one ends at once
_SHORT_LIFE = 60.0
_SPARE_TIMEOUT = 30.0  # seconds until a job that the spare did not claim gets its own process
_STOP_SECONDS = 20.0  # from an interrupt to the next, then to a kill
_TRIES = 2

DEPLOY_EXPECTED = "expect deploy"
"""A message to the spare in place of a job's id: the process of the next job prepares a build."""


@dataclass
class _Process:
    """A process for a job; ``output`` is its text from before it claimed the job."""

    process: subprocess.Popen[bytes]
    output: IO[bytes]
    tries: int = 1


@dataclass
class _Stopping:
    since: float
    interrupts: int = 1


@dataclass
class _State:
    """The state of jobs in this server; everything else is in the jobs' file."""

    own: set[str] = field(default_factory=set)
    first_seen: dict[str, float] = field(default_factory=dict)
    started: dict[str, _Process] = field(default_factory=dict)
    ahead: set[str] = field(default_factory=set)  # handed over while a kernel captures the model
    handed_over: dict[str, float] = field(default_factory=dict)
    stopping: dict[str, _Stopping] = field(default_factory=dict)
    finishing: set[str] = field(default_factory=set)  # cancelled once, and left to finish
    seen: set[str] = field(default_factory=set)


class JobRunner:
    """Starts, cancels and supervises the jobs of one home; from any thread. All methods wait for the disk.

    Parameters
    ----------
    home : Path
        ``NBDEPLOY_HOME`` of the processes.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._state = _State()
        self._spare: Spare | None = None
        self._spare_at = self._swept = 0.0
        self._spares_lost = 0
        self._expects_deploy = False
        self._lock = threading.RLock()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    @cached_property
    def jobs(self) -> Jobs:
        """The jobs of this home."""
        return jobs_in(self._home)

    def open(self) -> None:
        """Start a thread that supervises the jobs and keeps a spare ready."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._supervise, daemon=True, name="nbdeploy-jobs")
                self._thread.start()

    def close(self) -> None:
        """End the thread and the spare with the server; jobs continue."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join()
        with self._lock:
            if self._spare is not None:
                self._spare.close()
                self._spare = None

    def start(self, job: Job) -> None:
        """Start the job's process now; if the job waits for its kernel, that process begins after the capture."""
        with self._lock:
            self._state.own.add(job.id)
            self._state.seen.add(job.id)  # it may fail before the next poll
            if job.state == "queued":
                self._start(job)
            elif job.state == "waiting" and self._send_to_spare(job.id):
                self._state.ahead.add(job.id)

    def expect_deploy(self) -> None:
        """Prepare the build of a deploy that is likely soon: a user has opened the dialog."""
        with self._lock:
            self._expects_deploy = not self._send_to_spare(DEPLOY_EXPECTED)

    def cancel(self, job_id: str) -> Job:
        """Cancel like Ctrl-C: at once if no process runs the job yet, else after the operation has undone partial work.

        A verb that ``finishes`` is left to do so, until it is cancelled once more.

        Raises ``UnknownJob``.
        """
        with self._lock:
            job = self.jobs.withdraw(job_id)
            if job.state == "running" and job_id not in self._state.stopping:
                if self.jobs.signal(job_id, signal.SIGINT):
                    if BY_NAME[job.verb].finishes and job_id not in self._state.finishing:
                        self._state.finishing.add(job_id)
                    else:
                        self._state.stopping[job_id] = _Stopping(time.monotonic())
                else:
                    self.jobs.sweep()
                    return self.jobs.job(job_id)
            return job

    def tick(self) -> float:
        """Poll once; return the seconds until the next poll."""
        with self._lock:
            active = self.jobs.active()
            self._forget({job.id for job in active})
            self._notify({job.id for job in active})
            ended = self._reap(active)
            for job in active:
                if job.state == "queued" and self._is_due(job):
                    self._start(job)
                if job.id in self._state.stopping:
                    self._stop_harder(job)
            if active and (ended or time.monotonic() - self._swept > _SWEEP_SECONDS):
                self._swept = time.monotonic()
                self.jobs.sweep()
            self._ensure_spare()
            return _BUSY if active else _IDLE

    def _supervise(self) -> None:
        from jupyter_deploy.domain.errors import DeployError

        pause = 0.0
        while not self._closed.wait(pause):
            try:
                pause = self.tick()
            except DeployError:  # such as a full disk: a request for jobs reports it, and it may be temporary
                pause = _SWEEP_SECONDS
            except Exception:  # noqa: BLE001 - a bug must not prevent later jobs
                _log.exception("jobs cannot be supervised")
                pause = _SWEEP_SECONDS

    def _is_due(self, job: Job) -> bool:
        """Whether to start a queued job: at once if it is this server's, later if another server does not start it."""
        if job.id in self._state.started:
            return False
        if job.id in self._state.handed_over:
            return time.monotonic() - self._state.handed_over[job.id] > _SPARE_TIMEOUT
        seen = self._state.first_seen.setdefault(job.id, time.monotonic())
        return job.id in self._state.own or time.monotonic() - seen > _OTHERS_SECONDS

    def _start(self, job: Job, tries: int = 1) -> None:
        state = self._state
        forks = is_ours(job.interpreter) and job.id not in state.handed_over and tries == 1
        if forks and (job.id in state.ahead or self._send_to_spare(job.id)):
            state.handed_over[job.id] = time.monotonic()
            return
        try:
            state.started[job.id] = self._process(job.interpreter or sys.executable, job.id)
            state.started[job.id].tries = tries
        except OSError as error:
            self._fail(job, str(error))

    def _send_to_spare(self, message: str) -> bool:
        """Send a job's id, or ``DEPLOY_EXPECTED``, to the spare; False: there is no spare that takes it."""
        if self._spare is None or not self._spare.alive:
            return False
        try:
            self._spare.hand_over(message)
        except OSError:
            return False
        return True

    def _process(self, interpreter: str, job_id: str) -> _Process:
        output = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process runs
        process = subprocess.Popen(
            [interpreter, "-P", "-m", _MODULE, job_id],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            **self._options,
        )
        return _Process(process, output)

    @property
    def _options(self) -> dict[str, Any]:
        # The nbdeploy.yaml of the working directory applies too: the root has none.
        return {"cwd": "/", "env": os.environ | {"NBDEPLOY_HOME": str(self._home)}}

    def _reap(self, active: list[Job]) -> bool:
        """Return whether a process ended. One that did not claim its job starts once more; then the job fails."""
        by_id = {job.id: job for job in active}
        ended = {name: one for name, one in self._state.started.items() if one.process.poll() is not None}
        for job_id, one in ended.items():
            del self._state.started[job_id]
            job = by_id.get(job_id)
            if job is not None and self.jobs.job(job_id).state == "queued":
                if one.tries < _TRIES and one.process.returncode:
                    self._start(job, one.tries + 1)
                else:
                    self._fail(job, _tail(one.output))
            one.output.close()
        if self._spare is not None and not self._spare.alive:
            self._spare.close()
            self._spare = None
            self._spares_lost = self._spares_lost + 1 if time.monotonic() - self._spare_at < _SHORT_LIFE else 0
            self._state.handed_over.clear()  # jobs that it did not claim are started again
            self._state.ahead.clear()
        return bool(ended)

    def _fail(self, job: Job, why: str) -> None:
        if job.id not in self._state.own and job.id not in self._state.handed_over:
            # A job of another server, perhaps in a container with that interpreter: that server may still start it.
            self._state.handed_over[job.id] = time.monotonic()
            return
        from jupyter_deploy.domain.jobs import Problem

        python = job.interpreter or sys.executable
        problem = Problem(
            code="job_not_started",
            title="The job did not start",
            status=500,
            detail=f"{python} could not start a process for the job",
            remedy=f"install nbdeploy in that environment: {python} -m pip install nbdeploy",
            details=why,
        )
        self.jobs.end(job.id, "failed", problem=problem)

    def _stop_harder(self, job: Job) -> None:
        """Interrupt a job that does not stop once more, then kill it."""
        stopping = self._state.stopping[job.id]
        if time.monotonic() - stopping.since < _STOP_SECONDS * stopping.interrupts:
            return
        if stopping.interrupts < 2:
            stopping.interrupts += 1
            self.jobs.signal(job.id, signal.SIGINT)
            return
        from jupyter_deploy.domain.jobs import killed_problem

        self.jobs.signal(job.id, signal.SIGKILL)
        detail = f"the job was cancelled, did not end within {_STOP_SECONDS * stopping.interrupts:g} s and was killed"
        self.jobs.end(job.id, "failed", problem=killed_problem(job).model_copy(update={"detail": detail}))

    def _ensure_spare(self) -> None:
        if self._spare is None and time.monotonic() - self._spare_at > _SPARE_RETRY_SECONDS * 2 ** min(
            self._spares_lost, 6
        ):
            self._spare_at = time.monotonic()
            from jupyter_deploy.system import spare

            with contextlib.suppress(OSError):  # such as too many processes: a job starts its own and reports the error
                command = [sys.executable, "-P", "-m", _MODULE]
                null = subprocess.DEVNULL
                self._spare = spare.start(command, _MODULE, stdout=null, stderr=null, **self._options)
                if self._expects_deploy:
                    self.expect_deploy()

    def _notify(self, active: set[str]) -> None:
        """Notify the user of the jobs that were active a moment ago and have failed."""
        ended, self._state.seen = self._state.seen - active, active
        if ended and any(os.environ.get(name) for name in ("NBDEPLOY_NOTIFY", "NBDEPLOY_NOTIFY_EMAIL")):
            threading.Thread(target=self._send_failures, args=(ended,), daemon=True, name="nbdeploy-notify").start()

    def _send_failures(self, ended: set[str]) -> None:
        """Send the failures among ended jobs; servers of one home send each once."""
        from jupyter_deploy.domain.errors import DeployError
        from jupyter_deploy.domain.monitoring.events import job_failed
        from jupyter_deploy.system.notifications import notifier

        try:
            jobs = [self.jobs.job(job_id) for job_id in ended]
            sender = notifier(self._home)
            for job in jobs:
                if job.state == "failed":
                    sender.send(job_failed(job))
        except DeployError as error:  # removed meanwhile, an unreadable store, or a wrong setting
            _log.warning("a failed job is not notified of: %s", error)

    def _forget(self, active: set[str]) -> None:
        state = self._state
        state.own &= active
        state.ahead &= active
        state.finishing &= active
        for table in (state.first_seen, state.stopping, state.handed_over):
            for gone in table.keys() - active:
                del table[gone]


def is_ours(interpreter: str) -> bool:
    """Whether an interpreter is this Python; environments share one binary, so the folder counts too."""
    mine, other = Path(sys.executable), Path(interpreter or sys.executable)
    return mine.parent == other.parent and mine.resolve() == other.resolve()


def _tail(output: IO[bytes]) -> str:
    from jupyter_deploy.domain.release.processes import last_lines

    output.seek(0)
    return last_lines(output.read().decode("utf-8", "replace"), 20)
