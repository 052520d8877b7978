"""The routes as an OpenAPI 3.1 document, made from the table and the models."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import metadata
from typing import Any

from pydantic import TypeAdapter

from jupyter_deploy.domain.jobs import Job, Problem
from jupyter_deploy.domain.release.status import EndpointStatus
from jupyter_deploy.faces.views.documents import JobWithEvents
from jupyter_deploy.faces.views.form_documents import SettingsFile
from jupyter_deploy.faces.views.table import VIEWS
from jupyter_deploy.verbs import BY_NAME

from .table import ROUTES, Route

Json = dict[str, Any]

_REF = "#/components/schemas/{model}"

_PROBLEMS = {
    "400": "The body is not JSON, or If-Match is not a revision.",
    "403": "No token or cookie, not authorised, or no XSRF header.",
    "404": "There is no such endpoint, release, revision, job or view.",
    "409": "Refused by a gate or a check, or because another client changed the endpoint first.",
    "412": "If-Match is stale; the problem has the current revision and the newer history.",
    "413": "The body is too large.",
    "422": "The request is invalid; 'errors' names the fields.",
    "500": "The target of the endpoints failed.",
}
_PROBLEMS_OF_GET = ("400", "403", "404", "422", "500")
_ABOUT = (
    "Every verb over HTTP. Needs the Jupyter server's token or cookie, with a cookie its XSRF header where something "
    "is written, and authorisation for the resource 'nbdeploy': 'read' for GET and views, else 'write'."
)


@cache
def description(base: str) -> Json:
    """Make the document; ``base`` is the server's base URL."""
    made = _Schemas()
    paths: dict[str, Json] = {}
    for route in ROUTES:
        paths.setdefault(f"/{route.path}", {})[route.method.lower()] = _operation(route, made)
    return {
        "openapi": "3.1.0",
        "info": {"title": "nbdeploy", "version": metadata.version("nbdeploy"), "description": _ABOUT},
        "servers": [{"url": f"{base.rstrip('/')}/nbdeploy"}],
        "security": [{"token": []}, {"cookie": []}],
        "paths": paths,
        "components": {
            "schemas": made.components,
            "responses": {
                f"Problem{status}": {
                    "description": words,
                    "content": {"application/problem+json": {"schema": made.of(Problem)}},
                }
                for status, words in _PROBLEMS.items()
            },
            "securitySchemes": {
                "token": {"type": "apiKey", "in": "header", "name": "Authorization", "description": "token <TOKEN>"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "_xsrf", "description": "a browser's session"},
            },
        },
    }


class _Schemas:
    """Schemas of Python's types; each component is stored once."""

    def __init__(self) -> None:
        self.components: dict[str, Json] = {}
        self._known: dict[Any, Json] = {}

    def of(self, kind: Any, *, sent: bool = False) -> Json:
        """Return the schema of a type in responses, or in requests (``sent``)."""
        if (kind, sent) not in self._known:
            adapter = TypeAdapter(kind)
            mode: Any = "validation" if sent else "serialization"
            schema = adapter.json_schema(mode=mode, ref_template=_REF)
            self.components |= schema.pop("$defs", {})
            name = kind.__name__ if isinstance(kind, type) else None
            if name:
                self.components[name] = schema
            self._known[kind, sent] = {"$ref": _REF.format(model=name)} if name else schema
        return self._known[kind, sent]


def _operation(route: Route, made: _Schemas) -> Json:
    name = re.sub(r"\W+", "_", f"{route.method.lower()}_{route.path}").strip("_")
    described: Json = {"operationId": name, "summary": route.summary, "tags": [_tag(route)]}
    if parameters := list(_parameters(route, made)):
        described["parameters"] = parameters
    if route.method == "POST" and route.request is not None:
        content = {"application/json": {"schema": made.of(route.request, sent=True)}}
        described["requestBody"] = {"required": True, "content": content}
    described["responses"] = dict(_responses(route, made)) | {
        status: {"$ref": f"#/components/responses/Problem{status}"} for status in _problems(route)
    }
    return described


def _tag(route: Route) -> str:
    known = {"look": "verbs", "verb": "verbs", "capture": "verbs", "view": "views"}
    return known.get(route.kind, "jobs" if route.kind in ("asked", "cancel", "job") else route.kind)


def _parameters(route: Route, made: _Schemas) -> Iterator[Json]:
    for name in re.findall(r"\{(\w+)\}", route.path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
    if route.kind == "report" and "{" not in route.path:
        yield {"name": "job", "in": "query", "required": True, "schema": {"type": "string"}}
    if route.kind == "events":
        number = {"type": "integer", "minimum": 0}
        yield {"name": "after", "in": "query", "schema": number, "description": "Begin after this event."}
        yield {"name": "Last-Event-ID", "in": "header", "schema": number, "description": "The same, by a browser."}
    if route.method == "GET" and route.request is not None:
        made.of(route.request, sent=True)
        schema = made.components[route.request.__name__]
        for name, field in schema.get("properties", {}).items():
            required = name in schema.get("required", ())
            yield {"name": name, "in": "query", "required": required, "schema": field}
    if _has_revision(route) and route.method == "POST":
        yield _header("If-Match", "The revision that the change is based on, in quotes: 412 if there is another.")


def _header(name: str, words: str) -> Json:
    return {"name": name, "in": "header", "schema": {"type": "string"}, "description": words}


def _has_revision(route: Route) -> bool:
    if route.method == "GET":
        # Verbs only: the endpoint view has counts too, which change without a new revision.
        return route.kind == "look" and BY_NAME[route.name].result is EndpointStatus
    return route.kind == "verb" and route.request is not None and "name" in route.request.model_fields


def _responses(route: Route, made: _Schemas) -> Iterator[tuple[str, Json]]:
    if route.kind == "events":
        yield "200", _content("Server-sent events: 'job' and 'endpoints'.", {"type": "string"}, "text/event-stream")
        return
    if route.kind == "preparation":
        yield "204", {"description": "The process runs."}
        return
    if route.kind == "report":
        yield "200", _content("The page, in a sandbox.", {"type": "string"}, "text/html")
        return
    if route.kind == "openapi":
        yield "200", _content("This document.", {"type": "object"})
        return
    if route.kind == "capture" or (route.kind == "verb" and BY_NAME[route.name].slow):
        accepted = _content("The job of the request.", made.of(Job))
        location = {"description": "The job's URL.", "schema": {"type": "string"}}
        yield "202", accepted | {"headers": {"Location": location}}
        return
    answer = _content("The result.", made.of(_response_type(route)))
    if _has_revision(route) and route.method == "GET":
        answer["headers"] = {"ETag": {"description": "The revision, in quotes.", "schema": {"type": "string"}}}
    yield "200", answer


def _content(words: str, schema: Json, kind: str = "application/json") -> Json:
    return {"description": words, "content": {kind: {"schema": schema}}}


def _response_type(route: Route) -> Any:
    """Return the type of a route's response."""
    match route.kind:
        case "jobs":
            return list[Job]
        case "job":
            return JobWithEvents
        case "asked" | "cancel":
            return Job
        case "agreement":
            return SettingsFile
        case "view":
            return VIEWS[route.name].document
    result = BY_NAME[route.name].result
    return list[typing.get_args(result)[0]] if typing.get_origin(result) is Iterable else result  # type: ignore[misc]


def _problems(route: Route) -> tuple[str, ...]:
    return _PROBLEMS_OF_GET if route.method == "GET" else tuple(_PROBLEMS)
