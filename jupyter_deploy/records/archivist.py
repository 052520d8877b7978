"""The archivist: a program that compacts and clears away records and ledger while releases run.

    python -m jupyter_deploy.records.archivist HOME --max-bytes N [--max-seconds S]

It looks every few seconds whether there is anything to do, which costs a few system calls, and does it in a process of
its own, so that the memory of the work is given back. Both may be killed at any moment.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jupyter_deploy.domain.errors import DeployError

from . import retention, rotation, segments
from .retention import Limits
from .segments import LEDGER, LIVE_LOGS, VERSION

_RETRY_SECONDS = 60.0
_NICE = 10


def due(home: Path, limits: Limits) -> bool:
    """Whether there is anything to do."""
    folders = [folder for name in segments.endpoints(home) for folder in segments.release_folders(home, name)]
    folders += [segments.feedback_folder(home, name) for name in segments.with_feedback(home)]
    closed = any(
        segment.form == "jsonl" and segment.version <= VERSION and segments.is_closed(segment)
        for folder in folders
        for segment in segments.segments_in(folder)
    )
    rotated = any(s.form == "jsonl" and s.stem not in LIVE_LOGS for s in segments.segments_in(home / LEDGER))
    return closed or rotated or rotation.due(home) or retention.due(home, limits)


def tend(home: Path, limits: Limits) -> list[str]:
    """Do it; returns what could not be done, in words, and prints what was removed."""
    from . import compaction  # the archivist itself needs no DuckDB

    failures: list[str] = []
    with segments.tending(home):
        for place in retention.places(home):  # first, since the disk may be full
            with _going_on(failures):
                for line in retention.clear(place, limits):
                    _say(line)
        released = False
        with _going_on(failures):
            released = rotation.rotate(home) if rotation.due(home) else rotation.settled(home)
        for endpoint in segments.endpoints(home):
            with _going_on(failures):
                failures += compaction.compact_endpoint(home, endpoint)
        for endpoint in segments.with_feedback(home):
            with _going_on(failures):
                failures += compaction.compact_feedback(home, endpoint)
        if released:
            with _going_on(failures):
                failures += compaction.compact_ledger(home)
    return failures


@contextmanager
def _going_on(failures: list[str]) -> Iterator[None]:
    """What fails within is written down, and keeps nothing else from being done."""
    try:
        yield
    except (OSError, DeployError) as error:
        failures.append(str(error))


def main() -> None:
    """Look for ever; with ``--once`` do what there is to do."""
    parser = argparse.ArgumentParser(description="Compacts and clears away the records of a home.")
    parser.add_argument("home", type=Path)
    parser.add_argument("--max-bytes", type=int, required=True)
    parser.add_argument("--max-seconds", type=float)
    parser.add_argument("--every", type=float, default=10.0)
    parser.add_argument("--once", action="store_true")
    parser.add_argument("--ready", type=Path, help="file to make when it has begun")
    options = parser.parse_args()
    limits = Limits(options.max_bytes, options.max_seconds)
    if options.once:
        os.nice(_NICE)  # answers come first
        failures = tend(options.home, limits)
        for failure in failures:
            _say(failure)
        sys.exit(1 if failures else 0)
    command = [sys.executable, "-P", "-m", "jupyter_deploy.records.archivist", *sys.argv[1:], "--once"]
    if options.ready:
        options.ready.touch(mode=0o600)
    while True:
        pause = options.every
        try:
            if due(options.home, limits) and subprocess.run(command, check=False).returncode:
                pause = max(pause, _RETRY_SECONDS)
        except (OSError, DeployError) as error:  # a folder that cannot be read, no process to be had: later, perhaps
            _say(str(error))
            pause = max(pause, _RETRY_SECONDS)
        time.sleep(pause)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
