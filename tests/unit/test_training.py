"""A training table beside that of the last release."""

from datetime import UTC, datetime

import pytest

from jupyter_deploy.domain.training import Column, Period, SourceFile, TrainingData, outdated


def data(sha="a", rows=100, columns=("age", "weight"), last="2026-06-30", file="1"):
    return TrainingData(
        expression="X",
        cell=4,
        rows=rows,
        width=len(columns),
        columns={name: Column(dtype="float64", missing=0) for name in columns},
        sha256=sha,
        hashed_rows=rows,
        periods={"df.day": Period(first="2026-01-01", last=last)},
        files={"people.csv": SourceFile(size=9, modified=datetime(2026, 7, int(file), tzinfo=UTC), sha256=file * 64)},
    )


def told(new, last=None):
    return [(f.check, f.severity, f.cell, f.message) for f in outdated(new, last or data(), "churn:1")]


@pytest.mark.parametrize(
    "new",
    [data(), data(sha="b"), data("b", file="2", last="2026-07-31", rows=120), data("b", columns=("0", "1", "2"))],
)
def test_the_same_data_newer_or_more_of_it_and_another_form_are_no_finding(new):
    assert told(new) == []


@pytest.mark.parametrize(
    ("new", "severity", "message"),
    [
        (
            data(file="2"),
            "warning",
            "X has the very rows that churn:1 was fitted on, although people.csv has changed since",
        ),
        (data("b", rows=95), "note", "X has 95 rows, churn:1 was fitted on 100"),
        (data("b", rows=89), "warning", "X has 89 rows, churn:1 was fitted on 100"),
        (data("b", last="2026-05-31"), "warning", "df.day ends at 2026-05-31, for churn:1 it ended at 2026-06-30"),
        (data("b", columns=("age",)), "warning", "X lacks columns that churn:1 was fitted on: weight"),
    ],
)
def test_what_is_older_or_less_than_for_the_last_release_is_found_with_the_cell(new, severity, message):
    assert told(new) == [("outdated-data", severity, 4, message)]


def test_a_file_too_large_to_be_hashed_has_changed_when_its_time_has():
    large = SourceFile(size=9, modified=datetime(2026, 7, 1, tzinfo=UTC))
    touched = large.model_copy(update={"modified": datetime(2026, 7, 2, tzinfo=UTC)})
    before, same, after = (data().model_copy(update={"files": {"x": f}}) for f in (large, large, touched))
    assert told(same, before) == []
    assert len(told(after, before)) == 1


def test_the_cell_is_not_kept():
    assert TrainingData.model_validate_json(data().model_dump_json()) == data().model_copy(update={"cell": None})
