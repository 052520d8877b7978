"""The figures of two ranges: rates and shares, since the ranges may have other lengths."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from jupyter_deploy.domain.drift.drift import Drift
from jupyter_deploy.domain.monitoring.monitor import Monitor
from jupyter_deploy.domain.monitoring.words import range_figures

START = datetime(2026, 12, 1, tzinfo=UTC)


def of_hours(hours, **counts):
    until = START + timedelta(hours=hours)
    fixed = {"endpoint": "a", "release": "a:1", "since": START, "until": until, "every": 60}
    return Monitor(**fixed, traffic=[], markers=[], **counts)


def test_ranges_of_other_lengths_are_compared_by_rates_and_shares():
    other = of_hours(24, requests=86_400, errors=864, refused=0)
    first = of_hours(1, requests=3_600, errors=36, refused=9).model_copy(update={"compared": other})
    found = {one.name: (one.now, one.compared) for one in range_figures(first)}
    assert "requests" not in found
    assert found["requests a second"] == ("1", "1")
    assert found["failed"] == ("1 %", "1 %")
    assert found["refused"] == ("0.25 %", "0 %")


@pytest.mark.parametrize(
    ("hours", "other", "name", "rates"),
    [
        (24, 240, "drift alarms a day", ("3", "0.3")),
        (1, 24, "drift alarms an hour", ("3", "0.125")),
        (0.5, 1, "drift alarms an hour", ("6", "3")),
        (336, 168, "drift alarms a week", ("1.5", "3")),
    ],
)
def test_alarms_are_a_rate_by_a_span_that_both_ranges_have(hours, other, name, rates):
    drift = Drift.model_construct(drift_alarms=3)
    ranges = [
        of_hours(length, requests=0, errors=0, refused=0).model_copy(update={"drift": drift})
        for length in (hours, other)
    ]
    first = ranges[0].model_copy(update={"compared": ranges[1]})
    assert {one.name: (one.now, one.compared) for one in range_figures(first)}[name] == rates


def test_without_requests_there_is_no_share():
    other = of_hours(1, requests=0, errors=0, refused=0)
    first = of_hours(1, requests=1, errors=0, refused=0).model_copy(update={"compared": other})
    assert {one.name: one.compared for one in range_figures(first)}["failed"] == "–"
