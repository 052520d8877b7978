"""The course of the agreement, the distributions of latencies, and their charts."""

from __future__ import annotations

import itertools
import json
import random
from datetime import timedelta

import pytest
import vl_convert
from record_world import CANARY, NOON, World, endpoint

from jupyter_deploy.comparison.agreement import MOST_LOOKS
from jupyter_deploy.domain.charts import COLOURS, time_axis
from jupyter_deploy.domain.evidence.sequential import Mean
from jupyter_deploy.faces.render.charts.comparison import comparison_charts
from jupyter_deploy.faces.render.render import charted_bundles
from jupyter_deploy.records.compaction import compact_all

VEGA_LITE = "5.20"


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def test_each_look_is_the_estimate_after_that_number_of_requests(world):
    alike = [number not in (3, 11) for number in range(20)]
    for number in random.Random(1).sample(range(20), 20):  # the order of the lines is not that of the requests
        world.pair(number, ["a"], ["a"] if alike[number] else ["X"])
    found = world.compare()
    assert [look.requests for look in found.agreement_course] == list(range(1, 21))
    for look in found.agreement_course:
        good = sum(alike[: look.requests])
        assert look.estimate == Mean({1.0: good, 0.0: look.requests - good}).estimate()
        assert look.ts == NOON + timedelta(seconds=look.requests - 1)
    assert found.agreement_course[-1].estimate == found.agreement


def test_there_are_few_looks_evenly_over_many_requests(world):
    for number in range(730):
        world.pair(number, ["a"], ["X"] if number % 90 == 0 else ["a"])
    course = world.compare().agreement_course
    assert len(course) == MOST_LOOKS
    steps = {after.requests - before.requests for before, after in itertools.pairwise(course)}
    assert steps == {7, 8}
    assert course[-1].requests == 730


def test_of_shares_of_many_values_there_are_fewer_looks_and_the_last_is_the_agreement(world):
    chance = random.Random(2)
    for number in range(200):
        answers = ["a"] * (number + 1)
        wrong = chance.randrange(number + 1)
        world.pair(number, answers, [*answers[:wrong], "X", *answers[wrong + 1 :]])
    found = world.compare()
    assert 5 <= len(found.agreement_course) <= 20
    assert found.agreement_course[-1].estimate == found.agreement
    assert found.agreement_course[-1].requests == 200


def test_compacted_records_have_the_same_course_and_the_same_distributions(world, tmp_path):
    for number in range(60):
        world.pair(number, ["a"], ["X"] if number % 9 == 0 else ["a"], latency_ms=1.0 + number)
    before = world.compare()
    compact_all(tmp_path)
    after = world.compare()
    assert (after.agreement_course, after.sides) == (before.agreement_course, before.sides)


def test_a_distribution_of_latencies_is_exact_at_its_steps_and_ends_at_all(world):
    chance = random.Random(3)
    latencies = [chance.lognormvariate(2, 1) for _ in range(300)] + [0.0, 10.0, 100.0]
    for number, latency in enumerate(latencies):
        world.pair(number, latency_ms=latency)
    world.pair(400, status=500, latency_ms=9999.0)
    found = world.compare().sides
    steps = found["candidate"].latencies
    assert len(steps) < 120
    for step in steps:
        assert step.share == pytest.approx(sum(max(one, 1e-3) <= step.ms * (1 + 1e-12) for one in latencies) / 303)
    assert (steps[-1].share, steps[0].ms) == (1.0, 1e-3)
    assert [after.ms / before.ms > 1.09 for before, after in itertools.pairwise(steps)].count(False) == 0
    assert [step.share for step in found["stable"].latencies] == [1.0]  # all of them took 2 ms


# ---- as charts


def drawn(chart):
    """Vega-Lite's own compiler accepts it without warnings, in a light and in a dark theme."""
    assert json.loads(json.dumps(chart, allow_nan=False)) == chart
    for theme in (None, "dark"):
        svg = vl_convert.vegalite_to_svg(chart, vl_version=VEGA_LITE, **({"theme": theme} if theme else {}))
        assert "NaN" not in svg
        assert "undefined" not in svg
    return svg


def fixed_colours(part, path=""):
    """The places of colours in a specification."""
    if isinstance(part, dict):
        return [found for name, inner in part.items() for found in fixed_colours(inner, f"{path}.{name}")]
    if isinstance(part, list):
        return [found for place, inner in enumerate(part) for found in fixed_colours(inner, f"{path}[{place}]")]
    return [(path, part)] if isinstance(part, str) and part.startswith("#") else []


@pytest.mark.parametrize("pairs", [0, 1, 2, 150])
def test_the_charts_are_drawn_by_vega_and_leave_colours_of_texts_to_the_theme(world, pairs):
    for number in range(pairs):
        world.pair(number, ["a"], ["X"] if number % 9 == 1 else ["a"], latency_ms=1.0 + number % 5)
    charts = comparison_charts(world.compare())
    assert list(charts) == (["summary", "agreement", "latency"] if pairs else ["summary"])
    for chart in charts.values():
        drawn(chart)
        assert chart["description"]
        assert chart["background"] == "transparent"
        said = fixed_colours({name: part for name, part in chart.items() if name not in ("$schema", "data")})
        assert all(colour in (COLOURS.stable, COLOURS.candidate, COLOURS.muted) for _, colour in said)
        assert not [path for path, _ in said if "config" in path or "axis" in path or "title" in path]


@pytest.mark.parametrize(
    ("seconds", "form"),
    [(0.3, "%H:%M:%S.%L"), (60, "%H:%M:%S"), (900, "%H:%M"), (2 * 86_400, "%d %b %H:%M"), (7 * 86_400, "%d %b")],
)
def test_times_at_an_axis_are_as_fine_as_their_distances(seconds, form):
    assert time_axis(0, int(seconds * 1000), 5)["format"] == form


def test_the_agreement_is_drawn_over_time_and_is_level_without_requests(world):
    for number in (0, 1, 2, 3600, 3601):
        world.pair(number, ["a"], ["X"] if number == 1 else ["a"])
    chart = comparison_charts(world.compare())["agreement"]
    band, _, line = chart["layer"]
    for layer in (band, line):
        assert (layer["encoding"]["x"]["field"], layer["encoding"]["x"]["type"]) == ("at", "temporal")
        assert layer["mark"]["interpolate"] == "step-after"
    assert [row["at"] for row in chart["data"]["values"]] == [
        (NOON + timedelta(seconds=number)).timestamp() * 1000 for number in (0, 1, 2, 3600, 3601)
    ]
    assert line["encoding"]["x"]["title"] == "time of the requests"
    assert line["encoding"]["x"]["axis"]["format"] == "%H:%M"
    drawn(chart)


def test_requests_of_one_moment_are_drawn_by_how_many_were_compared(world):
    for number in range(9):
        world.pair(number)
    found = world.compare()
    at_once = [look.model_copy(update={"ts": NOON}) for look in found.agreement_course]
    chart = comparison_charts(found.model_copy(update={"agreement_course": at_once}))["agreement"]
    assert chart["layer"][-1]["encoding"]["x"]["field"] == "requests"
    drawn(chart)


def test_a_canary_has_no_agreement_and_both_latencies(world):
    for number in range(40):
        world.record(number, "aaa" if number % 2 else "bbb", "stable" if number % 2 else "canary")
    found = world.compare(endpoint(**CANARY))
    charts = comparison_charts(found)
    assert list(charts) == ["summary", "latency"]
    assert {row["side"] for row in charts["latency"]["data"]["values"]} == {"stable", "candidate"}


def test_the_text_alternative_describes_the_chart(world):
    for number in range(30):
        world.pair(number, latency_ms=4.0)
    charts = comparison_charts(world.compare())
    assert "over 30 requests: now 100.00% [" in charts["agreement"]["description"]
    assert "candidate: half within 4.0 ms, 95 % within 4.0 ms" in charts["latency"]["description"]
    assert "inconclusive" in charts["summary"]["description"]


def test_names_and_reasons_with_markup_are_texts_in_a_chart(world):
    for number in range(3):
        world.pair(number, ["<script>alert(1)</script>"], ["</svg>"])
    for chart in comparison_charts(world.compare()).values():
        assert "<script>" not in drawn(chart)


def test_a_notebook_shows_the_same_charts_below_the_table(world):
    for number in range(20):
        world.pair(number)
    found = world.compare()
    table, *charts = charted_bundles(found)
    assert "text/html" in table
    assert [bundle["application/vnd.vegalite.v5+json"] for bundle in charts] == list(comparison_charts(found).values())
