"""The figures of two ranges: rates and shares, since the ranges may have other lengths."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

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


def test_without_requests_there_is_no_share():
    other = of_hours(1, requests=0, errors=0, refused=0)
    first = of_hours(1, requests=1, errors=0, refused=0).model_copy(update={"compared": other})
    assert {one.name: one.compared for one in range_figures(first)}["failed"] == "–"
