"""Compaction to Parquet: readers see the same records, wherever it is killed."""

from __future__ import annotations

import os
import random
import threading
from collections import Counter

import pytest
from killing import Workshop
from record_world import World, endpoint

from jupyter_deploy.comparison.record_log import RecordLog
from jupyter_deploy.domain.errors import StoreError
from jupyter_deploy.domain.evidence.record_pages import RecordFilter
from jupyter_deploy.records import segments
from jupyter_deploy.records.compaction import compact_all
from jupyter_deploy.records.follow import RecordFollower
from jupyter_deploy.serving.telemetry.records import VERSION, Entry, Recorder
from tests.contract.records.test_record_log import NOON, ODD, ids, line, write


@pytest.fixture
def log(tmp_path):
    return RecordLog(tmp_path, poll_seconds=0.01)


def names(home, version="aaa"):
    return sorted(path.name for path in (home / "records" / "tumour" / version).iterdir())


def test_the_writer_and_the_readers_speak_of_the_same_version():
    assert VERSION == segments.VERSION


def test_a_compacted_segment_reads_as_before(log, tmp_path):
    odd_values = [2**70, 1e-7, 1.0, 0.1, -0.0, "é\u0000", None, True, {"a": [1, {"b": ""}]}]
    failed = {"status": 500, "outputs": None, "error": {"type": "ValueError", "message": "no «é»"}, "pair_id": None}
    write(tmp_path, line(2, inputs=odd_values) + "\n" + line(1, rows=None, **failed) + "\n" + line(3) + "\n")
    before = log.records("tumour")
    assert compact_all(tmp_path) == []
    (compacted,) = names(tmp_path)
    assert compacted.endswith(".v1.parquet")
    assert log.records("tumour") == before
    assert before[1].inputs == odd_values
    assert ids(log.records("tumour", RecordFilter(since=NOON.replace(second=2), status=200))) == ["r2", "r3"]


def test_a_comparison_of_compacted_records_says_the_same_as_before(tmp_path):
    world = World(tmp_path)
    for number in range(60):
        world.pair(number, ["a", "b"], ["a", "X"] if number % 9 == 0 else None, segment=f"{number // 20}-1.v1.jsonl")
        world.ledger("shadow", number)
        world.ledger("edge", number, "aaa")
    world.pair(7, ["b", "b"], late=0.5)  # a retry: the last answer counts
    world.record(70, "aaa", "stable")
    world.record(70, "bbb", "shadow", None, status=500, error={"type": "ValueError", "message": "no"})
    world.raw("bbb", '{"torn')
    for number in range(80, 85):
        world.ledger("shadow", number, flags="UT", status=504)
    before = world.compare()
    for name in ("edge", "shadow"):
        (tmp_path / "ledger" / f"{name}.jsonl").rename(tmp_path / "ledger" / f"{name}-1-1.v1.jsonl")
    assert compact_all(tmp_path) == []
    assert not list(tmp_path.rglob("*.jsonl"))
    after = world.compare()
    assert after.model_copy(update={"flips": []}) == before.model_copy(update={"flips": []})
    assert after.flips == before.flips
    assert (after.skipped_lines, after.shadow_failures, after.pairs) == (1, {"timed out": 5}, 61)


def test_lines_that_cannot_be_read_are_kept_aside_and_counted(log, tmp_path):
    good = [line(number).encode() for number in range(len(ODD))]
    write(tmp_path, b"\n \n".join(part for pair in zip(good, ODD, strict=True) for part in pair), name="1-1.v1.jsonl")
    before = ids(log.records("tumour"))
    assert compact_all(tmp_path) == []
    assert names(tmp_path) == ["1-1.v1.parquet", "1-1.v1.rejected"]
    folder = tmp_path / "records" / "tumour" / "aaa"
    assert (folder / "1-1.v1.rejected").read_bytes() == b"".join(odd + b"\n" for odd in ODD)
    assert ids(log.records("tumour")) == before
    assert segments.rejected_lines(folder) == len(ODD)
    assert World(tmp_path).compare(endpoint()).skipped_lines == len(ODD)


def test_a_segment_that_is_still_written_is_left_alone(log, tmp_path):
    recorder = Recorder(tmp_path / "records" / "tumour" / "aaa", "tumour", "tumour:aaa")
    recorder.write_all([Entry("first", None, 1, "direct", 200, 1)])
    compact_all(tmp_path)
    assert names(tmp_path) == [recorder.path.name]
    recorder.write_all([Entry("second", None, 1, "direct", 200, 1)])
    recorder.close()
    compact_all(tmp_path)
    assert names(tmp_path) == [recorder.path.with_suffix(".parquet").name]
    assert ids(log.records("tumour")) == ["first", "second"]


def test_where_segment_and_parquet_stand_side_by_side_each_record_is_read_once(log, tmp_path):
    path = write(tmp_path, line(1) + "\n" + line(2) + "\ntorn", name="1-1.v1.jsonl")
    content = path.read_bytes()
    compact_all(tmp_path)
    path.write_bytes(content)  # as after a kill between the last two steps
    assert ids(log.records("tumour")) == ["r1", "r2"]
    assert World(tmp_path).compare(endpoint()).skipped_lines == 1
    compact_all(tmp_path)
    assert names(tmp_path) == ["1-1.v1.parquet", "1-1.v1.rejected"]


def test_an_empty_segment_goes(tmp_path):
    write(tmp_path, "", name="1-1.v1.jsonl")
    compact_all(tmp_path)
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", ["1-1.v2.jsonl", "1-1.v2.parquet"])
def test_files_of_a_newer_version_are_refused_and_unchanged(log, tmp_path, name):
    write(tmp_path, line(1) + "\n")
    write(tmp_path, "new", name=name)
    with pytest.raises(StoreError) as caught:
        log.records("tumour")
    assert name in caught.value.message
    assert "upgrade" in caught.value.remedy
    with pytest.raises(StoreError):
        World(tmp_path).compare(endpoint())
    compact_all(tmp_path)
    assert name in names(tmp_path)


def test_a_compaction_that_cannot_write_says_so_and_leaves_the_segment(log, tmp_path):
    write(tmp_path, line(1) + "\n", name="1-1.v1.jsonl")
    workshop = Workshop()
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))"  # what a full disk does to a file
    code = f"{limit}; os._exit(len(compaction.compact_all(Path({str(tmp_path)!r}))))"
    assert os.waitstatus_to_exitcode(workshop.run(code)) == 1
    workshop.close()
    assert names(tmp_path) == ["1-1.v1.jsonl"]
    assert ids(log.records("tumour")) == ["r1"]


def test_a_compaction_killed_before_any_of_its_steps_loses_and_doubles_nothing(tmp_path):
    workshop = Workshop()

    def work(step):
        home = tmp_path / str(step)
        write(home, line(1) + "\n" + line(2) + '\n{"torn', name="1-1.v1.jsonl")
        write(home, line(3) + "\n", name="2-1.v1.jsonl")
        return f"compaction.compact_all(Path({str(home)!r}))"

    steps = 0
    for steps in workshop.at_each_step(work):
        home = tmp_path / str(steps)
        assert ids(RecordLog(home).records("tumour")) == ["r1", "r2", "r3"], steps
        if steps % 2:
            assert World(home).compare(endpoint()).skipped_lines == 1, steps
        assert compact_all(home) == []
        assert ids(RecordLog(home).records("tumour")) == ["r1", "r2", "r3"], steps
        assert segments.rejected_lines(home / "records" / "tumour" / "aaa") == 1
        assert not [*home.rglob("*.jsonl"), *home.rglob(".part-*")]
    workshop.close()
    assert workshop.kills == steps - 1 > 10


def test_compactions_killed_at_random_moments_lose_and_double_nothing(log, tmp_path):
    chance = random.Random(20261125)
    workshop = Workshop()
    written = Counter()
    compact = f"compaction.compact_all(Path({str(tmp_path)!r}))"
    usual = 0.0
    turn = 0
    while turn < 12 or workshop.kills < 3:  # on a busy machine the first one takes longer than the others
        for name in range(4):
            numbers = [f"{turn}-{name}-{number}" for number in range(10)]
            text = "".join(line(number, request_id=one) + "\n" for number, one in enumerate(numbers))
            write(tmp_path, text, name=f"{turn}-{name}.v1.jsonl", version=("aaa", "bbb")[name % 2])
            written.update(numbers)
        if turn == 0:
            usual = workshop.seconds(compact)
        else:
            workshop.run(compact, kill_after=chance.uniform(0.02, 1) * usual)
        turn += 1
        assert turn < 100
    workshop.close()
    assert Counter(ids(log.records("tumour"))) == written
    assert compact_all(tmp_path) == []
    assert Counter(ids(log.records("tumour"))) == written


def test_readers_during_a_compaction_see_each_record_once(log, tmp_path):
    everything = Counter()
    for number in range(12):
        write(
            tmp_path,
            "".join(line(number, request_id=f"{number}-{i}") + "\n" for i in range(50)),
            name=f"{number}-1.v1.jsonl",
        )
        everything.update(f"{number}-{i}" for i in range(50))
    tending = threading.Thread(target=compact_all, args=[tmp_path])
    tending.start()
    seen = []
    while tending.is_alive() or not seen:
        seen.append(Counter(ids(log.records("tumour"))))
    tending.join()
    assert all(found == everything for found in seen)


def test_follow_continues_across_a_compaction(tmp_path):
    write(tmp_path, line(1) + "\n", name="1-1.v1.jsonl")
    following = RecordFollower(tmp_path, "tumour")
    write(tmp_path, line(2) + "\n", name="1-1.v1.jsonl")
    compact_all(tmp_path)
    assert ids(following.new()) == ["r2"]
    write(tmp_path, line(3) + "\n", name="2-1.v1.jsonl")
    compact_all(tmp_path)  # begun, closed and compacted between two looks
    write(tmp_path, line(4) + "\n", name="3-1.v1.jsonl")
    assert ids(following.new()) == ["r3", "r4"]
    compact_all(tmp_path)
    assert following.new() == []


def test_a_clock_that_jumps_back_disorders_moments_but_loses_and_doubles_nothing(log, tmp_path):
    folder = tmp_path / "records" / "tumour" / "aaa"
    recorder = Recorder(folder, "tumour", "tumour:aaa", segment_bytes=700)
    jumps = [100, 101, 40, 41, 200, 102]
    for number, second in enumerate(jumps):
        recorder.write_all([Entry(str(number), f"p{number}", second * 10**9, "stable", 200, 1)])
    recorder.close()
    compact_all(tmp_path)
    assert len(names(tmp_path)) > 1
    assert ids(log.records("tumour")) == ["2", "3", "0", "1", "5", "4"]
