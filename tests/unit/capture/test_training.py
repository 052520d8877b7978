"""A training table against that of the last release."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from jupyter_deploy.domain.capture.training import Column, Period, SourceFile, TrainingData, outdated
from jupyter_deploy.domain.errors import SignatureMismatch
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.requests import DeployRequest
from jupyter_deploy.verbs.release_checks import release_check
from tests.releases import release


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
            "X has the same rows as the training table of churn:1, although people.csv has changed since",
        ),
        (data("b", rows=95), "note", "X has 95 rows, that of churn:1 had 100"),
        (data("b", rows=89), "warning", "X has 89 rows, that of churn:1 had 100"),
        (data("b", last="2026-05-31"), "warning", "df.day ends at 2026-05-31; in churn:1 it ended at 2026-06-30"),
        (data("b", columns=("age",)), "warning", "X lacks columns of churn:1: weight"),
    ],
)
def test_an_older_or_smaller_table_than_the_last_releases_is_a_finding_with_its_cell(new, severity, message):
    assert told(new) == [("outdated-data", severity, 4, message)]


def test_a_file_too_large_to_be_hashed_has_changed_when_its_time_has():
    large = SourceFile(size=9, modified=datetime(2026, 7, 1, tzinfo=UTC))
    touched = large.model_copy(update={"modified": datetime(2026, 7, 2, tzinfo=UTC)})
    before, same, after = (data().model_copy(update={"files": {"x": f}}) for f in (large, large, touched))
    assert told(same, before) == []
    assert len(told(after, before)) == 1


def test_the_cell_is_not_kept():
    assert TrainingData.model_validate_json(data().model_dump_json()) == data().model_copy(update={"cell": None})


def test_a_column_of_several_tables_is_reported_once():
    new, last = data("b", last="2026-05-31"), data()
    twice = [
        d.model_copy(update={"periods": dict.fromkeys(("X.day", "df.day", "day"), d.periods["df.day"])})
        for d in (new, last)
    ]
    assert [message for *_, message in told(*twice)] == ["X.day ends at 2026-05-31; in churn:1 it ended at 2026-06-30"]
    other = new.periods["df.day"]
    both = new.model_copy(update={"periods": {"a.day": other, "a.night": other}})
    before = last.model_copy(update={"periods": dict.fromkeys(("a.day", "a.night"), last.periods["df.day"])})
    assert len(told(both, before)) == 2


def test_a_table_is_compared_with_stables_too_and_equal_findings_appear_once(monkeypatch):
    later = timedelta(days=1)
    stable, last = release("1", name="churn"), release("2", name="churn")
    last = last.model_copy(update={"created_at": stable.created_at + later})
    tables = {stable.tag: data(), last.tag: data("c", columns=("age",))}

    def remembered(tag):
        return SimpleNamespace(manifest=SimpleNamespace(training=tables[tag]))

    monkeypatch.setattr("jupyter_deploy.verbs.release_checks.require_signature", lambda *_: None)
    monkeypatch.setattr("jupyter_deploy.verbs.release_checks.Snapshot", SimpleNamespace)
    monkeypatch.setattr("jupyter_deploy.verbs.release_checks.redacted_columns", lambda *_: ())
    ports = SimpleNamespace(store=SimpleNamespace(remembered=remembered))
    check = release_check(Endpoint.first(stable).with_release(last), DeployRequest(), ports)
    found = check(SimpleNamespace(training=data("b", columns=("age",), rows=95), signature=None))
    assert [f.message for f in found] == [
        "X has 95 rows, that of churn:2 had 100",
        "X lacks columns of churn:1: weight",
    ]


def test_a_new_model_that_stables_clients_would_notice_is_named_without_a_version(monkeypatch):
    stable = release("1", name="reviews")
    signature = SimpleNamespace(mismatches=lambda _: ["it takes another column"])
    monkeypatch.setattr("jupyter_deploy.verbs.release_checks.Snapshot", SimpleNamespace)
    monkeypatch.setattr("jupyter_deploy.verbs.release_checks.redacted_columns", lambda *_: ())
    ports = SimpleNamespace(store=SimpleNamespace(signature=lambda _: signature))
    check = release_check(Endpoint.first(stable), DeployRequest(), ports)
    with pytest.raises(SignatureMismatch, match=f"^this model cannot follow {stable.tag}, since clients of reviews"):
        check(SimpleNamespace(signature=object(), training=None, name="reviews"))
