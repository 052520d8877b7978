"""What is required of a comparison: how it is written, and when it is met."""

from __future__ import annotations

import pytest

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.evidence.inference import Comparison, Estimate, Interval, VariantSummary
from jupyter_deploy.domain.gates.figures import COUNTS, FIGURES, evaluate, parse_requirement
from jupyter_deploy.domain.parsing import parse_tolerance
from jupyter_deploy.domain.requests import CompareRequest


def figure(value, low, high):
    return Estimate(value=value, interval=Interval(low=low, high=high), n=100)


def comparison(*, paired=True, **figures):
    side = VariantSummary(
        release="a:1", requests=100, rows=100, errors=0, error_rate=None, latency_p50_ms=None, latency_p95_ms=None
    )
    usual = {
        "endpoint": "a",
        "stable": "a:1",
        "candidate": "a:2",
        "role": "shadow" if paired else "canary",
        "paired": paired,
        "since": None,
        "pairs": 100 if paired else 0,
        "rows": 100 if paired else 0,
        "mirrored": 100,
        "coverage": None,
        "agreement": figure(0.98, 0.95, 0.99) if paired else None,
        "sides": {"stable": side, "candidate": side},
        "error_difference": None,
        "latency_difference_ms": figure(-1.5, -2.0, -1.0),
        "verdict": "inconclusive",
        "reason": "",
    }
    return Comparison(**usual | figures)


@pytest.mark.parametrize(
    ("expression", "outcome"),
    [
        ("agreement >= 0.95", "met"),
        ("agreement > 0.95", "undecided"),
        ("agreement > 94%", "met"),
        ("agreement >= 0.97", "undecided"),
        ("agreement >= 99%", "undecided"),
        ("agreement > 99%", "not met"),
        ("agreement >= 0.995", "not met"),
        ("agreement <= 0.99", "met"),
        ("agreement < 0.99", "undecided"),
        ("agreement < 0.95", "not met"),
        ("agreement<0.9", "not met"),
        ("latency_p50_difference_ms <= -1", "met"),
        ("latency_p50_difference_ms < -2e0", "not met"),
        ("pairs >= 100", "met"),
        ("pairs > 100", "undecided"),
        ("pairs < 100", "not met"),
        ("requests <= 100", "met"),
        ("coverage >= 0.5", "undecided"),
        ("relative_difference_p99 <= 1%", "undecided"),
    ],
)
def test_a_requirement_is_met_when_the_whole_interval_is_on_its_side(expression, outcome):
    found = evaluate(parse_requirement(expression), comparison())
    assert (found.expression, found.outcome) == (expression, outcome)


def test_a_figure_is_shown_with_its_interval_and_a_missing_one_with_the_reason():
    found = evaluate(parse_requirement("agreement >= 0.9"), comparison())
    assert (found.value, found.interval, found.why) == (0.98, Interval(low=0.95, high=0.99), "")
    assert "floating-point" in evaluate(parse_requirement("relative_difference_p50 < 1"), comparison()).why
    assert "too few" in evaluate(parse_requirement("coverage > 0"), comparison()).why
    assert "too few" in evaluate(parse_requirement("pairs > 1000"), comparison()).why


@pytest.mark.parametrize("name", ["agreement", "pairs", "relative_difference_p50"])
def test_what_only_a_shadow_has_cannot_be_required_of_a_canary(name):
    with pytest.raises(InvalidInput, match="it answers other requests"):
        evaluate(parse_requirement(f"{name} > 0.5"), comparison(paired=False))
    assert evaluate(parse_requirement("error_rate < 1"), comparison(paired=False)).outcome


@pytest.mark.parametrize("name", [*FIGURES, *COUNTS])
def test_every_figure_can_be_required(name):
    assert evaluate(parse_requirement(f"{name} >= 0"), comparison()).outcome in ("met", "undecided", "not met")


@pytest.mark.parametrize(
    "expression",
    ["", "agreement", "agreement = 0.9", "agreement == 1", "0.9 <= agreement", "agreement >= high", "agreement >= nan",
     "agreement >= 1e999", "agreement >= 0.9 and pairs > 3", "agreement >= 0.9%%", "__import__('os') > 1"],
)  # fmt: skip
def test_what_is_no_requirement_is_refused_with_an_example(expression):
    with pytest.raises(InvalidInput) as caught:
        CompareRequest(name="a", require=[expression])
    assert "agreement >= 0.99" in caught.value.remedy


@pytest.mark.parametrize(
    ("expression", "hint"),
    [("agreement >= 80", "did you mean 80%?"), ("error_rate_difference < 2", "2%"), ("pairs >= 100%", "without %")],
)
def test_a_share_above_one_and_a_percentage_of_a_count_are_refused(expression, hint):
    with pytest.raises(InvalidInput) as caught:
        parse_requirement(expression)
    assert hint in caught.value.remedy


def test_an_unknown_figure_is_refused_with_the_known_ones():
    with pytest.raises(InvalidInput) as caught:
        CompareRequest(name="a", require=["agrement >= 0.9"])
    assert "did you mean agreement?" in caught.value.remedy
    assert all(name in caught.value.remedy for name in [*FIGURES, *COUNTS])


def test_one_requirement_may_be_given_as_text():
    assert CompareRequest(name="a", require="pairs > 3").require == ["pairs > 3"]
    assert CompareRequest(name="a").require == []


@pytest.mark.parametrize(("given", "share"), [("1%", 0.01), ("0.05", 0.05), (" 2.5 % ", 0.025), (0.1, 0.1), ("0", 0)])
def test_a_tolerance_is_a_share(given, share):
    assert parse_tolerance(given) == pytest.approx(share)


def test_ten_without_its_percent_sign_is_no_tolerance():
    with pytest.raises(InvalidInput) as caught:
        parse_tolerance("10")
    assert "did you mean 10%?" in caught.value.remedy
    assert parse_tolerance("150%") == 1.5


@pytest.mark.parametrize("given", ["-1%", "nan", "inf", "much", ""])
def test_what_is_no_tolerance_is_refused(given):
    with pytest.raises(InvalidInput, match="not a tolerance"):
        CompareRequest(name="a", tolerance=given)
    assert CompareRequest(name="a", tolerance=None).tolerance is None
