"""HTTP requests and responses as values, in the worker: without a server or a socket."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeVar, get_args, get_origin

import pydantic_core

from jupyter_deploy.domain.jobs import Problem
from jupyter_deploy.domain.requests import Request

R = TypeVar("R", bound=Request)

_TOO_DEEP = "it is nested too deeply"


@dataclass(frozen=True)
class HttpRequest:
    """One request. ``base`` is the server's base URL, ``path`` the part of the URL after ``/nbdeploy/``."""

    method: str
    path: str
    query: Mapping[str, list[str]] = field(default_factory=dict)
    body: bytes = b""
    base: str = "/"
    if_match: str = ""


@dataclass(frozen=True)
class HttpResponse:
    """A response that the server forwards unchanged."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class RequestError(Exception):
    """The request is invalid in itself, independent of the endpoints."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


def refusal(status: int, code: str, title: str, detail: str, remedy: str = "") -> RequestError:
    """Make the error that becomes this problem."""
    return RequestError(Problem(code=code, title=title, status=status, detail=detail, remedy=remedy))


def json_response(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """Encode a value as JSON, as ``-o json`` does; NaN becomes null, since JSON has no NaN."""
    return HttpResponse(status, pydantic_core.to_json(value, inf_nan_mode="null"), headers or {})


def problem_response(found: Problem) -> HttpResponse:
    """Encode a problem as RFC 9457 defines it."""
    body = found.model_dump_json().encode()
    return HttpResponse(found.status, body, {"Content-Type": "application/problem+json"})


def from_query(request: type[R], query: Mapping[str, list[str]]) -> R:
    """Read a request from a query; a field with several values occurs several times."""
    given: dict[str, Any] = {}
    for name, values in query.items():
        known = request.model_fields.get(name)
        given[name] = values if known and _takes_several(known.annotation) else values[-1]
    return request.model_validate(given)


def from_body(request: type[R], body: bytes) -> R:
    """Read a request from a JSON document; an empty body is an empty request."""
    return request.model_validate(object_in(body))


def object_in(body: bytes) -> dict[str, Any]:
    """Parse a body that must be a JSON object."""
    try:
        given = json.loads(body or b"{}", parse_constant=_no_json)
    except RecursionError:
        raise _not_json(_TOO_DEEP) from None
    except ValueError as error:  # also invalid UTF-8, and a number with too many digits
        raise _not_json(str(error)) from error
    if not isinstance(given, dict):
        raise refusal(422, "invalid_input", "The request is invalid", "the body must be a JSON object", "write {…}")
    return given


def _no_json(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _not_json(why: str) -> RequestError:
    return refusal(400, "not_json", "the body is not JSON", why, "send one JSON object, or nothing")


def _takes_several(annotation: Any) -> bool:
    if get_origin(annotation) in (list, tuple) or annotation in (list, tuple):
        return True
    return any(_takes_several(part) for part in get_args(annotation))
