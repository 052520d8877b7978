"""The classifier between the first requests and those of the last day: it sees what no single feature shows."""

from __future__ import annotations

import random
import re
from datetime import UTC, datetime, timedelta

import pytest
import record_world
from record_scene import scene_of, settings

from jupyter_deploy.domain.drift.watch import WatchState, reference_of
from jupyter_deploy.domain.errors import StoreError
from jupyter_deploy.drift_detection import joint_shift, watcher
from jupyter_deploy.drift_detection.joint_days import JointDays
from jupyter_deploy.drift_detection.joint_file import days_due
from jupyter_deploy.drift_detection.watch_file import WatchFile, beginning
from jupyter_deploy.faces.render.drift_page import drift_page
from jupyter_deploy.faces.render.page import as_text
from jupyter_deploy.records.compaction import compact_all
from jupyter_deploy.verbs import BY_NAME
from tests import manifests
from tests.contract.records.test_agreement_course import drawn
from tests.releases import release

__all__ = ["settings"]

DAY = 86_400


class Shifting:
    """An endpoint whose requests began three days ago; two numbers depend on each other, and a label is one of two."""

    def __init__(self, settings):
        self.scene, self.dice, self.number = scene_of(settings, release("aaa"), release("bbb")), random.Random(1), 0
        self.scene.ports.store.remember(manifests.snapshot("tumour:aaa"))
        rows = [self.row(1.0) for _ in range(500)]
        file = WatchFile(settings.home, "tumour", "aaa")
        with file.locked():
            known = reference_of({"inputs": rows, "answers": ["x"] * 500}, {"inputs": "training"})
            file.save(beginning(WatchState(reference=known)))

    def row(self, sign, plan=None):
        age = self.dice.gauss(0, 1)
        weight = sign * 0.9 * age + 0.43 * self.dice.gauss(0, 1)
        return {"age": age, "weight": weight, "plan": plan or self.dice.choice("ab")}

    def send(self, count, at, sign=1.0):
        for _ in range(count):
            second = at + self.number % 3_000
            given = {"inputs": [self.row(sign)], "request_id": f"q{self.number}"}
            self.scene.world.record(second, "aaa", "stable", ["x"], **given)
            self.number += 1

    def drift(self, **given):
        drift = BY_NAME["drift"]
        return drift.function(drift.request(name="tumour", **given), self.scene.ports, lambda _: None)


@pytest.fixture
def shifting(settings, monkeypatch):
    began = datetime.now(UTC).replace(microsecond=0) - timedelta(days=3)
    monkeypatch.setattr(record_world, "NOON", began)
    return Shifting(settings)


@pytest.mark.parametrize(("sign", "least", "most"), [(1.0, 0.42, 0.58), (-1.0, 0.9, 1.0)])
def test_a_dependence_that_turned_is_seen_and_none_where_nothing_changed(shifting, sign, least, most):
    shifting.send(400, 0)
    shifting.send(300, 2.5 * DAY, sign)
    for _ in range(2):
        found = shifting.drift()
        assert least <= found.joint.auc <= most
        assert (found.joint.first_rows, found.joint.rows) == (400, 300)
        compact_all(shifting.scene.ports.home)
    assert "a description, not a test" in as_text(drift_page(found))
    assert [one.name for alarm in found.alarms for one in alarm.features] == [], "no single feature moved"


def test_a_range_has_its_own_figure_and_few_requests_have_none(shifting):
    shifting.send(300, 0)
    assert shifting.drift().joint is None
    shifting.send(50, 2.5 * DAY, -1.0)
    assert shifting.drift().joint is None
    shifting.send(100, 1.5 * DAY, -1.0)
    assert shifting.drift(since="2d").joint.rows == 150


def test_rows_of_one_client_are_not_recognized_by_others_of_it(shifting):
    """Each client sends one row again and again: in two folds, it would be recognized."""
    for client in range(60):
        row = shifting.row(1.0)
        for _ in range(5):
            day = 0 if client < 30 else 2.5 * DAY
            second = day + shifting.number
            shifting.scene.world.record(second, "aaa", "stable", ["x"], inputs=[row], cluster=f"c{client}")
            shifting.number += 1
    assert 0.2 < shifting.drift().joint.auc < 0.75


@pytest.fixture
def days(settings, monkeypatch):
    """Three days that are over: the first one, one like it, and one whose dependence turned."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    monkeypatch.setattr(record_world, "NOON", midnight - timedelta(days=3) + timedelta(hours=1))
    made = Shifting(settings)
    for day, sign in enumerate((1.0, 1.0, -1.0)):
        made.send(250, day * DAY, sign)
    return made


def known(days):
    return JointDays(days.scene.ports.home, "tumour", "aaa").known()


def test_the_archivist_makes_each_past_days_figure_once(days, monkeypatch):
    home = days.scene.ports.home
    for count, is_due in ((1, False), (2, True), (2, False)):  # at first a watch is not published yet
        assert watcher.due(home) == is_due
        assert watcher.update(home) == []
        assert len(known(days)) == count
    like, turned = known(days)
    assert like.until == turned.since
    assert (like.rows, turned.rows, turned.first_rows) == (250, 250, 500)
    assert 0.4 < like.auc < 0.6
    assert turned.auc > 0.9
    monkeypatch.setattr(joint_shift, "joint_shift", lambda *_, **__: pytest.fail("it was made again"))
    assert watcher.update(home) == []
    days.scene.ports.log.purge("tumour", before=None, request_ids=["q1"], dry_run=False)
    assert known(days) == ()


def test_a_figure_that_cannot_be_made_is_reported_once_and_tried_tomorrow(days, monkeypatch):
    def unreadable(*_, **__):
        raise StoreError("the records cannot be read", "")

    home = days.scene.ports.home
    monkeypatch.setattr(joint_shift, "joint_shift", unreadable)
    (failure,) = watcher.update(home)
    assert "the records cannot be read" in failure
    assert watcher.update(home) == []
    assert not days_due(home / "drift" / "tumour" / "aaa.joint", datetime.now(UTC))
    assert days_due(home / "drift" / "tumour" / "aaa.joint", datetime.now(UTC) + timedelta(days=1))


def test_the_monitor_and_a_report_show_a_figure_for_each_day_of_the_range(days, tmp_path):
    for _ in range(2):
        view = days.scene.view("monitor")
    drawn(view.charts["joint"])
    assert [round(one["auc"], 4) for one in view.charts["joint"]["data"]["values"]] == [one.auc for one in known(days)]
    assert re.search(r"250 requests since .* AUC of 0\.\d\d .* a description, not a test", view.joint)
    last = days.scene.view("monitor", since=known(days)[-1].since.isoformat())
    assert "joint" not in last.charts, "one day is no course"
    assert last.joint == view.joint
    report = BY_NAME["report"]
    file = str(tmp_path / "tumour.html")
    report.function(report.request(name="tumour", since="30d", file=file), days.scene.ports, lambda _: None)
    page = (tmp_path / "tumour.html").read_text()
    assert "All inputs together" in page
    assert view.joint in page
