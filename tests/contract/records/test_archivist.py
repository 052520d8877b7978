"""The archivist's child: it stays while work is due again and again, and no longer than its parent."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from jupyter_deploy.domain.evidence.inference import Record
from jupyter_deploy.drift_detection.new_records import _counted
from jupyter_deploy.records import archivist
from jupyter_deploy.records.records import record_of_line

LINE = (
    b'{"request_id":"r1","pair_id":null,"ts":"2026-12-02T14:06:46.579872999Z","endpoint":"churn","release":"churn:a",'
    b'"role":"stable","status":200,"latency_ms":1.5,"rows":1,"inputs":[{"age":1.5,"plan":"pro"}],"outputs":["yes"],'
    b'"error":null,"inputs_digest":"9237"}\n'
)
FIELDS = ("request_id", "role", "status", "latency_ms", "inputs", "outputs", "redacted", "sample", "cluster")

WATCHER = """
import os
import time
from pathlib import Path
HERE = Path(__file__).parent
def due(home):
    return (HERE / "due").exists()
def update(home):
    time.sleep(0.2)
    with (HERE / "passes").open("a") as file:
        file.write(f"{os.getpid()}\\n")
    return []
def finish(home, segment):
    pass
"""


def until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_running(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "counting_watcher.py").write_text(WATCHER)
    (tmp_path / "due").touch()
    return tmp_path


def passes(folder):
    """The process of each pass whose line is complete."""
    with contextlib.suppress(FileNotFoundError):
        return [int(line) for line in (folder / "passes").read_text().splitlines(keepends=True) if line.endswith("\n")]
    return []


def test_a_child_stays_while_work_is_due_again_soon_and_ends_with_its_parent(folder):
    command = [sys.executable, "-m", "jupyter_deploy.records.archivist", str(folder / "home"), "--max-bytes", "1000"]
    environment = os.environ | {"PYTHONPATH": str(folder)}
    parent = subprocess.Popen([*command, "--every", "0.05", "--watcher", "counting_watcher"], env=environment)
    try:
        until(lambda: len(passes(folder)) >= 6)
        first, stays, *others = passes(folder)[:6]
        assert first != stays, "one that is needed for the first time does not stay"
        assert set(others) == {stays}
        assert is_running(stays)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        until(lambda: not is_running(stays))
        assert len(passes(folder)) < archivist._MOST_PASSES, "it ends with its parent, although work is due"
    finally:
        parent.kill()
        parent.wait()


def test_a_child_that_is_not_needed_for_a_while_ends(monkeypatch):
    left, done = [True, False, True, False, False], []

    def is_due():
        if len(left) == 1:
            monkeypatch.setattr(archivist, "_SOON_SECONDS", 0.0)  # the time is over
        return left.pop(0)

    assert archivist._stay(lambda: done.append(1) or [], is_due, 0.01, []) == []
    assert (len(done), left) == (2, [])


def test_a_child_that_fails_ends_at_once():
    assert archivist._stay(list, lambda: True, 0.01, ["the disk is full"]) == ["the disk is full"]
    assert archivist._stay(lambda: ["the disk is full"], lambda: True, 0.01, []) == ["the disk is full"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"r1", b"r2"),
        (b'"age":1.5', b'"age":NaN'),
        (b'"age":1.5', b'"age":1e400'),
        (b'"age":1.5', b'"age":123456789012345678901234567890'),
        (b'"age":1.5', b'"age":"\\ud800"'),
        (b'"pro"', b'"\xff"'),
        (b'"error":null', b'"error":{"type":"ValueError","message":"no"},"sample":0.5,"redacted":["zip"]'),
        (b'"error":null', b'"error":{"type":1}'),
        (b'"error":null', b'"error":null,"later":1'),
        (b'"error":null', b'"error":null,"cluster":"c1"'),
        (b'"status":200', b'"status":"200"'),
        (b'"status":200', b'"status":null'),
        (b'"pair_id":null,', b""),
        (b"2026-12-02T14:06:46.579872999Z", b"2026-12-02T14:06:46+01:00"),
        (b"2026-12-02T14:06:46.579872999Z", b"yesterday"),
        (b"2026-12-02T14:06:46.579872999Z", b"2026-02-31T14:06:46.579872999Z"),
        (b'"inputs":[{"age":1.5,"plan":"pro"}]', b'"input_table":{"columns":{"age":[1.5,2.5],"plan":["pro",null]}}'),
        (b"}\n", b"\n"),
        (LINE, b"garbage\n"),
        (LINE, b"[" * 100_000 + b"\n"),
    ],
    ids=lambda part: part[:40].decode(errors="replace"),
)
def test_a_line_that_a_watch_reads_is_the_line_that_others_read(old, new):
    line = LINE.replace(old, new)
    assert line != LINE
    found, expected = _counted(line), record_of_line(line)
    assert (found is None) == (expected is None)
    if isinstance(expected, Record):
        assert found.ts.isoformat() == expected.ts.isoformat()
        assert repr([getattr(found, name) for name in FIELDS]) == repr([getattr(expected, name) for name in FIELDS])
