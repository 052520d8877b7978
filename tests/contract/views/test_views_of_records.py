"""What the widgets show of records: pages, one record and the last minutes, of a real home."""

from __future__ import annotations

import json
import math
import time
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import pytest
from record_scene import scene_of, settings
from record_world import NOON

from jupyter_deploy.domain.errors import InvalidInput, UnknownEndpoint, UnknownRecord, UnknownRelease
from jupyter_deploy.domain.evidence.record_pages import RecordKey
from jupyter_deploy.domain.health import HealthCheck
from jupyter_deploy.faces.server.rest.exchange import HttpRequest
from jupyter_deploy.faces.server.rest.router import Router
from jupyter_deploy.faces.views.records import CUT
from jupyter_deploy.faces.views.table import VIEWS
from jupyter_deploy.records.compaction import compact_all
from jupyter_deploy.verbs import BY_NAME
from tests.contract.records.test_agreement_course import drawn
from tests.releases import release

__all__ = ["settings"]


@pytest.fixture
def scene(settings):
    """Releases that need not exist: records are looked at without them."""
    return scene_of(settings, release("aaa"), release("bbb"))


def test_an_endpoint_without_a_request_has_nothing_to_show_and_says_so(scene):
    assert scene.view("records").records == ()
    assert scene.view("records").total == 0
    live = scene.view("live")
    assert (live.requests, live.note) == (0, "No requests in this period.")
    for chart in live.charts.values():
        drawn(chart)


@pytest.mark.parametrize("view", ["records", "live", "comparison"])
def test_an_unknown_endpoint_is_an_error(scene, view):
    scene.name = "nobody"
    with pytest.raises(UnknownEndpoint):
        scene.view(view)


def test_the_list_has_both_sides_of_a_request_newest_first_and_pages(scene):
    for number in range(5):
        scene.world.pair(number, ["a", "b"], ["a", "X"], late=0.25)
    page = scene.view("records", limit=3)
    assert [(row.request_id, row.role) for row in page.records] == [
        ("r4", "shadow"), ("r4", "stable"), ("r3", "shadow"),
    ]  # fmt: skip
    assert page.total == 10
    assert (page.records[0].summary, page.records[0].answer) == ('{"n":4,"row":0}', '"a"')
    assert (page.records[0].rows, page.records[0].pair_id) == (2, "p4")
    following = scene.view("records", limit=100, before=page.next)
    assert len(following.records) == 7
    assert following.next is None


def test_the_list_is_filtered_by_what_a_query_string_holds(scene):
    for number in range(4):
        scene.world.pair(number, ["a"], status=500, error={"type": "ValueError", "message": "Ümlaut"})
    assert {row.role for row in scene.view("records", role="shadow", status="500").records} == {"shadow"}
    assert len(scene.keys(release="bbb", text="ümlaut", limit="2")) == 2
    assert scene.view("records", since="2026-11-25T12:00:03+00:00").total == 2
    [*_, failed] = scene.view("records", text="ümlaut").records
    assert (failed.summary, failed.answer) == ("ValueError: Ümlaut", "")
    with pytest.raises(UnknownRelease):
        scene.view("records", release="zzz")
    with pytest.raises(InvalidInput):
        scene.view("records", before="nonsense")


def test_the_list_has_the_requests_that_two_releases_answered_differently(scene):
    for number in range(4):
        scene.world.pair(number, stable=["x"], candidate=["y"] if number == 2 else None)
    for late, answer in ((0.0, "x"), (0.1, "y")):  # the proxy asked one release again
        scene.world.record(9, "aaa", "stable", [answer], late=late)
    found = scene.view("records", differs=True)
    assert [(row.request_id, row.role) for row in found.records] == [("r2", "shadow"), ("r2", "stable")]
    assert scene.view("records", differs=True, release="bbb").total == 1
    compact_all(scene.ports.home)
    assert scene.view("records", differs=True).total == 2
    after = (NOON + timedelta(seconds=3)).isoformat()
    assert scene.view("records", differs=True, since=after).total == 0


@pytest.mark.parametrize("compacted", [False, True])
def test_answers_that_differ_most_come_first_by_pages(scene, compacted, monkeypatch):
    for number, shift in enumerate([0.0, 2.0, -5.0, 0.5, 2.0]):
        scene.world.pair(number, stable=[1.0, 3.0], candidate=[1.0, 3.0 + shift])
    scene.world.pair(5, stable=["a"], candidate=["b"])
    if compacted:
        compact_all(scene.ports.home)
    found = scene.view("records", order="difference", role="stable")
    expected = [("r2", 5.0), ("r4", 2.0), ("r1", 2.0), ("r5", 1.0), ("r3", 0.5)]
    assert [(row.request_id, row.difference) for row in found.records] == expected
    assert found.total == 5
    page = scene.view("records", order="difference", role="stable", limit=2)
    following = scene.view("records", order="difference", role="stable", before=page.next)
    assert [row.request_id for row in (*page.records, *following.records)] == [name for name, _ in expected]
    assert scene.view("records").records[0].difference is None
    monkeypatch.setattr("jupyter_deploy.records.record_filter.MOST_ORDERED", 3)
    newest = scene.view("records", order="difference", role="stable")
    assert [row.request_id for row in newest.records] == ["r4", "r5", "r3"]
    assert newest.notes == ("2 older requests with different answers are not in this order",)


def test_a_place_in_the_order_that_was_lost_is_an_error(scene):
    scene.world.pair(1, stable=[1.0], candidate=[2.0])
    lost = RecordKey("2026-11-25 12:00:00.1", "r9", "p9", "tumour:aaa", "stable").text
    with pytest.raises(UnknownRecord, match="lost its place"):
        scene.view("records", order="difference", before=lost)


def test_the_list_is_filtered_by_the_values_of_columns(scene):
    rows = [[{"age": 30, "plan": "basic"}, {"age": 70, "plan": "plus"}], [{"age": 65, "plan": "basic"}], [[4, 5]], None]
    for number, inputs in enumerate(rows):
        scene.world.record(number, "aaa", "stable", ["x"], inputs=inputs)
    for _ in range(2):
        assert [row.request_id for row in scene.view("records", where="age: >=65").records] == ["r1", "r0"]
        assert [row.request_id for row in scene.view("records", where=["age: >=65", "plan: plus"]).records] == ["r0"]
        assert [row.request_id for row in scene.view("records", where="1: 5").records] == ["r2"]
        compact_all(scene.ports.home)
    with pytest.raises(InvalidInput, match="'age' names a column and no values"):
        scene.view("records", where="age")


def test_an_export_has_the_filters_of_the_list(scene, tmp_path):
    for number in range(4):
        scene.world.pair(number, stable=["x"], candidate=["y"] if number == 2 else None)
    export = BY_NAME["logs"]

    def run(**given):
        return export.function(export.request(name="tumour", **given), scene.ports, lambda _: None)

    assert run(export=str(tmp_path / "a.csv"), differs=True, release="bbb").rows == 1
    assert "y" in (tmp_path / "a.csv").read_text()
    assert [one.request_id for one in run(differs=True, role="stable")] == ["r2"]
    assert [one.request_id for one in run(where=["n: <2"], role="stable")] == ["r0", "r1"]
    assert run(alarmed=True) == []
    with pytest.raises(InvalidInput, match="--follow takes no --release"):
        run(differs=True, follow=True)
    run(export=str(tmp_path / "b.ipynb"), differs=True, since="7d")
    cell = json.loads((tmp_path / "b.ipynb").read_text())["cells"][1]["source"]
    assert "logs('tumour', since='604800s', differs=True, export=str(file))" in cell
    compile(cell, "cell", "exec")


def test_the_banner_has_the_broken_parts_but_not_the_releases_which_the_list_shows(scene, monkeypatch):
    entry = VIEWS["health"]
    assert entry.function(entry.request(), scene.ports).broken == (), "a new home is healthy"
    broken = HealthCheck(part="supervisor", state="error", message="it does not run")
    warned = HealthCheck(part="limits", state="warning", message="few files may be open")
    monkeypatch.setitem(scene.ports.examiners, "programs", lambda *, mend: [broken, warned])
    monkeypatch.setattr("jupyter_deploy.verbs.doctor.list_", lambda *_: pytest.fail("the endpoints were listed"))
    assert entry.function(entry.request(), scene.ports).broken == (broken,)


def test_data_of_users_is_data_whatever_it_looks_like(scene):
    evil = '</script><script>alert("1")</script>\u2028 ${x} {{y}} \x00 \u202e'
    scene.world.record(1, "aaa", "stable", [evil], inputs=[{evil: evil}], request_id="<img src=x onerror=alert(1)>")
    [row] = scene.view("records").records
    assert "<script>" in row.summary
    shown = scene.view("record", key=row.key)
    assert json.loads(shown.input) == [{evil: evil}]
    assert json.loads(shown.answers[0].output) == [evil]
    assert shown.request_id == "<img src=x onerror=alert(1)>"


def test_a_record_of_megabytes_is_cut_and_says_so(scene):
    row = {"text": "é" * 10_000_000}
    scene.world.pair(1, ["y" * 200_000], inputs=[row], stable_fields={"inputs": [row]})
    key = scene.keys()[0]
    shown = scene.view("record", key=key)
    assert (len(shown.input), shown.cut) == (CUT, True)
    assert [(len(one.output), one.cut) for one in shown.answers] == [(CUT, True), (CUT, True)]
    assert shown.input.startswith('[\n  {\n    "text": "éé')
    [listed, *_] = scene.view("records").records
    assert (len(listed.summary), len(listed.answer)) == (120, 120)
    assert len(scene.view("records").model_dump_json()) < 10_000


def test_numbers_are_shown_exactly_as_they_were_recorded(scene):
    numbers = [2**70, 1e-7, 0.1, -0.0, 1.0, 5e-324, 1.7976931348623157e308, None, True]
    scene.world.record(1, "aaa", "stable", [numbers], inputs=[numbers])
    scene.world.record(0, "aaa", "stable", [math.nan, math.inf, -math.inf])  # by a writer that is not so strict
    key, odd = scene.keys()
    for settle in (lambda: None, lambda: compact_all(scene.world.home)):
        settle()
        shown = scene.view("record", key=key)
        assert json.dumps(json.loads(shown.input)) == json.dumps([numbers])
        assert json.dumps(json.loads(shown.answers[0].output)) == json.dumps([numbers])
        output = scene.view("record", key=odd).answers[0].output
        assert json.dumps(json.loads(output)) == "[NaN, Infinity, -Infinity]"


def test_a_failed_request_shows_its_exception_next_to_the_other_releases_answers(scene):
    scene.world.pair(1, ["a"])
    scene.world.record(1, "ccc", "shadow", None, status=500, error={"type": "ValueError", "message": "<b>no</b>"})
    shown = scene.view("record", key=scene.keys(role="stable")[0])
    assert [(one.release, one.status, one.error) for one in shown.answers] == [
        ("tumour:aaa", 200, ""), ("tumour:bbb", 200, ""), ("tumour:ccc", 500, "ValueError: <b>no</b>"),
    ]  # fmt: skip
    assert shown.answers[2].output == ""


def test_records_without_their_data_say_why_and_what_to_do(settings):
    scene = scene_of(settings, release("aaa"), release("bbb"), record="meta")
    scene.world.record(1, "aaa", "stable", None, inputs=None)
    page = scene.view("records")
    assert page.records[0].summary == "input and output are not recorded"
    assert "'nbdeploy traffic tumour --record full'" in page.notes[0]
    shown = scene.view("record", key=page.records[0].key)
    assert (shown.input, shown.cell, shown.answers[0].output) == ("", "", "")
    assert "record: meta" in shown.note


def test_an_endpoint_that_records_nothing_says_so_everywhere(settings):
    scene = scene_of(settings, release("aaa"), release("bbb"), record="off")
    assert "record: off" in scene.view("records").notes[0]
    assert "record: off" in scene.view("live").note


def test_torn_lines_are_reported(scene):
    scene.world.record(1, "aaa", "stable")
    scene.world.raw("aaa", '{"request_id":"torn","pa')
    page = scene.view("records")
    assert (page.total, page.notes) == (1, ("1 line of the records cannot be read and is left out",))


def test_a_record_that_is_gone_is_unknown(scene):
    with pytest.raises(UnknownRecord):
        scene.view("record", key=RecordKey("2026-01-01 00:00:00", "r1", "", "tumour:aaa", "stable").text)


def asked(scene, path, query=""):
    """A request as the server passes it to its worker; the document, or the problem."""
    router = Router(scene.ports, None, scene.world.home)
    found = router.answer(HttpRequest("GET", path, query=parse_qs(query)))
    return found.status, json.loads(found.body)


def test_views_accept_query_strings(scene):
    for number in range(3):
        scene.world.pair(number, ["é"])
    status, page = asked(
        scene, "views/records", "name=tumour&limit=1&role=shadow&text=%C3%A9&since=2026-11-25T12%3A00Z"
    )
    assert (status, page["total"], len(page["records"])) == (200, 3, 1)
    status, following = asked(scene, "views/records", f"name=tumour&role=shadow&before={page['next']}")
    assert [row["request_id"] for row in following["records"]] == ["r1", "r0"]
    status, shown = asked(scene, "views/record", f"name=tumour&key={following['records'][0]['key']}")
    assert (status, shown["request_id"], len(shown["answers"])) == (200, "r1", 2)
    assert asked(scene, "views/live", "name=tumour&minutes=5")[0] == 200
    gone = RecordKey("2026-01-01 00:00:00", "r1", "", "tumour:aaa", "stable").text
    for query, code in ((f"name=tumour&key={gone}", 404), ("name=tumour&key=x", 422), ("name=nobody&key=x", 404)):
        assert asked(scene, "views/record", query)[0] == code, query
    assert asked(scene, "views/live", "name=tumour&minutes=0")[0] == 422


# ---- the last minutes


def test_the_last_minutes_are_counted_by_release_and_role(scene):
    start = datetime.now(UTC) - timedelta(minutes=10) - NOON
    for number in range(100):
        late = start.total_seconds()
        for version, role in (("aaa", "stable"), ("bbb", "shadow")):
            failed = {"status": 500} if version == "bbb" and number % 4 == 0 else {}
            scene.world.record(number, version, role, late=late, latency_ms=float(number), **failed)
    scene.world.record(1, "aaa", "stable", late=start.total_seconds() - 3600)
    live = scene.view("live", minutes="15")
    assert live.requests == 100  # copies are no requests
    rate = live.charts["rate"]["data"]["values"]
    assert {row["side"] for row in rate} == {"stable aaa", "shadow bbb"}
    assert sum(row["requests"] for row in rate) == 200
    assert max(row["rate"] for row in rate) == 1.0
    failed = live.charts["errors"]["data"]["values"]
    assert sum(row["failed"] for row in failed if row["side"] == "shadow bbb") == 25
    assert {row["errors"] for row in failed if row["side"] == "stable aaa"} == {0.0, None}
    assert max(row["p50"] or 0 for row in live.charts["latency"]["data"]["values"]) > 90
    for name, chart in live.charts.items():
        drawn(chart)
        assert len(chart["data"]["values"]) <= 2 * 90, name
        assert "stable aaa: 100" in live.charts["rate"]["description"]
    assert scene.view("live", minutes=5).requests == 0


NULL = "must be a number, not null (a missing value is accepted only if the deployed example or its signature has one)"


def test_refused_requests_are_counted_by_reason_with_the_answers_of_shadows(scene):
    late = (datetime.now(UTC) - timedelta(minutes=10) - NOON).total_seconds()

    def refuse(number, message, role="stable", version="aaa", status=422):
        error = {"type": "InvalidInstances", "message": f"the instances do not fit the model: {message}"}
        scene.world.record(number, version, role, None, late=late, status=status, error=error)

    for number in range(22):
        refuse(number, f"instances.{number}.income: {NULL}")
    for number in range(3):  # one shadow accepts them, the other does not
        scene.world.record(number, "bbb", "shadow", late=late)
        refuse(number, f"instances.0.income: {NULL}", "shadow", "ccc")
    refuse(40, 'instances.0.purpose: must be one of "car", "house", not the string "boat"')
    refuse(41, 'instances.3.purpose: must be one of "car", "house", not 7')
    refuse(42, "instances.0.income: missing feature 'income'", status=499)  # the client went away
    scene.world.record(43, "aaa", "stable", late=late)
    live = scene.view("live", minutes="15")
    assert [(r.release, r.role, r.status, r.reason, r.requests, r.shadows) for r in live.refusals] == [
        ("tumour:aaa", "stable", 422, "income: must be a number, not null", 22, 3),
        ("tumour:ccc", "shadow", 422, "income: must be a number, not null", 3, 0),
        ("tumour:aaa", "stable", 422, 'purpose: must be one of "car", "house"', 2, 0),
    ]
    chart = live.charts["refused"]
    drawn(chart)
    assert sum(row["refused"] for row in chart["data"]["values"]) == 27
    assert "stable aaa: 24" in chart["description"]
    assert sum(row["failed"] for row in live.charts["errors"]["data"]["values"]) == 0


@pytest.mark.parametrize("minutes", [1, 7, 15, 60, 24 * 60, 7 * 24 * 60])
def test_any_time_is_covered_by_few_whole_spans(scene, minutes):
    at = datetime.now(UTC) - timedelta(minutes=minutes / 2) - NOON
    scene.world.record(1, "aaa", "stable", late=at.total_seconds())
    live = scene.view("live", minutes=minutes)
    rows = live.charts["rate"]["data"]["values"]
    assert live.requests == 1
    assert 10 <= len(rows) <= 169
    covered = (rows[1]["start"] - rows[0]["start"]) / 1000 * len(rows)
    assert 0.8 * minutes * 60 <= covered <= minutes * 60


def test_views_of_100_000_records(scene):
    """No time is asserted: it is printed, for 'pytest -s' (aims: a page in 0.3 s, the last minutes in 0.5 s)."""
    start = datetime.now(UTC) - timedelta(minutes=14)
    lines: dict = {"aaa": [], "bbb": []}
    for number in range(50_000):
        ts = (start + timedelta(milliseconds=16 * number)).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")
        for version, role in (("aaa", "stable"), ("bbb", "shadow")):
            lines[version].append(
                f'{{"request_id":"r{number}","pair_id":"p{number}","ts":"{ts}","endpoint":"tumour",'
                f'"release":"tumour:{version}","role":"{role}","status":200,"latency_ms":{number % 97 / 10},"rows":1,'
                f'"inputs":[{{"radius":{number},"texture":0.{number},"name":"number {number}"}}],"outputs":["benign"],'
                '"error":null}\n'
            )
    for version, text in lines.items():
        scene.world.raw(version, "".join(text), segment="1-1.v1.jsonl")
    for form in ("JSON lines", "Parquet"):
        for name, view, given in (
            ("a page", "records", {}),
            ("a page by text", "records", {"text": "number 4999"}),
            ("the last minutes", "live", {}),
        ):
            began = time.perf_counter()
            found = scene.view(view, **given)
            print(f"{form}: {name} in {time.perf_counter() - began:.2f} s")
            assert getattr(found, "requests", 0) == 50_000 or found.total in (100_000, 22)
        compact_all(scene.world.home)
