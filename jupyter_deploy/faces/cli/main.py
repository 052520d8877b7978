"""The command line, ``nbdeploy <verb>``: its start, its errors and its exit codes.

A command loads its own verb alone: the parser, and the request models, only if it has a verb.
"""

from __future__ import annotations

import json
import signal
import sys
import traceback

from jupyter_deploy.domain.errors import DeployError, interruption_notes
from jupyter_deploy.faces.render.collision import check_distributions
from jupyter_deploy.faces.render.commands import escape_commands, escape_json
from jupyter_deploy.faces.render.error_codes import INTERNAL, INTERRUPTED, TERMINATED, error_code
from jupyter_deploy.faces.render.output import write
from jupyter_deploy.system.process_defaults import in_utf8, without_pydantic_plugins, without_slow_formats


def main(tokens: list[str] | None = None) -> None:
    """Run the command line and exit with the contract's code."""
    in_utf8()
    signal.signal(signal.SIGTERM, _terminate)
    without_slow_formats()
    without_pydantic_plugins()
    sys.exit(_run(sys.argv[1:] if tokens is None else tokens))


def _run(tokens: list[str]) -> int:
    try:
        check_distributions()
        return _command(tokens)
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


def _command(tokens: list[str]) -> int:
    first = tokens[0] if tokens else "--help"
    if first in ("--help", "-h"):
        from .overview import overview

        return INTERNAL if write(overview(), sys.stdout) == "failed" else 0
    if first in ("completion", "__complete"):
        from .completion import complete

        return complete(tokens)
    if first == "secret":
        from .secret import secret

        return secret(tokens[1:])
    from .plain_line import parse_plain

    if line := parse_plain(tokens):
        from .execution import execute

        return execute(*line)
    from .parser import run

    return run(tokens)


class Terminated(BaseException):
    """SIGTERM, such as CI's at a timeout: like Ctrl-C, it must leave no partial work."""


def _terminate(*_: object) -> None:
    raise Terminated


def _print_error(error: DeployError, tokens: list[str]) -> None:
    if "json" in tokens or "--output=json" in tokens or "-ojson" in tokens:
        document = {"code": error.code, "message": error.message, "remedy": error.remedy, "details": error.details}
        write(escape_json(json.dumps({"error": document}, ensure_ascii=False)), sys.stderr)
        return
    write(escape_commands(f"nbdeploy: {error}"), sys.stderr)
