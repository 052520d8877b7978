"""The counts of a ramp's steps, from records as releases write them."""

from datetime import timedelta

import pytest
from record_world import CANARY, NOON, World, endpoint

from jupyter_deploy.comparison.record_log import RecordLog
from jupyter_deploy.domain.ramp.evidence import Events
from jupyter_deploy.domain.ramp.plan import RampPlan
from jupyter_deploy.domain.ramp.state import begin

PLAN = RampPlan(steps=(20, 50, 100))


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def serve(world, number, *, canary, share=0.5, **fields):
    version, role = ("bbb", "canary") if canary else ("aaa", "stable")
    world.record(number, version, role, **{"share": share} | fields)


def failed(world, number, *, canary, status=500, **fields):
    serve(world, number, canary=canary, status=status, outputs=None, **fields)


def counted(world, step=1, since=0, until=None, **changes):
    """The counts at a step that began ``since`` seconds after the ramp."""
    state = begin(PLAN, "tumour:bbb", NOON).model_copy(
        update={"step": step, "since": NOON + timedelta(seconds=since), **changes}
    )
    of = endpoint(**CANARY | {"canary_percent": state.percent or 20.0}).model_copy(update={"ramp": state})
    return RecordLog(world.home).ramp_steps(of, until=until)


def test_the_current_step_has_its_requests_clusters_and_outcomes(world):
    for number in range(40):
        serve(world, number, canary=number % 4 == 0, share=0.2)
    for number in range(100, 140):
        serve(world, number, canary=number % 2 == 0)
    failed(world, 150, canary=True)
    failed(world, 151, canary=False)
    first, second = counted(world, since=100)
    assert (first.percent, first.requests, first.clusters) == (20, Events(), 0)
    assert (second.percent, second.requests, second.clusters) == (50, Events(21, 21), 21)
    assert second.outcomes == {0.0: 40, 1.0: 1, -1.0: 1}
    (only,) = counted(world, step=0)
    assert (only.requests, only.clusters) == (Events(10, 30), 10)


def test_requests_after_the_end_do_not_count_whether_or_not_they_have_a_record(world):
    for number in range(0, 40, 2):
        serve(world, number, canary=number % 4 == 0)
    for number in (11, 13, 31):
        world.ledger("edge", number, "bbb", role="canary", status=503)
    (_, step) = counted(world, until=NOON + timedelta(seconds=20.5))
    assert step.requests == Events(8, 5)
    assert step.events["errors"] == {1.0: 2}


def test_a_step_that_begins_anew_counts_from_then_on_and_its_guardrails_go_on(world):
    for number in (0, 100):
        failed(world, number, canary=True)
        serve(world, number + 50, canary=True)
    (_, step) = counted(world, since=90)
    assert (step.requests, step.clusters) == (Events(2, 0), 2)
    assert step.events["errors"] == {1.0: 2}
    assert step.error_minutes == Events(2, 0)


def test_records_of_before_the_ramp_and_of_other_shares_do_not_count(world):
    failed(world, -5, canary=True)
    failed(world, 5, canary=True, share=0.3)
    assert counted(world)[-1].events["errors"] == {}
    assert counted(world, step=-1, phase="shadow") == ()


def test_an_outage_is_one_event_a_minute_and_interrupted_failures_are_several(world):
    for number in range(30):  # 30 s without a success
        failed(world, number, canary=True)
    serve(world, 30, canary=True)
    for number in range(31, 41):  # five failures, each before a success
        (failed if number % 2 else serve)(world, number, canary=True)
    for number in range(100, 110):  # an outage of both
        failed(world, number, canary=number % 2 == 0)
    assert counted(world)[-1].events["errors"] == {1.0: 6, 0.5: 1}


def test_a_user_whose_requests_fail_is_one_event(world):
    for number in range(20):
        failed(world, 2 * number, canary=True, cluster="a" * 16)
        serve(world, 2 * number + 1, canary=True)
    (_, step) = counted(world)
    assert step.events["errors"] == {1.0: 1}
    assert (step.requests, step.clusters) == (Events(21, 0), 21)


def test_refusals_and_slow_answers_are_events_too(world):
    for number in range(200):
        slow = number % 20 == 10
        serve(world, number, canary=number % 2 == 0, latency_ms=90.0 + number / 100 if slow else 1 + number / 1000)
    failed(world, 300, canary=False, status=422)
    failed(world, 301, canary=True, status=429)
    (_, step) = counted(world)
    assert step.events["slow answers"] == {1.0: 10}
    assert step.slower > 50
    assert (step.events["refusals"], step.events["errors"]) == ({0.0: 1}, {})


def test_twenty_answers_of_each_say_how_much_slower_the_candidate_is(world):
    for number in range(39):
        serve(world, number, canary=number % 2 == 0, latency_ms=3.0 if number % 2 == 0 else 2.0)
    failed(world, 100, canary=False, latency_ms=900.0)
    assert counted(world)[-1].slower == 1.0
    serve(world, 39, canary=False, latency_ms=2.0)
    assert [step.slower for step in counted(world)] == [1.0, 1.5]


def test_a_request_that_did_not_reach_its_release_is_an_error_by_the_ledger(world):
    serve(world, 0, canary=False, share=0.2)
    serve(world, 30, canary=True, share=0.2)
    serve(world, 100, canary=False)
    failed(world, 101, canary=True)  # has a record
    for number in (20, 101, 150):
        world.ledger("edge", number, "bbb", role="canary", status=503)
    world.ledger("edge", 160, "aaa", role="stable", status=503)
    world.ledger("edge", 170, "bbb", role="canary", status=200)
    world.ledger("edge", 180, "bbb", role="canary", status=503, record="full;sample=1e-9")
    world.ledger("edge", -1, "bbb", role="canary", status=503)
    first, second = counted(world, since=90)
    assert (first.events["errors"], second.events["errors"]) == ({1.0: 1}, {1.0: 1, 0.0: 1})
    assert (second.requests, second.error_minutes) == (Events(2, 2), Events(2, 1))
    assert sum(count for value, count in second.outcomes.items() if value) > 0
