"""A release's counts by period: exact totals, quantiles within 2 %, and no more periods than a look needs."""

import math
import random
from datetime import UTC, datetime, timedelta

import pytest

from jupyter_deploy.domain.drift.watch import CLUSTER_BITS, Watch, WatchState, reference_of
from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.evidence.inference import Record
from jupyter_deploy.domain.monitoring.monitor import MOST_SPANS, releases_between, spans_of
from jupyter_deploy.domain.monitoring.rollup import (
    DAY,
    HOUR,
    MINUTE,
    Rollup,
    buckets_of,
    clients_of,
    first_of,
    values_in,
)
from jupyter_deploy.domain.release.endpoint import Endpoint, Revision
from jupyter_deploy.drift_detection.batch_watch import BatchWatch
from tests.releases import release

NOW = datetime(2026, 12, 1, 12, 30, 30, tzinfo=UTC)


def record(ago, status=200, latency_ms=10.0, role="stable", number=0, **fields):
    return Record(
        request_id=f"r{number}",
        pair_id=None,
        ts=NOW - ago,
        endpoint="churn",
        release="churn:aaa",
        role=role,
        status=status,
        latency_ms=latency_ms,
        rows=1,
        **fields,
    )


def filled(*records, now=NOW):
    rollup = Rollup(now)
    rollup.add_all(records)
    return rollup


def lengths(rollup):
    return sorted(period[1] for period, _ in rollup.requests)


def test_the_age_of_a_record_chooses_the_length_of_its_period():
    ages = [timedelta(minutes=1), timedelta(hours=25), timedelta(days=3), timedelta(days=40)]
    assert lengths(filled(*map(record, ages))) == [MINUTE, MINUTE, HOUR, DAY]


def test_a_record_of_the_future_counts_in_a_minute():
    assert lengths(filled(record(-timedelta(days=3)))) == [MINUTE]


def test_old_periods_are_folded_and_no_request_is_lost_or_doubled():
    dice = random.Random(1)
    records = [record(timedelta(seconds=60 * at), dice.choice([200, 422, 500]), dice.random()) for at in range(3_000)]
    rollup = filled(*records)
    for days in (1, 2, 10, 60):
        rollup = Rollup.of_text(rollup.text(), NOW + timedelta(days=days))
        rollup.fold()
        counts = list(rollup.requests.values())
        assert sum(one.requests for one in counts) == 3_000
        assert sum(one.errors for one in counts) == sum(one.status == 500 for one in records)
        assert sum(one.refused for one in counts) == sum(one.status == 422 for one in records)
        assert sum(sum(one.latencies.values()) for one in counts) == sum(one.status == 200 for one in records)
    assert set(lengths(rollup)) == {DAY}
    assert len(rollup.requests) == 3


def test_the_text_gives_the_same_counts():
    rollup = filled(record(timedelta(0)), record(timedelta(days=5), 500, role="shadow"))
    rollup.values_of((0, DAY), 3)[:] = [1.0, 0.25, 1 / 3]
    again = Rollup.of_text(rollup.text(), NOW)
    assert (again.requests, again.values) == (rollup.requests, rollup.values)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"requests":[[1]],"values":[]}', '{"requests":[],"values":[[1,2]]}'])
def test_another_text_is_an_error(text):
    with pytest.raises(ValueError, match=r".*"):
        Rollup.of_text(text, NOW)


@pytest.mark.parametrize("spread", [0.1, 1.0, 3.0])
def test_quantiles_are_within_two_percent(spread):
    dice = random.Random(2)
    latencies = [math.exp(dice.gauss(2, spread)) for _ in range(5_000)]
    rollup = filled(*(record(timedelta(0), latency_ms=one) for one in latencies))
    (bucket,) = buckets_of(rollup, "churn:aaa", NOW - timedelta(hours=1), NOW + timedelta(hours=1), timedelta(hours=2))
    for found, share in ((bucket.p50_ms, 0.5), (bucket.p95_ms, 0.95), (bucket.p99_ms, 0.99)):
        assert found == pytest.approx(sorted(latencies)[math.ceil(share * 5_000) - 1], rel=0.021)


def test_spans_have_roles_and_sampled_records_their_weight():
    half = timedelta(minutes=30)
    rollup = filled(
        record(timedelta(minutes=5), sample=0.1),
        record(timedelta(minutes=5), 503, role="shadow"),
        record(timedelta(minutes=50)),
    )
    since = NOW.replace(minute=0, second=0) - half
    found = buckets_of(rollup, "churn:aaa", since, NOW, half)
    assert [(one.start, one.role, one.requests, one.errors) for one in found] == [
        (since, "stable", 1, 0),
        (since + half, "shadow", 1, 1),
        (since + half, "stable", 10, 0),
    ]
    assert found[1].p50_ms is None
    assert first_of(rollup) == NOW.replace(minute=40, second=0) - timedelta(hours=1)


@pytest.mark.parametrize(
    ("ago", "seconds"),
    [
        (timedelta(hours=1), 60),
        (timedelta(hours=24), 900),
        (timedelta(days=7), 2 * HOUR),
        (timedelta(days=30), 6 * HOUR),
        (timedelta(days=36), DAY),
        (timedelta(days=365), 7 * DAY),
        (timedelta(days=20_000), 364 * DAY),
    ],
)
def test_a_range_has_whole_spans_that_are_not_finer_than_what_is_kept(ago, seconds):
    since, every = spans_of(NOW - ago, NOW, NOW)
    assert every.total_seconds() == seconds
    assert NOW - ago - every < since <= NOW - ago
    assert (NOW - since) / every <= MOST_SPANS + 1


def test_a_short_range_of_long_ago_has_the_spans_of_its_age():
    assert spans_of(NOW - timedelta(days=100), NOW - timedelta(days=99), NOW)[1] == timedelta(days=1)


def test_spans_may_be_longer_so_that_two_ranges_have_the_same():
    assert spans_of(NOW - timedelta(hours=24), NOW, NOW, timedelta(hours=1))[1] == timedelta(hours=1)


def test_requests_of_clients_are_those_of_all_releases_without_copies():
    first = filled(record(timedelta(minutes=5)), record(timedelta(minutes=5), role="shadow"))
    second = filled(record(timedelta(minutes=5), 500, role="canary"), record(timedelta(minutes=40), latency_ms=30.0))
    since = NOW - timedelta(hours=1)
    spans, total = clients_of([first, second], since, NOW, timedelta(minutes=30))
    assert [(one.requests, one.errors) for one in spans] == [(1, 0), (2, 1)]
    assert (total.requests, total.errors) == (3, 1)
    assert total.quantiles()[1] == pytest.approx(30.0, rel=0.021)


def test_an_empty_range_is_refused():
    with pytest.raises(InvalidInput, match="ends before it begins"):
        spans_of(NOW, NOW - timedelta(hours=1), NOW)


def reference():
    dice = random.Random(3)
    rows = [{"age": dice.gauss(45, 10), "plan": dice.choice("abc")} for _ in range(500)]
    return reference_of({"inputs": rows}, {"inputs": "training"})


def with_rows(count):
    dice = random.Random(4)
    return [
        record(
            timedelta(hours=dice.random() * 400),
            number=number,
            inputs=[{"age": dice.gauss(45, 10), "plan": dice.choice("abcd")} for _ in range(dice.choice([1, 3]))],
            outputs=None,
        )
        for number in range(count)
    ]


def test_values_are_counted_in_their_periods_in_batches_as_one_by_one():
    records, known = with_rows(700), reference()
    one, many = Rollup(NOW), Rollup(NOW)
    watch = Watch(WatchState(reference=known), bytearray(CLUSTER_BITS // 8), rollup=one)
    for each in records:
        watch.add(each)
    BatchWatch(WatchState(reference=known), bytearray(CLUSTER_BITS // 8), rollup=many).add_all(records)
    assert many.values == one.values
    assert many.requests == one.requests
    assert {period[1] for period in one.values} == {HOUR, DAY}
    counts, since, until = values_in(one, NOW - timedelta(days=30), NOW)
    assert sum(counts) == pytest.approx(2 * 700)  # two features
    assert since <= NOW - timedelta(hours=390)
    assert until > NOW - timedelta(hours=1)
    assert values_in(one, NOW - timedelta(days=90), NOW - timedelta(days=80)) is None


def test_a_reference_that_is_collected_later_begins_the_values_anew():
    rollup = Rollup(NOW)
    records = [one.model_copy(update={"inputs": one.inputs[:1]}) for one in with_rows(1_300)]
    BatchWatch(WatchState(), bytearray(CLUSTER_BITS // 8), rollup=rollup).add_all(records)
    assert sum(map(sum, rollup.values.values())) == pytest.approx(2 * 300)


def test_the_releases_of_a_range_are_those_with_traffic_in_it():
    first = Endpoint.first(release("aaa"))
    second = first.with_release(release("bbb"))
    third = second.promoted()
    revisions = [
        Revision(
            endpoint="tumour", revision=number, at=NOW - timedelta(days=ago), by="", reason="", change="", state=state
        )
        for number, ago, state in ((3, 1, third), (2, 5, second), (1, 9, first))
    ]
    both = {"tumour:aaa", "tumour:bbb"}

    def between(since, until=0):
        return releases_between(revisions, NOW - timedelta(days=since), NOW - timedelta(days=until))

    assert releases_between(revisions, None, NOW) == both
    assert between(3) == both
    assert between(8, 6) == {"tumour:aaa"}
    assert between(0.5) == {"tumour:bbb"}
    assert between(30, 20) == {"tumour:aaa"}
    assert releases_between([], None, NOW) == set()
