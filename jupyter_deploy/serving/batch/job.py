"""A whole batch in the image of a release: ``container.py batch --snapshot TAG@sha256:… --source URL --sink URL``.

It coordinates worker processes as ``nbdeploy batch`` does on a person's machine (``coordination``). The result, one
JSON object, is in the log and in the platform's termination message. ``NBDEPLOY_RUN`` names the run: a further process
of the same run, as after a kill, goes on with it and reports all of it.

With ``--pods N`` the run has N such processes, each with an index (``JOB_COMPLETION_INDEX``) and a share of the
partitions. The result of the one that commits is of all of them; the state of the others is ``scored``.

``--record`` is how the answers are recorded, as the gateway tells a release (``telemetry.recording``), in the folder
``NBDEPLOY_RECORDS``. The job holds the lock of that folder's writers, so that the program that uploads the records
knows its end.

With redacted columns (``NBDEPLOY_REDACT``), whose values a reason or the model's output may quote, the log and the
result have neither; the sink has the reasons, next to the rows.

Exit codes: 0 all is committed; 1 the batch failed, or more rows are refused than ``--max-errors``; 2 an argument is
invalid; 143 a SIGTERM ended it, and what was whole is committed.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from ..hosting.processors import processors
from ..hosting.termination import write_termination
from ..output_masking import without_secrets
from ..telemetry.logging import log
from ..telemetry.recording import recording
from ..telemetry.writers import lock_as_writer
from .coordination import Answer, WorkerEnded, coordinate, result_of
from .sharing import Share, progress_in_words

INDEX = "JOB_COMPLETION_INDEX"
RUN = "NBDEPLOY_RUN"
RECORDS = "NBDEPLOY_RECORDS"
ENDED_BY_SIGNAL = 143
_MOST_BYTES = 4000  # of the 4,096 of a termination message
_REASON_CHARACTERS = 200
_ROWS = 1_000_000
_FINAL = ("PlaceError", "Problem", "ArrowInvalid", "SnapshotChanged", "ModelFailed")
_WITHOUT_VALUES = (
    "PlaceError",
    "ResourceUnavailable",
    "WorkerEnded",
    "SnapshotChanged",
    "EnvironmentChanged",
    "FileNotFoundError",
)
"""Errors that quote no row."""

_CODE = Path(__file__).parents[2]


def run_batch(arguments: Sequence[str]) -> int:
    """Score the files of a source and return the exit code."""
    options = _parser().parse_args(arguments)
    if options.record:
        lock_as_writer(Path(os.environ[RECORDS]))  # until this process ends
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    tag, _, digest = options.snapshot.rpartition("@")
    settings = {
        "snapshot": str(Path(os.environ["BENTOML_HOME"], "models", *tag.split(":"))),
        "digest": digest,
        "tag": tag,
        "source": options.source,
        "sink": options.sink,
        "keep": options.keep,
        "suffix": f".{options.format}",
        "rows": _ROWS,
        "shadow": options.role == "shadow",
        "records": _records(options, tag),
    }
    environment = dict(os.environ) | {"OMP_NUM_THREADS": str(max(1, processors() // options.workers))}

    def report(words: str) -> None:
        log(words, level="info", event="progress")

    def tell(progress: Mapping[str, Any]) -> None:
        log(progress_in_words([progress]), level="info", event="progress", progress=progress)

    if options.pods > 1 and INDEX not in os.environ:
        words = "several pods need Indexed Jobs, which Kubernetes has from 1.22 on"
        return _end({"release": tag, "problem": words, "final": True}, 1)
    try:
        result = coordinate(
            lambda _: _Process(settings, environment),
            options.workers,
            report,
            dry_run=options.dry_run,
            run=os.environ.get(RUN, ""),
            share=Share(int(os.environ[INDEX]), options.pods) if options.pods > 1 else None,
            tell=tell,
        )
    except KeyboardInterrupt:
        return _end({"release": tag, "problem": "it was ended before it had scored a partition"}, ENDED_BY_SIGNAL)
    except Exception as error:  # noqa: BLE001 - the result names any failure
        if not _redacts():
            traceback.print_exc()
        return _end({"release": tag, **_problem(error, tag)}, 1)
    return _end({"release": tag, **result}, _exit_code(result, options.max_errors))


def _exit_code(result: Mapping[str, Any], most: str) -> int:
    if result["state"] == "interrupted":
        return ENDED_BY_SIGNAL
    if result["state"] == "scored":  # the pod that commits judges the rows of all
        return 0
    return 0 if allows(most, result["refused"], result["rows"]) else 1


def _records(options: argparse.Namespace, tag: str) -> dict[str, Any] | None:
    """The settings of the workers' records; None: they record nothing."""
    if options.record is None:
        return None
    mode = recording(options.record)
    place = {"folder": os.environ[RECORDS], "endpoint": os.environ["NBDEPLOY_ENDPOINT"], "release": tag}
    return place | {"role": options.role, "kept": mode.kept, "sample": mode.sample, "redact": mode.redact}


def allows(most: str, refused: int, rows: int) -> bool:
    """As ``domain.batch.spec.allows``, which an image does not have."""
    return refused <= (float(most[:-1]) / 100 * rows if most.endswith("%") else int(most))


def _redacts() -> bool:
    return bool(os.environ.get("NBDEPLOY_REDACT"))


def _problem(error: Exception, tag: str) -> dict[str, Any]:
    """Return the ``problem`` in words, and whether it is ``final``: another try would have it too."""
    kind = getattr(error, "kind", "") or type(error).__name__
    if kind == "ModuleNotFoundError" and "pyarrow" in str(error):
        words = f"the image of {tag} has no pyarrow: capture the model again in an environment with it"
        return {"problem": words, "final": True}
    words = str(error) if kind in ("PlaceError", "WorkerEnded") else f"{kind}: {error}"
    if _redacts() and kind not in _WITHOUT_VALUES:
        words = f"{kind}: its words may quote redacted columns, so they are left out"
    return {"problem": words, "final": kind in _FINAL}


def _end(result: dict[str, Any], code: int) -> int:
    """Write the result where the caller finds it; return the code."""
    if _redacts():
        result.pop("reasons", None)
    reasons = {without_secrets(why)[:_REASON_CHARACTERS]: count for why, count in result.get("reasons", {}).items()}
    result |= {"reasons": reasons} if reasons else {}
    if "problem" in result:
        result["problem"] = without_secrets(result["problem"])[:1000]
    text = json.dumps(result)
    if len(text) > _MOST_BYTES:  # it is ASCII
        text = json.dumps({key: value for key, value in result.items() if key != "reasons"})
    log(result.get("problem") or f"{result['state']}: {result['rows']} rows, {result['refused']} refused", level="info")
    write_termination(text)
    return code


class _Process:
    """``coordination.Worker``: a process of this image's Python. What the model prints goes to this one's output."""

    def __init__(self, settings: Mapping[str, Any], environment: Mapping[str, str]) -> None:
        self._settings, self._environment = settings, environment
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def start(self) -> None:
        code = f"import sys; sys.path.insert(0, {str(_CODE)!r}); from serving.batch.worker import main; main()"
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if _redacts() else subprocess.PIPE,
            text=True,
            errors="backslashreplace",
            env=self._environment,
            start_new_session=True,
        )
        threading.Thread(target=_print, args=[self._process.stderr or ()], daemon=True).start()
        self._exchange(self._process, self._settings, lambda _: None)

    def ask(self, operation: str, count: Callable[[int], None] = lambda _: None, **arguments: Any) -> Answer:
        if self._process is None:
            raise WorkerEnded("the worker was ended")
        return self._exchange(self._process, {"op": operation, **arguments}, count)

    def end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    @staticmethod
    def _exchange(process: subprocess.Popen[str], request: Mapping[str, Any], count: Callable[[int], None]) -> Answer:
        def receive() -> Answer | None:
            line = process.stdout.readline()  # type: ignore[union-attr]  # a pipe
            answer: Answer | None = json.loads(line) if line else None
            return answer

        try:
            process.stdin.write(json.dumps(request) + "\n")  # type: ignore[union-attr]  # a pipe
            process.stdin.flush()  # type: ignore[union-attr]
        except OSError as error:
            raise WorkerEnded("a worker of the batch ended before its answer") from error
        return result_of(receive, count)


def _print(lines: Any) -> None:
    for line in lines:
        sys.stderr.write(line)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="container.py batch", description="Score files by the model of this image.")
    parser.add_argument("--snapshot", required=True, help="TAG@sha256:…, which is verified before anything is loaded")
    parser.add_argument("--source", required=True)
    parser.add_argument("--sink", required=True)
    parser.add_argument("--keep", action="append", default=[])
    parser.add_argument("--format", default="parquet")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--pods", type=int, default=1, help="the processes of the run, each with an index")
    parser.add_argument("--max-errors", default="0")
    parser.add_argument("--record", help="how the answers are recorded (default: not at all)")
    parser.add_argument("--role", default="stable")
    parser.add_argument("--dry-run", action="store_true")
    return parser
