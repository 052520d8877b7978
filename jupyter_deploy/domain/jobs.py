"""Jobs: slow verbs that run in the background, and their events."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

from pydantic import Field

from .base import Value
from .secret_names import HIDDEN, hide_secrets, is_confidential

JobState = Literal["waiting", "queued", "running", "done", "failed", "cancelled"]
"""Waiting: for a kernel to capture the model. Queued: for a process. The last three are final."""

ENDED = ("done", "failed", "cancelled")

MAX_JOBS = 200
"""The store keeps this many jobs; it removes ended jobs first, the oldest ones before others."""

LOG_EVENT, LOG_TOTAL = 8_000, 256_000
"""Characters of one log event, and of a job's whole log: longer text is cut, with a note."""

KERNEL_REQUEST_TIMEOUT = timedelta(minutes=2)
"""Time until Lab requests a capture from a kernel; a closed tab never does."""

KERNEL_WAIT_LIMIT = timedelta(hours=24)
"""Time to wait for a busy kernel: a model that trains overnight is deployed in the morning."""

_KEY = r"[\"']?([A-Za-z_][\w.-]*)[\"']?\s*:"
_KEY_IN_YAML = re.compile(_KEY)
_LINE_OF_YAML = re.compile(rf"(\s*(?:-\s+)*{_KEY})(?:\s|$)")


class Problem(Value):
    """The reason for a failure as RFC 9457 defines it, with a remedy.

    Attributes
    ----------
    code
        The error class's code, such as ``gate_failed``: stable, for programs.
    errors
        ``{"loc": [...], "msg": ...}`` for each invalid field.
    report
        Path of the report of the validation that refused it; empty: there is none.
    findings
        The checks' findings as ``domain.findings.Finding`` documents, if they are the reason.
    revision, history
        After a conflict: the current revision, and the history since the revision of the request, as ``RevisionRow``
        documents, newest first.
    """

    code: str
    title: str
    status: int
    detail: str = ""
    remedy: str = ""
    details: str = ""
    errors: tuple[dict[str, Any], ...] = ()
    report: str = ""
    findings: tuple[dict[str, Any], ...] = ()
    revision: int | None = None
    history: tuple[dict[str, Any], ...] = ()


class Job(Value):
    """One run of a slow verb.

    Attributes
    ----------
    request
        The verb's request as a document; after a capture, the snapshot's tag is in ``source``. Parameters that are
        secret by their names are removed, except for the kernel and the process that need them.
    title
        Title for people: ``deploy clf as churn``.
    interpreter
        The Python that runs it; empty: the server's.
    asked
        Process id of the kernel that must capture the model as soon as it is free; None: no kernel must.
    notebook
        The kernel's notebook, if a kernel must capture: it may have been renamed since.
    kernel
        Process id of the kernel that captures the model; None: no kernel does.
    steps, step
        The number of steps, and the title of the current one.
    result
        The verb's domain object as a document, once it is done.
    """

    id: str
    verb: str
    title: str
    endpoint: str | None = None
    request: dict[str, Any] = Field(default_factory=dict)
    state: JobState
    interpreter: str = ""
    asked: int | None = None
    notebook: str | None = None
    kernel: int | None = None
    pid: int | None = None
    number: int = 0
    steps: int = 0
    step: str = ""
    created_at: datetime
    ended_at: datetime | None = None
    result: Any = None
    problem: Problem | None = None


class JobEvent(Value):
    """An event of a job; ``id`` increases over all jobs, so that a client can resume after an event.

    ``kind``: ``state`` (data is the job's document), ``step`` (``{number, total, title}``,
    of a search also ``board``: ``domain.progress.Leaderboard``), ``underway`` (of a
    validation's run: ``domain.validation.Underway``; the last of each run and side is kept), ``log`` (``{text}``, whole
    lines of what the operation or its libraries print).
    """

    id: int
    job: str
    at: datetime
    kind: Literal["state", "step", "underway", "log"]
    data: dict[str, Any]


class Jobs(Protocol):
    """The store of jobs: several processes write, each change atomically."""

    def create(
        self, verb: str, request: dict[str, Any], *, title: str, endpoint: str | None, state: JobState = "queued"
    ) -> Job: ...

    def job(self, job_id: str) -> Job:
        """Return a job. This method and all others with a job's id raise ``UnknownJob``."""

    def jobs(self, limit: int = 50) -> list[Job]:
        """Return the latest jobs, newest first."""

    def active(self) -> list[Job]:
        """Return the jobs that have not ended, oldest first."""

    def add_event(self, job_id: str, kind: Literal["step", "underway", "log"], data: dict[str, Any]) -> None:
        """Add an event; ignored after the job's end."""

    def request_capture(self, job_id: str, kernel: int, notebook: str | None = None) -> Job:
        """Note the kernel that must capture; ignored if it has begun. ``notebook``: its current file."""

    def start_capture(self, job_id: str, kernel: int) -> Job:
        """Note that a kernel captures; return the complete request. Raises ``Conflict`` if the job was cancelled."""

    def finish_capture(self, job_id: str, tag: str, interpreter: str) -> Job:
        """Note the captured snapshot and queue the job. Raises ``Conflict`` if the job no longer waits."""

    def claim(self, job_id: str, pid: int) -> Job | None:
        """Claim a queued job for a process, with the complete request; None: the job is not queued."""

    def withdraw(self, job_id: str) -> Job:
        """Cancel a job if no process runs it yet; return its current state."""

    def signal(self, job_id: str, number: int) -> bool:
        """Send a signal to the job's process; False: there is none, or it has ended.

        Raises ``Conflict`` if the process is out of reach: in another container or on another machine.
        """

    def end(self, job_id: str, state: JobState, *, result: Any = None, problem: Problem | None = None) -> Job:
        """End a job; only the first end counts."""

    def events(self, after: int = 0, *, job_id: str | None = None, limit: int = 500) -> list[JobEvent]: ...

    def latest(self) -> int:
        """Return the id of the latest event; 0: there is none."""

    def sweep(self) -> list[Job]:
        """Fail the jobs whose process or kernel has ended or never came; return these jobs."""


def shown_request(request: dict[str, Any]) -> dict[str, Any]:
    """Return a verb's request for display: without the values of parameters that are secret by their names."""
    return {name: _shown_field(name, value) for name, value in request.items()}


def _shown_field(name: str, value: Any) -> Any:
    if name == "parameters_yaml":
        texts = [value] if isinstance(value, str) else value
        return [_yaml_without_secrets(str(text)) for text in texts or ()]
    if name in ("parameter", "matrix") and not isinstance(value, dict):
        pairs = [str(text).partition("=") for text in ([value] if isinstance(value, str) else value or ())]
        return [f"{key}{equals}{hide_secrets(key, text)}" for key, equals, text in pairs]
    return hide_secrets("", value)  # the field's own name is no evidence: --trust, require_token, …


def _yaml_without_secrets(text: str) -> str:
    """Remove the value of each secret's name; hide the whole text if its layout does not show where the value ends."""
    lines: list[str] = []
    within: int | None = None  # the column of a secret's name, within its value
    for line in text.split("\n"):
        match = _LINE_OF_YAML.match(line)
        if within is not None and (match is None or match.start(2) > within):
            continue
        within = None
        if match is not None and is_confidential(match[2]):
            lines.append(f"{match[1]} {HIDDEN}")
            within = match.start(2)
        elif any(map(is_confidential, _KEY_IN_YAML.findall(line))):
            return HIDDEN
        else:
            lines.append(line)
    return "\n".join(lines)


def log_within(text: str, before: int) -> str | None:
    """Cut the next part of a log that has ``before`` characters; None: the log is full."""
    if before >= LOG_TOTAL:
        return None
    if len(text) > LOG_EVENT:
        text = f"{text[:LOG_EVENT]} … (cut: {len(text) - LOG_EVENT} characters more)"
    if before + len(text) < LOG_TOTAL:
        return text
    return f"{text[: LOG_TOTAL - before]}\n… (the rest of this job's log is not stored)"


def killed_problem(job: Job) -> Problem:
    """Make the problem of a job whose process or kernel ended without a result."""
    if job.state == "waiting":
        detail = "the notebook's kernel ended before it had captured the model"
        if job.kernel is None:
            detail = (
                "no kernel captured the model: the notebook's tab was closed, or its kernel was not running"
                if job.asked is None
                else "the notebook's kernel ended, or was busy for a day, before it began to capture the model"
            )
        return Problem(
            code="killed",
            title="The model was not captured",
            status=500,
            detail=detail,
            remedy="start the notebook's kernel, run its cells, and deploy again",
        )
    where = f" during the step “{job.step}”" if job.step else ""
    return Problem(
        code="killed",
        title="The job was killed",
        status=500,
        detail=f"the process of this job ended without a result{where}: it was killed, ran out of memory, or the "
        "machine was restarted",
        remedy="run 'nbdeploy reconcile' (or Reconcile in the palette), which repairs partial changes; check that "
        "the machine has free memory, and try again",
    )
