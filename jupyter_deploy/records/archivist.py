"""The archivist: a program that compacts and clears records and ledger while releases run.

    python -m jupyter_deploy.records.archivist HOME --max-bytes N [--max-seconds S] [--watcher MODULE …]
        [--to URL [--close-after S] [--spool [--for-job S]] [--admin SOCKET]]

A *watcher* reads the records as they come: a module with the functions of ``Watcher``. ``--to``: closed files are
uploaded to a bucket; with ``--spool`` they are removed then, and on SIGTERM the program goes on until the processes
that write segments have ended and everything is uploaded, or until it is killed. ``--for-job`` is for one process that
writes, ends and is to be waited for: the program ends after it without a signal.

Every few seconds it checks with a few system calls whether work is due, and does the work in a child process, so that
its memory is released. If work is due again soon, as while records come fast, the child stays and does it: its imports
take longer than the work. Both processes may be killed at any moment.
"""

from __future__ import annotations

import argparse
import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from importlib import import_module
from math import inf
from pathlib import Path
from typing import Any, Protocol

from jupyter_deploy.domain.errors import DeployError
from jupyter_deploy.serving.telemetry.writers import WRITERS_FILE
from jupyter_deploy.system.unix_http import accepts

from . import retention, rotation, segments, shipping
from .retention import Limits
from .segments import LEDGER, LIVE_LOGS, VERSION, Segment
from .shipping import Uploads

_RETRY_SECONDS = 60.0
_CLOSE_SECONDS = 3.0
"""A worker checks once a second for a request to close its segment; one that does not is asked again later."""
_LAST_SECONDS = 0.5
"""The interval of the passes after SIGTERM."""
_NICE = 10

_SOON_SECONDS = 50.0
"""A child that works for watchers stays if it is needed twice within this time, and until it is not needed for as long.

That is less than the time between two updates of a watch whose records come slowly: no process stays for these.
"""
_MOST_PASSES = 200
"""A child ends then at the latest, with whatever memory its libraries have kept."""
CHECK_SECONDS = 2.0
"""The interval of the checks of a child that stays."""


class Watcher(Protocol):
    """A module that reads the records of all endpoints, and is named on the archivist's command line."""

    def due(self, home: Path) -> bool:
        """Return whether there are enough new records; with a few system calls."""

    def update(self, home: Path) -> list[str]:
        """Read the new records; return the messages of failures."""

    def finish(self, home: Path, segment: Segment) -> None:
        """Read the rest of a segment whose writer has ended, before it is compacted."""


def due(home: Path, limits: Limits, watchers: Sequence[Watcher] = (), uploads: Uploads | None = None) -> bool:
    """Return whether any work is due."""
    folders = segments.folders_of_segments(home)
    closed = any(
        segment.form == "jsonl" and segment.version <= VERSION and segments.is_closed(segment)
        for folder in folders
        for segment in segments.segments_in(folder)
    )
    rotated = any(s.form == "jsonl" and s.stem not in LIVE_LOGS for s in segments.segments_in(home / LEDGER))
    work = closed or rotated or rotation.due(home) or retention.due(home, limits)
    work = work or (uploads is not None and shipping.due(home, uploads))
    return work or any(watcher.due(home) for watcher in watchers)


def maintain(home: Path, limits: Limits, watchers: Sequence[Watcher] = (), uploads: Uploads | None = None) -> list[str]:
    """Do the work that is due: print what was removed, return the messages of failures."""
    failures: list[str] = []

    def finish(segment: Segment) -> None:
        for watcher in watchers:
            with _collect_failure(failures):
                watcher.finish(home, segment)

    for watcher in watchers:
        with _collect_failure(failures):
            failures += watcher.update(home)
    with segments.maintenance_lock(home):
        for scope in retention.scopes(home):  # first, since the disk may be full
            with _collect_failure(failures):
                for line in retention.clear(scope, limits):
                    _print(line)
        if uploads:
            segments.close(shipping.overdue(home, uploads.close_after), _CLOSE_SECONDS)
        released = False
        with _collect_failure(failures):
            old = rotation.due(home, uploads.close_after) if uploads else rotation.due(home)
            admin = uploads.admin if uploads else None
            released = rotation.rotate(home, admin) if old else rotation.settled(home, admin)
        failures += _compact(home, finish, released=released)
    if uploads:
        with _collect_failure(failures):
            shipping.ship(home, uploads)
    return failures


def _compact(home: Path, finish: Callable[[Segment], None], *, released: bool) -> list[str]:
    """Compact what is closed, and with ``released`` the ledger; return the messages of failures."""
    from . import compaction  # the archivist itself needs no DuckDB

    failures: list[str] = []
    for endpoint in segments.endpoints(home):
        with _collect_failure(failures):
            failures += compaction.compact_endpoint(home, endpoint, finish)
    for endpoint in segments.with_feedback(home):
        with _collect_failure(failures):
            failures += compaction.compact_feedback(home, endpoint)
    if released:
        with _collect_failure(failures):
            failures += compaction.compact_ledger(home)
    return failures


@contextmanager
def _collect_failure(failures: list[str]) -> Iterator[None]:
    """Add the message of an error to ``failures`` and continue."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - a fault of one part must not stop retention
        failures.append(str(error) or type(error).__name__)


def main() -> None:
    """Check for ever; with ``--once`` do the work that is due and exit."""
    options = _parser().parse_args()
    limits = Limits(options.max_bytes, options.max_seconds)
    watchers: list[Any] = [import_module(name) for name in options.watcher]
    uploads = Uploads(options.to, options.close_after, options.spool, options.admin) if options.to else None
    is_due = partial(due, options.home, limits, watchers, uploads)
    if options.once:
        os.nice(_NICE)  # requests have priority
        gc.disable()  # while it imports, a fifth of its time would be a search for cycles
        work = partial(maintain, options.home, limits, watchers, uploads)
        failures = _work(work)
        if options.stay:
            failures = _stay(work, is_due, min(options.every, CHECK_SECONDS), failures)
        sys.exit(1 if failures else 0)
    command = [sys.executable, "-P", "-m", "jupyter_deploy.records.archivist", *sys.argv[1:], "--once"]
    ending = threading.Event()
    if options.spool:
        signal.signal(signal.SIGTERM, lambda *_: ending.set())
    if options.for_job is not None:
        threading.Thread(target=_await_job, args=(options.home, options.for_job, ending), daemon=True).start()
    if options.ready:
        options.ready.touch(mode=0o600)
    _watch(options, command, ending, is_due)
    _finish(options.home, options.admin, [*command, "--close-after", "0"], options.for_job)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Compact and clear the records of a home.")
    parser.add_argument("home", type=Path)
    parser.add_argument("--max-bytes", type=int, required=True)
    parser.add_argument("--max-seconds", type=float)
    parser.add_argument("--every", type=float, default=10.0)
    parser.add_argument("--once", action="store_true")
    parser.add_argument("--stay", action="store_true", help="with --once: go on while work is due again soon")
    parser.add_argument("--ready", type=Path, help="file to create once the program runs")
    parser.add_argument("--watcher", action="append", default=[], help="module that reads the records as they come")
    parser.add_argument("--to", help="URL of a bucket to which closed files are uploaded")
    parser.add_argument("--close-after", type=float, default=300.0, help="seconds after which a segment is closed")
    parser.add_argument("--spool", action="store_true", help="remove what is uploaded, and end after the writers")
    parser.add_argument(
        "--for-job",
        type=float,
        metavar="SECONDS",
        help="with --spool: end after the first writers; so long they may take to come, and the last upload after them",
    )
    parser.add_argument("--admin", help="the admin socket of the gateway whose ledger is in this folder")
    return parser


def _watch(
    options: argparse.Namespace, command: Sequence[str], ending: threading.Event, is_due: Callable[[], bool]
) -> None:
    """Work in a child process whenever work is due, until the end comes."""
    retry = options.every if options.spool else _RETRY_SECONDS
    worked = -inf
    while not ending.is_set():
        pause = options.every
        try:
            if is_due():
                begun = time.monotonic()
                stays = options.watcher and not options.spool and begun - worked < _SOON_SECONDS
                worked = begun
                if subprocess.run([*command, "--stay"] if stays else command, check=False).returncode:
                    pause = max(pause, retry)
        except (OSError, DeployError) as error:  # an unreadable folder, or no free process: try again later
            _print(str(error))
            pause = max(pause, retry)
        ending.wait(pause)


def _await_job(home: Path, seconds: float, ending: threading.Event) -> None:
    """Set the end once the first writers have ended, or none has come for so many seconds."""
    deadline, looks = time.monotonic() + seconds, 0
    while looks < 2:  # a writer may just make its file and have no lock yet
        time.sleep(_LAST_SECONDS)
        with suppress(DeployError, OSError):  # an unreadable folder: look again
            came = any((folder / WRITERS_FILE).exists() for folder in segments.folders_of_segments(home))
            ended = not _has_writers(home) and (came or time.monotonic() > deadline)
            looks = looks + 1 if ended else 0
    ending.set()


def _work(work: Callable[[], list[str]]) -> list[str]:
    """Do what is due, print the messages of failures and return them."""
    failures = work()
    for failure in failures:
        _print(failure)
    return failures


def _stay(work: Callable[[], list[str]], is_due: Callable[[], bool], every: float, failures: list[str]) -> list[str]:
    """Work again whenever it is due; return the failures of the last time, after which it ends.

    It ends too if nothing is due for a while, and after its parent, which another one may have replaced.
    """
    parent, last = os.getppid(), time.monotonic()
    for _ in range(_MOST_PASSES):
        if failures:
            break
        gc.collect()  # what the pass has left; what stays is not searched again
        gc.freeze()
        while True:
            time.sleep(every)
            if os.getppid() != parent or time.monotonic() - last >= _SOON_SECONDS:
                return []
            if is_due():
                break
        failures, last = _work(work), time.monotonic()
    return failures


def _finish(home: Path, admin: str | None, command: Sequence[str], seconds: float | None) -> None:
    """Upload until no writer is left and a last pass has uploaded everything.

    The platform kills it if that lasts; after a job it lasts so many ``seconds`` at most, since nothing else would end
    it.
    """
    deadline = inf
    while True:
        ended = not _has_writers(home) and not (admin and accepts(admin))
        if subprocess.run(command, check=False).returncode == 0 and ended and not shipping.left(home):
            return
        if ended and seconds is not None:
            deadline = min(deadline, time.monotonic() + seconds)
        if time.monotonic() > deadline:
            _print(f"records are lost: they could not be uploaded within {seconds:g} s after the job")
            return
        time.sleep(_LAST_SECONDS)


def _has_writers(home: Path) -> bool:
    """Return whether a process lives that may write segments."""
    return any(segments.has_writers(folder) for folder in segments.folders_of_segments(home))


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
