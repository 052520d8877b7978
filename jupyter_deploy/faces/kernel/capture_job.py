"""The kernel's part of a job: it captures the model and writes its progress to the job's events."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from jupyter_deploy.domain.capture.artifacts import Snapshot
from jupyter_deploy.domain.capture.ports import Live
from jupyter_deploy.domain.errors import DeployError, InvalidInput, disk_faults
from jupyter_deploy.domain.jobs import ENDED, Job, Jobs, Problem
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.requests import DeployRequest, Step
from jupyter_deploy.domain.validation.validation import Underway
from jupyter_deploy.faces.render.collision import check_distributions
from jupyter_deploy.faces.render.problems import problem_of
from jupyter_deploy.system.output_redirection import redirect_output
from jupyter_deploy.verbs.deploy import capture_live
from jupyter_deploy.verbs.spare import start_capture_spare

from .kernel import live_from_expressions

_POLL_SECONDS = 0.3  # between two checks for a cancellation
_SPARE_POLL_SECONDS, _SPARE_SECONDS = 1.0, 600.0

_INTERRUPTED = Problem(
    code="interrupted",
    title="Interrupted",
    status=409,
    detail="the kernel was interrupted before it had captured the model; nothing half-made is left",
    remedy="deploy again",
)


def capture_for(job_id: str, shell: Any, ports: Ports, notebook: str | None = None) -> dict[str, Any]:
    """Capture the model of a job in this kernel; see ``capture_with``."""

    def live(request: DeployRequest, file: Path | None) -> AbstractContextManager[Live]:
        made = live_from_expressions(shell, request.source or "", request, notebook=file)
        return nullcontext(replace(made, in_cell=False))

    summary = capture_with(job_id, live, ports, notebook)
    if summary["state"] == "queued":
        threading.Thread(target=_start_spare_after, args=(job_id, ports), name="nbdeploy-spare", daemon=True).start()
    return summary


def capture_with(
    job_id: str,
    live: Callable[[DeployRequest, Path | None], AbstractContextManager[Live]],
    ports: Ports,
    notebook: str | None = None,
) -> dict[str, Any]:
    """Capture the model of a job; write the outcome to the job, and return a summary.

    Parameters
    ----------
    live
        Makes the live object of a request, whose ``source`` is the model's expression, and of the notebook's file.

    Returns
    -------
    dict
        ``{"job", "state"}``, with the ``tag`` or the ``problem``.
    """
    jobs = ports.jobs
    try:
        job = jobs.start_capture(job_id, os.getpid())
    except DeployError as error:  # another kernel has the job, it was cancelled, or it is unknown
        return {"job": job_id, "state": "failed", "problem": problem_of(error).model_dump(mode="json")}
    try:
        snapshot = _capture(job, live, ports, _first_existing(job.notebook, notebook))
        jobs.finish_capture(job_id, snapshot.tag, sys.executable)
    except KeyboardInterrupt:
        ended = jobs.end(job_id, "cancelled", problem=_INTERRUPTED)
        return {"job": job_id, "state": ended.state}
    except Exception as error:  # noqa: BLE001 - the edge of this face: Lab shows a problem, not a traceback
        problem = problem_of(error)
        with contextlib.suppress(DeployError):  # the store cannot be written: a later sweep ends the job
            jobs.end(job_id, "failed", problem=problem)
        return {"job": job_id, "state": "failed", "problem": problem.model_dump(mode="json")}
    return {"job": job_id, "state": "queued", "tag": snapshot.tag}


def _first_existing(*notebooks: str | None) -> Path | None:
    """Return the first existing path: a remote kernel does not have the server's files."""
    return next((path for name in notebooks if name and (path := Path(name)).is_file()), None)


def _capture(
    job: Job,
    live: Callable[[DeployRequest, Path | None], AbstractContextManager[Live]],
    ports: Ports,
    notebook: Path | None,
) -> Snapshot:
    check_distributions()
    request = DeployRequest.model_validate({**job.request, "model": None, "source": job.request.get("model")})
    if not request.source:
        raise InvalidInput("the request names no variable that holds the model", "choose one of the kernel's models")

    def report(progress: Step | Underway) -> None:
        if isinstance(progress, Step):
            ports.jobs.add_event(job.id, "step", progress.model_dump(mode="json"))

    def log(text: str) -> None:
        (masked,) = ports.notebooks.masked([text])
        with contextlib.suppress(DeployError):  # a lost event stops nothing
            ports.jobs.add_event(job.id, "log", {"text": masked})

    with (
        disk_faults(),
        redirect_output(log),
        _redirected(),
        _interruptible(ports.jobs, job.id),
        live(request, notebook) as made,
    ):
        return capture_live(request, ports, report, made)


def _start_spare_after(job_id: str, ports: Ports) -> None:
    """Start the clean process of the next deploy when this one has ended: until then the release needs the cores.

    A job may never end, if no server is left that starts it.
    """
    deadline = time.monotonic() + _SPARE_SECONDS
    with contextlib.suppress(DeployError, OSError):  # the store cannot be read: no spare
        while ports.jobs.job(job_id).state not in ENDED:
            if time.monotonic() > deadline:
                return
            time.sleep(_SPARE_POLL_SECONDS)
        start_capture_spare(ports)


@contextmanager
def _redirected() -> Iterator[None]:
    """Redirect Python's streams, which in a kernel lead to the notebook, to the file descriptors of the process."""
    with (
        open(1, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False) as stream,
        contextlib.redirect_stdout(stream),
        contextlib.redirect_stderr(stream),
    ):
        yield


@contextmanager
def _interruptible(jobs: Jobs, job_id: str) -> Iterator[None]:
    """Within, the main thread is interrupted if the job is cancelled."""
    ended, lock = threading.Event(), threading.Lock()

    def watch() -> None:
        while not ended.wait(_POLL_SECONDS):
            with contextlib.suppress(DeployError):  # the next check may succeed
                if jobs.job(job_id).state not in ENDED:
                    continue
                with lock:
                    if not ended.is_set():
                        ended.set()
                        # A real signal also interrupts a wait, such as for the clean process.
                        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    threading.Thread(target=watch, name="nbdeploy-cancellation", daemon=True).start()
    try:
        yield
    finally:
        with lock:
            ended.set()
