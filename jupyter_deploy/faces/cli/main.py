"""The command line, ``nbdeploy <verb>``, made from the table of operations."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import traceback
from collections.abc import Iterator
from typing import Any

from cyclopts import App, CycloptsError

from jupyter_deploy.domain.errors import DeployError, interruption_notes
from jupyter_deploy.domain.requests import Request
from jupyter_deploy.faces.arguments import Output, add_command, join_pairs
from jupyter_deploy.faces.render.collision import check_distributions
from jupyter_deploy.faces.render.commands import escape_commands, escape_json
from jupyter_deploy.faces.render.error_codes import INTERNAL, USAGE, error_code
from jupyter_deploy.faces.render.output import as_json, write
from jupyter_deploy.system.process_defaults import without_slow_formats
from jupyter_deploy.verbs import BY_NAME, OPERATIONS, Operation

INTERRUPTED = 130
TERMINATED = 143

HELP = """Turn the model in a notebook into a running, validated, observable service.

The usual steps:

nbdeploy deploy train.ipynb --name churn --model clf --example "X_test[:5]"
    the first release is stable
nbdeploy deploy better.ipynb --name churn --model clf --example "X_test[:5]"
    the next one starts as a shadow
nbdeploy compare churn
    compares the shadow's answers with stable's, on the same requests
nbdeploy init
    writes a first validation notebook, and the files that CI and git need
nbdeploy validate validate_churn.ipynb --gate "accuracy >= stable - 0.01"
    measures the model; 'deploy --validate … --gate …' does so for every release
nbdeploy traffic churn --canary TAG=20
    the new release answers a fifth of the requests
nbdeploy promote churn
    the new release answers all requests
nbdeploy rollback churn
    restores the previous revision
nbdeploy publish churn --to registry.example/team/churn
    pushes the image, for any container runtime or cloud

Exit codes: 0 done, 1 refused or a requirement not met, 2 wrong usage or input,
3 target or internal error, 4 not enough evidence yet, 138 kernel died.
"""


def main(tokens: list[str] | None = None) -> None:
    """Run the command line and exit with the contract's code."""
    signal.signal(signal.SIGTERM, _terminate)
    without_slow_formats()
    sys.exit(_run(sys.argv[1:] if tokens is None else tokens))


def _run(tokens: list[str]) -> int:
    try:
        check_distributions()
        return _app()(_join_pairs(tokens) or ["--help"], exit_on_error=False, print_error=True) or 0
    except CycloptsError:
        return USAGE
    except DeployError as error:
        _print_error(error, tokens)
        return error_code(type(error)).exit_code
    except (KeyboardInterrupt, Terminated) as error:
        write(f"interrupted; {interruption_notes(error)}", sys.stderr)
        return INTERRUPTED if isinstance(error, KeyboardInterrupt) else TERMINATED
    except Exception:  # noqa: BLE001 - the one edge of this face: a bug has an exit code too
        report = "nbdeploy: this is a bug in nbdeploy; please report it with the lines above"
        write(f"{traceback.format_exc()}{report}", sys.stderr)
        return INTERNAL


class Terminated(BaseException):
    """SIGTERM, such as CI's at a timeout: like Ctrl-C, it must leave no partial work."""


def _terminate(*_: object) -> None:
    raise Terminated


def _app() -> App:
    from jupyter_deploy import __version__
    from jupyter_deploy.verbs.interrupts import heard_once

    app = App(
        name="nbdeploy",
        help=HELP,
        help_format="plaintext",  # Markdown would take a fifth of the time of --help
        version=__version__,
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    for operation in OPERATIONS:

        def run(request: Request, output: Output, operation: Operation = operation) -> int:
            from jupyter_deploy.faces.kernel import python_api

            with heard_once() if operation.heard_once else contextlib.nullcontext():  # until the result is printed
                result = python_api.run(operation, request)
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


def _print_error(error: DeployError, tokens: list[str]) -> None:
    if "json" in tokens or "--output=json" in tokens or "-ojson" in tokens:
        document = {"code": error.code, "message": error.message, "remedy": error.remedy, "details": error.details}
        write(escape_json(json.dumps({"error": document}, ensure_ascii=False)), sys.stderr)
        return
    write(escape_commands(f"nbdeploy: {error}"), sys.stderr)
