"""Jobs: slow verbs that go on whoever looks, and what is told of them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

from pydantic import Field

from .base import Value
from .secret_names import HIDDEN, is_confidential, shown

JobState = Literal["waiting", "queued", "running", "done", "failed", "cancelled"]
"""Waiting: for a kernel to capture its model. Queued: for a process. The last three are ends."""

ENDED = ("done", "failed", "cancelled")

KEPT = 200
"""So many jobs are kept; beyond, those that ended go first, the oldest at once."""

LOG_EVENT, LOG_IN_ALL = 8_000, 256_000
"""Characters of one event of a log, and of a job's log in all: what is longer is cut, and says so."""

ASKED_WITHIN = timedelta(minutes=2)
"""A kernel to capture; a tab that was closed before it had asked one never will."""

WAITS_AT_MOST = timedelta(hours=24)
"""For a kernel that was asked and is busy: what trains overnight is deployed in the morning."""

_KEY = r"[\"']?([A-Za-z_][\w.-]*)[\"']?\s*:"
_KEY_IN_YAML = re.compile(_KEY)
_LINE_OF_YAML = re.compile(rf"(\s*(?:-\s+)*{_KEY})(?:\s|$)")


class Problem(Value):
    """Why something was not done, as RFC 9457 has it, with what to do about it.

    Attributes
    ----------
    code
        As the error's class has it, such as ``gate_failed``: stable, for programs.
    errors
        ``{"loc": [...], "msg": ...}`` for each field that cannot be.
    report
        Path of the page of the validation that refused it; empty: there is none.
    findings
        What the checks found, as ``domain.findings.Finding`` documents, where that is why.
    revision, history
        Where somebody else was faster: the present revision, and what has happened since the one that was named, as
        ``RevisionRow`` documents, newest first.
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
    """One slow verb that was asked for.

    Attributes
    ----------
    request
        The verb's request as a document; what a kernel captured stands in it as ``source`` afterwards. Without
        parameters that are secret by their names, but for the kernel and the process that need them.
    title
        For people: ``deploy clf as churn``.
    interpreter
        The Python that runs it; empty: the server's.
    asked
        Process id of the kernel that was asked to capture its model, and does as soon as it is free; None: none was.
    notebook
        The file of its notebook, where a kernel was asked: it may have been renamed since.
    kernel
        Process id of the kernel that captures its model; None: none does.
    steps, step
        How many there are, and the title of the one that goes on.
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
    """Something that became known of a job; ``id`` grows over all jobs, so that a reader can go on after one.

    ``kind``: ``state`` (data is the job's document), ``step`` (``{number, total, title}``), ``underway`` (of a
    validation's run: ``domain.validation.Underway``; the last of each run and side is kept), ``log`` (``{text}``, whole
    lines of what the operation or its libraries print).
    """

    id: int
    job: str
    at: datetime
    kind: Literal["state", "step", "underway", "log"]
    data: dict[str, Any]


class Jobs(Protocol):
    """Where jobs are kept: several processes write, each change is whole or not there."""

    def create(
        self, verb: str, request: dict[str, Any], *, title: str, endpoint: str | None, state: JobState = "queued"
    ) -> Job: ...

    def job(self, job_id: str) -> Job:
        """Raises ``UnknownJob``, as all that is asked of one job."""

    def jobs(self, limit: int = 50) -> list[Job]:
        """Newest first."""

    def active(self) -> list[Job]:
        """Those that have not ended, oldest first."""

    def add_event(self, job_id: str, kind: Literal["step", "underway", "log"], data: dict[str, Any]) -> None:
        """Note what happens; of a job that has ended nothing more is noted."""

    def request_capture(self, job_id: str, kernel: int, notebook: str | None = None) -> Job:
        """A kernel was asked to capture, and may be busy; no news if it has begun. ``notebook``: its present file."""

    def start_capture(self, job_id: str, kernel: int) -> Job:
        """A kernel has begun; the request is whole. Raises ``Conflict`` if the job waits no more (it was cancelled)."""

    def finish_capture(self, job_id: str, tag: str, interpreter: str) -> Job:
        """What the kernel captured: the job is queued. Raises ``Conflict`` if it waits no more."""

    def claim(self, job_id: str, pid: int) -> Job | None:
        """The process that runs it is given the whole request; None: it is not queued (any more)."""

    def withdraw(self, job_id: str) -> Job:
        """Cancel it if no process runs it yet; the job as it is now."""

    def signal(self, job_id: str, number: int) -> bool:
        """Send a signal to the process that runs it; False: none does, or it has gone.

        Raises ``Conflict`` if it runs where no signal of ours reaches: in another container, on another machine.
        """

    def end(self, job_id: str, state: JobState, *, result: Any = None, problem: Problem | None = None) -> Job:
        """The first end counts."""

    def events(self, after: int = 0, *, job_id: str | None = None, limit: int = 500) -> list[JobEvent]: ...

    def latest(self) -> int:
        """The highest event's id; 0: there was none."""

    def sweep(self) -> list[Job]:
        """End as failed what runs or waits while its process, or its kernel, has gone, or never came; those jobs."""


def shown_request(request: dict[str, Any]) -> dict[str, Any]:
    """A verb's request as it may be shown: without the values of parameters that are secret by their names."""
    return {name: _shown_field(name, value) for name, value in request.items()}


def _shown_field(name: str, value: Any) -> Any:
    if name == "parameters_yaml":
        texts = [value] if isinstance(value, str) else value
        return [_told_yaml(str(text)) for text in texts or ()]
    if name in ("parameter", "matrix") and not isinstance(value, dict):
        pairs = [str(text).partition("=") for text in ([value] if isinstance(value, str) else value or ())]
        return [f"{key}{equals}{shown(key, text)}" for key, equals, text in pairs]
    return shown("", value)  # a field's own name says nothing: --trust, require_token, …


def _told_yaml(text: str) -> str:
    """Without what stands below or beside a secret's name; nothing of a text in which that cannot be told apart."""
    lines: list[str] = []
    within: int | None = None  # the column of a secret's name, as long as its value goes on
    for line in text.split("\n"):
        found = _LINE_OF_YAML.match(line)
        if within is not None and (found is None or found.start(2) > within):
            continue
        within = None
        if found is not None and is_confidential(found[2]):
            lines.append(f"{found[1]} {HIDDEN}")
            within = found.start(2)
        elif any(map(is_confidential, _KEY_IN_YAML.findall(line))):
            return HIDDEN
        else:
            lines.append(line)
    return "\n".join(lines)


def log_within(text: str, before: int) -> str | None:
    """As much of a log's next piece as is kept after so many characters; None: nothing any more."""
    if before >= LOG_IN_ALL:
        return None
    if len(text) > LOG_EVENT:
        text = f"{text[:LOG_EVENT]} … (cut: {len(text) - LOG_EVENT} characters more)"
    if before + len(text) < LOG_IN_ALL:
        return text
    return f"{text[: LOG_IN_ALL - before]}\n… (this job's log is longer; the rest of it is not kept)"


def gone(job: Job) -> Problem:
    """What is said of a job whose process, or whose kernel, went without a last word."""
    if job.state == "waiting":
        detail = "the notebook's kernel ended before it had captured the model"
        if job.kernel is None:
            detail = (
                "no kernel was asked to capture the model: the notebook's tab was closed, or its kernel was away"
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
        detail=f"the process of this job went without a last word{where}: it was killed, ran out of memory, or the "
        "machine was restarted",
        remedy="run 'nbdeploy reconcile' (or Reconcile in the palette), which repairs what was half-made; look whether "
        "the machine has memory left, and try again",
    )
