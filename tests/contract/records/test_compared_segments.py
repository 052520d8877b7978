"""Segments of a comparison of real record files."""

from __future__ import annotations

from datetime import timedelta

import pytest
from record_world import CANARY, NOON, World, endpoint

from jupyter_deploy.comparison.record_log import RecordLog
from jupyter_deploy.domain.evidence.agreement import Rule
from jupyter_deploy.domain.gates.figures import evaluate, parse_requirement
from jupyter_deploy.domain.release.comparison_settings import ComparisonSettings
from jupyter_deploy.faces.render.render import text

REGIONS = ("north", "south", "east", "west")


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def declared(*segments, at=NOON, of=None):
    settings = ComparisonSettings(segments=segments, segments_at=at)
    return (of or endpoint()).model_copy(update={"comparison": settings})


def fill(world, n, wrong=(), **more):
    for number in range(n):
        region = REGIONS[number % 4]
        inputs = [{"region": region, "age": number % 90, "n": number}]
        answer = ["b"] if region in wrong else ["a"]
        world.pair(number, ["a"], answer, stable_fields={"inputs": inputs}, inputs=inputs, **more)


def test_the_segment_that_differs_is_named_and_no_other(world):
    fill(world, 240, wrong={"south"})
    found = world.compare(declared("region")).segments
    by_name = {one.value: one for one in found.segments}
    assert {one.value for one in found.segments} == set(REGIONS)
    assert {name for name, one in by_name.items() if one.named} == {"south"}
    assert by_name["south"].named == ["differs"]
    assert (by_name["south"].agreement.value, by_name["north"].agreement.value) == (0.0, 1.0)
    assert (by_name["south"].rows, by_name["south"].clusters) == (60, 60)
    assert found.differ > 20 > found.worse
    assert found.least_agreement.value == 0.0
    assert found.least_agreement.interval.high > by_name["south"].agreement.interval.high
    compared = world.compare(declared("region"))
    assert "DIFFERS" in text(compared)
    assert evaluate(parse_requirement("least_segment_agreement >= 50%"), compared).outcome == "not met"
    undeclared = evaluate(parse_requirement("least_segment_agreement >= 50%"), world.compare())
    assert (undeclared.outcome, "--segment" in undeclared.why) == ("undecided", True)


def test_more_errors_in_a_segment_are_worse(world):
    for number in range(240):
        region = REGIONS[number % 4]
        failed = {"status": 500, "outputs": None} if region == "east" and number % 8 == 2 else {}
        world.pair(
            number,
            stable_fields={"inputs": [{"region": region}]},
            inputs=[{"region": region}],
            cluster=f"{number:016x}",
            **failed,
        )
    found = {one.value: one for one in world.compare(declared("region")).segments.segments}
    assert {name for name, one in found.items() if one.named} == {"east"}
    assert found["east"].named == ["worse"]
    assert found["east"].error_difference.value == pytest.approx(0.5)


def test_bins_hold_the_rows_of_their_range_and_the_rest_is_in_none(world):
    fill(world, 90)
    found = world.compare(declared("age: <30, 30-60, >=80")).segments
    assert {(one.column, one.value, one.rows) for one in found.segments} == {
        ("age", "<30", 30),
        ("age", "30-60", 30),
        ("age", ">=80", 10),
    }


def test_bins_of_floats_hold_their_lower_bound_and_no_text_null_or_infinity(world):
    for number, weight in enumerate([0.25, 0.5, 1.4999, 1.5, 1e300, -0.5, "1.0", "heavy", None, "inf"]):
        inputs = [{"weight": weight}]
        world.pair(number, ["a"], stable_fields={"inputs": inputs}, inputs=inputs)
    found = world.compare(declared("weight: -1--2.5e-1, 0.5-1.5, >=1.5")).segments
    assert {one.value: one.rows for one in found.segments} == {"-1--2.5e-1": 1, "0.5-1.5": 3, ">=1.5": 2}


def test_only_requests_after_the_declaration_count(world):
    fill(world, 120, wrong={"south"})
    found = world.compare(declared("region", at=NOON + timedelta(seconds=80))).segments
    assert {one.value: one.rows for one in found.segments} == dict.fromkeys(REGIONS, 10)


def test_segments_of_one_look_are_not_named(world):
    fill(world, 240, wrong={"south"})
    found = world.compare(segments=["region"]).segments
    assert (found.declared_at, [one.named for one in found.segments]) == (None, [[]] * 4)
    assert "chosen for this look" in found.note


def test_each_row_of_a_request_is_in_its_own_segment(world):
    for number in range(30):
        inputs = [{"region": "north"}, {"region": "south"}, {}]
        world.pair(
            number, ["a", "a", "a"], ["a", "b", "b"], stable_fields={"inputs": inputs, "cluster": f"{number:016x}"}
        )
    found = {one.value: one for one in world.compare(declared("region")).segments.segments}
    assert {name: (one.rows, one.agreement.value) for name, one in found.items()} == {
        "north": (30, 1.0),
        "south": (30, 0.0),
    }


def test_at_most_fifty_segments_the_first_that_came_and_no_later_look_changes_them(world):
    def look(numbers, rows=1):
        for number in numbers:
            inputs = [{"n": f"{number:02}"}] * rows
            moment = number if rows == 1 else 100 + number
            world.pair(moment, ["a"] * rows, stable_fields={"inputs": inputs}, inputs=inputs)
        return {one.value for one in world.compare(declared("n")).segments.segments}

    assert look(range(40)) == {f"{number:02}" for number in range(40)}
    first = look(range(40, 60))
    assert first == {f"{number:02}" for number in range(50)}
    assert look(range(50, 60), rows=9) == first


def test_redacted_columns_are_no_segments(world):
    fill(world, 12)
    of = endpoint()
    releases = tuple(one.model_copy(update={"redact": ("region",)}) for one in of.releases)
    found = world.compare(declared("region", of=of.model_copy(update={"releases": releases})))
    assert found.segments is None
    assert "north" not in text(found).replace("'north'", "")


def test_a_column_may_have_any_name_and_a_list_has_positions(world):
    for number in range(4):
        inputs = [{"a/b~'c": "x"}]
        world.pair(number, ["a"], stable_fields={"inputs": inputs}, inputs=inputs)
    assert [one.rows for one in world.compare(declared("a/b~'c")).segments.segments] == [4]
    other = World(world.home / "other")
    other.pair(1, ["a"], stable_fields={"inputs": [["north", 3]]}, inputs=[["north", 3]])
    assert [one.value for one in other.compare(declared("0")).segments.segments] == ["north"]


def test_the_intervals_follow_the_level(world):
    fill(world, 240, wrong={"south"})
    rule = Rule.of("str", None, None)
    usual, strict = (
        RecordLog(world.home)
        .compare(declared("region"), "tumour:bbb", since=None, overflowed=0, rule=rule, level=level)
        .segments
        for level in (0.95, 0.9875)
    )
    for one, other in zip(usual.segments, strict.segments, strict=True):
        assert (one.agreement.interval.level, other.agreement.interval.level) == (0.95, 0.9875)
        assert other.error_difference.interval.high > one.error_difference.interval.high
        assert (one.differ, one.worse, one.named) == (other.differ, other.worse, other.named)
    assert (usual.least_agreement.interval.level, strict.least_agreement.interval.level) == (0.95, 0.9875)
    assert strict.least_agreement.interval.high > usual.least_agreement.interval.high
    assert ("with 95 %" in usual.note, "with 98.8 %" in strict.note) == (True, True)


def test_an_outage_of_a_canary_is_one_event_in_a_segment(world):
    """Twelve requests within a minute; stable has none."""
    for number in range(400):
        of_canary = number % 2 == 0
        failed = {"status": 500, "outputs": None} if of_canary and 100 <= number < 124 else {}
        inputs = [{"region": REGIONS[number // 2 % 2]}]
        fields = {"inputs": inputs, "cluster": f"{number:016x}", "share": 0.5, **failed}
        world.record(number, "bbb" if of_canary else "aaa", "canary" if of_canary else "stable", **fields)
    of = endpoint(canary="tumour:bbb", canary_percent=50.0)
    found = world.compare(declared("region", of=of)).segments
    assert [one.named for one in found.segments] == [[], []]
    assert max(one.worse for one in found.segments) < 2
    assert found.segments[0].error_difference.interval.low > 0


def test_a_canary_has_errors_by_segment(world):
    for number in range(400):
        region = REGIONS[number // 5 % 4]
        of_canary = number % 5 == 0
        failed = {"status": 500, "outputs": None} if of_canary and region == "west" else {}
        world.record(
            number,
            "bbb" if of_canary else "aaa",
            "canary" if of_canary else "stable",
            inputs=[{"region": region}],
            cluster=f"{number:016x}",
            **failed,
        )
    found = world.compare(declared("region", of=endpoint(**CANARY))).segments
    by_name = {one.value: one for one in found.segments}
    assert {name for name, one in by_name.items() if one.named} == {"west"}
    assert by_name["west"].error_difference.interval.low > 0
    assert (by_name["west"].agreement, by_name["west"].differ, found.least_agreement) == (None, 0.0, None)
