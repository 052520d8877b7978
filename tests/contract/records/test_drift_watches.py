"""A watch and the files of records: each record counts once, whatever is compacted, torn, damaged or read twice."""

import fcntl
import json
import os
import random
import re
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import pytest
from record_world import NOON, World

from jupyter_deploy.domain.drift.watch import WatchState, reference_of
from jupyter_deploy.drift_detection import watcher
from jupyter_deploy.drift_detection.drift_log import updated
from jupyter_deploy.drift_detection.watch_file import WatchFile, beginning
from jupyter_deploy.records import archivist, compaction
from jupyter_deploy.records.retention import Limits
from jupyter_deploy.records.segments import maintenance_lock
from jupyter_deploy.system.filesystem import remove_folder
from tests.e2e.conftest import until
from tests.e2e.processes import waits_for_a_lock

SEGMENT = "1-1-a.v1.jsonl"
LIMITS = Limits(10**9)


def first():
    dice = random.Random(1)
    rows = [{"age": dice.gauss(45, 10)} for _ in range(500)]
    return WatchState(reference=reference_of({"inputs": rows}, {"inputs": "training"}))


class Watched(World):
    """A home with one release, its records and its watch."""

    def __init__(self, home):
        super().__init__(home)
        self.dice = random.Random(2)
        self.number = 0
        self.file = WatchFile(home, "tumour", "aaa")
        self.folder = home / "records" / "tumour" / "aaa"
        with self.file.locked():
            self.file.save(beginning(first()))

    def many(self, count, age=45, segment=SEGMENT):
        for _ in range(count):
            inputs = [{"age": self.dice.gauss(age, 10)}]
            self.record(self.number, "aaa", "stable", ["x"], segment=segment, inputs=inputs)
            self.number += 1

    @contextmanager
    def writer(self):
        """Hold the writer's lock on the segment: it is open."""
        self.folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.folder / SEGMENT, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
        os.close(descriptor)

    def look(self):
        return updated(self.home, "tumour", "aaa", first()).state


@pytest.fixture
def watched(tmp_path):
    return Watched(tmp_path)


def test_a_segment_that_was_seen_empty_before_its_writer_had_the_lock_is_read(watched):
    watched.folder.mkdir(parents=True)
    (watched.folder / SEGMENT).touch()
    assert watched.look().requests == 0
    with watched.writer():
        watched.many(30)
        assert watched.look().requests == 30


def test_an_open_segment_is_read_on_and_its_compaction_counts_nothing_twice(watched):
    with watched.writer():
        watched.many(150)
        assert watched.look().requests == 150
        watched.many(50)
        assert watched.look().requests == 200
        watched.many(30)
    assert archivist.maintain(watched.home, LIMITS, [watcher]) == []
    assert [path.suffix for path in watched.folder.glob("1-1*")] == [".parquet"]
    watched.many(20, segment="2-1-b.v1.jsonl")
    state = watched.look()
    assert (state.requests, state.units) == (250, 250)
    assert sum(state.run.totals[0]) == pytest.approx(250)


def test_a_segment_that_closes_between_update_and_compaction_is_finished_first(watched, monkeypatch):
    with watched.writer():
        watched.many(40)
        assert watcher.update(watched.home) == []
        watched.many(5)
    monkeypatch.setattr(watcher, "update", lambda _: [])
    archivist.maintain(watched.home, LIMITS, [watcher])
    stored = watched.file.load().state
    assert stored.requests == 45
    assert watched.look().requests == 45


def test_a_compaction_without_the_watcher_makes_the_watch_again(watched):
    with watched.writer():
        watched.many(40)
        assert watched.look().requests == 40
        watched.many(5)
    compaction.compact_all(watched.home)
    assert watched.look().requests == 45


def test_records_that_were_compacted_before_the_watch_count(watched):
    watched.many(60)
    watched.many(40, segment="2-1-b.v1.jsonl")
    compaction.compact_all(watched.home)
    assert watched.look().requests == 100


def test_a_torn_line_counts_once_it_is_complete_and_garbage_never(watched):
    with watched.writer():
        watched.many(3)
        watched.raw("aaa", 'garbage\n{"request_id": "torn', SEGMENT)
        assert watched.look().requests == 3
        watched.raw("aaa", '"}\n', SEGMENT)
        watched.many(1)
        assert watched.look().requests == 4


def test_a_damaged_watch_is_left_by_the_archivist_and_made_again_by_a_look(watched):
    watched.many(30)
    assert watched.look().requests == 30
    content = watched.file.path.read_bytes()
    for damage in (b"", b"{}\n", content[:-50], content.replace(b'"version":1', b'"version":2')):
        watched.file.path.write_bytes(damage)
        assert watcher.update(watched.home) == []
        assert watched.file.path.read_bytes() == damage
        assert watched.look().requests == 30


def test_a_rest_of_a_killed_write_is_in_nobodys_way(watched):
    watched.many(10)
    watched.file.path.with_name(f".part-{watched.file.path.name}").write_bytes(b"half")
    assert watcher.update(watched.home) == []
    assert watched.look().requests == 10


def test_looks_at_the_same_time_count_each_record_once(watched):
    with watched.writer():
        watched.many(200)
        with ThreadPoolExecutor(4) as pool:
            assert {state.requests for state in pool.map(lambda _: watched.look(), range(8))} == {200}


def test_the_archivist_has_work_when_records_are_newer_than_an_old_watch(watched):
    assert not watcher.due(watched.home)
    watched.many(1)
    assert not watcher.due(watched.home)  # a minute has not passed
    old = time.time() - 120
    os.utime(watched.file.path, (old, old))
    assert watcher.due(watched.home)
    watcher.update(watched.home)
    os.utime(watched.folder / SEGMENT, (old, old))
    assert not watcher.due(watched.home)


def test_the_archivist_has_work_when_a_look_would_have_to_read_much(watched, monkeypatch):
    watched.many(2)
    assert not watcher.due(watched.home)
    monkeypatch.setattr(watcher, "MOST_UNREAD", 1_000)
    watched.many(1)
    assert not watcher.due(watched.home)
    watched.many(10)
    assert watcher.due(watched.home)
    assert not watcher.due(watched.home), "it is being read"
    compaction.compact_all(watched.home)
    assert not watcher.due(watched.home)
    watched.many(20, segment="2-1-b.v1.jsonl")
    assert watcher.due(watched.home)


def events_in(path):
    """The JSON documents that a command was given, one after another."""
    text, found = path.read_text() if path.exists() else "", []
    while text:
        event, end = json.JSONDecoder().raw_decode(text)
        found.append(event)
        text = text[end:]
    return found


def test_the_archivist_publishes_metrics_and_notifies_of_each_alarm_once(watched, tmp_path, monkeypatch):
    monkeypatch.setenv("NBDEPLOY_NOTIFY", f"tee -a {tmp_path / 'events'}")
    watched.many(300)
    assert watcher.update(watched.home) == []
    assert events_in(tmp_path / "events") == []
    watched.many(200, age=80, segment="2-1-b.v1.jsonl")
    watched.look()  # a person's look reads the records of the alarm
    published = watched.file.path.with_suffix(".prom")
    assert "nbdeploy_drift_alarms_total 0" in published.read_text()
    old = time.time() - 120
    os.utime(published, (old, old))
    assert watcher.due(watched.home)
    for _ in range(2):
        watcher.update(watched.home)
    assert not watcher.due(watched.home)
    assert published.stat().st_mode & 0o777 == 0o600
    text = published.read_text()
    alarms = int(float(re.search(r"^nbdeploy_drift_alarms_total (\S+)$", text, re.MULTILINE)[1]))
    assert alarms >= 1
    assert re.search(r'^nbdeploy_drift_e_value\{group="inputs",feature="age"\} \S+$', text, re.MULTILINE)
    *drifts, quality = events_in(tmp_path / "events")
    assert len(drifts) == alarms
    drift = drifts[0]
    assert (drift["type"], drift["subject"], drift["data"]["features"]) == ("nbdeploy.drift.alarm", "aaa", ["age"])
    assert quality["type"] == "nbdeploy.quality.alarm"
    assert quality["data"]["reason"].startswith("age: out of range: ")


def test_the_archivist_waits_for_a_delete_and_does_not_make_its_folder_again(watched):
    watched.many(20)

    with ThreadPoolExecutor(1) as pool:
        with maintenance_lock(watched.home):
            update = pool.submit(watcher.update, watched.home)
            until(lambda: waits_for_a_lock() or update.done())
            assert not update.done()
            remove_folder(watched.file.path.parent)
        assert update.result(timeout=60) == []
    assert not watched.file.path.parent.exists()


def test_files_that_the_limits_removed_stay_counted(watched):
    watched.many(20)
    assert watched.look().requests == 20
    (watched.folder / SEGMENT).unlink()
    watched.many(5, segment="2-1-b.v1.jsonl")
    state = watched.look()
    assert state.requests == 25
    assert list(state.files) == ["2-1-b"]


def test_records_of_several_workers_are_read_by_time(watched):
    for number in range(40):
        inputs = [{"age": 45.0}]
        segment = f"{number % 2}-1-w.v1.jsonl"
        watched.record(number, "aaa", "stable", ["x"], segment=segment, inputs=inputs)
    state = watched.look()
    assert state.last.request_id == "r39"
    assert state.last.ts == (NOON + timedelta(seconds=39)).isoformat()
