"""Arguments from request models: here a field becomes an option of the CLI, of a magic, of a function."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from cyclopts import App, CycloptsError, Parameter

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.requests import Request
from jupyter_deploy.faces.request_fields import is_positional, option_names, request_from

Output = Literal["text", "json", "yaml"]


def options_of(request: type[Request]) -> list[inspect.Parameter]:
    """Return the request's fields as parameters of a command: positional ones first, texts not parsed yet."""
    parameters = []
    for name, field in request.model_fields.items():
        positional = is_positional(field)
        default = inspect.Parameter.empty if field.is_required() else field.get_default(call_default_factory=True)
        kind = inspect.Parameter.POSITIONAL_ONLY if positional else inspect.Parameter.KEYWORD_ONLY
        help_ = Parameter(
            name=option_names(name, field), help=field.description or "", negative="", show_default=bool(default)
        )
        annotation: Any = Annotated[_textual(field.annotation), help_]
        if positional and isinstance(default, tuple):
            parameters.append(
                inspect.Parameter(name, inspect.Parameter.VAR_POSITIONAL, annotation=Annotated[str, help_])
            )
            continue
        if isinstance(default, dict | tuple):
            default = None
            annotation = Annotated[list[str] | None, help_]
        parameters.append(inspect.Parameter(name, kind, default=default, annotation=annotation))
    return sorted(parameters, key=lambda p: p.kind)


def join_pairs(request: type[Request], tokens: Sequence[str]) -> list[str]:
    """Join Papermill's two-token form, ``-p KEY VALUE``, to the form that is parsed: ``-p KEY=VALUE``."""
    pairs = {
        spelling
        for name, field in request.model_fields.items()
        if isinstance(field.json_schema_extra, Mapping) and field.json_schema_extra.get("pairs")
        for spelling in option_names(name, field) or [f"--{name}"]
    }
    rest, joined = list(tokens), []
    while rest:
        joined.append(rest.pop(0))
        if joined[-1] in pairs and rest:
            joined.append(rest.pop(0))
            if "=" not in joined[-1] and rest:
                joined[-1] += f"={rest.pop(0)}"
    return joined


def add_command(
    app: App, name: str, request: type[Request], run: Callable[[Request, Output], Any], *, yaml: bool = False
) -> None:
    """Give ``app`` a command whose options are the request's fields, and ``-o/--output``, with ``yaml`` if it has."""
    forms = Output if yaml else Literal["text", "json"]
    more = ", or YAML for 'apply'" if yaml else ""
    help_ = f"Text for people or one JSON document{more}."

    def command(*args: Any, output: Output = "text", **options: Any) -> Any:
        positional = [n for n, f in request.model_fields.items() if is_positional(f)]
        several = len(positional) == 1 and isinstance(request.model_fields[positional[0]].default, tuple)
        given = {positional[0]: args} if several else dict(zip(positional, args, strict=False))
        given |= options
        return run(request_from(request, given, typed=True), output)

    output = inspect.Parameter(
        "output",
        inspect.Parameter.KEYWORD_ONLY,
        default="text",
        annotation=Annotated[forms, Parameter(name=["--output", "-o"], help=help_)],
    )
    parameters = [*options_of(request), output]
    signature = inspect.Signature(parameters)
    vars(command)["__signature__"] = signature
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    command.__name__ = name
    # One line for each paragraph: the terminal wraps it.
    paragraphs = (inspect.getdoc(request) or "").split("\n\n")
    command.__doc__ = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    app.command(command, name=name)


def parse_line(
    name: str, request: type[Request], tokens: Sequence[str], *, yaml: bool = False
) -> tuple[Request, Output]:
    """Parse a magic's line like a command line. ``yaml``: the verb's result has a YAML document.

    Raises
    ------
    InvalidInput
        The error has the parser's message.
    """
    app = App(name=name, help_flags=(), version_flags=(), result_action="return_value")
    add_command(app, name, request, lambda parsed, output: (parsed, output), yaml=yaml)
    try:
        result = app([name, *join_pairs(request, tokens)], exit_on_error=False, print_error=False)
    except CycloptsError as error:
        raise InvalidInput(str(error).strip(), f"%{name}? shows the options") from error
    parsed: tuple[Request, Output] = result
    return parsed


def _textual(annotation: Any) -> Any:
    """Return the type that a command line parses; the request model parses types with their own text form."""
    if get_origin(annotation) in (Union, types.UnionType):
        parts = [_textual(part) for part in get_args(annotation) if part is not type(None)]
        return parts[0] | None
    if annotation is Any:
        return str | None
    if annotation in (timedelta, datetime) or get_origin(annotation) is Annotated:
        return str
    return annotation
