"""Replay: the clean process that answers the example again, and the errors if it differs."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from jupyter_deploy.domain.capture.artifacts import Snapshot
from jupyter_deploy.domain.errors import ReplayFailed
from jupyter_deploy.domain.release.processes import last_lines
from jupyter_deploy.domain.secret_references import secret_variables
from jupyter_deploy.serving.output_masking import secret_mask
from jupyter_deploy.system import spare
from jupyter_deploy.system.clean_process import clean_process
from jupyter_deploy.system.temp import scratch_folder

_TAIL = 12
_PURPOSE = "replay"

_names: tuple[str, ...] = ()
_unconfirmed: dict[tuple[str, ...], frozenset[str]] = {}
"""By the modules of a model's types: modules that a spare imported ahead and that nothing requested."""


def run_replay(
    snapshot: Path, interpreter: str, timeout: float, secrets: Mapping[str, str] = MappingProxyType({})
) -> dict[str, Any]:
    """Replay a snapshot's folder and return the results of ``serving.replay``.

    Parameters
    ----------
    timeout : float
        Time limit in seconds; then the process is killed.
    secrets
        The values of the model's secrets by variable.

    Raises
    ------
    ReplayFailed
        The process ended without a result.
    OSError
        The disk of the temporary folder is full.
    """
    # A spare process was started without the secrets.
    answer = None if secrets else _by_spare(snapshot, interpreter, timeout)
    if answer is not None:
        return answer

    def call(_root: Path, result: Path) -> str:
        return f"main({str(snapshot)!r}, {str(result)!r})"

    return _in_clean_process(call, interpreter, timeout, secrets)


def start_spare(interpreter: str, imported: Sequence[str], names: Sequence[str] = ()) -> None:
    """Start a clean process with the modules that a replay imported, for the next replay.

    Parameters
    ----------
    names
        The modules of the types in the model that it is for, see ``likely_imports``.
    """
    global _names  # noqa: PLW0603 - of the one spare that waits
    unconfirmed = _unconfirmed.get(tuple(names), frozenset())
    with contextlib.ExitStack() as resources:
        process_folder = resources.enter_context(clean_process("spare"))
        imports = process_folder.root / "imports.json"
        imports.write_text(json.dumps([name for name in imported if name not in unconfirmed]), "utf-8")
        call = f"main({str(process_folder.root)!r}, {str(imports)!r})"
        command = process_folder.command(interpreter, "from serving.spare import main", call)
        output = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        key = spare.key_of(interpreter)
        spare.put(_PURPOSE, spare.start(command, key, resources.pop_all(), **process_folder.options, **output))
        _names = tuple(names)


def ensure_spare(interpreter: str, names: Sequence[str]) -> None:
    """Start a clean process with the modules of a model's types, unless one for such a model waits."""
    if not spare.waits(_PURPOSE, spare.key_of(interpreter)) or _names != tuple(names):
        start_spare(interpreter, names, names)


def dismiss_spare() -> None:
    """End the clean process that waits, if any."""
    spare.dismiss(_PURPOSE)


def _by_spare(snapshot: Path, interpreter: str, timeout: float) -> dict[str, Any] | None:
    """Replay in the spare process.

    None: there is no spare process, its answers differ, or it had imported a module that this model does not need.
    Then a new process must decide.
    """
    ready = spare.take(_PURPOSE, spare.Spare, spare.key_of(interpreter))
    if ready is None:
        return None
    with contextlib.closing(ready), scratch_folder("replay") as root:
        result = root / "result.json"
        try:
            ready.hand_over({"snapshot": str(snapshot), "result": str(result)})
            ready.process.wait(timeout)
            answer: dict[str, Any] = json.loads(result.read_text("utf-8"))
        except subprocess.TimeoutExpired as error:
            raise _too_slow(timeout) from error
        except (OSError, ValueError):  # the process ended meanwhile, or the model ended it
            return None
        if agrees(answer) and answer["left"]:
            # Imported by C code, or not needed: the next process for such a model does not import them ahead.
            _unconfirmed[_names] = _unconfirmed.get(_names, frozenset()) | frozenset(answer["left"])
        return answer if agrees(answer) and not answer["left"] else None


def _too_slow(timeout: float) -> ReplayFailed:
    return ReplayFailed(
        f"the clean process did not answer the example within {timeout:g} s",
        "use a smaller example, or raise NBDEPLOY_REPLAY_TIMEOUT",
    )


def run_predict(
    snapshot: Snapshot,
    instances: Sequence[Any],
    timeout: float,
    secrets: Mapping[str, str] = MappingProxyType({}),
) -> list[Any]:
    """Return a stored snapshot's answers to ``instances``, passed to the clean process in a file.

    Raises
    ------
    ReplayFailed
        The snapshot could not be loaded or called; the error names the missing part.
    """

    def call(root: Path, result: Path) -> str:
        request = root / "asked.json"
        request.write_text(json.dumps(instances), encoding="utf-8")
        return f"answer_instances({snapshot.path!r}, {snapshot.digest!r}, {str(request)!r}, {str(result)!r})"

    result_document = _in_clean_process(call, snapshot.manifest.environment.interpreter, timeout, secrets)
    require_agreement(result_document)
    answers: list[Any] = result_document["answers"]
    return answers


def _in_clean_process(
    call: Callable[[Path, Path], str], interpreter: str, timeout: float, secrets: Mapping[str, str]
) -> dict[str, Any]:
    """Run a call of ``serving.replay`` in a clean process and return its result file.

    ``call`` builds it from a folder for its inputs and the path of the result file.
    """
    with clean_process("replay") as clean:
        root = clean.root
        result = root / "result.json"
        options = clean.options
        options["env"] |= secret_variables(secrets)
        mask = secret_mask(secrets.values())  # the model may print or raise them
        try:
            completed = subprocess.run(
                clean.command(interpreter, "from serving.replay import answer_instances, main", call(root, result)),
                **options,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise _too_slow(timeout) from error
        try:
            document: dict[str, Any] = json.loads(mask.masked(result.read_text("utf-8")))
        except (OSError, ValueError) as error:
            if "No space left on device" in completed.stderr:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(root)) from error
            raise ReplayFailed(
                f"the clean process ended with exit code {completed.returncode} before it answered the example",
                "check whether the model ends the process or needs too much memory",
                details=last_lines(mask.masked(completed.stderr), _TAIL),
            ) from error
        return document


def agrees(result: dict[str, Any]) -> bool:
    """Whether the replay gave the notebook's answers."""
    return result["error"] is None and not result["differences"]


@dataclass(frozen=True)
class ReplayContext:
    """The requesting process's knowledge about the model's files.

    Attributes
    ----------
    original
        Returns the local path of a replay's path.
    refused
        Files not packed by default: message -> remedy.
    suspects
        Other possible causes of the difference, the likeliest first.
    """

    original: Callable[[str], Path]
    refused: Mapping[str, str]
    suspects: tuple[str, ...] = ()


def require_agreement(result: dict[str, Any], context: ReplayContext | None = None) -> None:
    """Raise ReplayFailed with the missing part or the differences, unless the replay agreed."""
    error = result["error"]
    if error:
        message, remedy = _in_words(error, result, context)
        raise ReplayFailed(message, remedy, details=last_lines(error["traceback"], _TAIL))
    if result["differences"]:
        lines = "\n".join(f"  {line}" for line in result["differences"])
        if result.get("over_json") and not result.get("stochastic"):
            raise ReplayFailed(
                "called with JSON, the model's answers to the example differ from the notebook's",
                _OF_REQUESTS,
                details=lines,
            )
        suspects = [
            *(context.suspects if context else ()),
            *_connections(result),
            *_variables(result),
            *(context.refused if context else ()),
        ]
        raise ReplayFailed(
            "the answers of a clean process to the example differ from the notebook's",
            "the model depends on state outside the snapshot: "
            + (
                f"{suspects[0]}?"
                if suspects
                else "a file, the order of cells, a changed global. Restart the kernel, run the notebook from the top, "
                "and deploy again"
            ),
            details=lines,
        )


def _in_words(error: dict[str, Any], result: dict[str, Any], context: ReplayContext | None) -> tuple[str, str]:
    step = {"load": "load the model", "look up": "look the example's features up"}.get(
        result["stage"], "answer the example"
    )
    missing = error["missing"] or {}
    kind, name = missing.get("kind"), missing.get("name")
    message = f"a clean process could not {step}: "
    remedies = {
        "module": "install it as a distribution in this environment, or keep its file in the notebook's folder and "
        "import it before you deploy",
        "global": f"define '{name}' in the notebook before the model's code uses it, at the top level of a cell",
        "variable": _of_variables(str(name)),
        "file": _of_a_file(str(name), context),
    }
    if kind in remedies:
        return f"{message}the {_CALLED.get(kind, kind)} '{name}' is missing there", remedies[kind]
    message += f"{error['type']}: {error['message']}"
    if connections := _connections(result):
        return (
            f"{message}; before that, {' and '.join(connections)}",
            "load the data in the notebook and keep it in the model; or make that host reachable without the "
            "notebook's own settings, since a release gets only a few environment variables",
        )
    if names := _names_read(result):
        return f"{message}; {_variables(result)[0]}", _of_variables(names[0])
    if result.get("over_json") and result["stage"] != "look up":
        return f"{message}; with the notebook's own example it works", _OF_REQUESTS
    if context is not None and context.suspects:
        return (
            f"{message}; {context.suspects[0]}",
            "restart the kernel, run the notebook from the top, and deploy again",
        )
    return message, "make the model independent of this notebook's state"


_CALLED = {"variable": "environment variable"}
_OF_REQUESTS = (
    "a request differs from the example: a table has no index, and 3 may be 3.0 where a number is "
    "expected. Make the model depend on values alone: make the index a column, write int(x) or float(x)"
)


def _of_variables(name: str) -> str:
    return (
        "a release gets only a few variables (PATH, HOME, LANG, TZ …): read it in the notebook and let the model use "
        f"its value, or if that is a secret, name the place of its value: --secret {name}=env:{name}"
    )


def _of_a_file(name: str, context: ReplayContext | None) -> str:
    if context is not None:
        path = str(context.original(name))
        for message, remedy in context.refused.items():
            if f" {path}, which" in message:
                return f"{message}: {remedy}"
    return (
        "keep it in the notebook's project and open it by a relative path, name it with --include, or read it in the "
        "notebook and let the model use its content"
    )


def _connections(result: dict[str, Any]) -> list[str]:
    """Return the effects on the network, such as ``predict(), line 3, connects to db:5432``."""
    return [effect for effect in result.get("effects", ()) if " connects to " in effect]


def _variables(result: dict[str, Any]) -> list[str]:
    """Return the environment variables that the model read and this process has, a possible cause of the difference."""
    names = _names_read(result)
    return [f"it read the environment variable {' and '.join(names)}, which the notebook has"] if names else []


def _names_read(result: dict[str, Any]) -> list[str]:
    return [name for name in result.get("variables", ()) if name in os.environ]
