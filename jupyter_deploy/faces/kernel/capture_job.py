"""The kernel's part of a job: it captures the model, and says how far it is where whoever looks can read it."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from jupyter_deploy.domain.capture.artifacts import Snapshot
from jupyter_deploy.domain.errors import DeployError, InvalidInput, disk_faults
from jupyter_deploy.domain.jobs import ENDED, Job, Jobs, Problem
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.requests import DeployRequest, Step
from jupyter_deploy.domain.validation.validation import Underway
from jupyter_deploy.faces.render.collision import check_distributions
from jupyter_deploy.faces.render.problems import problem_of
from jupyter_deploy.system.output_redirection import redirect_output
from jupyter_deploy.verbs.deploy import capture_live
from jupyter_deploy.verbs.spare import stand_by_to_capture

from .kernel import live_from_expressions

_LOOKED_EVERY = 0.3  # seconds: whether somebody cancelled it meanwhile

_INTERRUPTED = Problem(
    code="interrupted",
    title="Interrupted",
    status=409,
    detail="the kernel was interrupted before it had captured the model; nothing half-made is left",
    remedy="deploy again",
)


def capture_for(job_id: str, shell: Any, ports: Ports, notebook: str | None = None) -> dict[str, Any]:
    """Capture what a job waits for; whatever comes of it is told to the job, and in short returned.

    Returns
    -------
    dict
        ``{"job", "state"}``, with the ``tag`` or the ``problem``.
    """
    jobs = ports.jobs
    try:
        job = jobs.start_capture(job_id, os.getpid())
    except DeployError as error:  # it is another's, it was cancelled, or there is none
        return {"job": job_id, "state": "failed", "problem": problem_of(error).model_dump(mode="json")}
    try:
        snapshot = _captured(job, shell, ports, _here(job.notebook, notebook))
        jobs.finish_capture(job_id, snapshot.tag, sys.executable)
    except KeyboardInterrupt:
        ended = jobs.end(job_id, "cancelled", problem=_INTERRUPTED)
        return {"job": job_id, "state": ended.state}
    except Exception as error:  # noqa: BLE001 - the edge of this face: a notebook did not ask for a traceback here
        problem = problem_of(error)
        with contextlib.suppress(DeployError):  # the store cannot be written: whoever sweeps will say it
            jobs.end(job_id, "failed", problem=problem)
        return {"job": job_id, "state": "failed", "problem": problem.model_dump(mode="json")}
    return {"job": job_id, "state": "queued", "tag": snapshot.tag}


def _here(*notebooks: str | None) -> Path | None:
    """The first that is there: they are of the server's machine, which a remote kernel's is not."""
    return next((path for name in notebooks if name and (path := Path(name)).is_file()), None)


def _captured(job: Job, shell: Any, ports: Ports, notebook: Path | None) -> Snapshot:
    check_distributions()
    request = DeployRequest.model_validate({**job.request, "model": None, "source": job.request.get("model")})
    if not request.source:
        raise InvalidInput("which variable holds the model?", "choose one of the models that the kernel has")

    def report(told: Step | Underway) -> None:
        if isinstance(told, Step):
            ports.jobs.add_event(job.id, "step", told.model_dump(mode="json"))

    def log(text: str) -> None:
        (shown,) = ports.notebooks.masked([text])
        with contextlib.suppress(DeployError):  # what cannot be told stops nothing
            ports.jobs.add_event(job.id, "log", {"text": shown})

    with disk_faults(), redirect_output(log), _redirected(), _interruptible(ports.jobs, job.id):
        live = live_from_expressions(shell, request.source, request, notebook=notebook)
        captured = capture_live(request, ports, report, replace(live, in_cell=False))
    stand_by_to_capture(ports)
    return captured


@contextmanager
def _redirected() -> Iterator[None]:
    """Python's own streams, which in a kernel lead to the notebook, to where libraries in C write."""
    with (
        open(1, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False) as stream,
        contextlib.redirect_stdout(stream),
        contextlib.redirect_stderr(stream),
    ):
        yield


@contextmanager
def _interruptible(jobs: Jobs, job_id: str) -> Iterator[None]:
    """Within, the main thread is interrupted when the job ends: somebody cancelled it."""
    ended, lock = threading.Event(), threading.Lock()

    def watch() -> None:
        while not ended.wait(_LOOKED_EVERY):
            with contextlib.suppress(DeployError):  # the next look may be luckier
                if jobs.job(job_id).state not in ENDED:
                    continue
                with lock:
                    if not ended.is_set():
                        ended.set()
                        # A real signal: what the thread waits for, such as the clean process, is waited for no more.
                        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    threading.Thread(target=watch, name="nbdeploy-cancelled", daemon=True).start()
    try:
        yield
    finally:
        with lock:
            ended.set()
