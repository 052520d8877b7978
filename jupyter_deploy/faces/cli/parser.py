"""The verbs' command lines, parsed by cyclopts, and the output of their results."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from cyclopts import App, CycloptsError

from jupyter_deploy import __version__
from jupyter_deploy.domain.errors import Unconfirmed
from jupyter_deploy.domain.requests import Request
from jupyter_deploy.faces.arguments import Output, add_command, join_pairs
from jupyter_deploy.faces.render.commands import escape_commands, escape_json
from jupyter_deploy.faces.render.error_codes import INTERNAL, USAGE
from jupyter_deploy.faces.render.output import as_json, write
from jupyter_deploy.verbs import BY_NAME, OPERATIONS, Operation
from jupyter_deploy.verbs.interrupts import heard_once


def run(tokens: list[str]) -> int:
    """Run a command line that is not empty; return its exit code."""
    # A verb's own line needs no other verb's options; a line without a verb is answered with the names of all.
    operations = [BY_NAME[tokens[0]]] if tokens[0] in BY_NAME else OPERATIONS
    try:
        return _app(operations)(_join_pairs(tokens), exit_on_error=False, print_error=True) or 0
    except CycloptsError:
        return USAGE


def _app(operations: Iterable[Operation]) -> App:
    app = App(
        name="nbdeploy",
        help_format="plaintext",  # Markdown would take a fifth of the time of --help
        version=__version__,
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    for operation in operations:

        def run(request: Request, output: Output, operation: Operation = operation) -> int:
            from jupyter_deploy.faces.kernel import python_api

            with heard_once() if operation.heard_once else contextlib.nullcontext():  # until the result is printed
                try:
                    result = python_api.run(operation, request)
                except Unconfirmed as error:
                    result = python_api.run(operation, _confirmed(request, error))
                return _print(result, output, operation, in_job=getattr(request, "github", False))

        add_command(app, operation.name, operation.request, run)
    return app


def _join_pairs(tokens: list[str]) -> list[str]:
    verb = BY_NAME.get(tokens[0]) if tokens else None
    return [tokens[0], *join_pairs(verb.request, tokens[1:])] if verb else tokens


def _print(result: Any, output: Output, operation: Operation | None = None, *, in_job: bool = False) -> int:
    """Print a result on stdout; return its exit code, even if stdout is closed.

    ``in_job``: a GitHub job's runner reads the text.
    """
    if isinstance(result, Iterator):  # a stream of records: one line each
        for record in result:
            done = write(_format(record, output, operation), sys.stdout)
            if done != "written":
                return INTERNAL if done == "failed" else 0
        return 0
    from jupyter_deploy.faces.render.render import exit_code

    code = exit_code(result, operation)
    done = write(_format(result, output, operation, in_job=in_job), sys.stdout)
    return code or (INTERNAL if done == "failed" else 0)


def _format(result: Any, output: Output, operation: Operation | None, *, in_job: bool = False) -> str:
    if output == "json":
        return escape_json(as_json(result))
    from jupyter_deploy.faces.render.render import text

    return escape_commands(text(result, operation), in_job=in_job)


def _confirmed(request: Request, error: Unconfirmed) -> Request:
    """Ask the person at the terminal, and return the confirmed request. Raises Unconfirmed if nobody confirms it."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise error
    write(f"{error.message}\nContinue? [y/N]", sys.stderr)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Unconfirmed("nothing was changed")
    return request.model_copy(update={"yes": True})
