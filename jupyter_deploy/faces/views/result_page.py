"""What a verb gave, told as every other face tells it."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter, ValidationError

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.model_search.search import ModelSearchResult
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.faces.render.automl_page import search_page
from jupyter_deploy.faces.render.page import as_html
from jupyter_deploy.faces.render.render import html
from jupyter_deploy.verbs import BY_NAME

from .documents import ResultPageView
from .requests import ResultPageRequest


def result_page(request: ResultPageRequest, ports: Ports) -> ResultPageView:
    """The page of a result; its data are escaped in it."""
    if request.job is None:
        return ResultPageView(title=request.verb or "", html=_html(_read(request.verb or "", request.result), request))
    job = ports.jobs.job(request.job)
    if job.state != "done":
        message = f"{job.title!r} has no result: it is {job.state}"
        raise InvalidInput(message, remedy="wait for its end, or ask for it once more")
    return ResultPageView(title=job.title, html=_html(_read(job.verb, job.result), request))


def _html(result: Any, request: ResultPageRequest) -> str:
    if isinstance(result, ModelSearchResult) and not request.candidates:
        return as_html(search_page(result))
    return html(result)


def _read(verb: str, result: Any) -> Any:
    """The result that a document is of."""
    operation = BY_NAME.get(verb)
    if operation is None:
        raise InvalidInput(f"there is no verb {verb!r}", remedy="give a 'job', or a 'verb' with its 'result'")
    try:
        return TypeAdapter(operation.result).validate_python(result)
    except ValidationError as error:
        message = f"this is no result of {verb}: {error.error_count()} of its fields cannot be"
        raise InvalidInput(message, remedy=f"send what POST {verb} answered") from None
