"""The archivist: a program that compacts and clears records and ledger while releases run.

    python -m jupyter_deploy.records.archivist HOME --max-bytes N [--max-seconds S] [--watcher MODULE …]

A *watcher* reads the records as they come: a module with the functions of ``Watcher``.

Every few seconds it checks with a few system calls whether work is due, and does the work in a child process, so that
its memory is released. Both processes may be killed at any moment.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from jupyter_deploy.domain.errors import DeployError

from . import retention, rotation, segments
from .retention import Limits
from .segments import LEDGER, LIVE_LOGS, VERSION, Segment

_RETRY_SECONDS = 60.0
_NICE = 10


class Watcher(Protocol):
    """A module that reads the records of all endpoints, and is named on the archivist's command line."""

    def due(self, home: Path) -> bool:
        """Return whether there are enough new records; with a few system calls."""

    def update(self, home: Path) -> list[str]:
        """Read the new records; return the messages of failures."""

    def finish(self, home: Path, segment: Segment) -> None:
        """Read the rest of a segment whose writer has ended, before it is compacted."""


def due(home: Path, limits: Limits, watchers: Sequence[Watcher] = ()) -> bool:
    """Return whether any work is due."""
    folders = [folder for name in segments.endpoints(home) for folder in segments.release_folders(home, name)]
    folders += [segments.feedback_folder(home, name) for name in segments.with_feedback(home)]
    closed = any(
        segment.form == "jsonl" and segment.version <= VERSION and segments.is_closed(segment)
        for folder in folders
        for segment in segments.segments_in(folder)
    )
    rotated = any(s.form == "jsonl" and s.stem not in LIVE_LOGS for s in segments.segments_in(home / LEDGER))
    work = closed or rotated or rotation.due(home) or retention.due(home, limits)
    return work or any(watcher.due(home) for watcher in watchers)


def maintain(home: Path, limits: Limits, watchers: Sequence[Watcher] = ()) -> list[str]:
    """Do the work that is due: print what was removed, return the messages of failures."""
    from . import compaction  # the archivist itself needs no DuckDB

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
        released = False
        with _collect_failure(failures):
            released = rotation.rotate(home) if rotation.due(home) else rotation.settled(home)
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
    except (OSError, DeployError) as error:
        failures.append(str(error))


def main() -> None:
    """Check for ever; with ``--once`` do the work that is due and exit."""
    parser = argparse.ArgumentParser(description="Compact and clear the records of a home.")
    parser.add_argument("home", type=Path)
    parser.add_argument("--max-bytes", type=int, required=True)
    parser.add_argument("--max-seconds", type=float)
    parser.add_argument("--every", type=float, default=10.0)
    parser.add_argument("--once", action="store_true")
    parser.add_argument("--ready", type=Path, help="file to create once the program runs")
    parser.add_argument("--watcher", action="append", default=[], help="module that reads the records as they come")
    options = parser.parse_args()
    limits = Limits(options.max_bytes, options.max_seconds)
    watchers: list[Any] = [import_module(name) for name in options.watcher]
    if options.once:
        os.nice(_NICE)  # requests have priority
        failures = maintain(options.home, limits, watchers)
        for failure in failures:
            _print(failure)
        sys.exit(1 if failures else 0)
    command = [sys.executable, "-P", "-m", "jupyter_deploy.records.archivist", *sys.argv[1:], "--once"]
    if options.ready:
        options.ready.touch(mode=0o600)
    while True:
        pause = options.every
        try:
            if due(options.home, limits, watchers) and subprocess.run(command, check=False).returncode:
                pause = max(pause, _RETRY_SECONDS)
        except (OSError, DeployError) as error:  # an unreadable folder, or no free process: try again later
            _print(str(error))
            pause = max(pause, _RETRY_SECONDS)
        time.sleep(pause)


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
