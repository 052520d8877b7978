"""A reference whose rows have times: each day is compared with its rows of the same hours, and cycles are no drift."""

import math
import random
from datetime import UTC, datetime, timedelta

import pytest

from jupyter_deploy.domain.drift.drift import judged
from jupyter_deploy.domain.drift.evidence import bets, distance, gains
from jupyter_deploy.domain.drift.hours import hour_of, level_of
from jupyter_deploy.domain.drift.report import drift_of
from jupyter_deploy.domain.drift.watch import CLUSTER_BITS, Watch, WatchState, reference_of
from jupyter_deploy.domain.drift.words import assumption_in_words
from jupyter_deploy.domain.evidence.inference import Record
from jupyter_deploy.drift_detection import batch_watch
from jupyter_deploy.drift_detection.batch_watch import BatchWatch

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)


def moments(dice, days, count, since=MONDAY):
    return [since + timedelta(days=at) for at in sorted(dice.random() * days for _ in range(count))]


def row(dice, moment, shift=0.0):
    """Values that follow the hour of the day."""
    cycle = math.sin(moment.hour * math.pi / 12)
    plan = "night" if moment.hour < 6 and dice.random() < 0.8 else "day"
    return {"load": dice.gauss(2 * cycle + shift, 1), "plan": plan}


def known(days=20, count=4_000):
    dice = random.Random(1)
    times = moments(dice, days, count)
    rows = {"inputs": [row(dice, at) for at in times], "answers": [dice.choice(("yes", "no")) for _ in times[:3_000]]}
    return reference_of(rows, {"inputs": "training", "answers": "training"}, moments=times)


def record(number, dice, moment, shift=0.0):
    return Record(
        request_id=f"r{number}",
        pair_id=None,
        ts=moment,
        endpoint="churn",
        release="churn:aaa",
        role="stable",
        status=200,
        latency_ms=1.0,
        rows=1,
        inputs=[row(dice, moment, shift)],
        outputs=[dice.choice(("yes", "no"))],
    )


def records(days, count, shift=0.0):
    dice = random.Random(2)
    times = moments(dice, days, count, MONDAY + timedelta(days=30))
    return [record(number, dice, at, shift) for number, at in enumerate(times)]


def watched(reference, many):
    state = WatchState(reference=reference)
    watch = Watch(state, bytearray(CLUSTER_BITS // 8))
    for each in many:
        watch.add(each)
    return state


def test_a_level_needs_cycles_rows_in_each_hour_and_times_of_day():
    dice = random.Random(3)
    assert level_of(moments(dice, 40, 9_000)) == "hour of the week"
    assert level_of(moments(dice, 20, 9_000)) == "hour of the day", "fewer than four weeks"
    assert level_of(moments(dice, 40, 1_000)) == "hour of the day", "six rows an hour of the week"
    assert level_of(moments(dice, 40, 100)) is None
    assert level_of(moments(dice, 3, 9_000)) is None, "three days"
    assert level_of([MONDAY + timedelta(days=day % 60) for day in range(9_000)]) is None, "dates without a time"
    assert level_of([]) is None


def test_hours_are_those_of_utc():
    tuesday = datetime.fromisoformat("2026-01-06T00:30:00+01:00")
    assert (hour_of(tuesday, "hour of the week"), hour_of(tuesday, "hour of the day")) == (23, 23)
    assert hour_of(tuesday + timedelta(hours=1), "hour of the week") == 24


def test_no_distribution_within_the_tolerance_lets_a_bet_win():
    dice = random.Random(4)
    shares = [0.1] * 10
    within = []
    while len(within) < 200:
        found = [share * math.exp(dice.gauss(0, dice.choice([0.05, 0.2, 0.4]))) for share in shares]
        found = [each / sum(found) for each in found]
        if distance(found, shares) <= 0.1:
            within.append(found)
    chosen = bets(shares, ordered=10, single=[])
    outside = [bet for bet in chosen if distance(bet, shares) > 0.1]
    assert outside
    for bet in chosen:
        won = gains(bet, shares, 0.1)
        for one in within:
            assert sum(share * math.exp(gain) for share, gain in zip(one, won, strict=True)) <= 1 + 1e-9
    for bet in outside:
        won = gains(bet, shares, 0.1)
        assert sum(share * gain for share, gain in zip(bet, won, strict=True)) > 0, "it wins where it is right"


def test_a_daily_cycle_is_no_drift_and_a_shift_is_named_at_the_end_of_its_day():
    reference = known()
    quiet = watched(reference, records(10, 3_000))
    assert quiet.run.days.count == 9
    assert quiet.alarm_count == 0
    mixed = watched(reference.model_copy(update={"level": None}), records(10, 3_000))
    assert mixed.alarm_count > 0, "the cycle is drift without times"
    shifted = watched(reference, records(4, 2_000, shift=1.0))
    alarm = shifted.alarms[0]
    assert [part.name for part in alarm.features] == ["load"]
    assert alarm.at.ts < (MONDAY + timedelta(days=31)).isoformat(), "the last request of the first day"
    assert 400 < alarm.units < 600
    assert sum(alarm.features[0].counts) == pytest.approx(alarm.units)


def test_the_page_has_the_hours_and_a_requirement_waits_for_the_end_of_a_day():
    many = records(2, 400)
    reference = known()
    first = drift_of(watched(reference, many[:150]), "churn", "churn:aaa")
    assert (first.hours, first.days) == ("hour of the day", 0)
    assert judged("drift_alarms <= 0", first).outcome == "undecided"
    later = drift_of(watched(reference, many), "churn", "churn:aaa")
    assert later.days == 1
    assert judged("drift_alarms <= 0", later).outcome == "met"
    assert "hour of the day (UTC)" in assumption_in_words(later)


def test_requests_of_an_hour_that_the_reference_lacks_are_no_evidence():
    dice = random.Random(5)
    times = [at for at in moments(dice, 20, 8_000) if at.hour >= 6]
    reference = reference_of({"inputs": [row(dice, at) for at in times]}, {"inputs": "training"}, moments=times)
    at_night = [one for one in records(5, 3_000, shift=3.0) if one.ts.hour < 6]
    state = watched(reference, at_night)
    assert state.units == len(at_night)
    assert (state.alarm_count, sum(state.run.totals[0])) == (0, 0)


@pytest.mark.parametrize(("at_once", "parts"), [(1_000, 0), (7, 3), (300, 4)])
def test_batches_give_the_same_state_as_single_records(monkeypatch, at_once, parts):
    monkeypatch.setattr(batch_watch, "AT_ONCE", at_once)
    many = records(3, 1_500, shift=0.8)
    many[700], many[740] = many[740], many[700]  # records come about in order
    reference = known()
    one, table = watched(reference, many), bytearray(CLUSTER_BITS // 8)
    state = WatchState(reference=reference)
    for part in range(parts + 1):
        share = len(many) // (parts + 1) + 1
        BatchWatch(state, table).add_all(many[part * share : (part + 1) * share])
        state = WatchState.model_validate_json(state.model_dump_json())  # as the archivist stores it
    assert state.model_dump() == one.model_dump()
    assert one.alarm_count >= 1


def test_the_first_requests_of_ten_days_become_a_reference_by_hour():
    many = records(40, 4_000)
    quiet = watched(None, many)
    drift = drift_of(quiet, "churn", "churn:aaa")
    assert (drift.hours, quiet.alarm_count) == ("hour of the day", 0)
    assert drift.days >= 28
    words = "the first 1,000 recorded requests, of 10 d, with their times"
    assert drift.origin == dict.fromkeys(("inputs", "answers"), words)
    assert "hour of the day (UTC)" in assumption_in_words(drift)
    within = watched(None, records(6, 4_000))
    assert within.reference.level is None, "less than the cycle is known"
    assert within.alarm_count > 0, "so the cycle is drift"
    later = [one.model_copy(update={"inputs": [row(random.Random(n), one.ts, 2.0)]}) for n, one in enumerate(many)]
    shifted = watched(None, [*many[:2_000], *later[2_000:]])
    assert [part.name for part in shifted.alarms[0].features] == ["load"]


def test_the_first_requests_are_collected_alike_one_by_one_in_batches_and_over_a_restart():
    many = records(40, 2_000)
    one, table = watched(None, many), bytearray(CLUSTER_BITS // 8)
    state = WatchState()
    for at in range(0, len(many), 700):
        BatchWatch(state, table).add_all(many[at : at + 700])
        state = WatchState.model_validate_json(state.model_dump_json())
    assert state.model_dump() == one.model_dump()


def test_requests_that_were_collected_without_their_times_are_no_reference_by_hour():
    """By a version that kept none: some of the first requests have times, and not those of their rows."""
    many, table = records(40, 1_500), bytearray(CLUSTER_BITS // 8)
    state = WatchState()
    BatchWatch(state, table).add_all(many[:100])
    state.pending_times.clear()
    BatchWatch(state, table).add_all(many[100:])
    assert state.reference.level is None
    assert state.reference.origin["inputs"] == "the first 1,000 recorded requests, without their times"


def test_recorded_answers_of_a_day_have_no_hours_so_all_requests_are_compared_with_all_rows():
    reference = known()
    answers = reference_of({"answers": ["yes", "no"] * 100}, {"answers": "recorded"})
    joined = reference.model_copy(update={"features": (*reference.features, *answers.features)})
    assert reference.hourly == "hour of the day"
    assert joined.hourly is None
    assert watched(joined, records(1, 20)).run.days is None
