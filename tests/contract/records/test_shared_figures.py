"""A canary against stable: the figures by inverse propensity, next to a plain computation of the same."""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict

import pytest
from record_world import CANARY, SHARED, World, endpoint

from jupyter_deploy.comparison.shared_figures import CENTRES
from jupyter_deploy.domain.evidence.propensity import StepwiseDifference, centred_step, error_step
from jupyter_deploy.domain.evidence.sequential import median_ranks


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def compare(world):
    return world.compare(endpoint(**CANARY))


def serve(world, number, *, canary, share=0.2, **fields):
    version, role = ("bbb", "canary") if canary else ("aaa", "stable")
    world.record(number, version, role, **{"share": share} | fields)


def failed(yes=True):
    return {"status": 500, "outputs": None} if yes else {}


def test_a_canary_is_compared_unpaired_with_stable_of_the_same_time(world):
    for number in range(400):
        canary = number % 4 == 0
        serve(world, number, canary=canary, outputs=["yes" if number % 8 < 4 else "no"], latency_ms=3 if canary else 1)
    for number in range(400, 500):  # before there was a canary, with another one, and one that a client chose by name
        world.record(number, "aaa", "stable", **failed(), canary=None, share=None)
        world.record(number + 100, "aaa", "stable", **failed(), canary="tumour:ccc")
    found = compare(world)
    assert (found.paired, found.role, found.pairs, found.agreement, found.flips) == (False, "canary", 0, None, [])
    assert (found.sides["stable"].requests, found.sides["candidate"].requests, found.clusters) == (300, 100, 400)
    assert found.error_difference == StepwiseDifference((error_step(0.2, {0.0: 400}),)).estimate()
    assert found.latency_difference_ms.value == 2.0
    assert "unpaired" in found.reason


def expected_errors(requests):
    """The steps of the error difference: (share, unit, canary, failed) by request, in order of time."""
    last = {unit: share for share, unit, _, _ in requests}
    values = defaultdict(list)
    for share, unit, canary, bad in requests:
        if share == last[unit] and len(values[unit]) < 100:
            values[unit].append(bad if canary else -bad * share / (1 - share))
    steps = defaultdict(Counter)
    for unit, own in values.items():
        steps[last[unit]][math.fsum(own) / len(own)] += 1
    return StepwiseDifference(tuple(error_step(share, steps[share]) for share in sorted(steps)))


def test_errors_are_weighed_by_the_share_in_force_and_counted_by_users(world):
    chance, requests = random.Random(1), []
    for number in range(900):
        share = 0.1 if number < 300 else 0.5
        user = chance.randrange(60) if number % 3 else None
        canary = chance.random() < share
        bad = chance.random() < (0.3 if canary else 0.1)
        key = {} if user is None else {"cluster": f"{user:016x}"}
        unit = number if user is None else f"user {user}"
        if bad and user is None:  # a failure without recorded inputs
            key, unit = {"inputs_digest": None}, f"minute {number // 60}"
        serve(
            world,
            number,
            canary=canary,
            share=share,
            outputs=["a"] if not bad else None,
            status=500 if bad else 200,
            **key,
        )
        requests.append((share, unit, canary, bad))
    found, expected = compare(world), expected_errors(requests)
    assert found.clusters == len({unit for _, unit, _, _ in requests})
    assert found.error_difference.value == pytest.approx(expected.value)
    low, high = expected.estimate().interval.low, expected.estimate().interval.high
    assert (found.error_difference.interval.low, found.error_difference.interval.high) == pytest.approx(
        (low, high), abs=2e-4
    )


def test_only_the_first_hundred_requests_of_a_user_count(world):
    for number in range(300):
        serve(world, number, canary=number % 2 == 0, cluster="a" * 16, **failed(number >= 100))
    found = compare(world)
    assert (found.clusters, found.error_difference.value) == (1, 0.0)
    assert any("300 requests are 1 cluster (1 of one x-sticky-key)" in note for note in found.notes)


def expected_share(rows, share):
    """The steps of an answer's share: (canary, y) by request, in order of time."""
    values, before, blocks = Counter(), 0.0, defaultdict(list)
    for place, row in enumerate(rows, start=1):
        blocks[math.floor(2 * math.log2(place))].append(row)
    seen = total = 0
    for block in sorted(blocks):
        guess = round(CENTRES * before) / CENTRES
        for canary, y in blocks[block]:
            weighed = (y - guess) / share if canary else -(y - guess) / (1 - share)
            values[min(share, 1 - share) * weighed] += 1
        seen, total = seen + len(blocks[block]), total + sum(y for _, y in blocks[block])
        before = total / seen
    return StepwiseDifference((centred_step(share, values),))


@pytest.mark.parametrize("share", [0.2, 0.7])
def test_shares_of_answers_are_weighed_less_the_pooled_share_of_the_requests_before(world, share):
    chance, rows = random.Random(2), []
    for number in range(500):
        canary = chance.random() < share
        answers = chance.choice((["yes"], ["no"], ["yes", "no", "no", "no"])) if canary else ["yes", "no"]
        serve(world, number, canary=canary, share=share, outputs=answers)
        rows.append((canary, answers.count("yes") / len(answers)))
    found, expected = compare(world).answer_shares["yes"], expected_share(rows, share)
    assert found.value == pytest.approx(expected.value)
    interval = expected.estimate().interval
    assert (found.interval.low, found.interval.high) == pytest.approx((interval.low, interval.high), abs=1e-5)


def test_identical_models_do_not_differ_after_a_change_of_the_mix(world):
    """The answer's frequency moves from 10 to 40 % while the canary grows from 5 to 50 %."""
    chance = random.Random(3)
    for number in range(4000):
        late = number >= 2000
        share, often = (0.5, 0.4) if late else (0.05, 0.1)
        answer = "yes" if chance.random() < often else "no"
        serve(world, number, canary=chance.random() < share, share=share, outputs=[answer])
    found = compare(world)
    assert found.answer_shares["yes"].interval.low < 0 < found.answer_shares["yes"].interval.high
    assert (found.verdict, found.recommendation) == ("agrees", "promote")
    assert found.reason.startswith("errors no worse")


def test_a_canary_that_answers_otherwise_differs(world):
    for number in range(1000):
        canary = number % 5 == 0
        serve(world, number, canary=canary, outputs=["yes" if canary and number % 4 == 0 else "no"])
    found = compare(world)
    assert found.answer_shares["yes"].value == pytest.approx(0.25, abs=0.05)
    assert (found.verdict, found.recommendation) == ("differs", "decide")


def test_a_canary_with_more_errors_is_stopped_in_spite_of_an_old_incident_of_stable(world):
    for number in range(300):  # the incident, before the canary
        world.record(number, "aaa", "stable", **failed(number % 2 == 0), canary=None, share=None)
    for number in range(1000, 2000):
        canary = number % 5 == 0
        serve(world, number, canary=canary, **failed(canary and number % 20 == 0))
    found = compare(world)
    assert (found.verdict, found.recommendation) == ("differs", "stop")


def test_an_outage_of_both_is_one_event_and_no_evidence(world):
    for number in range(1200):
        serve(world, number, canary=number % 5 == 0, **failed(number % 300 < 20))
    assert compare(world).recommendation != "stop"


def test_a_canary_that_never_answers_is_stopped_at_once(world):
    for number in range(40):
        serve(world, number, canary=number % 5 == 0, **failed(number % 5 == 0))
    found = compare(world)
    assert (found.recommendation, "answered none of 8 requests" in found.reason) == ("stop", True)


def test_records_of_one_release_that_are_missing_are_a_warning(world):
    for number in range(400):
        serve(world, number, canary=number % 2 == 0)
    (note,) = compare(world).notes
    assert note.startswith("the canary has +30.0 points more of the recorded requests than its share")


def test_a_canarys_latency_interval_holds_for_both_medians_together(world):
    for number in range(100):
        world.record(number, "aaa", "stable", latency_ms=float(number))
        world.record(number + 100, "bbb", "canary", latency_ms=100.0 + number)
    found = compare(world).latency_difference_ms
    low, high = median_ranks(100, 0.975)
    assert (found.value, found.interval.level) == (100.0, 0.95)
    assert (found.interval.low, found.interval.high) == (100.0 - (high - low), 100.0 + (high - low))


def test_a_canary_without_pair_ids_keeps_all_its_records(world):
    for number in range(3):
        world.record(1, "bbb", "canary", pair_id=None, late=number)
    world.record(1, "bbb", "canary", late=9)
    world.record(1, "bbb", "canary", late=10)  # a retry
    assert compare(world).sides["candidate"].requests == 4


def test_a_canary_without_stables_records_is_inconclusive(world):
    for number in range(50):
        world.record(number, "bbb", "canary")
    found = compare(world)
    assert (found.verdict, found.answer_shares, found.error_difference) == ("inconclusive", {}, None)
    assert SHARED["canary"] == found.candidate
