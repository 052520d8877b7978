"""The Monitor of a real home: counts by period, drift against the reference, changes, and performance."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import escape

import nbformat
import pytest
import record_world
from monitored_scene import Monitored, began_two_hours_ago
from record_scene import scene_of, settings

from jupyter_deploy.domain.errors import InvalidInput, UnknownRelease
from jupyter_deploy.domain.evidence.record_pages import RecordFilter
from jupyter_deploy.domain.release.comparison_settings import ComparisonSettings
from jupyter_deploy.domain.validation.requests import ValidateRequest
from jupyter_deploy.records import compaction
from jupyter_deploy.verbs import BY_NAME
from tests.contract.records.test_agreement_course import drawn
from tests.notebooks import write
from tests.releases import release

__all__ = ["settings"]


@pytest.fixture
def monitored(settings, monkeypatch):
    began_two_hours_ago(monkeypatch)
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


def test_drift_is_a_gate_of_a_validation_notebook(monitored, tmp_path):
    """The cell of docs/how-to/watch-drift.md, in a real kernel that looks at this home."""
    cell = 'from jupyter_deploy import drift, metric\nmetric("drift_alarms", drift("tumour").drift_alarms)'
    magics = (
        "%load_ext jupyter_deploy\nlisted = %deploy_list\npromoted = %deploy_promote tumour\n"
        "assert 'tumour' in repr(listed) and 'is skipped' in repr(promoted)"
    )
    notebook = write(tmp_path / "checks.ipynb", cell, magics)
    request = ValidateRequest(notebooks=[str(notebook)], gate=["drift_alarms <= 0"])
    for count, age, verdict in ((300, 45.0, "pass"), (200, 60.0, "fail")):
        monitored.send(count, age)
        found = BY_NAME["validate"].function(request, monitored.scene.ports, lambda _: None)
        (run,) = found.runs
        assert (found.verdict, run.status, [gate.verdict for gate in run.gates]) == (verdict, "done", [verdict])
        (counted,) = [one.value for one in run.metrics if one.name == "drift_alarms"]
        assert (counted > 0) == (verdict == "fail")


def test_records_behind_a_drift_alarm_are_a_filter_of_the_list_and_of_an_export(monitored, tmp_path):
    monitored.send(300)
    monitored.send(200, age=60.0)
    (alarm,) = [one for one in monitored.view(since="24h").alarms if one.kind == "drift"]
    behind = monitored.view("records", since=alarm.since, until=alarm.until, limit=1000, release=alarm.release)
    found = monitored.view("records", alarmed=True, limit=1000)
    assert found.records == behind.records
    logs = BY_NAME["logs"]
    request = logs.request(name="tumour", export=str(tmp_path / "behind.csv"), alarmed=True)
    assert logs.function(request, monitored.scene.ports, print).rows == found.total


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


def test_a_range_that_begins_before_the_endpoint_begins_with_its_first_request(monitored):
    monitored.send(60)
    view = monitored.view(since="30d", until=record_world.NOON + timedelta(minutes=10))
    assert view.begun == view.since == record_world.NOON
    assert view.spans == "1 min"
    assert monitored.view(since=record_world.NOON + timedelta(minutes=5)).begun is None
    both = monitored.view(since="24h", compare_since="48h", compare_until="24h")
    assert both.begun is None
    assert both.since < record_world.NOON


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


def test_two_ranges_are_next_to_each_other_on_the_same_axes(monitored):
    monitored.send(300)
    monitored.send(200, age=60.0)
    monitored.send(30, status=500)
    began, middle = record_world.NOON, record_world.NOON + timedelta(seconds=3_000)
    view = monitored.view(since=middle, compare_since=began, compare_until=middle)
    assert view.requests == 230
    figures = {one.name: (one.now, one.compared) for one in view.compared.figures}
    assert "requests" not in figures  # counts of ranges of different lengths are not comparable
    assert figures["failed"] == ("13 %", "0 %")
    now, before = figures["drift alarms an hour"]
    assert float(now) > 0
    assert before == "0"
    age = next(one for one in view.features if one.name == "age")
    assert re.match(r"more of .* \(.* % to .* %\), JS 0\.\d", age.compared)
    for chart in view.charts.values():
        drawn(chart)
    times = {side: set() for side in ("this range", "compared range")}
    for row in view.charts["rate"]["data"]["values"]:
        times[row["side"]].add(row["start"])
    assert min(times["this range"]) == min(times["compared range"])
    assert {"reference", "now", "compared"} <= view.charts["features"]["data"]["values"][0].keys()
    assert monitored.view(since=middle).compared is None


def test_a_second_range_is_as_long_as_the_first_if_its_end_is_not_given(monitored):
    monitored.send(300)
    first = record_world.NOON + timedelta(seconds=1_800)
    view = monitored.view(since=first, until=first + timedelta(minutes=20), compare_since=record_world.NOON)
    assert view.compared.until - view.compared.since == view.until - view.since
    with pytest.raises(InvalidInput, match="has an end and no begin"):
        monitored.view(compare_until="1h")
    with pytest.raises(InvalidInput, match="ends before it begins"):
        monitored.view(since="1h", compare_since="1h", compare_until="2h")


def test_performance_by_segment_has_an_interval_of_clusters_and_a_second_range(settings, monkeypatch):
    began_two_hours_ago(monkeypatch)
    found = Monitored(settings, comparison=ComparisonSettings(segments=("age: <45, >=45",)))
    for number in range(120):
        age = 30.0 if number % 2 else 60.0
        found.scene.world.record(number * 10, "aaa", "stable", ["x"], inputs=[{"age": age}])
        found.feedback(number, "x" if number % 2 or number >= 60 else "y")
    middle = record_world.NOON + timedelta(seconds=600)
    view = found.view("performance", since=middle, compare_since=record_world.NOON, compare_until=middle)
    assert (view.rows, view.declared, view.compared) == (60, True, True)
    by_name = {one.segment: one for one in view.segments}
    assert set(by_name) == {"age: <45", "age: >=45"}
    assert by_name["age: >=45"].rows == 30
    assert by_name["age: >=45"].value.startswith("100 % (")
    assert by_name["age: >=45"].compared.startswith("0 % (")
    assert by_name["age: <45"].compared.startswith("100 % (")
    drawn(view.chart)
    drawn(view.by_segment)
    assert {row["segment"] for row in view.by_segment["data"]["values"]} == set(by_name)


def test_segments_beyond_the_largest_ones_are_counted_in_a_note(settings, monkeypatch):
    began_two_hours_ago(monkeypatch)
    found = Monitored(settings, comparison=ComparisonSettings(segments=("age",)))
    for number in range(53):
        found.scene.world.record(number * 10, "aaa", "stable", ["x"], inputs=[{"age": number}])
        found.feedback(number, "x")
    view = found.view("performance", since="24h")
    assert len(view.segments) == 50
    assert view.left_out.startswith("3 segments with fewer rows are left out: declare bins")
    early = found.view("performance", since="24h", until=record_world.NOON + timedelta(minutes=8))
    assert (len(early.segments), early.left_out) == (48, "")


def test_rows_of_one_client_are_one_cluster_of_the_performance(monitored):
    for number in range(60):
        monitored.scene.world.record(number * 10, "aaa", "stable", ["x"], cluster="c" if number else None)
        monitored.feedback(number, "x")
    (whole,) = monitored.scene.ports.truth.performance(
        "tumour", since=record_world.NOON, until=datetime.now(UTC), every=timedelta(days=1)
    ).totals
    assert (whole.rows, whole.clusters, whole.accuracy) == (60, 2, 1.0)
    assert whole.low < 0.5


def test_the_answers_of_a_model_of_labels_are_not_read(monitored, monkeypatch):
    monkeypatch.setattr("jupyter_deploy.records.ground_truth.RecordedGroundTruth.confidence", None)
    monitored.send(20)
    assert monitored.view("performance", since="24h").estimate == ""


def test_the_performance_reads_no_watch(monitored, monkeypatch):
    monitored.send(20, answers="x")
    monitored.feedback(1, "x")
    monkeypatch.setattr("jupyter_deploy.drift_detection.drift_log.updated", None)
    assert monitored.view("performance", since="24h").rows == 1
    with pytest.raises(TypeError):
        monitored.view()


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


def test_a_report_compares_two_ranges(monitored, tmp_path):
    monitored.send(300)
    monitored.send(200, age=60.0)
    middle = record_world.NOON + timedelta(seconds=3_000)
    result = written(monitored, tmp_path, since=middle, compare_since=record_world.NOON, compare_until=middle)
    page = (tmp_path / "tumour.html").read_text()
    assert "Both ranges" in page
    assert "since the compared range" in page
    assert "compared with" in str(result)
    assert "since the compared range" in str(result)


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
    found = monitored.scene.ports.log.records("tumour", RecordFilter(until=until))
    assert [one.request_id for one in found] == ["r0", "r10", "r20", "r30", "r40"]
    with monitored.scene.ports.truth.recorded("tumour", since=None, until=until, limit=100) as rows:
        assert rows.rows == 5
