"""What each route answers, in the asked process: requests to operations, views and jobs, errors to problems."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from pydantic import ValidationError

from jupyter_deploy.domain.errors import Conflict, disk_faults
from jupyter_deploy.domain.jobs import Job, JobState
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.release.status import EndpointStatus
from jupyter_deploy.domain.requests import (
    DeployRequest,
    LogsRequest,
    Request,
)
from jupyter_deploy.faces.render.problems import BUG, problem_of
from jupyter_deploy.faces.views import VIEWS
from jupyter_deploy.faces.views.documents import JobWithEvents
from jupyter_deploy.verbs import BY_NAME
from jupyter_deploy.verbs.change import find
from jupyter_deploy.verbs.traffic import Change, planned

from . import openapi
from .exchange import Answer, Question, Wrong, document, from_body, from_query, object_in, problem, refusal
from .pages import page_of_job, page_of_release
from .paths import absolute
from .revisions import in_quotes, named, stale
from .table import AskedKernel, Route, at

_log = logging.getLogger(__name__)

LOGS_LIMIT = 1000
"""So many records are told where no limit is named: all of an endpoint's may be more than a browser can hold."""


class Desk(Protocol):
    """Who starts and cancels the processes of jobs."""

    def start(self, job: Job) -> None: ...

    def cancel(self, job_id: str) -> Job: ...


class Answers:
    """Answers questions, from several threads at once; whatever is wrong is an answer too.

    ``folder``: the server's, to which files in requests are relative.
    """

    def __init__(self, ports: Ports, desk: Desk, folder: Path) -> None:
        self._ports, self._desk, self._folder = ports, desk, folder
        self._by_kind: dict[str, Callable[[Route, dict[str, str], Question], Answer]] = {
            "look": self._look,
            "verb": self._verb,
            "view": self._view,
            "capture": self._capture,
            "asked": self._asked,
            "jobs": self._jobs,
            "job": self._job,
            "cancel": self._cancel,
            "report": self._report,
            "openapi": self._openapi,
        }

    def answer(self, question: Question) -> Answer:
        try:
            with disk_faults():
                return self._answer(question)
        except Exception as error:  # noqa: BLE001 - each becomes a problem, and what nobody expected is logged
            return wrong(error, question)

    def _answer(self, question: Question) -> Answer:
        found = at(question.path)
        if question.method in found:
            route, variables = found[question.method]
            return self._by_kind[route.kind](route, variables, question)
        where = f"nbdeploy/{question.path}"
        if found:
            raise refusal(405, "no_method", "It cannot be asked so", f"{where} takes no {question.method}",
                   f"use {' or '.join(sorted(found))}")  # fmt: skip
        raise refusal(404, "no_route", "There is no such route", f"there is nothing at {where}",
               f"{question.base}nbdeploy/openapi.json has all that there are")  # fmt: skip

    def _look(self, route: Route, _: dict[str, str], question: Question) -> Answer:
        return self._looked(route.name, from_query(route.asked, question.query))

    def _looked(self, verb: str, request: Request) -> Answer:
        if isinstance(request, LogsRequest):
            request = _finite(request)
        result = BY_NAME[verb].function(request, self._ports, _silent)
        headers = {"ETag": in_quotes(result.revision)} if isinstance(result, EndpointStatus) else {}
        return document(list(result) if isinstance(result, Iterator) else result, headers=headers)

    def _verb(self, route: Route, _: dict[str, str], question: Question) -> Answer:
        given = absolute(route.asked, object_in(question.body), self._folder)
        request = named(route.asked.model_validate(given), question)
        stale(request, self._endpoint_of(request), question, self._ports)
        if not BY_NAME[route.name].slow:
            return self._looked(route.name, request)
        if isinstance(request, Change):
            with self._told_stale(request, question):
                planned(request, self._ports)  # what cannot be is said now, and not by a job
            given["if_revision"] = request.if_revision
        job = self._make(route.name, request, given, "queued")
        self._desk.start(job)
        return _accepted(job)

    def _capture(self, route: Route, _: dict[str, str], question: Question) -> Answer:
        given = absolute(route.asked, object_in(question.body), self._folder)
        request = DeployRequest.model_validate(given)
        if request.source is not None or not request.model:
            raise refusal(422, "invalid_input", "This cannot be captured",
                          "a capture is of a variable: 'model' must name it, and 'source' must not be given",
                          "a notebook or a snapshot is deployed by POST nbdeploy/deploy")  # fmt: skip
        job = self._make(route.name, request, given, "waiting")
        self._desk.start(job)  # as soon as it is captured: it is this server's, so no other is waited for
        return _accepted(job)

    def _asked(self, _: Route, variables: dict[str, str], question: Question) -> Answer:
        request = AskedKernel.model_validate(object_in(question.body))
        return document(self._ports.jobs.request_capture(variables["id"], request.kernel, request.notebook))

    def _make(self, verb: str, request: Request, given: dict[str, Any], state: JobState) -> Job:
        """A job of the request as it was sent, which its process reads again."""
        name = getattr(request, "name", None)
        return self._ports.jobs.create(verb, given, title=BY_NAME[verb].job_title(request), endpoint=name, state=state)

    def _view(self, route: Route, _: dict[str, str], question: Question) -> Answer:
        ask = from_query(route.asked, question.query) if question.method == "GET" else None
        request: Any = ask or named(from_body(route.asked, question.body), question)
        with self._told_stale(request, question):
            shown = VIEWS[route.name].function(request, self._ports)
        return document(shown, headers={"ETag": in_quotes(shown.revision)} if route.name == "endpoint" else {})

    def _jobs(self, *_: object) -> Answer:
        return document(self._ports.jobs.jobs())

    def _job(self, _: Route, variables: dict[str, str], __: Question) -> Answer:
        job = self._ports.jobs.job(variables["id"])
        events = self._ports.jobs.events(job_id=job.id)
        while page := self._ports.jobs.events(events[-1].id, job_id=job.id) if events else []:
            events += page
        return document(JobWithEvents.model_construct(**dict(job), events=tuple(events)))

    def _cancel(self, _: Route, variables: dict[str, str], __: Question) -> Answer:
        return document(self._desk.cancel(variables["id"]))

    def _report(self, _: Route, variables: dict[str, str], question: Question) -> Answer:
        job, file = (question.query.get(name, [None])[-1] for name in ("job", "file"))
        if job:
            return page_of_job(self._ports.jobs.job(job), file)
        if not variables:
            raise refusal(422, "invalid_input", "Which report?", "no job is named",
                          "add ?job=<id>, or /<name>/<version>")  # fmt: skip
        return page_of_release(f"{variables['name']}:{variables['version']}", self._ports, file)

    def _openapi(self, _: Route, __: dict[str, str], question: Question) -> Answer:
        return document(openapi.description(question.base))

    @contextmanager
    def _told_stale(self, request: Request, question: Question) -> Iterator[None]:
        """Within, a conflict with a revision that was named is a 412, with what has happened since."""
        try:
            yield
        except Conflict:
            stale(request, self._endpoint_of(request), question, self._ports)
            raise

    def _endpoint_of(self, request: Request) -> Endpoint | None:
        """The one that a request is about; None: it is about none, or makes one."""
        field, name = type(request).model_fields.get("name"), getattr(request, "name", None)
        if field is None or name is None:
            return None
        return find(self._ports, name) if field.is_required() else self._ports.store.endpoint(name)


def wrong(error: Exception, question: Question) -> Answer:
    """The problem that an error is; where it is a bug, its traceback is for the log alone."""
    if isinstance(error, Wrong):
        return problem(error.problem)
    found = problem_of(error)
    if found.code == BUG or (isinstance(error, ValidationError) and found.status >= 500):
        _log.error("%s nbdeploy/%s failed", question.method, question.path, exc_info=error)
        found = found.model_copy(update={"details": "", "remedy": "the server's log says where; please report it"})
    return problem(found)


def _accepted(job: Job) -> Answer:
    return document(job, 202, {"Location": f"nbdeploy/jobs/{job.id}"})


def _finite(request: LogsRequest) -> LogsRequest:
    if request.follow:
        raise refusal(422, "invalid_input", "Records cannot be followed here", "an answer over HTTP has an end",
               "ask views/records again, or run 'nbdeploy logs NAME --follow'")  # fmt: skip
    return request if request.limit else request.model_copy(update={"limit": LOGS_LIMIT})


def _silent(_: object) -> None:
    """Nobody watches the steps of what is quick."""
