"""``python -m jupyter_deploy.faces.server.jobs.process [JOB]``: the process that runs one job.

It is in a session of its own and needs neither the server that started it nor a kernel: all that it tells stands in
the jobs' file. Without JOB it is the spare: it makes what verbs need, looks once at what runs, so that nothing is left
to be done for the first time, and forks ahead the process that waits for the next job's id on stdin, so that a job
begins within milliseconds. At the end of stdin, which is the server's, both end.

The settings are those of the environment. Where the request names a notebook, its folder is the working directory, and
of an ``nbdeploy.yaml`` there what a model must hold to counts too (``settings.load_settings``).
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
from jupyter_deploy.domain.results import Deployment
from jupyter_deploy.domain.validation.validation import Validation
from jupyter_deploy.faces.render.collision import check_distributions
from jupyter_deploy.faces.render.output import as_json
from jupyter_deploy.faces.render.problems import interrupted_problem, problem_of
from jupyter_deploy.settings import load_settings
from jupyter_deploy.system.home import default_home
from jupyter_deploy.system.output_redirection import redirect_output
from jupyter_deploy.system.process_defaults import without_slow_formats
from jupyter_deploy.verbs import BY_NAME, OPERATIONS
from jupyter_deploy.verbs.spare import stand_by_to_release
from jupyter_deploy.wiring import Wiring

from . import jobs_in
from .folders import folder_of
from .reporter import telling

_TRIES = 60

_TAKEN, _END = b"t", b"e"
"""What a fork says to the spare: it has a job, so that another one is to wait; there will be none."""


class Stop:
    """Ctrl-C and polite kills: raised within the operation, once it may be; afterwards its end is written all the same.

    A server that was started in the background hands down that SIGINT is ignored, so the handler is set in any case.
    """

    def __init__(self) -> None:
        self.heard = False
        self._raises = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._hear)

    def _hear(self, *_: object) -> None:
        self.heard = True
        if self._raises:
            raise KeyboardInterrupt

    def __enter__(self) -> None:
        self._raises = True
        if self.heard:
            self._raises = False
            raise KeyboardInterrupt

    def __exit__(self, *_: object) -> None:
        self._raises = False


def main(arguments: list[str]) -> int:
    """Run the job of this id; without one, fork for each that stdin tells."""
    without_slow_formats()
    given = os.environ.get("NBDEPLOY_HOME")
    jobs = jobs_in(Path(given).expanduser().absolute() if given else default_home())
    written = _written()
    ports = None if arguments else _ready(jobs)
    job_id = arguments[0] if arguments else _forked(written)
    if job_id is None:
        return 0
    stop = Stop()
    job = jobs.claim(job_id, os.getpid())
    if job is not None:
        try:
            _run(job, jobs, stop, ports)
        except KeyboardInterrupt:  # the very moment before the operation began, or after it was stopped
            stop.__exit__()
            _end(jobs, job, "cancelled")
    if not arguments:
        _leave()
    return 0


def _forked(written: int) -> str | None:
    """In each fork its job; None: nobody will tell another one.

    Each is forked ahead and hears of its job itself, so that this begins without a fork, and without a word from here.
    """
    signal.signal(signal.SIGCHLD, _reap)
    gc.freeze()  # what all share is copied by none
    said = _TAKEN
    while said != _END:  # nothing said: it was killed before it had a job
        hearing, saying = os.pipe()
        if not os.fork():
            os.close(hearing)
            return _taken(saying, written)
        os.close(saying)
        said = os.read(hearing, 1)
        os.close(hearing)
    return None


def _taken(saying: int, written: int) -> str | None:
    """In a fork: the job that it is told of; None: stdin ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    line = b""
    while not line.endswith(b"\n") and (byte := os.read(0, 1)):  # no more: what follows is the next one's
        line += byte
    job_id = line.decode().strip()
    with contextlib.suppress(OSError):  # the spare was killed: this job is none the less begun
        os.write(saying, _TAKEN if job_id else _END)
    os.close(saying)
    if not job_id:
        return None
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    if _written() != written:  # nbdeploy was upgraded meanwhile: not half of each
        os.execv(sys.executable, [sys.executable, "-P", "-m", __spec__.name, job_id])  # noqa: S606
    return job_id


def _leave() -> None:
    """End here, as soon as what asked for it has been tidied up.

    To free object by object what is shared with the spare would copy all of it first, which is half of a toggle's work.
    """
    mine = threading.current_thread()
    if any(not one.daemon and one is not mine for one in threading.enumerate()):
        return  # what goes on is waited for, which Python does at its own end
    atexit._run_exitfuncs()  # noqa: SLF001 - what that end would call first; there is no other way to call them
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(0)


def _written() -> int:
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
        (shown,) = ports.notebooks.masked([text])
        _tell(jobs, job, "log", {"text": shown})

    with redirect_output(log):
        try:
            with telling(partial(_tell, jobs, job), job.number) as report, stop, disk_faults():
                result = _done(job, ports, report)
            document = json.loads(as_json(result))
        except BaseException as error:  # noqa: BLE001 - the one edge of this face
            raised = error
    interrupted = isinstance(raised, KeyboardInterrupt) or (isinstance(result, Validation) and result.stopped)
    cancelled = interrupted or (raised is not None and stop.heard)
    state: JobState = "cancelled" if cancelled else "failed" if raised is not None else "done"
    if isinstance(raised, KeyboardInterrupt):
        problem = interrupted_problem(raised)
    else:
        problem = None if raised is None else problem_of(raised)
    _end(jobs, job, state, result=document, problem=problem)


def _done(job: Job, ports: Ports, report: Report) -> Any:
    check_distributions()
    operation = BY_NAME[job.verb]
    request = operation.request.model_validate(job.request)
    folder = folder_of(request, ports.store)
    if folder is not None:
        os.chdir(folder)
        ports = Wiring(load_settings(notebook_folder=folder)).ports
    result = operation.function(request, ports, report)
    if isinstance(result, Deployment):
        stand_by_to_release(result, ports)
    return result


def _end(jobs: Jobs, job: Job, state: JobState, *, result: Any = None, problem: Problem | None = None) -> None:
    """What was done is not to look killed since the disk was full, or somebody else held the file, for a while."""
    for _ in range(_TRIES):
        with contextlib.suppress(StoreError):
            jobs.end(job.id, state, result=result, problem=problem)
            return
        time.sleep(1)
    jobs.end(job.id, state, problem=problem)


def _tell(jobs: Jobs, job: Job, kind: Any, data: dict[str, Any]) -> None:
    """What cannot be told stops nothing: the end is what counts."""
    with contextlib.suppress(StoreError):
        jobs.add_event(job.id, kind, data)


def _ready(jobs: Jobs) -> Ports | None:
    """What nearly every verb needs: modules, files that were checked, the validators that pydantic builds when needed.

    None: the settings are wrong, which each job says.
    """
    ports: Ports | None = None
    with contextlib.suppress(DeployError):
        ports = Wiring(load_settings()).ports
        for operation in OPERATIONS:
            _ = operation.function
        _ = ports.targets, ports.client, ports.log, ports.truth, ports.reports
    import_module("httpcore")  # httpx does when it first asks somebody
    for base in (Value, Request):
        for model in _all_of(base):
            model.model_rebuild()
    with contextlib.suppress(DeployError, OSError):  # what is wrong is the job's to say
        jobs.latest()
        if ports is not None:
            ports.store.endpoints()
            for target in ports.targets.values():
                target.check()
                target.observe_all([])
    return ports


def _all_of(base: type[BaseModel]) -> list[type[BaseModel]]:
    return [one for child in base.__subclasses__() for one in (child, *_all_of(child))]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
