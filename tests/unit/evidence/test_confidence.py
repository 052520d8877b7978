"""The estimated accuracy: the mean confidence, calibrated by ground truth, and its error where that is known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from jupyter_deploy.domain.monitoring.confidence import (
    LEAST_KNOWN,
    Confidence,
    ConfidenceCount,
    KnownCount,
    calibrated_confidence,
    expected_of,
    isotonic,
)
from jupyter_deploy.domain.monitoring.performance import Performance, Period
from jupyter_deploy.domain.monitoring.words import estimate_in_words

START = datetime(2026, 12, 1, tzinfo=UTC)


def counted(rows, confidence, bin_=30, release="a", start=START):
    return ConfidenceCount(start, release, bin_, rows, confidence)


def test_the_estimate_is_the_mean_confidence_of_each_span_and_release():
    later = START + timedelta(hours=1)
    found = expected_of(
        Confidence(
            [counted(30, 0.6), counted(10, 1.0, 49), counted(5, 0.9, start=later), counted(1, 0.5, release="b")], []
        )
    )
    assert [(one.release, one.start, one.rows, one.accuracy) for one in found] == [
        ("a", START, 40, 0.7),
        ("a", later, 5, 0.9),
        ("b", START, 1, 0.5),
    ]


def test_answers_of_another_kind_have_no_estimate():
    assert expected_of(Confidence([counted(90, 0.6), counted(10, 0.0, None)], [])) == []
    assert len(expected_of(Confidence([counted(995, 0.6), counted(5, 0.0, None)], []))) == 1


@pytest.mark.parametrize(("rows", "accuracy"), [(LEAST_KNOWN, 0.5), (LEAST_KNOWN - 1, 0.9)])
def test_probabilities_are_calibrated_with_enough_ground_truth(rows, accuracy):
    known = [KnownCount("a", rows, 0.9, rows // 2)]
    (found,) = expected_of(Confidence([counted(10, 0.9)], known))
    assert found.accuracy == pytest.approx(accuracy, abs=0.002)
    assert found.calibrated == (rows if rows == LEAST_KNOWN else 0)


def test_ground_truth_of_another_release_calibrates_nothing():
    (found,) = expected_of(Confidence([counted(10, 0.9)], [KnownCount("b", 1_000, 0.9, 0)]))
    assert (found.accuracy, found.calibrated) == (0.9, 0)


def test_the_isotonic_curve_pools_bins_that_fall():
    known = [KnownCount("a", 10, 0.5, 6), KnownCount("a", 10, 0.6, 2), KnownCount("a", 10, 0.8, 9)]
    assert isotonic(known) == [(pytest.approx(0.55), 0.4), (0.8, 0.9)]


def test_between_two_points_of_the_curve_it_is_linear_and_outside_of_them_flat():
    curve = [(0.5, 0.4), (0.7, 0.8)]
    assert [calibrated_confidence(curve, at) for at in (0.3, 0.5, 0.6, 0.7, 0.9)] == pytest.approx(
        [0.4, 0.4, 0.6, 0.8, 0.8]
    )


def test_the_error_is_that_of_the_spans_with_ground_truth():
    later = START + timedelta(hours=1)
    expected = expected_of(Confidence([counted(10, 0.9), counted(10, 0.7, start=later)], []))
    spans = [Period(start=START, release="a", rows=40, accuracy=0.8)]
    found = Performance(since=START, until=later, spans=spans, expected=expected)
    assert found.estimate_error() == (pytest.approx(0.1), 40)
    assert "10 points off, by 40 rows" in estimate_in_words(found)
    without = Performance(since=START, until=later, expected=expected)
    assert without.estimate_error() is None
    assert estimate_in_words(without).endswith("changes.")
    assert estimate_in_words(Performance(since=START, until=later)) == ""


def test_the_sampling_error_of_small_spans_is_no_error_of_the_estimate():
    """Of 96 spans with five rows each, half have all right and half 60 %: on average the estimate is right."""
    starts = [START + timedelta(minutes=15 * number) for number in range(96)]
    expected = expected_of(Confidence([counted(50, 0.8, start=start) for start in starts], []))
    spans = [
        Period(start=start, release="a", rows=5, accuracy=0.6 if number % 2 else 1.0)
        for number, start in enumerate(starts)
    ]
    found = Performance(since=START, until=starts[-1], spans=spans, expected=expected)
    assert found.estimate_error() == (pytest.approx(0.0), 480)


def test_errors_of_two_releases_do_not_cancel():
    expected = expected_of(Confidence([counted(10, 0.9), counted(10, 0.5, release="b")], []))
    spans = [Period(start=START, release=release, rows=40, accuracy=0.7) for release in "ab"]
    found = Performance(since=START, until=START, spans=spans, expected=expected)
    assert found.estimate_error() == (pytest.approx(0.2), 80)


def test_the_basis_is_that_of_each_release_and_a_sample_is_called_one():
    counts = [counted(10, 0.9), counted(10, 0.8, release="m:b")]
    same = Performance(since=START, until=START, expected=expected_of(Confidence(counts, [])))
    assert estimate_in_words(same).startswith(
        "The probabilities of the answers promise the estimated accuracy, taken as calibrated, since fewer than 300 "
        "earlier answers have ground truth: "
    )
    found = expected_of(Confidence(counts, [KnownCount("m:b", 1_000, 0.8, 700)], sampled=True))
    words = estimate_in_words(Performance(since=START, until=START, expected=found))
    assert words.startswith("The probabilities of a sample of the answers promise the estimated accuracy, a: taken as")
    assert "; b: calibrated on 1,000 earlier answers with ground truth: it sees" in words
