"""The clean process that is asked the example again, and what is said when it answers otherwise."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_deploy.domain.capture.artifacts import Snapshot
from jupyter_deploy.domain.errors import ReplayFailed
from jupyter_deploy.domain.release.processes import last_lines
from jupyter_deploy.system.clean_process import clean_place
from jupyter_deploy.system.spare import Standby, end, fits, put, take, tell
from jupyter_deploy.system.temp import scratch_folder

_TAIL = 12
_PURPOSE = "replay"


def run_replay(snapshot: Path, interpreter: str, timeout: float) -> dict[str, Any]:
    """Replay a snapshot's folder; the findings of ``serving.replay``.

    Parameters
    ----------
    timeout : float
        Seconds; beyond them the process is ended.

    Raises
    ------
    ReplayFailed
        The process ended before it could say anything.
    OSError
        The disk of the temporary folder is full.
    """
    found = _by_standby(snapshot, interpreter, timeout)
    if found is not None:
        return found

    def call(root: Path, result: Path) -> str:  # noqa: ARG001 - other calls leave a file there
        return f"main({str(snapshot)!r}, {str(result)!r})"

    return _in_clean_process(call, interpreter, timeout)


def stand_by(interpreter: str, imported: Sequence[str]) -> None:
    """Start a clean process that imports these modules, which a replay had imported, for the next replay."""
    with contextlib.ExitStack() as held:
        place = held.enter_context(clean_place("standby"))
        imports = place.root / "imports.json"
        imports.write_text(json.dumps(list(imported)), "utf-8")
        call = f"main({str(place.root)!r}, {str(imports)!r})"
        process = subprocess.Popen(
            place.command(interpreter, "from serving.spare import main", call),
            **place.options,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,  # Ctrl-C is for who waits for it
        )
        held.callback(end, process)
        put(_PURPOSE, Standby(process, fits(interpreter), held.pop_all()))


def _by_standby(snapshot: Path, interpreter: str, timeout: float) -> dict[str, Any] | None:
    """What the process that stands by finds.

    None: there is none, or it did not get the notebook's answers, or it had imported what this model does not ask for.
    Then one that begins anew has to say what is so.
    """
    ready = take(_PURPOSE, fits(interpreter))
    if ready is None:
        return None
    with ready.held, scratch_folder("replay") as root:
        result = root / "result.json"
        try:
            tell(ready.process, json.dumps({"snapshot": str(snapshot), "result": str(result)}) + "\n")
            ready.process.wait(timeout)
            found: dict[str, Any] = json.loads(result.read_text("utf-8"))
        except subprocess.TimeoutExpired as error:
            raise _too_slow(timeout) from error
        except (OSError, ValueError):  # it ended meanwhile, or the model ended it
            return None
        return found if has_agreed(found) and not found["left"] else None


def _too_slow(timeout: float) -> ReplayFailed:
    return ReplayFailed(
        f"the clean process did not answer the example within {timeout:g} s",
        "give a smaller example, or raise NBDEPLOY_REPLAY_TIMEOUT",
    )


def run_ask(snapshot: Snapshot, instances: Sequence[Any], timeout: float) -> list[Any]:
    """A stored snapshot's answers to ``instances``, which go to the clean process in a file.

    Raises
    ------
    ReplayFailed
        It could not be loaded or asked; what is missing is named.
    """

    def call(root: Path, result: Path) -> str:
        asked = root / "asked.json"
        asked.write_text(json.dumps(instances), encoding="utf-8")
        return f"answer_instances({snapshot.path!r}, {snapshot.digest!r}, {str(asked)!r}, {str(result)!r})"

    found = _in_clean_process(call, snapshot.manifest.environment.interpreter, timeout)
    require_agreement(found)
    answers: list[Any] = found["answers"]
    return answers


def _in_clean_process(call: Callable[[Path, Path], str], interpreter: str, timeout: float) -> dict[str, Any]:
    """What a call of ``serving.replay`` leaves in its result file.

    ``call`` makes it from a folder for what it needs and the result file's path.
    """
    with clean_place("replay") as place:
        root = place.root
        result = root / "result.json"
        try:
            ended = subprocess.run(
                place.command(interpreter, "from serving.replay import answer_instances, main", call(root, result)),
                **place.options,
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
            found: dict[str, Any] = json.loads(result.read_text("utf-8"))
        except (OSError, ValueError) as error:
            if "No space left on device" in ended.stderr:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(root)) from error
            raise ReplayFailed(
                f"the clean process ended with exit code {ended.returncode} before it answered the example",
                "does the model end the process, or need more memory than there is?",
                details=last_lines(ended.stderr, _TAIL),
            ) from error
        return found


def has_agreed(found: dict[str, Any]) -> bool:
    """Whether the replay answered as the notebook did."""
    return found["error"] is None and not found["differences"]


@dataclass(frozen=True)
class Asked:
    """What is known of the model's files in the process that asks for a replay.

    Attributes
    ----------
    original
        Where a path is here that a replay told.
    refused
        Files that were not packed without being asked for: message -> remedy.
    suspects
        What else the difference may come from, the likeliest first.
    """

    original: Callable[[str], Path]
    refused: Mapping[str, str]
    suspects: tuple[str, ...] = ()


def require_agreement(found: dict[str, Any], asked: Asked | None = None) -> None:
    """Raise ReplayFailed, with what is missing or where the answers part, unless the replay agreed."""
    error = found["error"]
    if error:
        message, remedy = _in_words(error, found, asked)
        raise ReplayFailed(message, remedy, details=last_lines(error["traceback"], _TAIL))
    if found["differences"]:
        lines = "\n".join(f"  {line}" for line in found["differences"])
        if found.get("over_json") and not found.get("stochastic"):
            raise ReplayFailed(
                "asked over JSON, the model does not answer the example as the notebook did",
                _OF_REQUESTS,
                details=lines,
            )
        suspects = [
            *(asked.suspects if asked else ()),
            *_connections(found),
            *_variables(found),
            *(asked.refused if asked else ()),
        ]
        raise ReplayFailed(
            "a clean process does not answer the example as the notebook did",
            "the model depends on something that was not captured: "
            + (
                f"{suspects[0]}?"
                if suspects
                else "a file, the order of cells, a changed global. Restart the kernel, run the notebook from the top, "
                "and deploy again"
            ),
            details=lines,
        )


def _in_words(error: dict[str, Any], found: dict[str, Any], asked: Asked | None) -> tuple[str, str]:
    doing = "load the model" if found["stage"] == "load" else "answer the example"
    missing = error["missing"] or {}
    kind, name = missing.get("kind"), missing.get("name")
    message = f"a clean process could not {doing}: "
    what_to_do = {
        "module": "install it as a distribution in this environment, or keep its file in the notebook's folder and "
        "import it before you deploy",
        "global": f"define '{name}' in the notebook before the model's code uses it, at the top level of a cell",
        "variable": _OF_VARIABLES,
        "file": _of_a_file(str(name), asked),
    }
    if kind in what_to_do:
        return f"{message}the {_CALLED.get(kind, kind)} '{name}' is missing there", what_to_do[kind]
    message += f"{error['type']}: {error['message']}"
    if connections := _connections(found):
        return (
            f"{message}; before, {' and '.join(connections)}",
            "let the notebook get what the model needs, and the model keep it; or have that host reachable without the "
            "notebook's own settings, of which a release gets but a few environment variables",
        )
    if variables := _variables(found):
        return f"{message}; {variables[0]}", _OF_VARIABLES
    if found.get("over_json"):
        return f"{message}; asked with the notebook's own example it answers", _OF_REQUESTS
    if asked is not None and asked.suspects:
        return f"{message}; {asked.suspects[0]}", "restart the kernel, run the notebook from the top, and deploy again"
    return message, "make the model independent of this notebook's state"


_CALLED = {"variable": "environment variable"}
_OF_REQUESTS = (
    "a request has another form than the example: a table comes without its index, and 3 may be 3.0 where a number is "
    "expected. Let the model depend on values alone: make the index a column, write int(x) or float(x)"
)
_OF_VARIABLES = (
    "a release gets but a few variables (PATH, HOME, LANG, TZ and the like): read it in the notebook and let the model "
    "use what was read, unless it is a secret, since a snapshot holds what its model holds"
)


def _of_a_file(name: str, asked: Asked | None) -> str:
    if asked is not None:
        path = str(asked.original(name))
        for message, remedy in asked.refused.items():
            if f" {path}, which" in message:
                return f"{message}: {remedy}"
    return (
        "keep it in the notebook's project and open it by a relative path, name it with --include, or read it in the "
        "notebook and let the model use what was read"
    )


def _connections(found: dict[str, Any]) -> list[str]:
    """``predict(), line 3, connects to db:5432``."""
    return [effect for effect in found.get("effects", ()) if " connects to " in effect]


def _variables(found: dict[str, Any]) -> list[str]:
    """What the model asked for and this process has: the notebook's answer may come from it."""
    names = [name for name in found.get("variables", ()) if name in os.environ]
    return [f"it asked for the environment variable {' and '.join(names)}, which the notebook has"] if names else []
