"""One verb's execution on the command line: questions at the terminal, the result on stdout, the exit code."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from jupyter_deploy.domain.errors import Unconfirmed
from jupyter_deploy.faces.render.commands import escape_commands, escape_json
from jupyter_deploy.faces.render.error_codes import INTERNAL
from jupyter_deploy.faces.render.output import as_json, write
from jupyter_deploy.verbs.interrupts import heard_once

if TYPE_CHECKING:
    from jupyter_deploy.domain.requests import Request
    from jupyter_deploy.verbs import Operation


def execute(operation: Operation, request: Request, output: str) -> int:
    """Run a verb and print its result as ``output``, text, json or yaml; return the exit code."""
    from jupyter_deploy.faces.kernel import python_api

    with heard_once() if operation.heard_once else contextlib.nullcontext():  # until the result is printed
        try:
            result = python_api.run(operation, request)
        except Unconfirmed as error:
            result = python_api.run(operation, _confirmed(request, error))
        return _print(result, output, operation, in_job=getattr(request, "github", False))


def _print(result: Any, output: str, operation: Operation | None = None, *, in_job: bool = False) -> int:
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


def _format(result: Any, output: str, operation: Operation | None, *, in_job: bool = False) -> str:
    if output == "json":
        return escape_json(as_json(result))
    from jupyter_deploy.faces.render.render import rendering, text

    if output == "yaml" and operation is not None:
        return str(rendering(operation.yaml)(result))
    return escape_commands(text(result, operation), in_job=in_job)


def _confirmed(request: Request, error: Unconfirmed) -> Request:
    """Ask the person at the terminal, and return the confirmed request. Raises Unconfirmed if nobody confirms it."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise error
    write(f"{error.message}\nContinue? [y/N]", sys.stderr)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Unconfirmed("nothing was changed")
    return request.model_copy(update={"yes": True})
