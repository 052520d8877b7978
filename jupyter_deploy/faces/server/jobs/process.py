"""``python -m jupyter_deploy.faces.server.jobs.process [JOB]``: the process that runs one job.

It has its own session and depends neither on the server that started it nor on a kernel: it writes all events to the
jobs' file. Without JOB it is the spare: it imports all modules, makes the ports, observes the targets once, and forks
the process that waits for the next job's id on stdin, so that a job begins within milliseconds. Both end at the end of
stdin, which is the server's pipe. A job whose model a kernel captures is handed over before that: its process starts
what the build needs, and waits.

The settings are those of the environment. If the request names a notebook, its folder is the working directory, and
an ``nbdeploy.yaml`` there applies too: its requirements at once, the rest after the user's agreement
(``settings.FolderSettings``).
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import BaseModel

import jupyter_deploy
from jupyter_deploy.domain.base import Value
from jupyter_deploy.domain.errors import DeployError, StoreError, disk_faults
from jupyter_deploy.domain.jobs import Job, Jobs, JobState, Problem
from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.requests import Request
from jupyter_deploy.domain.validation.validation import Validation
from jupyter_deploy.faces.render.collision import check_distributions
from jupyter_deploy.faces.render.output import as_json
from jupyter_deploy.faces.render.problems import interrupted_problem, problem_of
from jupyter_deploy.serving.spare import read_job
from jupyter_deploy.settings import load_settings
from jupyter_deploy.system.home import default_home
from jupyter_deploy.system.output_redirection import redirect_output
from jupyter_deploy.system.process_defaults import without_slow_formats
from jupyter_deploy.verbs import BY_NAME, OPERATIONS
from jupyter_deploy.verbs.interrupts import outside_pydantic
from jupyter_deploy.verbs.spare import start_build_spare
from jupyter_deploy.wiring import Wiring

from . import jobs_in
from .folders import folder_of
from .job_runner import DEPLOY_EXPECTED, is_ours
from .reporter import reporting

_TRIES = 60
_POLL_SECONDS = 0.05  # between two checks whether the model is captured

_CLAIMED, _END = b"t", b"e"
"""Messages from a fork to the spare: it has a job, so the spare forks the next; stdin has ended."""


class Stop:
    """Handles SIGINT and SIGTERM: raises within the operation, not while it is prepared or the job's end is written.

    A server in the background ignores SIGINT, and its children inherit that, so the handler is set in any case.
    """

    def __init__(self) -> None:
        self.received = False
        self._raises = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, outside_pydantic(self._receive))

    def _receive(self, *_: object) -> None:
        self.received = True
        if self._raises:
            raise KeyboardInterrupt

    def __enter__(self) -> None:
        self._raises = True
        if self.received:
            self._raises = False
            raise KeyboardInterrupt

    def __exit__(self, *_: object) -> None:
        self._raises = False


def main(arguments: list[str]) -> int:
    """Run the job with this id; without one, fork for each job's id on stdin."""
    without_slow_formats()
    named = os.environ.get("NBDEPLOY_HOME")
    jobs = jobs_in(Path(named).expanduser().absolute() if named else default_home())
    installed = _install_time()
    ports = None if arguments else _warm_up(jobs)
    job_id = arguments[0] if arguments else _fork_ahead(installed, ports)
    if job_id is None:
        return 0
    stop = Stop()
    job = jobs.claim(job_id, os.getpid()) if arguments or _is_captured(job_id, jobs, ports) else None
    if job is not None:
        try:
            _run(job, jobs, stop, ports)
        except KeyboardInterrupt:  # just before the operation began, or just after it was stopped
            stop.__exit__()
            _end(jobs, job, "cancelled")
    if not arguments:
        _exit_fast()
    return 0


def _fork_ahead(installed: int, ports: Ports | None) -> str | None:
    """Fork processes that wait for a job; return the job's id in each fork, and None in the spare when stdin has ended.

    Each fork waits before its job exists and reads the id itself, so that a job begins without a fork.
    """
    signal.signal(signal.SIGCHLD, _reap)
    gc.freeze()  # keep the shared objects shared
    message = _CLAIMED
    while message != _END:  # empty: the fork was killed before it had a job
        read_end, write_end = os.pipe()
        if not os.fork():
            os.close(read_end)
            return _wait_for_job(write_end, installed, ports)
        os.close(write_end)
        message = os.read(read_end, 1)
        os.close(read_end)
    return None


def _wait_for_job(write_end: int, installed: int, ports: Ports | None) -> str | None:
    """Read the next job's id in a fork; None: stdin has ended. If a deploy is expected, prepare its build."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    job_id: str | None
    while (job_id := read_job(seconds=None, several=True)) == DEPLOY_EXPECTED:
        if ports is not None and ports.starts_spares:
            start_build_spare(ports)
    with contextlib.suppress(OSError):  # the spare was killed; this job starts nevertheless
        os.write(write_end, _CLAIMED if job_id is not None else _END)
    os.close(write_end)
    if job_id is None:
        return None
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    if _install_time() != installed:  # nbdeploy was upgraded meanwhile: do not mix two versions
        os.execv(sys.executable, [sys.executable, "-P", "-m", __spec__.name, job_id])
    return job_id


def _is_captured(job_id: str, jobs: Jobs, ports: Ports | None) -> bool:
    """Wait while a kernel captures the job's model; return whether the job is for this interpreter.

    Meanwhile a process imports BentoML for the build. False too if the server, whose spare forked this process, ends.
    """
    parent = os.getppid()
    with contextlib.suppress(DeployError):
        job = jobs.job(job_id)
        if job.state == "waiting" and ports is not None:
            start_build_spare(ports)
        while job.state == "waiting":
            time.sleep(_POLL_SECONDS)
            if os.getppid() != parent:
                return False
            job = jobs.job(job_id)
        return job.state == "queued" and is_ours(job.interpreter)
    return False


def _exit_fast() -> None:
    """End the process after the exit functions, without freeing its objects.

    Freeing objects that are shared with the spare would copy their pages first, which is half of a change's time.
    """
    mine = threading.current_thread()
    if any(not one.daemon and one is not mine for one in threading.enumerate()):
        return  # Python waits for other threads at its own end
    atexit._run_exitfuncs()  # noqa: SLF001 - there is no public way to call them
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(0)


def _install_time() -> int:
    return Path(jupyter_deploy.__file__).stat().st_mtime_ns


def _reap(*_: object) -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _run(job: Job, jobs: Jobs, stop: Stop, ready: Ports | None) -> None:
    result: Any = None
    raised: BaseException | None = None
    document: Any = None
    try:
        ports = ready or Wiring(load_settings()).ports
    except DeployError as error:
        _end(jobs, job, "failed", problem=problem_of(error))
        return

    def log(text: str) -> None:
        (masked,) = ports.notebooks.masked([text])
        _add_event(jobs, job, "log", {"text": masked})

    with redirect_output(log):
        try:
            with reporting(partial(_add_event, jobs, job), job.number) as report, disk_faults():
                operation = _prepared(job, ports, report)
                with stop:
                    result = operation()
            document = json.loads(as_json(result))
        except BaseException as error:  # noqa: BLE001 - the one edge of this face
            raised = error
    interrupted = isinstance(raised, KeyboardInterrupt) or (isinstance(result, Validation) and result.stopped)
    cancelled = interrupted or (raised is not None and stop.received)
    state: JobState = "cancelled" if cancelled else "failed" if raised is not None else "done"
    if isinstance(raised, KeyboardInterrupt):
        problem = interrupted_problem(raised)
    else:
        problem = None if raised is None else problem_of(raised)
    _end(jobs, job, state, result=document, problem=problem)


def _prepared(job: Job, ports: Ports, report: Report) -> Callable[[], Any]:
    """Return the operation's call; an interrupt waits meanwhile, since imports and pydantic may lose it."""
    check_distributions()
    operation = BY_NAME[job.verb]
    request = operation.request.model_validate(job.request)
    folder = folder_of(request, ports.store)
    if folder is not None:
        os.chdir(folder)
        ports = Wiring(load_settings(notebook_folder=folder, home=ports.home)).ports
    return partial(operation.function, request, ports, report)


def _end(jobs: Jobs, job: Job, state: JobState, *, result: Any = None, problem: Problem | None = None) -> None:
    """Write the job's end; retry while the disk is full or the file is locked, so that the job does not look killed."""
    for _ in range(_TRIES):
        with contextlib.suppress(StoreError):
            jobs.end(job.id, state, result=result, problem=problem)
            return
        time.sleep(1)
    jobs.end(job.id, state, problem=problem)


def _add_event(jobs: Jobs, job: Job, kind: Any, data: dict[str, Any]) -> None:
    """Write an event if the store allows it; a lost event stops nothing."""
    with contextlib.suppress(StoreError):
        jobs.add_event(job.id, kind, data)


def _warm_up(jobs: Jobs) -> Ports | None:
    """Load what nearly every verb needs: modules, checked files, and the validators that pydantic builds lazily.

    None: the settings are wrong; each job reports that.
    """
    ports: Ports | None = None
    with contextlib.suppress(DeployError):
        ports = Wiring(load_settings()).ports
        for operation in OPERATIONS:
            _ = operation.function
        _ = ports.targets, ports.client, ports.log, ports.truth, ports.reports
    import_module("httpcore")  # httpx imports it with its first request
    for base in (Value, Request):
        for model in _subclasses(base):
            model.model_rebuild()
    with contextlib.suppress(DeployError, OSError):  # the job reports the error
        jobs.latest()
        if ports is not None:
            ports.store.endpoints()
            for target in ports.targets.values():
                if target.shared is None:  # one that others share is asked by the job itself
                    with contextlib.suppress(DeployError, OSError):  # one that is off keeps no other one cold
                        target.check()
                        target.observe_all([])
    return ports


def _subclasses(base: type[BaseModel]) -> list[type[BaseModel]]:
    return [one for child in base.__subclasses__() for one in (child, *_subclasses(child))]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
