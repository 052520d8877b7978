"""Pages of records, one record with all its answers, and time series."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from record_world import World

from jupyter_deploy.comparison.record_log import RecordLog
from jupyter_deploy.domain.errors import InvalidInput, InvalidName, UnknownRecord
from jupyter_deploy.domain.evidence.record_pages import RecordFilter, RecordKey
from jupyter_deploy.records import purge
from jupyter_deploy.records.compaction import compact_all
from tests.contract.records.test_record_log import NOON, ODD, line, write
from tests.examples import examples


@pytest.fixture
def log(tmp_path):
    return RecordLog(tmp_path, poll_seconds=0.01)


def page(log, before=None, limit=100, **wanted):
    return log.page("tumour", RecordFilter(**wanted), before=before, limit=limit)


def ids(found):
    return [head.request_id for head in found.heads]


def pages(log, limit, between=lambda: None, **wanted):
    """All heads, by as many pages as there are; something may happen between two of them."""
    found, heads = page(log, limit=limit, **wanted), []
    while True:
        heads += found.heads
        if found.next is None:
            return heads
        between()
        found = page(log, before=found.next, limit=limit, **wanted)


@pytest.fixture(params=["lines", "Parquet"])
def settled(request, tmp_path):
    """Keeps the written files, or compacts them: both read the same."""
    return (lambda: compact_all(tmp_path)) if request.param == "Parquet" else (lambda: None)


def test_an_endpoint_without_records_has_an_empty_page(log):
    found = page(log)
    assert (found.heads, found.total, found.next, found.unreadable) == ((), 0, None, 0)


def test_pages_go_back_from_the_newest_over_releases_and_segments(log, tmp_path, settled):
    for number in range(7):
        write(tmp_path, line(number) + "\n", version=("aaa", "bbb")[number % 2], name=f"{number % 3}-1.v1.jsonl")
    settled()
    first = page(log, limit=3)
    assert (ids(first), first.total) == (["r6", "r5", "r4"], 7)
    second = page(log, before=first.next, limit=3)
    assert (ids(second), second.total) == (["r3", "r2", "r1"], 7)
    third = page(log, before=second.next, limit=3)
    assert (ids(third), third.next) == (["r0"], None)


def test_a_page_shows_how_a_record_begins_and_no_more_of_it(log, tmp_path, settled):
    failed = {"status": 500, "outputs": None, "error": {"type": "ValueError", "message": "<b>no «é»</b>"}}
    write(tmp_path, line(1, inputs=[{"a": 1.50, "b": "<script>"}, {"a": 2}], outputs=[0.1, 0.2], rows=2) + "\n")
    write(tmp_path, line(2, inputs=["x" * 10_000_000], **failed) + "\n")
    write(tmp_path, line(3, inputs=[], outputs=[], rows=0) + "\n" + line(4, inputs={"n": 1}, outputs="odd") + "\n")
    settled()
    odd, empty, large, plain = page(log).heads
    assert (plain.input, plain.output, plain.rows) == ('{"a":1.5,"b":"<script>"}', "0.1", 2)
    assert (len(large.input), large.error, large.bare) == (399, "ValueError: <b>no «é»</b>", False)
    assert (empty.input, empty.output, empty.bare) == ("", "", False)
    assert (odd.input, odd.output) == ('{"n":1}', '"odd"')


def test_a_record_of_its_outcome_alone_says_so(log, tmp_path, settled):
    write(tmp_path, line(1, inputs=None, outputs=None) + "\n")
    settled()
    [head] = page(log).heads
    assert (head.bare, head.input, head.output, head.status) == (True, "", "", 200)


def test_records_are_chosen_by_role_status_release_time_and_text(log, tmp_path, settled):
    for number in range(6):
        version = ("aaa", "bbb")[number % 2]
        fields = {"release": f"tumour:{version}", "role": ("stable", "shadow")[number % 2]}
        fields |= {"status": (200, 200, 500)[number % 3]}
        write(tmp_path, line(number, **fields) + "\n", version=version)
    settled()
    assert ids(page(log, role="shadow")) == ["r5", "r3", "r1"]
    assert ids(page(log, status=500)) == ["r5", "r2"]
    assert ids(page(log, release="tumour:bbb", status=200)) == ["r3", "r1"]
    assert ids(page(log, since=NOON + timedelta(seconds=4))) == ["r5", "r4"]
    chosen = page(log, role="stable", limit=1)
    assert (ids(chosen), chosen.total) == (["r4"], 3)
    assert ids(page(log, role="stable", before=chosen.next, limit=9)) == ["r2", "r0"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("münchen", ["r1"]),
        ("MÜNCHEN", ["r1"]),
        ("😀", ["r2"]),
        ('say "hi"', ["r2"]),
        ('{"city":"m', ["r1"]),
        ("a\nb", ["r3"]),
        ("divided", ["r4"]),
        ("100%", ["r3"]),
        ("_", ["r5"]),
        ("'; DROP TABLE fresh; --", ["r5"]),
        ("nowhere", []),
        ("malignant", ["r5"]),
    ],
)
def test_a_text_filter_searches_inputs_outputs_and_errors_as_displayed(log, tmp_path, settled, text, found):
    write(tmp_path, line(1, inputs=[{"city": "München"}]) + "\n")
    write(tmp_path, line(2, inputs=['😀 say "hi"']) + "\n" + line(3, inputs=["a\nb", "100%"]) + "\n")
    error = {"type": "ZeroDivisionError", "message": "divided by zero"}
    write(tmp_path, line(4, status=500, inputs=None, outputs=None, error=error) + "\n")
    write(tmp_path, line(5, inputs=["'; DROP TABLE fresh; --"], outputs=["malignant_x"]) + "\n")
    settled()
    assert ids(page(log, text=text)) == found


def test_lines_that_cannot_be_read_are_counted_and_left_out(log, tmp_path, settled):
    write(tmp_path, b"\n".join([line(1).encode(), *ODD, line(2).encode()]) + b"\n")
    settled()
    found = page(log)
    assert (ids(found), found.total, found.unreadable) == (["r2", "r1"], 2, len(ODD))
    assert page(log, role="stable", text="radius").unreadable == len(ODD)


def test_a_torn_last_line_is_left_out(log, tmp_path):
    write(tmp_path, line(1) + "\n" + line(2)[:70])
    assert (ids(page(log)), page(log).unreadable) == (["r1"], 1)


NO_KEYS = ["x", "!", "é", "W10", "e30", "WzEsMiwzLDQsNV0", RecordKey("a", "b", "", "c", "d").text, "[" * 9000]


@pytest.mark.parametrize("key", NO_KEYS, ids=range(len(NO_KEYS)))
def test_an_invalid_key_is_an_error_with_a_message(log, tmp_path, key):
    write(tmp_path, line(1) + "\n")
    for asked in (lambda: page(log, before=key), lambda: log.pair("tumour", key)):
        with pytest.raises(InvalidInput) as caught:
            asked()
        assert not isinstance(caught.value, UnknownRecord)
        assert "list" in caught.value.remedy


def test_a_limit_is_positive_and_a_name_no_path(log):
    with pytest.raises(InvalidInput):
        page(log, limit=0)
    for asked in (
        lambda: log.page("../x", RecordFilter(), before=None, limit=1),
        lambda: log.pair("../x", RecordKey("2026-01-01 00:00:00", "r", "", "a", "b").text),
        lambda: log.time_series("../x", since=NOON, until=NOON, every=timedelta(seconds=1)),
    ):
        with pytest.raises(InvalidName):
            asked()


# Few moments and few ids: much is asked in the same nanosecond, under the same id, by several releases.
SOME = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 2), st.sampled_from(["aaa", "bbb"]), st.integers(0, 2)),
    min_size=1,
    max_size=40,
    unique=True,
)


def told(records):
    return {
        version: "".join(
            line(second, request_id=f"r{who}", pair_id=f"p{pair}" if pair else None, release=f"tumour:{version}") + "\n"
            for second, who, of, pair in records
            if of == version
        )
        for version in ("aaa", "bbb")
    }


def keys(records):
    return Counter((f"r{who}", f"p{pair}" if pair else "", version, second) for second, who, version, pair in records)


@settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=SOME, limit=st.integers(1, 7), more=st.integers(0, 3), compacted=st.booleans())
def test_every_record_comes_once_and_in_order_while_others_are_written(
    tmp_path_factory, records, limit, more, compacted
):
    home = tmp_path_factory.mktemp("home")
    log = RecordLog(home)
    for version, text in told(records).items():
        write(home, text, version=version)
    written = iter(range(10_000))

    def meanwhile():
        for _ in range(more):
            write(home, line(60 + (number := next(written)), request_id=f"new{number}") + "\n", name="2-1.v1.jsonl")
        if compacted:
            compact_all(home)

    heads = pages(log, limit, meanwhile)
    assert [RecordKey.parsed(head.key) for head in heads] == sorted(
        (RecordKey.parsed(h.key) for h in heads), reverse=True
    )
    seen = Counter(
        (h.request_id, h.pair_id, h.release.partition(":")[2], round((h.ts - NOON).total_seconds() - 0.123))
        for h in heads
    )
    assert seen == keys(records)


def test_pages_during_a_compaction_and_a_purge_show_each_remaining_record_once(log, tmp_path, monkeypatch):
    monkeypatch.setattr(purge, "FLUSH_SECONDS", 0)
    for number in range(12):
        write(
            tmp_path,
            "".join(line(number * 50 + i, request_id=f"{number}-{i}") + "\n" for i in range(50)),
            name=f"{number}-1.v1.jsonl",
        )
    gone = [f"{number}-7" for number in range(12)]

    def tend():
        compact_all(tmp_path)
        log.purge("tumour", before=None, request_ids=gone, dry_run=False)

    tending = threading.Thread(target=tend)
    tending.start()
    stays = Counter(f"{number}-{i}" for number in range(12) for i in range(50) if i != 7)
    while tending.is_alive():
        seen = Counter(head.request_id for head in pages(log, 97))
        assert {name: count for name, count in seen.items() if name not in gone} == stays
    tending.join()
    assert Counter(head.request_id for head in pages(log, 97)) == stays


# ---- one record


def test_a_record_comes_with_all_answers_to_its_request_stable_first(tmp_path, log, settled):
    world = World(tmp_path)
    world.pair(1, ["a"], ["b"], late=0.5)
    world.record(1, "ccc", "shadow", None, status=500, late=-1, error={"type": "ValueError", "message": "no"})
    world.pair(2)
    settled()
    heads = {(head.request_id, head.release): head.key for head in page(log).heads}
    for release in ("tumour:aaa", "tumour:bbb", "tumour:ccc"):
        found = log.pair("tumour", heads["r1", release])
        assert found.record.release == release
        assert [(one.release, one.outputs) for one in found.answers] == [
            ("tumour:aaa", ["a"]), ("tumour:ccc", None), ("tumour:bbb", ["b"]),
        ]  # fmt: skip


def test_a_record_of_a_direct_request_has_no_pair(log, tmp_path, settled):
    write(tmp_path, line(1, pair_id=None, role="direct") + "\n" + line(2, pair_id=None, role="direct") + "\n")
    settled()
    found = log.pair("tumour", page(log).heads[0].key)
    assert [one.request_id for one in found.answers] == ["r2"]


def test_a_record_keeps_its_key_when_it_is_compacted(log, tmp_path):
    write(tmp_path, line(1, ts="2026-11-25T12:00:01.120000000Z") + "\n" + line(2, pair_id=None) + "\n")
    before = [head.key for head in page(log).heads]
    compact_all(tmp_path)
    assert [head.key for head in page(log).heads] == before
    assert [log.pair("tumour", key).record.request_id for key in before] == ["r2", "r1"]


def test_a_key_of_a_moment_that_no_record_can_have_is_unknown(log, tmp_path):
    write(tmp_path, line(1) + "\n")
    for ts in ("9999-12-31 00:00:00", "2026-13-45 99:00:00"):
        key = RecordKey(ts, "r", "", "a", "b").text
        page(log, before=key)
        with pytest.raises(UnknownRecord):
            log.pair("tumour", key)


def test_a_record_that_was_purged_is_unknown(log, tmp_path, monkeypatch):
    monkeypatch.setattr(purge, "FLUSH_SECONDS", 0)
    write(tmp_path, line(1) + "\n" + line(2) + "\n")
    key = page(log).heads[0].key
    log.purge("tumour", before=None, request_ids=["r2"], dry_run=False)
    with pytest.raises(UnknownRecord) as caught:
        log.pair("tumour", key)
    assert "2026-11-25 12:00:02" in caught.value.message


# ---- over time


def test_answers_are_counted_in_spans_by_release_and_role(log, tmp_path, settled):
    for number in range(20):
        role = "stable" if number < 10 else "canary"
        write(tmp_path, line(number, role=role, status=500 if number == 3 else 200, latency_ms=float(number)) + "\n")
    write(tmp_path, line(2, role="probe") + "\n" + line(25) + "\n" + "torn")
    settled()
    found = log.time_series(
        "tumour", since=NOON, until=NOON + timedelta(seconds=20), every=timedelta(seconds=5)
    ).buckets
    assert [(span.start, span.role, span.requests, span.errors) for span in found] == [
        (NOON, "stable", 5, 1),
        (NOON + timedelta(seconds=5), "stable", 5, 0),
        (NOON + timedelta(seconds=10), "canary", 5, 0),
        (NOON + timedelta(seconds=15), "canary", 5, 0),
    ]
    assert (found[0].p50_ms, found[1].p50_ms, found[3].p99_ms) == (1.5, 7.0, pytest.approx(18.96))


def test_a_span_in_which_everything_failed_has_no_latency(log, tmp_path):
    write(tmp_path, line(1, status=500) + "\n")
    [span] = log.time_series(
        "tumour", since=NOON, until=NOON + timedelta(seconds=9), every=timedelta(seconds=9)
    ).buckets
    assert (span.requests, span.errors, span.p50_ms, span.p99_ms) == (1, 1, None, None)


def test_logs_are_those_of_a_request_where_one_is_named(log, tmp_path):
    for number in range(4):
        write(tmp_path, line(number) + "\n")
    found = log.records("tumour", RecordFilter(request_ids=["r1", "r3", "r9"]))
    assert [one.request_id for one in found] == ["r1", "r3"]
    following = log.follow("tumour", RecordFilter(request_ids=["r7"]))
    write(tmp_path, line(6) + "\n" + line(7) + "\n")
    assert next(following).request_id == "r7"
