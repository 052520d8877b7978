"""What the watch over a release costs while it gets requests, and how long a look takes.

Records are written as a release writes them, one row and one answer each, of which one column in five is a category.
The archivist's child reads them into the watch, as many at a time as it does at this rate: all of the processor's
time of its process counts, for the checks whether work is due too. The detector looks most often at first.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil

from jupyter_deploy.domain.drift.watch import WatchState, reference_of
from jupyter_deploy.drift_detection import watcher
from jupyter_deploy.drift_detection.drift_log import updated
from jupyter_deploy.drift_detection.watch_file import WatchFile, beginning
from jupyter_deploy.records import archivist
from jupyter_deploy.records.segments import data_folder
from jupyter_deploy.serving.telemetry.records import Entry, Recorder

from .figures import Figure

RATE = 1_000
UPDATES = 3
LABELS = "basic", "basic", "basic", "pro", "gold"

_CHILD = """
import gc
import sys
import time
gc.disable()
from pathlib import Path
from jupyter_deploy.drift_detection import watcher
from jupyter_deploy.records import archivist
from jupyter_deploy.records.retention import Limits
arguments = Path(sys.argv[1]), Limits(10**12), [watcher]
for line in sys.stdin:
    for _ in range(int(line)):
        archivist.due(*arguments)
    failures = archivist.maintain(*arguments)
    gc.collect()
    gc.freeze()
    if failures:
        sys.exit("; ".join(failures))
    print(time.process_time(), flush=True)
"""
"""What a child of the archivist does that stays, without its niceness, by which it hardly ends on a busy machine.

It reads from standard input how often it is to check before it works, and writes its processor time.
"""

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
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    recorder = Recorder(folder, "churn", "churn:a", segment_bytes=10**12)  # a compaction is no part of the watch
    try:
        _write(recorder, dice, features, 0, 1_000)
        size = sum(path.stat().st_size for path in folder.glob("*.jsonl")) / 1_000
        used = [_passed(child, 0)]
        count = int(min(watcher.SECONDS * RATE, watcher.MOST_UNREAD / size))  # in each update by the archivist
        for number in range(1, UPDATES + 1):
            _write(recorder, dice, features, number, count)
            used.append(_passed(child, int(count / RATE / archivist.CHECK_SECONDS)))
        memory = psutil.Process(child.pid).memory_full_info().pss
        last = count + int(archivist.CHECK_SECONDS * RATE)
        _write(recorder, dice, features, UPDATES + 1, last)
        begun = time.process_time()  # of a machine that has a processor to spare, the time that a person waits
        state = updated(home, "churn", "a").state
        look = time.process_time() - begun
    finally:
        recorder.close()
        child.kill()
        child.wait()
    if state.requests != 1_000 + UPDATES * count + last or state.alarm_count:
        raise RuntimeError(f"the watch of {features} features has other records")
    passes = [after - before for before, after in pairwise(used)]
    for name, seconds in (("at first", passes[0]), ("later", min(passes[1:]))):
        note = f"{1e6 * seconds / count:.0f} µs a record, {count:,} of {size:.0f} bytes at a time"
        percent = 100 * seconds * RATE / count
        yield Figure("watch", f"{features} features at {RATE:,} requests a second, {name}", percent, "%", 5, note)
    note = "imports and the first 1,000 records, once while records come fast"
    yield Figure("watch", f"{features} features, start of the archivist's child", 1000 * used[0], "ms", None, note)
    note = "its own share (PSS); between two children there is none"
    yield Figure("watch", f"{features} features, memory of the archivist's child", memory / 1e6, "MB", None, note)
    note = f"{last:,} records are new, as many as there are at most"
    yield Figure("watch", f"{features} features, processor time of a look", 1000 * look, "ms", 1_000, note)


def _row(dice: random.Random, features: int) -> Row:
    return {
        f"feature {at}": dice.choice(LABELS) if at % 5 == 4 else round(dice.gauss(0, 1), 6) for at in range(features)
    }


def _write(recorder: Recorder, dice: random.Random, features: int, number_of_update: int, count: int) -> None:
    begin = datetime.now(UTC) - timedelta(minutes=UPDATES + 1 - number_of_update)
    first = int(begin.timestamp() * 1e9)
    for number in range(count):
        values, answer = [_row(dice, features)], [dice.choice(("yes", "no"))]
        at, name = first + number * 1_000_000_000 // RATE, f"{number_of_update:04}-{number:031}"
        recorder.write_all([Entry(name, None, at, "stable", 200, 1 + dice.random(), 1, values, answer)])


def _passed(child: subprocess.Popen[str], checks: int) -> float:
    """Let the child check and work once; return the processor time that it has used since its start, in seconds."""
    if child.stdin is None or child.stdout is None:
        raise RuntimeError("the child has no pipes")
    child.stdin.write(f"{checks}\n")
    child.stdin.flush()
    answer = child.stdout.readline()
    if not answer:
        raise RuntimeError("the archivist's child failed")
    return float(answer)
