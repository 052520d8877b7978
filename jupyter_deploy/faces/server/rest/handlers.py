"""Handlers in a Jupyter server: they authorise requests and forward them to the worker. Light: no operations."""

from __future__ import annotations

import contextlib
import http
import json
from typing import Any
from urllib.parse import parse_qs

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from tornado import web
from tornado.iostream import StreamClosedError

from .worker_client import WorkerAnswer, WorkerClient, WorkerLost

RESOURCE = "nbdeploy"
MAX_BODY = 64 * 1024**2
"""Bytes. Send a prediction or feedback of more rows to the gateway, or name a file in the request."""

# Fields of a query that belong to the Jupyter server and not to the request.
_SERVER_FIELDS = ("token", "_xsrf", "no_track_activity")


def problem_document(status: int, code: str, title: str, detail: str, remedy: str) -> dict[str, Any]:
    """Make a document like ``domain.jobs.Problem``, whose import is too heavy here."""
    fields = {"code": code, "title": title, "status": status, "detail": detail, "remedy": remedy}
    return fields | {"details": "", "errors": [], "report": "", "findings": [], "revision": None, "history": []}


# Refusals by tornado and by the Jupyter server.
_REFUSALS = {
    403: (
        "forbidden",
        "You have no permission",
        "load the page again, or ask the server's administrator",
    ),
    404: ("no_route", "There is no such route", "nbdeploy/openapi.json lists all routes"),
    405: ("no_method", "The route does not have this method", "nbdeploy/openapi.json lists the methods"),
    413: ("too_large", "The body is too large", "send it in parts, or name a file"),
}

_NOT_SIGNED_IN = (
    "not_signed_in",
    "The Jupyter server does not know you",
    "the request has no valid token or log-in; a log-in expires, and a restarted server may have another token",
    "load the page again and sign in; a program sends the server's token",
)


class NbdeployHandler(APIHandler):
    """Base of the handlers: errors are problems, and entity tags are revisions only."""

    auth_resource = RESOURCE

    @property
    def worker(self) -> WorkerClient:
        """The client of the worker; the first request makes it, since it needs the event loop."""
        client: WorkerClient | None = self.settings.get("nbdeploy_worker")
        if client is None:
            client = self.settings["nbdeploy_worker"] = WorkerClient(self.settings["nbdeploy_folder"], self.log)
        return client

    def compute_etag(self) -> str | None:
        return None

    def refuse(self, status: int, code: str, title: str, detail: str, remedy: str) -> None:
        """Respond with a problem."""
        self.set_status(status)
        body = json.dumps(problem_document(status, code, title, detail, remedy))
        self.finish(body, set_content_type="application/problem+json")

    def refuse_lost(self, error: WorkerLost, remedy: str) -> None:
        """Respond with the problem of a worker that ended, or could not be started."""
        self.refuse(500, "asked_gone", "The request was not answered", str(error), remedy)

    async def forward(self, answer: WorkerAnswer) -> None:
        """Respond with the worker's answer."""
        self.set_status(answer.status)
        self.set_header("Cache-Control", "no-store")
        for name, value in answer.headers.items():
            self.set_header(name, url_path_join(self.base_url, value) if name == "Location" else value)
        kind = answer.headers.get("Content-Type", "application/json")
        with contextlib.suppress(
            StreamClosedError
        ):  # the client has gone, such as a widget that has sent a newer request
            await self.finish(answer.body or None, set_content_type=kind)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Respond with a problem in place of the server's page; the log has the traceback."""
        error = (kwargs.get("exc_info") or (None, None))[1]
        detail = (error.log_message if isinstance(error, web.HTTPError) else None) or http.HTTPStatus(
            status_code
        ).phrase
        if status_code == 403 and not self.current_user:
            self.refuse(403, *_NOT_SIGNED_IN)
            return
        code, title, remedy = _REFUSALS.get(
            status_code, ("error", "The request failed", "see the server's log, or try again")
        )
        self.refuse(status_code, code, title, detail, remedy)


class WorkerHandler(NbdeployHandler):
    """All routes except the stream of events: forwarded to the worker."""

    @web.authenticated
    @authorized
    async def get(self, path: str) -> None:
        await self._forward(path)

    @web.authenticated
    @authorized
    async def post(self, path: str) -> None:
        await self._forward(path)

    @web.authenticated
    @authorized
    async def delete(self, path: str) -> None:
        await self._forward(path)

    @property
    def query(self) -> dict[str, list[str]]:
        """The query without the server's own fields."""
        return {name: values for name, values in parse_qs(self.request.query).items() if name not in _SERVER_FIELDS}

    async def _forward(self, path: str) -> None:
        body = self.request.body
        if len(body) > MAX_BODY:
            raise web.HTTPError(413, f"the body has {len(body):,} bytes; the limit is {MAX_BODY:,}")
        headers = self.request.headers
        head = {
            "method": self.request.method,
            "path": path,
            "query": self.query,
            "base": self.base_url,
            "if_match": headers.get("If-Match", ""),
        }
        try:
            answer = await self.worker.send(head, body)
        except WorkerLost as error:
            remedy = "nbdeploy restarts the process: check whether your request took effect, else repeat it"
            self.refuse_lost(error, remedy)
        else:
            await self.forward(answer)


class PreparationHandler(NbdeployHandler):
    """``POST /nbdeploy/worker``: starts the worker before a user waits for it; ``?expects=deploy``: and a deploy."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        try:
            await self.worker.prepare(expects_deploy=self.get_query_argument("expects", "") == "deploy")
        except WorkerLost as error:
            self.refuse_lost(error, "try again: nbdeploy starts the process")
        else:
            self.set_status(204)
            self.finish()


class ReadHandler(WorkerHandler):
    """Views: a POST only reads, since a view's request may be too long for a query."""

    @web.authenticated
    @authorized(action="read")  # type: ignore[untyped-decorator]
    async def post(self, path: str) -> None:
        await self._forward(path)
