"""The Python face, ``jupyter_deploy.<verb>(…)``: a function for each operation, returning domain objects."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from jupyter_deploy.domain.errors import InvalidInput, disk_faults
from jupyter_deploy.faces.render import render  # registers the text forms of results
from jupyter_deploy.faces.render.collision import check_distributions
from jupyter_deploy.faces.render.notebook_errors import readable_errors
from jupyter_deploy.faces.render.shell import current_shell
from jupyter_deploy.faces.request_fields import is_positional, request_from
from jupyter_deploy.verbs import BY_NAME, Operation
from jupyter_deploy.wiring import Wiring

if TYPE_CHECKING:
    from jupyter_deploy.domain.capture.ports import Live
    from jupyter_deploy.domain.ports import Report
    from jupyter_deploy.domain.requests import Request


def run(operation: Operation, request: Request, *, live: Live | None = None) -> Any:
    """Run an operation, with progress in a notebook or on a terminal."""
    check_distributions()
    ports = Wiring().ports
    with disk_faults(), _reporter(operation) as report:
        extra = {} if live is None else {"live": live}
        result = operation.function(request, ports, report, **extra)
    if (shell := current_shell()) is not None:
        if live is not None:
            from jupyter_deploy.verbs.spare import start_spares

            start_spares(ports)
        render.register_formatters(shell)  # also without %load_ext, so that results are shown
    return render.Listing(result) if isinstance(result, list) else result


def _reporter(operation: Operation) -> AbstractContextManager[Report]:
    if not operation.slow:
        return nullcontext(lambda _: None)
    from jupyter_deploy.faces.render.progress import reporter

    return reporter()


def verb(name: str) -> Callable[..., Any]:
    """Make the function of a verb, with the signature of its request model."""
    if name == "deploy":
        return deploy
    operation = BY_NAME[name]

    def function(*args: Any, **options: Any) -> Any:
        with readable_errors():
            try:
                bound = signature.bind(*args, **options)
            except TypeError as error:
                raise InvalidInput(f"{name}(): {error}", f"call it as {name}{_called(signature)}") from error
            return run(operation, request_from(operation.request, bound.arguments))

    parameters = [
        inspect.Parameter(
            field_name,
            inspect.Parameter.POSITIONAL_OR_KEYWORD if is_positional(field) else inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.is_required() else field.get_default(call_default_factory=True),
            annotation=field.annotation,
        )
        for field_name, field in operation.request.model_fields.items()
    ]
    signature = inspect.Signature(parameters)
    vars(function)["__signature__"] = signature
    function.__name__ = function.__qualname__ = name
    function.__module__ = "jupyter_deploy"
    function.__doc__ = _document(operation)
    return function


def deploy(
    model: Any = None, *, name: str | None = None, example: Any = None, variable: str | None = None, **options: Any
) -> Any:
    """Capture a model, prove it in a clean process, and release it behind an endpoint.

    Parameters
    ----------
    model : object or str
        An estimator, a torch module or a function; or, as text, a notebook's path or a snapshot's tag; None with
        ``image``, which names it.
    name : str
        The endpoint's name.
    example : object
        The model's input, such as ``X_test[:5]``; a function of several parameters takes a dict or a tuple. By default
        rows of the notebook's tables that show missing values, categories and extremes; a note names the expression.
    variable : str
        The model's name in the notebook; by default the variable that holds the object.
    **options
        The other options of ``nbdeploy deploy``: ``method``, ``role``, ``percent``, ``keep``, ``reason``, …; with a
        live model ``signature``, ``training`` and ``lookup`` are the objects themselves.

    Returns
    -------
    Deployment
        The endpoint, its URL, the release, its role and its manifest.
    """
    operation = BY_NAME["deploy"]
    with readable_errors():
        if isinstance(model, str) or (model is None and options.get("image")):
            given = {"source": model, "name": name, "example": example, "model": variable, **options}
            return run(operation, request_from(operation.request, given))
        from .kernel import live_from_object, with_proposed_example  # only for a live object

        given = {key: options.pop(key) for key in ("signature", "training", "lookup") if key in options}
        request = request_from(operation.request, {"source": variable, "name": name, **options})
        live = live_from_object(model, example, request, variable=variable, shell=current_shell(), **given)
        return run(operation, request, live=with_proposed_example(live))


def _called(signature: inspect.Signature) -> str:
    bare = [p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values()]
    return str(signature.replace(parameters=bare))


def _document(operation: Operation) -> str:
    lines = [inspect.getdoc(operation.request) or "", "", "Parameters", "----------"]
    for name, field in operation.request.model_fields.items():
        lines += [name, f"    {field.description or ''}"]
    return "\n".join(lines)
