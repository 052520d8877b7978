"""What the watch over a release costs while it gets requests, and how long a look at a year of them takes.

Records are written as a release writes them, one row and one answer each, of which one column in five is a category.
The archivist's program reads them into the watch, a minute of requests at a time: all of the processor's time of its
process counts. The detector looks most often in the first minute.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from jupyter_deploy.domain.drift.watch import WatchState, reference_of
from jupyter_deploy.drift_detection.drift_log import updated
from jupyter_deploy.drift_detection.watch_file import WatchFile, beginning
from jupyter_deploy.drift_detection.watcher import MOST_UNREAD
from jupyter_deploy.records.segments import data_folder
from jupyter_deploy.serving.telemetry.records import Entry, Recorder

from .figures import Figure

RATE = 1_000
SECONDS = 60
MINUTES = 4
LABELS = "basic", "basic", "basic", "pro", "gold"

_ONCE = """
import sys
from pathlib import Path
from jupyter_deploy.drift_detection import watcher
from jupyter_deploy.records import archivist
from jupyter_deploy.records.retention import Limits
failures = archivist.maintain(Path(sys.argv[1]), Limits(10**12), [watcher])
sys.exit("; ".join(failures) or None)
"""
"""What ``archivist --once`` does, without its niceness, by which it never ends on a busy machine."""

Row = dict[str, Any]


def watches() -> Iterator[Figure]:
    """Measure the watch over releases of 10 and of 30 features."""
    for features in (10, 30):
        with tempfile.TemporaryDirectory() as folder:
            yield from _watch(Path(folder), features)


def _watch(home: Path, features: int) -> Iterator[Figure]:
    dice = random.Random(1)
    rows = [_row(dice, features) for _ in range(2_000)]
    answers = [dice.choice(("yes", "no")) for _ in rows]
    known = reference_of({"inputs": rows, "answers": answers}, {"inputs": "training", "answers": "training"})
    file = WatchFile(home, "churn", "a")
    with file.locked():
        file.save(beginning(WatchState(reference=known)))
    folder = data_folder(home, "churn") / "a"
    folder.mkdir(parents=True)
    used = []
    recorder = Recorder(folder, "churn", "churn:a", segment_bytes=10**12)  # a compaction is no part of the watch
    try:
        for minute in range(MINUTES):
            _write(recorder, dice, features, minute, RATE * SECONDS)
            used.append(_archivist(home))
        size = sum(path.stat().st_size for path in folder.glob("*.jsonl")) / (MINUTES * RATE * SECONDS)
        unread = int(MOST_UNREAD / size)
        _write(recorder, dice, features, MINUTES, unread)
        begun = time.perf_counter()
        state = updated(home, "churn", "a").state
        look = time.perf_counter() - begun
    finally:
        recorder.close()
    if state.requests != MINUTES * RATE * SECONDS + unread or state.alarm_count:
        raise RuntimeError(f"the watch of {features} features has other records")
    for name, seconds in (("the first minute", used[0]), ("a later minute", min(used[1:]))):
        each = f"{1e6 * seconds / (RATE * SECONDS):.0f} µs a record, with the start of the archivist's program"
        percent = 100 * seconds / SECONDS
        yield Figure("watch", f"{features} features at {RATE:,} requests a second, {name}", percent, "%", 5, each)
    note = f"{unread:,} records of {size:.0f} bytes are new, as many as there are at most"
    yield Figure("watch", f"{features} features, a look", 1000 * look, "ms", 1_000, note)


def _row(dice: random.Random, features: int) -> Row:
    return {
        f"feature {at}": dice.choice(LABELS) if at % 5 == 4 else round(dice.gauss(0, 1), 6) for at in range(features)
    }


def _write(recorder: Recorder, dice: random.Random, features: int, minute: int, count: int) -> None:
    begin = datetime.now(UTC) - timedelta(minutes=MINUTES - minute)
    first = int(begin.timestamp() * 1e9)
    for number in range(count):
        values, answer = [_row(dice, features)], [dice.choice(("yes", "no"))]
        at, name = first + number * 1_000_000_000 // RATE, f"{minute:04}-{number:031}"
        recorder.write_all([Entry(name, None, at, "stable", 200, 1 + dice.random(), 1, values, answer)])


def _archivist(home: Path) -> float:
    """Let the archivist do its work once; return the seconds of the processor."""
    before = os.times()
    subprocess.run([sys.executable, "-c", _ONCE, str(home)], check=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system
