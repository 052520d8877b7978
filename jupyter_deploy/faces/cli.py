"""``nbdeploy <verb>``: the command line, made from the table of operations."""

from __future__ import annotations

import json
import signal
import sys
import traceback
from collections.abc import Iterable, Iterator
from typing import Any

from cyclopts import App, CycloptsError
from pydantic import BaseModel

from jupyter_deploy.domain.errors import DeployError
from jupyter_deploy.domain.requests import Request

from .arguments import Output, add_command
from .collision import check_distributions

# The contract's exit codes, by an error's code; what is not named here is 3 (target or internal error).
EXIT_CODES = {
    "refused": 1,
    "conflict": 1,
    "guard_failed": 1,
    "replay_failed": 1,
    "untrusted": 1,
    "candidate_unhealthy": 1,
    "invalid_input": 2,
    "invalid_name": 2,
    "unknown_endpoint": 2,
    "unknown_release": 2,
    "unknown_revision": 2,
    "unknown_source": 2,
    "unknown_target": 2,
    "invalid_example": 2,
    "invalid_traffic": 2,
    "no_candidate": 2,
    "not_capturable": 2,
    "signature_mismatch": 2,
    "wrong_distribution": 2,
    "kernel_died": 138,
}
NOT_MET = 1
USAGE = 2
INTERNAL = 3
INCONCLUSIVE = 4
INTERRUPTED = 130
TERMINATED = 143

HELP = """Turn the model in a notebook into a running, validated, observable service.

The usual way, one line after the other:

nbdeploy deploy train.ipynb --name churn --model clf --example "X_test[:5]"
    the first release is stable
nbdeploy deploy better.ipynb --name churn --model clf --example "X_test[:5]"
    the next one starts as a shadow
nbdeploy compare churn
    what the shadow would have answered, on the same requests
nbdeploy traffic churn --canary TAG=20
    it answers a fifth of the requests
nbdeploy promote churn
    it answers all of them
nbdeploy rollback churn
    back to the revision before

Exit codes: 0 done, 1 refused or a requirement not met, 2 wrong usage or input,
3 target or internal error, 4 not enough evidence yet, 138 kernel died.
"""


def main(tokens: list[str] | None = None) -> None:
    """Run the command line and exit with the contract's code."""
    signal.signal(signal.SIGTERM, _terminate)
    sys.exit(_run(sys.argv[1:] if tokens is None else tokens))


def _run(tokens: list[str]) -> int:
    try:
        check_distributions()
        return _app()(tokens or ["--help"], exit_on_error=False, print_error=True) or 0
    except CycloptsError:
        return USAGE
    except DeployError as error:
        _print_error(error, tokens)
        return EXIT_CODES.get(error.code, INTERNAL)
    except (KeyboardInterrupt, Terminated) as error:
        print("interrupted; nothing half-made is left", file=sys.stderr)  # noqa: T201
        return INTERRUPTED if isinstance(error, KeyboardInterrupt) else TERMINATED
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone, such as 'nbdeploy logs … | head'
        return 0
    except Exception:  # noqa: BLE001 - the one edge of this face: a bug has an exit code too
        traceback.print_exc()
        print("nbdeploy: this is a bug in nbdeploy; please report it with the lines above", file=sys.stderr)  # noqa: T201
        return INTERNAL


class Terminated(BaseException):
    """A polite kill, such as CI's when its time is up: as for Ctrl-C, nothing half-made may stay."""


def _terminate(*_: object) -> None:
    raise Terminated


def _app() -> App:
    from jupyter_deploy import __version__  # noqa: PLC0415
    from jupyter_deploy.operations import OPERATIONS  # noqa: PLC0415

    app = App(
        name="nbdeploy",
        help=HELP,
        help_format="plaintext",  # Markdown's would cost a fifth of the time that --help may take
        version=__version__,
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    for operation in OPERATIONS:

        def run(request: Request, output: Output, name: str = operation.name) -> int:
            from . import verbs  # noqa: PLC0415 - the ports are not needed for --help

            return _print(verbs.run(verbs.BY_NAME[name], request), output)

        add_command(app, operation.name, operation.request, run)
    return app


def _print(result: Any, output: Output) -> int:
    """Show a result on stdout; returns the exit code that it means."""
    if isinstance(result, Iterator):  # records that go on: one line each
        for record in result:
            print(record.model_dump_json() if output == "json" else _text(record), flush=True)  # noqa: T201
        return 0
    print(_json(result) if output == "json" else _text(result))  # noqa: T201 - this is the command line
    return _exit_code(result)


def _text(result: Any) -> str:
    from .render import text  # noqa: PLC0415 - rich is not needed for --help

    return text(result)


def _exit_code(result: Any) -> int:
    from jupyter_deploy.domain.inference import Comparison  # noqa: PLC0415 - not needed for --help
    from jupyter_deploy.domain.reproduction import Reproduction  # noqa: PLC0415
    from jupyter_deploy.domain.results import Prediction, Reconciled  # noqa: PLC0415

    if isinstance(result, Comparison) and result.requirements:
        outcomes = {requirement.outcome for requirement in result.requirements}
        return NOT_MET if "not met" in outcomes else INCONCLUSIVE if "undecided" in outcomes else 0
    if isinstance(result, Comparison) and not result.pairs and not result.sides["candidate"].requests:
        return INCONCLUSIVE
    if isinstance(result, Reproduction):
        return 0 if result.outcome == "reproduced" else NOT_MET
    if isinstance(result, Prediction) and result.status >= 400:
        return 2 if result.status < 500 else INTERNAL
    if isinstance(result, list) and any(isinstance(item, Reconciled) and item.failed for item in result):
        return INTERNAL
    return 0


def _json(result: Any) -> str:
    if isinstance(result, Iterable) and not isinstance(result, BaseModel | str):
        return json.dumps([item.model_dump(mode="json") for item in result], ensure_ascii=False)
    document: str = result.model_dump_json()
    return document


def _print_error(error: DeployError, tokens: list[str]) -> None:
    if "json" in tokens or "--output=json" in tokens or "-ojson" in tokens:
        document = {"code": error.code, "message": error.message, "remedy": error.remedy, "details": error.details}
        print(json.dumps({"error": document}, ensure_ascii=False), file=sys.stderr)  # noqa: T201
        return
    print(f"nbdeploy: {error}", file=sys.stderr)  # noqa: T201
