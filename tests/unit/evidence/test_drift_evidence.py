"""The evidence of drift: its expectation without drift, its sources of error, and runs that are interrupted."""

import random
from itertools import pairwise, product
from math import exp, inf, log, sqrt

import pytest

from jupyter_deploy.domain.drift.detector import BLOCK, Detector, Mark, Run
from jupyter_deploy.domain.drift.evidence import (
    bets,
    distance,
    hellinger_of,
    log_evidence,
    most_log_evidence,
    sampling_error,
)
from jupyter_deploy.domain.drift.sketch import sketch_of

TENTHS = [0.1] * 10


def drawn(shares, count, dice):
    counts = [0.0] * len(shares)
    for one in dice.choices(range(len(shares)), shares, k=count):
        counts[one] += 1
    return counts


def log_bets(shares, ordered):
    return [[log(max(share, 1e-300)) for share in bet] for bet in bets(shares, ordered=ordered, single=[])]


def test_the_true_shares_are_within_the_sampling_error():
    dice = random.Random(1)
    tolerance = sampling_error(400, 10, 0.05)
    outside = sum(distance([c / 400 for c in drawn(TENTHS, 400, dice)], TENTHS) > tolerance for _ in range(1_000))
    assert 25 <= outside <= 75


def test_a_shift_of_normal_values_has_its_distance():
    assert hellinger_of(0.0) == 0
    assert hellinger_of(0.5) == pytest.approx(sqrt(1 - exp(-1 / 32)))


def test_bets_are_distributions():
    for bet in bets([0.2, 0.5, 0.3 - 1e-4, 1e-4], ordered=3, single=[3]):
        assert sum(bet) == pytest.approx(1)
        assert min(bet) > 0


def test_the_evidence_has_an_expectation_of_at_most_one_on_the_edge_of_the_tolerance():
    """Also at the worst place: a distribution that is just no drift."""
    shares, tolerance = [0.25] * 4, 0.1
    shifted = [0.25 + 0.09 * part for part in (1, 1 / 3, -1 / 3, -1)]
    assert tolerance - 0.005 < distance(shifted, shares) < tolerance + 0.005
    tolerance, dice, known = distance(shifted, shares), random.Random(2), log_bets(shares, 4)
    values = [log_evidence(drawn(shifted, 60, dice), shares, tolerance, known) for _ in range(4_000)]
    assert sum(exp(value) for value in values if value > -inf) / len(values) < 1


def test_the_likelihood_within_the_tolerance_is_the_largest():
    shares, counts, tolerance = [0.5, 0.3, 0.2], [10.0, 10.0, 40.0], 0.15
    points = [(a / 200, b / 200) for a, b in product(range(1, 200), repeat=2) if a + b < 200]
    near = [point for a, b in points if distance(point := (a, b, 1 - a - b), shares) <= tolerance]
    best = max(sum(c * log(p) for c, p in zip(counts, point, strict=True)) for point in near)
    bet = [c / sum(counts) for c in counts]
    own = sum(c * log(p) for c, p in zip(counts, bet, strict=True))
    # The only bet that counts is the counts' own distribution; the mixture next to it halves its wealth.
    found = log_evidence(counts, shares, tolerance, [[log(p) for p in bet]])
    assert found == pytest.approx(own - best - log(2), abs=0.05)


def test_the_quick_bound_is_above_the_evidence():
    dice, known = random.Random(3), log_bets(TENTHS, 10)
    tilted = bets(TENTHS, ordered=10, single=[])[2]
    for count in (30, 200, 1_000):
        counts = drawn(tilted, count, dice)
        value = log_evidence(counts, TENTHS, 0.03, known)
        assert value <= most_log_evidence(counts, TENTHS, 0.03) + 1e-9


def test_counts_within_the_tolerance_are_no_evidence():
    assert log_evidence([100.0] * 10, TENTHS, 0.01, []) == -inf
    assert log_evidence([0.0] * 10, TENTHS, 0.01, []) == -inf


def features(count):
    dice = random.Random(4)
    return [sketch_of(str(at), "inputs", [dice.gauss(0, 1) for _ in range(2_000)]) for at in range(count)]


def stream(detector, known, shifts, units, dice, *, first=0):
    """Add units with a shift for each feature; return the alarms."""
    found = []
    for number in range(first, first + units):
        bins = {at: {known[at].bin_of(dice.gauss(shift, 1)): 1.0} for at, shift in enumerate(shifts)}
        if alarm := detector.add(bins, Mark(request_id=str(number), ts="2026-12-01T00:00:00+00:00")):
            found.append((number, alarm))
    return found


def test_drift_is_found_with_its_begin():
    known, dice = features(3), random.Random(5)
    detector = Detector(known, Run())
    assert stream(detector, known, [0, 0, 0], 1_000, dice) == []
    ((number, alarm), *_) = stream(detector, known, [0, 1.0, 0], 400, dice, first=1_000)
    assert number < 1_300
    assert [part.name for part in alarm.features] == ["1"]
    assert alarm.features[0].alone
    assert 900 <= int(alarm.features[0].since.request_id) <= 1_100


def test_a_strong_drift_hides_no_weak_one_and_is_named_again_only_after_a_pause():
    known, dice = features(2), random.Random(6)
    detector = Detector(known, Run())
    alarms = stream(detector, known, [5.0, 0.6], 2_500, dice)
    strong = [number for number, alarm in alarms if "0" in {part.name for part in alarm.features}]
    assert strong[0] < BLOCK
    assert len(strong) >= 2
    assert min(later - earlier for earlier, later in pairwise(strong)) > 9 * BLOCK
    assert any("1" in {part.name for part in alarm.features} for _, alarm in alarms)


def test_a_run_that_is_stored_and_continued_is_the_same_run():
    known = features(2)
    whole, dice = Run(), random.Random(7)
    stream(Detector(known, whole), known, [0.1, 0], 700, dice)
    parts, dice = Run(), random.Random(7)
    for first in (0, 330, 331):
        units = {0: 330, 330: 1, 331: 369}[first]
        detector = Detector(known, parts)
        stream(detector, known, [0.1, 0], units, dice, first=first)
        parts = Run.model_validate_json(parts.model_dump_json())
    assert parts == whole


def test_several_units_at_once_are_the_same_as_one_by_one():
    known, mark = features(1), Mark(request_id="r", ts="2026-12-01T00:00:00+00:00")
    one, many = Detector(known, Run()), Detector(known, Run())
    for _ in range(25):
        one.add({0: {3: 1.0}}, mark)
    many.add_many([[25.0 if at == 3 else 0.0 for at in range(len(known[0].counts))]], 25, mark)
    assert one.run == many.run
