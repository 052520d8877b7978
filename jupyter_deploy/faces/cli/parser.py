"""The verbs' command lines, parsed by cyclopts."""

from __future__ import annotations

from collections.abc import Iterable

from cyclopts import App, CycloptsError

from jupyter_deploy import __version__
from jupyter_deploy.domain.requests import Request
from jupyter_deploy.faces.arguments import Output, add_command, join_pairs
from jupyter_deploy.faces.render.error_codes import USAGE
from jupyter_deploy.verbs import BY_NAME, OPERATIONS, Operation

from .execution import execute


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
            return execute(operation, request, output)

        add_command(app, operation.name, operation.request, run, yaml=bool(operation.yaml))
    return app


def _join_pairs(tokens: list[str]) -> list[str]:
    verb = BY_NAME.get(tokens[0]) if tokens else None
    return [tokens[0], *join_pairs(verb.request, tokens[1:])] if verb else tokens
