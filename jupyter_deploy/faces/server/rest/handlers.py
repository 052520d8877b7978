"""The routes in a Jupyter server: who may ask, and passing on what is asked. Light: it knows no operation."""

from __future__ import annotations

import contextlib
import http
import json
import re
from typing import Any
from urllib.parse import parse_qs

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from tornado import web
from tornado.iostream import StreamClosedError

from .worker_client import Answered, AskedGone, Asking

RESOURCE = "nbdeploy"
MAX_BODY = 64 * 1024**2
"""Bytes; a prediction or feedback of more rows goes to the gateway, or is a file that the request names."""

# The server's own words in a query: how it is asked, and not what.
_OF_THE_SERVER = ("token", "_xsrf", "no_track_activity")


def problem(status: int, code: str, title: str, detail: str, remedy: str) -> dict[str, Any]:
    """As ``domain.jobs.Problem`` has it, which cannot be imported here."""
    known = {"code": code, "title": title, "status": status, "detail": detail, "remedy": remedy}
    return known | {"details": "", "errors": [], "report": "", "findings": [], "revision": None, "history": []}


# What tornado and the server refuse themselves.
_REFUSED = {
    403: ("forbidden", "This is not allowed", "load the page again; whoever runs the server says who may do what"),
    404: ("no_route", "There is no such route", "nbdeploy/openapi.json has all that there are"),
    405: ("no_method", "It cannot be asked in this way", "nbdeploy/openapi.json says how"),
    413: ("too_large", "The body is too large", "send a part of it, or name a file"),
}

_UNKNOWN = (
    "not_signed_in",
    "The Jupyter server does not know you",
    "it was asked without a token or log-in that it knows; a log-in expires, and a server may start with another token",
    "load the page again and sign in; a program sends the server's token",
)


class NbdeployHandler(APIHandler):
    """What is common: problems in place of errors, and no entity tags but our own."""

    auth_resource = RESOURCE

    @property
    def asking(self) -> Asking:
        """The process that answers; made by the first request, when there is a loop."""
        made: Asking | None = self.settings.get("nbdeploy_asking")
        if made is None:
            made = self.settings["nbdeploy_asking"] = Asking(self.settings["nbdeploy_folder"], self.log)
        return made

    def compute_etag(self) -> str | None:
        return None

    def refuse(self, status: int, code: str, title: str, detail: str, remedy: str) -> None:
        """Answer with a problem."""
        self.set_status(status)
        body = json.dumps(problem(status, code, title, detail, remedy))
        self.finish(body, set_content_type="application/problem+json")

    async def pass_on(self, answer: Answered) -> None:
        """Answer with what was answered."""
        self.set_status(answer.status)
        self.set_header("Cache-Control", "no-store")
        for name, value in answer.headers.items():
            self.set_header(name, url_path_join(self.base_url, value) if name == "Location" else value)
        kind = answer.headers.get("Content-Type", "application/json")
        with contextlib.suppress(
            StreamClosedError
        ):  # who asked has gone: a widget that looks anew leaves what it asked
            await self.finish(answer.body or None, set_content_type=kind)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """What is wrong, in words; where from is for the log, which has it by now."""
        error = (kwargs.get("exc_info") or (None, None))[1]
        detail = (error.log_message if isinstance(error, web.HTTPError) else None) or http.HTTPStatus(
            status_code
        ).phrase
        if status_code == 403 and not self.current_user:
            self.refuse(403, *_UNKNOWN)
            return
        code, title, remedy = _REFUSED.get(status_code, ("error", "It failed", "the server's log says more; try again"))
        self.refuse(status_code, code, title, detail, remedy)


class AskHandler(NbdeployHandler):
    """Everything but the stream."""

    @web.authenticated
    @authorized
    async def get(self, path: str) -> None:
        await self._ask(path)

    @web.authenticated
    @authorized
    async def post(self, path: str) -> None:
        await self._ask(path)

    @web.authenticated
    @authorized
    async def delete(self, path: str) -> None:
        await self._ask(path)

    @property
    def query(self) -> dict[str, list[str]]:
        """What is asked for."""
        return {name: values for name, values in parse_qs(self.request.query).items() if name not in _OF_THE_SERVER}

    async def _ask(self, path: str) -> None:
        body = self.request.body
        if len(body) > MAX_BODY:
            raise web.HTTPError(413, f"it has {len(body):,} bytes, and {MAX_BODY:,} may be sent")
        headers = self.request.headers
        head = {
            "method": self.request.method,
            "path": path,
            "query": self.query,
            "base": self.base_url,
            "if_match": headers.get("If-Match", ""),
        }
        try:
            answer = await self.asking.ask(head, body)
        except AskedGone as error:
            remedy = "it is started anew: look whether what you asked for was done or goes on, else ask again"
            self.refuse(500, "asked_gone", "No answer came", str(error), remedy)
        else:
            await self.pass_on(answer)


class LookHandler(AskHandler):
    """Views: a POST of one looks too, since its request may be long."""

    @web.authenticated
    @authorized(action="read")  # type: ignore[untyped-decorator]
    async def post(self, path: str) -> None:
        await self._ask(path)


def add_handlers(server: Any) -> None:
    """Give a Jupyter server the routes, under its base URL."""
    from .events import EventsHandler
    from .notebook_context import BesideHandler  # it builds on this module

    root = re.escape(url_path_join(server.web_app.settings["base_url"], "nbdeploy"))
    routes = [
        (rf"{root}/events", EventsHandler),
        (rf"{root}/(views/notebook_context)", BesideHandler),
        (rf"{root}/(views/.*)", LookHandler),
        (rf"{root}/(.*)", AskHandler),
        (rf"{root}()", AskHandler),
    ]
    # Of what the file browser shows; where that is no folder (a store of objects, say), the server's own.
    server.web_app.settings["nbdeploy_folder"] = getattr(server.contents_manager, "root_dir", "") or server.root_dir
    server.web_app.add_handlers(".*$", routes)
