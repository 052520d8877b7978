"""Declarations of segments, and the evidence for many of them."""

from __future__ import annotations

from datetime import UTC, datetime
from math import inf

import pytest

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.evidence.segments import (
    check_columns,
    check_segments,
    declared_number,
    mean_evidence,
    named,
    parse_segment,
    parse_segments,
)
from jupyter_deploy.domain.release.comparison_settings import ComparisonSettings


def test_a_declaration_is_a_column_or_bins_of_one():
    assert parse_segment(" region ").bins == ()
    age = parse_segment("age:<30, 30-60 ,>=60")
    assert (age.column, age.text) == ("age", "age: <30, 30-60, >=60")
    below, between, above = age.bins
    assert (below.high, below.high_included, between.low, between.low_included) == (30, False, 30, True)
    assert (between.high, between.high_included, above.low, above.high) == (60, False, 60, inf)
    negative = parse_segment("t: -5.5--1, -1..2e3, north").bins
    assert [(one.low, one.high, one.value) for one in negative] == [
        (-5.5, -1, None),
        (-1, 2000, None),
        (-inf, inf, "north"),
    ]


@pytest.mark.parametrize(
    ("texts", "part"),
    [
        ([""], "names no column"),
        ([": <3"], "names no column"),
        (["age:"], "empty bin"),
        (["age: <30,,>=30"], "empty bin"),
        (["age: <30, <30"], "a bin twice"),
        (["age: 60-30"], "is empty"),
        (["age: <old"], "has no number"),
        (["age", "age: <3"], "two segment declarations"),
        (["a: " + ", ".join(map(str, range(51)))], "51 bins"),
        (["none", "age"], "excludes all other"),
    ],
)
def test_a_wrong_declaration_says_what_is_wrong(texts, part):
    with pytest.raises(InvalidInput) as caught:
        check_segments(texts)
    assert part in caught.value.message
    assert caught.value.remedy


def test_columns_must_be_in_the_records():
    segments = parse_segments(["region"])
    check_columns(segments, ["region", "age"], [], "tumour")
    check_columns(parse_segments(["0"]), [], [], "tumour")
    with pytest.raises(InvalidInput, match="no such column"):
        check_columns(segments, ["regions"], [], "tumour")
    with pytest.raises(InvalidInput, match="redacted"):
        check_columns(segments, ["region"], ["region"], "tumour")


def test_the_mean_of_e_values_is_one():
    assert mean_evidence([40.0, 0.0]) == 20.0
    assert mean_evidence([]) == 0.0
    assert named([1000.0, 1.0, 0.0, 21.0]) == {0, 3}


def test_segments_without_data_yet_are_counted_in_the_mean():
    """Otherwise the mean would begin anew with each segment that joins."""
    assert declared_number(parse_segments(["age: <30, >=30", "weight: <70, 70-90, >=90"])) == 5
    assert declared_number(parse_segments(["age: <30, >=30", "region"])) == 50
    assert mean_evidence([6.0, 0.0], 4) == 1.5
    assert mean_evidence([6.0, 0.0], 1) == mean_evidence([6.0, 0.0]) == 3.0


def test_settings_change_one_by_one_and_keep_the_time_of_the_same_segments():
    first, later = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
    settings = ComparisonSettings().changed(0.01, None, ("region", "age"), first)
    assert settings.words == "tolerance 0.01, segments region; age"
    again = settings.changed(None, 0.5, ("age", "region"), later)
    assert (again.segments_at, again.tolerance, again.absolute_tolerance) == (first, 0.01, 0.5)
    assert settings.changed(None, None, ("region",), later).segments_at == later
    assert settings.changed("default", None, ("none",), later) == ComparisonSettings()
    assert settings.changed(None, None, (), later) == settings
