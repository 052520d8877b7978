"""Records on disk: read, filtered and followed, also with torn and odd lines."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jupyter_deploy.comparison.record_log import RecordLog
from jupyter_deploy.domain.errors import InvalidInput, InvalidName, StoreError
from jupyter_deploy.domain.evidence.inference import RecordError
from jupyter_deploy.domain.evidence.record_pages import RecordFilter
from jupyter_deploy.records.follow import RecordFollower

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


def line(number=0, **fields):
    moment = (NOON + timedelta(seconds=number)).strftime("%Y-%m-%dT%H:%M:%S")
    return json.dumps(
        {
            "request_id": f"r{number}",
            "pair_id": f"p{number}",
            "ts": f"{moment}.123456789Z",
            "endpoint": "tumour",
            "release": "tumour:aaa",
            "role": "stable",
            "status": 200,
            "latency_ms": 1.25,
            "rows": 1,
            "inputs": [{"radius": number}],
            "outputs": ["benign"],
            "error": None,
            **fields,
        }
    )


def write(home, text, version="aaa", name="1-1.v1.jsonl", mode="a"):
    path = home / "records" / "tumour" / version / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open(mode + "b") as file:
        file.write(text if isinstance(text, bytes) else text.encode())
    return path


def ids(records):
    return [record.request_id for record in records]


@pytest.fixture
def log(tmp_path):
    return RecordLog(tmp_path, poll_seconds=0.01)


def test_an_endpoint_without_records_has_none(log):
    assert log.records("tumour") == []
    assert log.records("tumour", limit=3) == []


def test_an_empty_segment_has_no_records(log, tmp_path):
    write(tmp_path, "")
    assert log.records("tumour") == []


def test_a_record_comes_back_as_it_was_written(log, tmp_path):
    failed = {"status": 500, "outputs": None, "error": {"type": "ValueError", "message": "no «é»"}, "pair_id": None}
    write(tmp_path, line(1, **failed, inputs={"any": ["JSON", None, 1.5, True]}, rows=None) + "\n")
    [record] = log.records("tumour")
    assert record.ts == NOON + timedelta(seconds=1, microseconds=123456)
    assert record.error == RecordError(type="ValueError", message="no «é»")
    assert record.inputs == {"any": ["JSON", None, 1.5, True]}
    assert (record.outputs, record.pair_id, record.rows, record.latency_ms) == (None, None, None, 1.25)


def test_records_of_all_releases_and_segments_come_by_time(log, tmp_path):
    write(tmp_path, line(3) + "\n" + line(1) + "\n")
    write(tmp_path, line(2) + "\n", name="2-7.v1.jsonl")
    write(tmp_path, line(0) + "\n", version="bbb")
    assert ids(log.records("tumour")) == ["r0", "r1", "r2", "r3"]


def test_nanoseconds_decide_the_order(log, tmp_path):
    for number, ns in ((1, "123456790"), (2, "123456789")):
        write(tmp_path, line(number, ts=f"2026-11-25T12:00:00.{ns}Z") + "\n")
    assert ids(log.records("tumour")) == ["r2", "r1"]


def test_records_are_filtered_and_the_last_of_them_kept(log, tmp_path):
    for number in range(6):
        write(tmp_path, line(number, role=("stable", "shadow")[number % 2], status=(200, 200, 500)[number % 3]) + "\n")
    assert ids(log.records("tumour", RecordFilter(role="shadow"))) == ["r1", "r3", "r5"]
    assert ids(log.records("tumour", RecordFilter(status=500))) == ["r2", "r5"]
    assert ids(log.records("tumour", RecordFilter(role="shadow", status=200))) == ["r1", "r3"]
    assert ids(log.records("tumour", RecordFilter(since=NOON + timedelta(seconds=4)))) == ["r4", "r5"]
    assert ids(log.records("tumour", limit=2)) == ["r4", "r5"]
    assert ids(log.records("tumour", RecordFilter(role="stable"), limit=2)) == ["r2", "r4"]
    assert log.records("tumour", limit=0) == []


def test_since_knows_time_zones(log, tmp_path):
    write(tmp_path, line(0) + "\n" + line(7200) + "\n")
    east = datetime.fromisoformat("2026-11-25T15:00:00+02:00")
    assert ids(log.records("tumour", RecordFilter(since=east))) == ["r7200"]


ODD = [
    b'{"request_id":"torn","pair',
    b"garbage",
    b"\x00\x00\x00\x00",
    b"\xff\xfe{}",
    b'{"request_id":"\xff"}',
    b"[1,2,3]",
    b'"text"',
    b"42",
    b"null",
    b"{}",
    line(8)[:50].encode() + line(9).encode(),
    line(8, status="abc").encode(),
    line(8, ts="yesterday").encode(),
    line(8, latency_ms=None).encode(),
    b"[" * 5000,
]


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_an_odd_line_is_skipped_and_stays_on_disk(log, tmp_path, odd):
    path = write(tmp_path, line(1).encode() + b"\n" + odd + b"\n" + line(2).encode() + b"\n")
    before = path.read_bytes()
    assert ids(log.records("tumour")) == ["r1", "r2"]
    assert path.read_bytes() == before


def test_a_torn_last_line_is_skipped_and_a_complete_one_without_a_line_break_is_read(log, tmp_path):
    write(tmp_path, line(1) + "\n" + line(2)[:70])
    write(tmp_path, line(3), name="2-1.v1.jsonl")
    assert ids(log.records("tumour")) == ["r1", "r3"]


def test_a_record_of_tens_of_megabytes_is_read(log, tmp_path):
    write(tmp_path, line(1) + "\n" + line(2, inputs=[0.123456789] * 3_000_000) + "\n" + line(3) + "\n")
    assert ids(log.records("tumour")) == ["r1", "r2", "r3"]


def test_other_files_than_segments_are_not_read(log, tmp_path):
    write(tmp_path, line(1) + "\n", name="1-1.jsonl.tmp")
    (tmp_path / "records" / "tumour" / "note.txt").write_text("x")
    assert log.records("tumour") == []


def test_a_home_with_the_name_of_a_pattern_is_read_literally(tmp_path):
    home, other = tmp_path / "a*'[b]?", tmp_path / "aX'b?"
    write(home, line(1) + "\n")
    write(other, line(2) + "\n")
    assert ids(RecordLog(home).records("tumour")) == ["r1"]


@pytest.mark.parametrize("name", ["../tumour", "", "Tumour", "a/b", "tumour/../x"])
def test_a_name_that_is_none_never_becomes_a_path(log, name):
    with pytest.raises(InvalidName):
        log.records(name)
    with pytest.raises(InvalidName):
        log.follow(name)


def test_a_negative_limit_is_an_error(log):
    with pytest.raises(InvalidInput):
        log.records("tumour", limit=-1)


def test_a_segment_that_cannot_be_read_is_an_error_that_names_it(log, tmp_path):
    (tmp_path / "records" / "tumour" / "aaa" / "1-1.v1.jsonl").mkdir(parents=True)
    with pytest.raises(StoreError) as caught:
        log.records("tumour")
    assert "1-1.v1.jsonl" in str(caught.value)


# ---- follow


def test_follow_starts_where_it_was_called_not_where_it_is_first_read(log, tmp_path):
    write(tmp_path, line(1) + "\n")
    following = log.follow("tumour")
    write(tmp_path, line(2) + "\n")
    assert next(following).request_id == "r2"


def test_follow_waits_for_an_endpoint_that_has_no_records_yet(log, tmp_path):
    following = log.follow("tumour")
    write(tmp_path, line(1) + "\n")
    assert next(following).request_id == "r1"


def test_follow_finds_new_segments_and_new_releases(log, tmp_path):
    write(tmp_path, line(1) + "\n")
    following = log.follow("tumour")
    write(tmp_path, line(2) + "\n", name="2-2.v1.jsonl")
    assert next(following).request_id == "r2"
    write(tmp_path, line(3, release="tumour:bbb") + "\n", version="bbb")
    assert next(following).request_id == "r3"
    write(tmp_path, line(4) + "\n", name="2-2.v1.jsonl")
    assert next(following).request_id == "r4"


def test_follow_leaves_a_torn_line_until_its_rest_comes(log, tmp_path):
    text = line(1) + "\n"
    following = RecordFollower(tmp_path, "tumour")
    write(tmp_path, text[:60])
    assert following.new() == []
    write(tmp_path, text[60:-1])
    assert following.new() == []
    write(tmp_path, text[-1:])
    assert ids(following.new()) == ["r1"]
    assert following.new() == []


def test_follow_completes_a_line_that_was_torn_when_it_began(tmp_path):
    text = line(2) + "\n"
    write(tmp_path, line(1) + "\n" + text[:60])
    following = RecordFollower(tmp_path, "tumour")
    write(tmp_path, text[60:])
    assert ids(following.new()) == ["r2"]


def test_follow_finds_its_place_behind_a_torn_line_longer_than_a_block(tmp_path):
    text = line(2, inputs="x" * 200_000) + "\n"
    write(tmp_path, line(1) + "\n" + text[:-10])
    following = RecordFollower(tmp_path, "tumour")
    write(tmp_path, text[-10:])
    assert ids(following.new()) == ["r2"]


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_follow_passes_over_an_odd_line(tmp_path, odd):
    following = RecordFollower(tmp_path, "tumour")
    write(tmp_path, odd + b"\n" + line(1).encode() + b"\n")
    assert ids(following.new()) == ["r1"]


def test_follow_filters_by_role_and_status(log, tmp_path):
    following = log.follow("tumour", RecordFilter(role="shadow", status=500))
    for number, (role, status) in enumerate([("stable", 500), ("shadow", 200), ("shadow", 500)]):
        write(tmp_path, line(number, role=role, status=status) + "\n")
    assert next(following).request_id == "r2"


def test_follow_orders_new_records_by_time(tmp_path):
    following = RecordFollower(tmp_path, "tumour")
    write(tmp_path, line(2) + "\n")
    write(tmp_path, line(1) + "\n", version="bbb")
    assert ids(following.new()) == ["r1", "r2"]


def test_follow_outlives_the_removal_and_the_return_of_a_segment(tmp_path):
    path = write(tmp_path, line(1) + "\n")
    following = RecordFollower(tmp_path, "tumour")
    path.unlink()
    assert following.new() == []
    write(tmp_path, line(2) + "\n")
    assert ids(following.new()) == ["r2"]


def test_an_idle_look_opens_no_segment(tmp_path, monkeypatch):
    for number in range(100):
        write(tmp_path, (line(number) + "\n") * 50, name=f"{number}-1.v1.jsonl")
    following = RecordFollower(tmp_path, "tumour")

    def opened(path, *_args, **_options):
        raise AssertionError(f"{path} was opened")

    monkeypatch.setattr(Path, "open", opened)
    assert following.new() == []
    monkeypatch.undo()
    write(tmp_path, line(0) + "\n", name="new-1.v1.jsonl")
    monkeypatch.setattr(Path, "open", opened)
    with pytest.raises(AssertionError, match=r"new-1\.v1\.jsonl"):
        following.new()
