"""The Monitor of a real home: counts by period, drift against the reference, changes, and performance."""

from __future__ import annotations

import json
import random
import re
from datetime import UTC, datetime, timedelta
from html import escape

import nbformat
import pytest
import record_world
from record_scene import scene_of, settings

from jupyter_deploy.domain.drift.watch import WatchState, reference_of
from jupyter_deploy.domain.errors import InvalidInput, UnknownRelease
from jupyter_deploy.drift_detection.watch_file import WatchFile, beginning
from jupyter_deploy.records import compaction
from jupyter_deploy.verbs import BY_NAME
from tests import manifests
from tests.contract.records.test_agreement_course import drawn
from tests.releases import release

__all__ = ["settings"]


class Monitored:
    """An endpoint whose requests begin two hours ago, one each ten seconds; stable is watched."""

    def __init__(self, settings):
        self.scene = scene_of(settings, release("aaa"), release("bbb"))
        for version in ("aaa", "bbb"):
            self.scene.ports.store.remember(manifests.snapshot(f"tumour:{version}"))
        self.home, self.dice, self.number = settings.home, random.Random(1), 0
        rows = [{"age": self.dice.gauss(45, 10)} for _ in range(1_000)]
        file = WatchFile(self.home, "tumour", "aaa")
        with file.locked():
            known = reference_of({"inputs": rows, "answers": ["x", "y"] * 500}, {"inputs": "training"})
            file.save(beginning(WatchState(reference=known)))

    def send(self, count, age=45.0, status=200, answers="xy"):
        for _ in range(count):
            inputs, outputs = [{"age": self.dice.gauss(age, 10)}], [self.dice.choice(answers)]
            self.scene.world.record(self.number * 10, "aaa", "stable", outputs, inputs=inputs, status=status)
            self.number += 1

    def feedback(self, number, actual):
        at = datetime.now(UTC).isoformat().replace("+00:00", "000Z")
        line = {"ts": at, "item": 0, "endpoint": "tumour", "request_id": f"r{number * 10}", "row": 0, "actual": actual}
        folder = self.home / "feedback" / "tumour"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "1-1.v1.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")

    def view(self, view="monitor", **given):
        return self.scene.view(view, **given)


@pytest.fixture
def monitored(settings, monkeypatch):
    monkeypatch.setattr(record_world, "NOON", datetime.now(UTC) - timedelta(hours=2))
    return Monitored(settings)


def test_an_endpoint_without_a_request_says_so_in_each_part(monitored):
    view = monitored.view()
    assert (view.requests, view.alarms, view.state, view.values) == (0, (), "watching", "")
    assert set(view.charts) == {"rate", "errors", "latency"}
    for chart in view.charts.values():
        drawn(chart)
    assert monitored.view("performance").rows == 0
    (marker,) = view.markers
    assert (marker.number, marker.words) == (1, "made")


def test_drift_is_an_alarm_with_its_requests_and_the_feature_ranks_first(monitored):
    monitored.send(300)
    monitored.send(200, age=60.0)
    monitored.send(30, status=500)
    view = monitored.view(since="24h")
    assert (view.requests, view.errors) == (530, 30)
    first, *_ = view.alarms
    assert "age more of" in first.words
    assert "at most 1 %" in first.sure
    assert view.features[0].name == "age"
    assert view.features[0].alarms >= 1
    assert set(view.charts) == {"rate", "errors", "latency", "answers", "features"}
    for chart in view.charts.values():
        drawn(chart)
    behind = monitored.view("records", since=first.since, until=first.until, limit=1000, release=first.release)
    assert 25 <= behind.total <= 300
    assert behind.records[0].request_id == first.request_id


def test_a_range_has_its_own_requests_values_and_alarms(monitored):
    monitored.send(300)
    monitored.send(200, age=60.0)
    middle = (record_world.NOON + timedelta(seconds=2_900)).isoformat()
    early = monitored.view(until=middle)
    assert 290 <= early.requests <= 296  # whole minutes
    assert [alarm for alarm in early.alarms if alarm.kind == "drift"] == []
    assert monitored.view(since=middle).requests >= 210
    with pytest.raises(InvalidInput, match="ends before it begins"):
        monitored.view(since="1h", until=middle)


def test_a_look_reads_each_record_once_also_after_a_compaction(monitored, monkeypatch):
    monitored.send(100)
    assert monitored.view().requests == 100
    compaction.compact_all(monitored.home)
    monitored.scene.world.record(3_000, "aaa", "stable", segment="2-1.v1.jsonl", inputs=[{"age": 40.0}])
    assert monitored.view().requests == 101
    monkeypatch.setattr("jupyter_deploy.drift_detection.new_records.in_order", None)  # reads Parquet
    assert monitored.view(since="7d").requests == 101


def test_performance_is_the_share_of_right_answers_with_an_interval(monitored):
    monitored.send(60, answers="x")
    for number in range(60):
        monitored.feedback(number, "x" if number % 4 else "y")
    found = monitored.view("performance", since="24h")
    assert found.rows == 60
    drawn(found.chart)
    values = found.chart["data"]["values"]
    assert sum(value["rows"] * value["value"] for value in values) == pytest.approx(45)
    assert all(value["low"] <= value["value"] <= value["high"] for value in values)
    assert monitored.view("performance", until=record_world.NOON.isoformat(), since="30d").rows == 0


def test_performance_of_numbers_is_their_absolute_error(monitored):
    for number in range(4):
        monitored.scene.world.record(number * 10, "aaa", "stable", [number + 0.5])
        monitored.feedback(number, number)
    found = monitored.view("performance", since="24h")
    assert "Mean absolute error" in found.chart["title"]["text"]
    assert {value["value"] for value in found.chart["data"]["values"]} == {0.5}


def test_another_release_is_chosen_by_its_version(monitored):
    monitored.send(20)
    view = monitored.view(release="bbb")
    assert (view.release, view.state, view.requests) == ("tumour:bbb", "none", 20)
    with pytest.raises(UnknownRelease):
        monitored.view(release="zzz")


def test_nothing_recorded_is_said_with_the_remedy(settings):
    scene = scene_of(settings, release("aaa"), release("bbb"), record="off")
    notes = " ".join(scene.view("monitor").notes)
    assert "record: off" in notes
    assert "lost the snapshot" in notes


def written(monitored, folder, **given):
    operation = BY_NAME["report"]
    request = operation.request(**{"name": "tumour", "file": str(folder / "tumour.html")} | given)
    return operation.function(request, monitored.scene.ports, lambda _: None)


def test_a_report_has_the_figures_of_the_monitor_in_one_file_and_a_notebook(monitored, tmp_path):
    monitored.send(300)
    monitored.send(200, age=60.0)
    monitored.feedback(1, "<b>x</b>")
    result = written(monitored, tmp_path, since="24h", notebook=True)
    view = monitored.view(since="24h")
    page = (tmp_path / "tumour.html").read_text()
    assert escape(view.alarms[0].words) in page
    assert f"{view.requests:,}" in page
    assert "<script" not in page
    assert "<b>x" not in page
    assert re.findall(r'(?:src|href)="', page) == []
    assert page.count('<svg role="img" aria-label="') == len(view.charts) + 1  # and the performance
    assert "prefers-color-scheme: dark" in page
    notebook = nbformat.read(tmp_path / "tumour.ipynb", as_version=4)
    nbformat.validate(notebook)
    _, cell = notebook.cells
    assert cell.source.startswith("from jupyter_deploy import report")
    assert len(cell.outputs) == len(view.charts) + 1
    assert "1 alarm" in str(result) or "alarms" in str(result)
    assert written(monitored, tmp_path).notebook == ""


@pytest.mark.parametrize(
    ("name", "words"), [("report.pdf", "is no HTML file"), ("a-file/report.html", "cannot be written")]
)
def test_a_report_that_cannot_be_written_is_an_error_with_a_remedy(monitored, tmp_path, name, words):
    (tmp_path / "a-file").touch()
    with pytest.raises(InvalidInput, match=words):
        written(monitored, tmp_path, file=str(tmp_path / name))


def test_records_end_where_the_filter_ends(monitored):
    monitored.send(10)
    until = record_world.NOON + timedelta(seconds=50)
    assert monitored.view("records", until=until.isoformat()).total == 5
    found = monitored.scene.ports.log.records("tumour", until=until)
    assert [one.request_id for one in found] == ["r0", "r10", "r20", "r30", "r40"]
    with monitored.scene.ports.truth.recorded("tumour", since=None, until=until, limit=100) as rows:
        assert rows.rows == 5
