"""The magics ``%deploy``, ``%%deploy`` and ``%deploy_<verb>``, with the options of the command line."""

from __future__ import annotations

import functools
import re
import shlex
from collections.abc import Callable, Iterator
from typing import Any

from jupyter_deploy.domain.capture.artifacts import checked_name
from jupyter_deploy.domain.errors import DeployError, InvalidExample, InvalidInput, UnknownSource
from jupyter_deploy.domain.model_selection.requests import CandidatesRequest
from jupyter_deploy.domain.requests import DeployRequest, Request
from jupyter_deploy.faces.arguments import parse_line
from jupyter_deploy.faces.panel import PanelRequest, panel
from jupyter_deploy.faces.render.collision import check_distributions
from jupyter_deploy.faces.render.notebook_errors import readable_errors
from jupyter_deploy.faces.render.render import register_formatters, rendering, text
from jupyter_deploy.faces.render.shell import watch_cells
from jupyter_deploy.faces.request_fields import is_positional
from jupyter_deploy.verbs import OPERATIONS, Operation

from .kernel import last_function, live_from_expressions
from .python_api import run


def load(shell: Any) -> None:
    """Register the magics and the formatters with an IPython shell."""
    check_distributions()
    register_formatters(shell)
    watch_cells(shell)
    for operation in OPERATIONS:
        if operation.name == "deploy":
            shell.register_magic_function(_deploy(shell, operation), "line_cell", "deploy")
        elif operation.name == "candidates":
            shell.register_magic_function(_candidates(shell), "line", "deploy_candidates")
        else:
            name = f"deploy_{operation.name}"
            shell.register_magic_function(_verb(operation, name), "line", name)
    shell.register_magic_function(_panel(), "line", "deploy_panel")


def _verb(operation: Operation, name: str) -> Callable[..., Any]:
    def magic(line: str) -> Any:
        request, output = parse_line(name, operation.request, _tokens(line), yaml=bool(operation.yaml))
        return _result(run(operation, request), output, operation)

    return _magic(magic, _help(operation.request, f"%{name}"))


def _deploy(shell: Any, operation: Operation) -> Callable[..., Any]:
    def deploy(line: str, cell: str | None = None) -> Any:
        parsed, output = parse_line("deploy", DeployRequest, _tokens(line))
        request = parsed if isinstance(parsed, DeployRequest) else DeployRequest()
        expression = request.source
        if cell is not None:
            if expression is not None:
                raise InvalidInput("%%deploy deploys the cell's last function", f"leave out '{expression}'")
            expression = last_function(cell)
            checked_name(request.name or "")  # before the cell runs, which may take long
            shell.run_cell(cell).raise_error()
        if expression is None and request.image is None:
            raise InvalidInput("which variable holds the model?", 'write %deploy model --name churn --example "X[:5]"')
        if request.model is not None:
            raise InvalidInput(
                "--model is for notebooks that run headless", "name the variable first: %deploy VARIABLE"
            )
        if expression is None or expression.endswith(".ipynb") or re.fullmatch(r"[a-z0-9_-]+:[0-9a-f]+", expression):
            return _result(run(operation, request), output, operation)
        try:
            live = live_from_expressions(shell, expression, request)
        except (UnknownSource, InvalidExample, InvalidInput) as error:
            raise _lost_quotes_error(error, line, request) from error
        return _result(run(operation, request, live=live), output, operation)

    return _magic(deploy, _help(operation.request, "%deploy"))


def _panel() -> Callable[..., Any]:
    name = "deploy_panel"

    def magic(line: str) -> Any:
        request, output = parse_line(name, PanelRequest, _tokens(line))
        if output != "text":
            raise InvalidInput("a panel is for people to look at", "%deploy_describe NAME -o json gives a document")
        return panel(request.model_dump()["name"])

    return _magic(magic, _help(PanelRequest, f"%{name}"))


def _candidates(shell: Any) -> Callable[..., Any]:
    name = "deploy_candidates"

    def magic(line: str) -> Any:
        from .model_selection import candidates_of_line  # NumPy, which only this needs

        request, output = parse_line(name, CandidatesRequest, _tokens(line))
        found = candidates_of_line(CandidatesRequest.model_validate(request.model_dump()), shell)
        return found.table.model_dump(mode="json") if output == "json" else found

    return _magic(magic, _help(CandidatesRequest, f"%{name}"))


def _result(result: Any, output: str, operation: Operation) -> Any:
    if isinstance(result, Iterator):
        for record in result:  # until the kernel is interrupted
            print(record.model_dump_json() if output == "json" else text(record, operation))
        return None
    if output == "yaml":
        print(rendering(operation.yaml)(result))
        return None
    if output == "json":
        return (
            [r.model_dump(mode="json") for r in result] if isinstance(result, list) else result.model_dump(mode="json")
        )
    return result


def _tokens(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError as error:
        raise InvalidInput(
            f"the line cannot be read: {error}", 'put expressions in quotes: --example "X_test[:5]"'
        ) from error


def _lost_quotes_error(error: DeployError, line: str, request: DeployRequest) -> DeployError:
    """Explain an error if an expression has lost its quotes, since a line is split like a shell's."""
    try:
        words = shlex.split(line, posix=False)
    except ValueError:  # quotes that only the other mode closes
        return error
    for expression in (request.source, request.example, request.signature, request.training, request.lookup):
        if expression is None or expression in line:
            continue
        original = next((w for w in words if re.sub("[\"']", "", w) == expression), None)
        if original is not None:
            other = original.replace('"', "'")
            return type(error)(
                f"of {original} only {expression} is left: a magic's line removes quotes, like a shell",
                f'write it in other quotes: "{other}"',
            )
    return error


def _help(request: type[Request], name: str) -> str:
    lines = [request.__doc__ or "", "", f"Options of {name}:"]
    for field_name, field in request.model_fields.items():
        shown = field_name.upper() if is_positional(field) else f"--{field_name.replace('_', '-')}"
        lines.append(f"  {shown:14} {field.description or ''}")
    return "\n".join(lines)


def _magic(function: Callable[..., Any], help_: str) -> Callable[..., Any]:
    """Give a magic its help, which ``--help`` prints too, and readable errors."""

    @functools.wraps(function)
    def wrapped(line: str, cell: str | None = None) -> Any:
        if "--help" in line.split():
            print(help_)
            return None
        with readable_errors():
            return function(line) if cell is None else function(line, cell)

    wrapped.__doc__ = help_
    return wrapped
