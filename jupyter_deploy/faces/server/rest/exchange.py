"""What is asked over HTTP, and the answer: the asked process's side of a request, without a server or a socket."""

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
class Question:
    """One request. ``base`` is the server's base URL, ``path`` what follows ``/nbdeploy/`` after it."""

    method: str
    path: str
    query: Mapping[str, list[str]] = field(default_factory=dict)
    body: bytes = b""
    base: str = "/"
    if_match: str = ""


@dataclass(frozen=True)
class Answer:
    """What the server passes on as it is."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class Wrong(Exception):
    """The request itself cannot be, whatever the endpoints are."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


def refusal(status: int, code: str, title: str, detail: str, remedy: str = "") -> Wrong:
    """To be raised: what becomes this problem."""
    return Wrong(Problem(code=code, title=title, status=status, detail=detail, remedy=remedy))


def document(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """A value as JSON, as ``-o json`` has it; JSON knows no NaN, so null stands for it."""
    return Answer(status, pydantic_core.to_json(value, inf_nan_mode="null"), headers or {})


def problem(found: Problem) -> Answer:
    """Something wrong, as RFC 9457 has it."""
    body = found.model_dump_json().encode()
    return Answer(found.status, body, {"Content-Type": "application/problem+json"})


def from_query(request: type[R], query: Mapping[str, list[str]]) -> R:
    """A request whose fields are texts; one that takes several is named several times."""
    given: dict[str, Any] = {}
    for name, values in query.items():
        known = request.model_fields.get(name)
        given[name] = values if known and _takes_several(known.annotation) else values[-1]
    return request.model_validate(given)


def from_body(request: type[R], body: bytes) -> R:
    """A request as a JSON document; none is an empty one."""
    return request.model_validate(object_in(body))


def object_in(body: bytes) -> dict[str, Any]:
    """The JSON object that a body is."""
    try:
        given = json.loads(body or b"{}", parse_constant=_no_json)
    except RecursionError:
        raise _not_json(_TOO_DEEP) from None
    except ValueError as error:  # what is no UTF-8, or a number of too many digits, too
        raise _not_json(str(error)) from error
    if not isinstance(given, dict):
        raise refusal(422, "invalid_input", "this cannot be asked", "the body must be a JSON object", "write {…}")
    return given


def _no_json(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _not_json(why: str) -> Wrong:
    return refusal(400, "not_json", "the body is not JSON", why, "send one JSON object, or nothing")


def _takes_several(annotation: Any) -> bool:
    if get_origin(annotation) in (list, tuple) or annotation in (list, tuple):
        return True
    return any(_takes_several(part) for part in get_args(annotation))
