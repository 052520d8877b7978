"""Purge and retention: in JSON lines, Parquet and ledger, without any other loss."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from datetime import timedelta

import pytest
from killing import Workshop
from record_world import World, endpoint

from jupyter_deploy.comparison.record_log import RecordLog
from jupyter_deploy.domain.errors import TargetError
from jupyter_deploy.domain.results import Purged
from jupyter_deploy.records import purge, retention, segments
from jupyter_deploy.records.archivist import due, maintain
from jupyter_deploy.records.compaction import compact_all
from jupyter_deploy.records.counts import FileCounts
from jupyter_deploy.records.retention import Limits
from tests.contract.records.test_record_log import NOON, ids, line, write


@pytest.fixture
def log(tmp_path):
    return RecordLog(tmp_path)


def ledger(home):
    found = []
    for path in (home / "ledger").glob("*.jsonl"):
        found += [json.loads(text)["request_id"] for text in path.read_text().splitlines()]
    with purge.database() as connection:
        for path in (home / "ledger").glob("*.parquet"):
            found += [row[0] for row in connection.execute(f"SELECT request_id FROM '{path}'").fetchall()]
    return Counter(found)


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    monkeypatch.setattr(purge, "FLUSH_SECONDS", 0)


def purge_records(log, *request_ids, before=None, dry_run=False):
    return log.purge("tumour", before=before, request_ids=request_ids, dry_run=dry_run)


@pytest.fixture
def world(tmp_path):
    """Twenty pairs, half of them in Parquet, with their ledger; and another endpoint's line under the same id."""
    world = World(tmp_path)
    for number in range(20):
        segment = {"segment": f"{number // 10}-1.v1.jsonl"}
        world.pair(number, stable_fields=segment, **segment)
        world.ledger("edge", number, "aaa")
        world.ledger("shadow", number)
        if number == 9:
            assert compact_all(tmp_path) == []
    world.ledger("edge", 3, "aaa", endpoint="other")
    write(tmp_path, line(3, endpoint="other") + "\n", version="../other/aaa")
    return world


@pytest.mark.parametrize(
    ("asked", "gone"),
    [
        ({"request_ids": ["r3", "r15"]}, {3, 15}),
        ({"before": NOON + timedelta(seconds=12)}, set(range(12))),
        ({"before": NOON + timedelta(seconds=12), "request_ids": ["r3", "r15"]}, {3}),
        ({"request_ids": ["r999", "r1' OR true --"]}, set()),
        ({"before": NOON - timedelta(days=1)}, set()),
    ],
    ids=["by request", "by moment", "by both", "nothing", "nothing so old"],
)
def test_a_purge_deletes_the_selected_records_and_ledger_lines_and_no_others(log, world, tmp_path, asked, gone):
    conditions = {"before": None, "request_ids": [], **asked}
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.name != ".lock"}
    counted = log.purge("tumour", dry_run=True, **conditions)
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.name != ".lock"}
    assert after == before
    done = log.purge("tumour", dry_run=False, **conditions)
    assert done == Purged(endpoint="tumour", records=2 * len(gone), ledger_lines=2 * len(gone))
    assert counted == done.model_copy(update={"dry_run": True})
    kept = sorted(f"r{number}" for number in range(20) if number not in gone)
    assert sorted(ids(log.records("tumour"))) == sorted(kept * 2)
    assert ledger(tmp_path) == Counter({**dict.fromkeys(kept, 2), "r3": 1 if 3 in gone else 3})
    assert ids(log.records("other")) == ["r3"]
    assert FileCounts(tmp_path).removed("tumour") == 2 * len(gone)
    text = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert all(f'"r{number}"'.encode() not in text for number in gone - {3})


def test_a_comparison_says_that_records_are_missing_and_for_which_time(log, world):
    purge_records(log, "r3", "r15")
    (note, ledger_note) = world.compare().notes
    assert note.startswith("4 records up to 2026-11-25T12:00:15Z were purged")
    assert "ledger" in ledger_note
    assert world.compare(since=NOON + timedelta(seconds=16)).notes == []


def test_torn_lines_go_with_the_last_record_of_their_segment_or_by_the_id_in_them(log, tmp_path):
    path = write(tmp_path, line(1) + '\n{"request_id":"r7","torn\ngarbage\n', name="1-1.v1.jsonl")
    os.utime(path, (NOON.timestamp() + 1,) * 2)
    compact_all(tmp_path)
    folder = tmp_path / "records" / "tumour" / "aaa"
    assert purge_records(log, "r7", dry_run=True).unreadable == 1
    assert purge_records(log, "r7") == Purged(endpoint="tumour", records=0, ledger_lines=0, unreadable=1)
    assert segments.rejected_lines(folder) == 1
    assert purge_records(log, "r1").records == 1
    assert segments.rejected_lines(folder) == 1
    assert purge_records(log, before=NOON + timedelta(seconds=2)).unreadable == 1
    assert not list(folder.glob("*.rejected"))


@pytest.mark.parametrize("asked", [{"request_ids": ["r7"]}, {"before": NOON + timedelta(days=1)}], ids=["id", "moment"])
def test_torn_lines_of_the_ledger_are_purged_unless_they_name_another_endpoint(log, tmp_path, asked):
    path = tmp_path / "ledger" / "edge-1-1.v1.jsonl"
    path.parent.mkdir()
    mine, others, nobodys = (
        json.dumps({"endpoint": name, "request_id": "r7"} if name else {"request_id": "r7"}) + "\n"
        for name in ("tumour", "other", None)
    )
    path.write_text(mine + others + nobodys)
    os.utime(path, (NOON.timestamp(),) * 2)
    compact_all(tmp_path)
    assert segments.rejected_lines(tmp_path / "ledger") == 3
    conditions = {"before": None, "request_ids": [], **asked}
    assert log.purge("tumour", dry_run=True, **conditions).unreadable == 2
    assert log.purge("tumour", dry_run=False, **conditions).unreadable == 2
    (rejected,) = (tmp_path / "ledger").glob("*.rejected")
    assert rejected.read_text() == others


WRITER = """
import sys
from jupyter_deploy.serving.telemetry.records import Entry, Recorder
recorder = Recorder(sys.argv[1], "tumour", "tumour:aaa", segment_bytes=20_000)
number = 0
while True:
    ts_ns = 1764072000000000000 + number
    recorder.write_all([Entry(f"w{number}", None, ts_ns, "stable", 200, 1.0, 1, [number], [number])])
    print(number, flush=True)
    number += 1
    if not sys.stdin.readline():
        break
"""


class Writer:
    """A worker's recorder in its own process; it writes one record on each request."""

    def __init__(self, folder):
        self.process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.process.stdout.readline()
        self.written = 1

    def write(self, count):
        self.process.stdin.write("\n" * count)
        self.process.stdin.flush()
        for _ in range(count):
            self.process.stdout.readline()
        self.written += count

    def kill(self):
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def writer(tmp_path):
    writer = Writer(tmp_path / "records" / "tumour" / "aaa")
    yield writer
    writer.kill()


def test_a_purge_reaches_the_open_segment_of_an_idle_worker_and_the_worker_continues(log, tmp_path, writer):
    writer.write(9)
    assert purge_records(log, "w3", "w9").records == 2
    writer.write(5)
    assert sorted(ids(log.records("tumour"))) == sorted(f"w{number}" for number in range(15) if number not in (3, 9))


def test_purges_and_compactions_with_a_busy_killed_worker_lose_and_duplicate_no_other_records(log, tmp_path, writer):
    purged = set()
    for turn in range(3):
        writer.write(150)
        purged |= {f"w{turn * 150 + number}" for number in range(0, 100, 7)}
        going = subprocess.Popen(
            [sys.executable, "-c",
             "import sys; from pathlib import Path; from jupyter_deploy.comparison.record_log import RecordLog\n"
             "RecordLog(Path(sys.argv[1])).purge('tumour', before=None, request_ids=sys.argv[2:], dry_run=False)",
             str(tmp_path), *purged],
        )  # fmt: skip
        while going.poll() is None:
            writer.write(1)
            time.sleep(0.002)  # some hundred a second, as a service has
        assert going.returncode == 0
    writer.kill()
    compact_all(tmp_path)
    assert not list(tmp_path.rglob("*.jsonl"))
    found = Counter(ids(log.records("tumour")))
    wanted = {f"w{number}" for number in range(writer.written)} - purged
    assert set(found) - {f"w{writer.written}"} == wanted  # the last one may have been written and not yet been told
    assert set(found.values()) == {1}


def test_a_worker_that_does_not_close_its_segment_is_named_and_nothing_is_purged(log, tmp_path, writer, monkeypatch):
    monkeypatch.setattr(purge, "_CLOSE_SECONDS", 0.3)
    writer.process.send_signal(19)  # SIGSTOP
    try:
        with pytest.raises(TargetError) as caught:
            purge_records(log, "w0")
    finally:
        writer.process.send_signal(18)  # SIGCONT
    assert "aaa" in caught.value.details
    assert ids(log.records("tumour")) == ["w0"]
    assert not list(tmp_path.rglob("*.close"))


def test_a_purge_killed_before_any_of_its_steps_leaves_each_file_old_or_new_and_can_be_repeated(tmp_path):
    workshop = Workshop()
    template = tmp_path / "template"
    write(template, line(1) + "\n" + line(2) + '\n{"request_id":"r1","torn', name="1-1.v1.jsonl")
    write(template, line(3) + "\n" + line(4) + "\n", name="2-1.v1.jsonl")
    assert compact_all(template) == []

    def work(step):
        shutil.copytree(template, tmp_path / str(step))
        doomed = "purge.PurgeSelection('tumour', None, ['r1', 'r3', 'r4'])"
        return f"purge.purge(Path({str(tmp_path / str(step))!r}), {doomed})"

    steps = 0
    for steps in workshop.at_each_step(work):
        home = tmp_path / str(steps)
        log = RecordLog(home)
        found = ids(log.records("tumour"))
        assert found in (["r1", "r2", "r3", "r4"], ["r2", "r3", "r4"], ["r2"]), steps
        purge_records(log, "r1", "r4")  # not quite the same: what was not done must not count as done
        left = ids(log.records("tumour"))
        assert left == (["r2", "r3"] if "r3" in found else ["r2"]), steps
        assert FileCounts(home).removed("tumour") == 4 - len(left), steps
        assert not list((tmp_path / str(steps)).rglob("*.rejected")), steps
    workshop.close()
    assert workshop.kills == steps - 1 > 10


# ---- limits


def aged(home, number, size=40):
    """A closed segment whose last record is ``number`` days old."""
    path = write(
        home, "".join(line(i, request_id=f"{number}-{i}") + "\n" for i in range(size)), name=f"{number}-1.v1.jsonl"
    )
    moment = time.time() - number * 86400
    os.utime(path, (moment, moment))
    return path


def cleared(home, limits):
    return [said for place in retention.scopes(home) for said in retention.clear(place, limits)]


def days(log):
    return sorted({int(one.partition("-")[0]) for one in ids(log.records("tumour"))})


@pytest.mark.parametrize("compacted", [False, True], ids=["json lines", "parquet"])
def test_beyond_the_size_the_oldest_go_whole_and_it_is_counted(log, tmp_path, compacted):
    for number in (1, 5, 3):
        aged(tmp_path, number)
    if compacted:
        compact_all(tmp_path)
    files = [path for path in (tmp_path / "records" / "tumour" / "aaa").iterdir() if path.is_file()]
    limits = Limits(sum(path.stat().st_size for path in files) - 1)
    assert due(tmp_path, limits)
    (said,) = cleared(tmp_path, limits)
    assert "removed 40 lines" in said
    assert days(log) == [1, 3]
    assert FileCounts(tmp_path).removed("tumour") == 40
    assert cleared(tmp_path, limits) == []
    assert "40 records" in World(tmp_path).compare(endpoint()).notes[0]


def test_lines_beyond_the_age_limit_are_removed_from_the_ledger_too(log, tmp_path):
    for number in (1, 40, 2):
        aged(tmp_path, number)
    world = World(tmp_path)
    world.ledger("edge", 1, file="edge-1-1.v1.jsonl")
    world.ledger("shadow", 1)
    os.utime(tmp_path / "ledger" / "edge-1-1.v1.jsonl", (1, 1))
    assert maintain(tmp_path, Limits(10**9, 30 * 86400.0)) == []
    assert days(log) == [1, 2]
    assert ledger(tmp_path) == {"r1": 1}
    assert not due(tmp_path, Limits(10**9, 30 * 86400.0))


def test_an_open_segment_is_never_cleared(log, tmp_path, writer):
    aged(tmp_path, 9)
    cleared(tmp_path, Limits(1, 0.0))
    writer.write(1)
    assert sorted(ids(log.records("tumour"))) == ["w0", "w1"]


# ---- the archivist


def test_the_archivist_compacts_closed_segments_and_becomes_idle(log, tmp_path, writer):
    aged(tmp_path, 1)
    command = [sys.executable, "-m", "jupyter_deploy.records.archivist", str(tmp_path), "--max-bytes", str(10**9)]
    archivist = subprocess.Popen([*command, "--every", "0.05"])
    folder = tmp_path / "records" / "tumour" / "aaa"
    deadline = time.monotonic() + 60
    while list(folder.glob("1-1.v1.jsonl")) and time.monotonic() < deadline:
        time.sleep(0.05)
    archivist.kill()
    archivist.wait()
    assert sorted(path.suffix for path in folder.iterdir()) == [".jsonl", ".parquet"]
    assert not due(tmp_path, Limits(10**9))
    assert len(log.records("tumour")) == 41
