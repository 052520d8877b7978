"""The router of the worker: it maps requests to operations, views and jobs, and errors to problems."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from pydantic import ValidationError

from jupyter_deploy.domain.errors import Conflict, disk_faults
from jupyter_deploy.domain.jobs import Job, JobState
from jupyter_deploy.domain.logs import LogsRequest
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.release.status import EndpointStatus
from jupyter_deploy.domain.requests import (
    DeployRequest,
    Request,
)
from jupyter_deploy.faces.render.problems import BUG, problem_of
from jupyter_deploy.faces.views.documents import JobWithEvents
from jupyter_deploy.faces.views.folder_settings import settings_file
from jupyter_deploy.faces.views.table import VIEWS
from jupyter_deploy.system.folder_agreements import agree
from jupyter_deploy.verbs import BY_NAME
from jupyter_deploy.verbs.change import find
from jupyter_deploy.verbs.traffic import Change, planned

from . import openapi
from .exchange import (
    HttpRequest,
    HttpResponse,
    RequestError,
    from_body,
    from_query,
    json_response,
    object_in,
    problem_response,
    refusal,
)
from .pages import page_of_job, page_of_release
from .paths import resolve_files
from .revisions import entity_tag, require_current, with_if_match
from .table import KernelNotice, Route, SettingsAgreement, routes_at

_log = logging.getLogger(__name__)

LOGS_LIMIT = 1000
"""Records of a response if the request names no limit: all of them may be too many for a browser."""


class JobControl(Protocol):
    """Starts and cancels the processes of jobs."""

    def start(self, job: Job) -> None: ...

    def cancel(self, job_id: str) -> Job: ...


class Router:
    """Answers requests, from several threads at once; an error becomes a response too.

    ``folder``: the server's folder; paths in requests are relative to it.
    """

    def __init__(self, ports: Ports, runner: JobControl, folder: Path) -> None:
        self._ports, self._runner, self._folder = ports, runner, folder
        self._by_kind: dict[str, Callable[[Route, dict[str, str], HttpRequest], HttpResponse]] = {
            "look": self._read,
            "verb": self._verb,
            "view": self._view,
            "capture": self._capture,
            "asked": self._request_capture,
            "jobs": self._jobs,
            "job": self._job,
            "cancel": self._cancel,
            "report": self._report,
            "agreement": self._agree,
            "openapi": self._openapi,
        }

    def answer(self, http: HttpRequest) -> HttpResponse:
        try:
            with disk_faults():
                return self._answer(http)
        except Exception as error:  # noqa: BLE001 - each becomes a problem, and a bug is logged
            return error_response(error, http)

    def _answer(self, http: HttpRequest) -> HttpResponse:
        routes = routes_at(http.path)
        if http.method in routes:
            route, variables = routes[http.method]
            return self._by_kind[route.kind](route, variables, http)
        where = f"nbdeploy/{http.path}"
        if routes:
            raise refusal(405, "no_method", "The route does not have this method", f"{where} has no {http.method}",
                   f"use {' or '.join(sorted(routes))}")  # fmt: skip
        raise refusal(404, "no_route", "There is no such route", f"{where} does not exist",
               f"{http.base}nbdeploy/openapi.json lists all routes")  # fmt: skip

    def _read(self, route: Route, _: dict[str, str], http: HttpRequest) -> HttpResponse:
        request = from_query(route.model, http.query)
        if isinstance(request, LogsRequest) and request.export:
            raise refusal(405, "no_method", "A GET writes no file", "the query has 'export'", "send it by POST")
        return self._run(route.name, request)

    def _run(self, verb: str, request: Request) -> HttpResponse:
        if isinstance(request, LogsRequest):
            request = _with_limit(request)
        result = BY_NAME[verb].function(request, self._ports, _ignore_progress)
        headers = {"ETag": entity_tag(result.revision)} if isinstance(result, EndpointStatus) else {}
        return json_response(list(result) if isinstance(result, Iterator) else result, headers=headers)

    def _verb(self, route: Route, _: dict[str, str], http: HttpRequest) -> HttpResponse:
        given = resolve_files(route.model, object_in(http.body), self._folder)
        request = with_if_match(route.model.model_validate(given), http)
        require_current(request, self._endpoint_of(request), http, self._ports)
        if not BY_NAME[route.name].slow:
            return self._run(route.name, request)
        if isinstance(request, Change):
            with self._stale_as_412(request, http):
                planned(request, self._ports)  # an invalid change fails now, and not in a job
            given["if_revision"] = request.if_revision
        job = self._create_job(route.name, request, given, "queued")
        self._runner.start(job)
        return _accepted(job)

    def _capture(self, route: Route, _: dict[str, str], http: HttpRequest) -> HttpResponse:
        given = resolve_files(route.model, object_in(http.body), self._folder)
        request = DeployRequest.model_validate(given)
        if request.source is not None or not request.model:
            raise refusal(422, "invalid_input", "The request is not a capture",
                          "a capture needs a variable in 'model' and no 'source'",
                          "deploy a notebook or a snapshot by POST nbdeploy/deploy")  # fmt: skip
        job = self._create_job(route.name, request, given, "waiting")
        self._runner.start(job)  # starts right after the capture: this server owns the job
        return _accepted(job)

    def _request_capture(self, _: Route, variables: dict[str, str], http: HttpRequest) -> HttpResponse:
        request = KernelNotice.model_validate(object_in(http.body))
        return json_response(self._ports.jobs.request_capture(variables["id"], request.kernel, request.notebook))

    def _create_job(self, verb: str, request: Request, given: dict[str, Any], state: JobState) -> Job:
        """Create a job with the request as the client sent it; the job's process validates it again."""
        name = getattr(request, "name", None)
        return self._ports.jobs.create(verb, given, title=BY_NAME[verb].job_title(request), endpoint=name, state=state)

    def _view(self, route: Route, _: dict[str, str], http: HttpRequest) -> HttpResponse:
        ask = from_query(route.model, http.query) if http.method == "GET" else None
        request: Any = ask or with_if_match(from_body(route.model, http.body), http)
        with self._stale_as_412(request, http):
            document = VIEWS[route.name].function(request, self._ports)
        return json_response(
            document, headers={"ETag": entity_tag(document.revision)} if route.name == "endpoint" else {}
        )

    def _jobs(self, *_: object) -> HttpResponse:
        return json_response(self._ports.jobs.jobs())

    def _job(self, _: Route, variables: dict[str, str], __: HttpRequest) -> HttpResponse:
        job = self._ports.jobs.job(variables["id"])
        events = self._ports.jobs.events(job_id=job.id)
        while page := self._ports.jobs.events(events[-1].id, job_id=job.id) if events else []:
            events += page
        return json_response(JobWithEvents.model_construct(**dict(job), events=tuple(events)))

    def _cancel(self, _: Route, variables: dict[str, str], __: HttpRequest) -> HttpResponse:
        return json_response(self._runner.cancel(variables["id"]))

    def _report(self, _: Route, variables: dict[str, str], http: HttpRequest) -> HttpResponse:
        job, file = (http.query.get(name, [None])[-1] for name in ("job", "file"))
        if job:
            return page_of_job(self._ports.jobs.job(job), file)
        if not variables:
            raise refusal(422, "invalid_input", "The report is not named", "the query names no job",
                          "add ?job=<id>, or /<name>/<version>")  # fmt: skip
        return page_of_release(f"{variables['name']}:{variables['version']}", self._ports, file)

    def _agree(self, _: Route, __: dict[str, str], http: HttpRequest) -> HttpResponse:
        request = SettingsAgreement.model_validate(object_in(http.body))
        folder = Path(request.folder)
        shown = settings_file(folder, self._ports.home) if folder.is_absolute() else None
        if shown is None or shown.digest != request.digest:
            raise refusal(409, "settings_changed", "The settings are others now",
                          f"{folder / 'nbdeploy.yaml'} has not the content with this digest",
                          "read the view notebook_context or publish_form again, and agree to its digest")  # fmt: skip
        agree(self._ports.home, folder, request.digest)
        return json_response(shown.model_copy(update={"agreed": True}))

    def _openapi(self, _: Route, __: dict[str, str], http: HttpRequest) -> HttpResponse:
        return json_response(openapi.description(http.base))

    @contextmanager
    def _stale_as_412(self, request: Request, http: HttpRequest) -> Iterator[None]:
        """Within, a conflict with the request's revision becomes a 412 with the newer history."""
        try:
            yield
        except Conflict:
            require_current(request, self._endpoint_of(request), http, self._ports)
            raise

    def _endpoint_of(self, request: Request) -> Endpoint | None:
        """Return the endpoint of a request; None: the request has none, or creates one."""
        field, name = type(request).model_fields.get("name"), getattr(request, "name", None)
        if field is None or name is None:
            return None
        return find(self._ports, name) if field.is_required() else self._ports.store.endpoint(name)


def error_response(error: Exception, http: HttpRequest) -> HttpResponse:
    """Turn an error into a problem; the traceback of a bug goes to the log only."""
    if isinstance(error, RequestError):
        return problem_response(error.problem)
    problem = problem_of(error)
    if problem.code == BUG or (isinstance(error, ValidationError) and problem.status >= 500):
        _log.error("%s nbdeploy/%s failed", http.method, http.path, exc_info=error)
        remedy = "report it with the traceback in the server's log"
        problem = problem.model_copy(update={"details": "", "remedy": remedy})
    return problem_response(problem)


def _accepted(job: Job) -> HttpResponse:
    return json_response(job, 202, {"Location": f"nbdeploy/jobs/{job.id}"})


def _with_limit(request: LogsRequest) -> LogsRequest:
    if request.follow:
        raise refusal(422, "invalid_input", "Records cannot be followed here", "a response over HTTP must end",
               "request views/records repeatedly, or run 'nbdeploy logs NAME --follow'")  # fmt: skip
    return request if request.limit or request.export else request.model_copy(update={"limit": LOGS_LIMIT})


def _ignore_progress(_: object) -> None:
    """Report nothing: the operation is quick."""
