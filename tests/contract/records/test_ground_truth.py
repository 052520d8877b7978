"""Ground truth: joined to the answers, purged with them, and provided to validation notebooks."""

from __future__ import annotations

import json
import os
import shutil
import stat
from datetime import timedelta

import pytest
from killing import Workshop
from record_world import NOON, World

from jupyter_deploy.comparison.record_log import RecordLog
from jupyter_deploy.domain.errors import StoreError
from jupyter_deploy.domain.evidence.ground_truth import Actual, Feedback, batches
from jupyter_deploy.faces.kernel import recorded as face
from jupyter_deploy.records import purge, retention, segments
from jupyter_deploy.records.archivist import due, maintain
from jupyter_deploy.records.compaction import compact_all
from jupyter_deploy.records.ground_truth import RecordedGroundTruth
from jupyter_deploy.records.retention import Limits
from tests.contract.records.test_record_log import write

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    monkeypatch.setattr(purge, "FLUSH_SECONDS", 0)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


@pytest.fixture
def truth(tmp_path):
    return RecordedGroundTruth(tmp_path)


def tell(
    home, request_id, actual="yes", row=0, *, after=timedelta(hours=1), item=0, name="1-1.v1.jsonl", endpoint="tumour"
):
    """A line of feedback, received some time after noon."""
    path = home / "feedback" / endpoint / name
    path.parent.mkdir(parents=True, exist_ok=True)
    ts = (NOON + after).strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"
    line = {"ts": ts, "item": item, "endpoint": endpoint, "request_id": request_id, "row": row, "actual": actual}
    with path.open("a") as file:
        file.write(json.dumps(line) + "\n")
    return path


def rows(truth, since=None, limit=1000):
    with truth.recorded("tumour", since=since, limit=limit) as found:
        lines = [json.loads(line) for line in found.path.read_text().splitlines()]
    assert len(lines) == found.rows
    return lines, found


@pytest.fixture
def told(world, tmp_path):
    """Six answered requests of two rows, and one word of each kind on them."""
    for number in range(6):
        world.pair(number, ["a", "b"])
    world.pair(5, ["a", "b"], stable_fields={"pair_id": "again"}, pair_id="again")  # the caller used r5 twice
    world.record(6, "bbb", "canary", ["c"])
    tell(tmp_path, "r0", "no")
    tell(tmp_path, "r0", "yes", item=1)  # in the same POST: the last counts
    tell(tmp_path, "r0", "first", after=timedelta(minutes=1))
    tell(tmp_path, "r0", "b", row=1)
    tell(tmp_path, "r1", "late", after=2 * DAY, name="2-1.v1.jsonl")
    tell(tmp_path, "r2", None, row=1)
    tell(tmp_path, "r3", row=2)  # it has two rows
    tell(tmp_path, "r5")
    tell(tmp_path, "nobody")
    tell(tmp_path, "r6", {"any": ["JSON", 1.5]})
    tell(tmp_path, "r0", "other", endpoint="other")
    return Feedback(
        endpoint="tumour",
        posted=10,
        joined=5,
        late=1,
        repeated=2,
        ambiguous=1,
        unknown=2,
        rows_with_truth=4,
        releases={"tumour:aaa": 3, "tumour:bbb": 4},
    )


@pytest.mark.parametrize("compacted", [False, True], ids=["json lines", "parquet"])
def test_each_value_is_counted_once_and_is_the_same_for_every_release_that_answered(truth, told, tmp_path, compacted):
    if compacted:
        assert due(tmp_path, Limits(10**9))
        assert compact_all(tmp_path) == []
        assert not list(tmp_path.rglob("*.jsonl"))
    found = truth.counts("tumour")
    assert found == told
    assert found.posted == found.joined + found.repeated + found.ambiguous + found.unknown
    known = {(line["request_id"], line["row"]): line["actual"] for line in rows(truth)[0] if line["actual"] is not None}
    assert known == {("r0", 0): "yes", ("r0", 1): "b", ("r1", 0): "late", ("r6", 0): {"any": ["JSON", 1.5]}}


def test_feedback_before_its_record_is_joined_once_the_record_exists(truth, world, tmp_path):
    tell(tmp_path, "r1")
    assert truth.counts("tumour") == Feedback(endpoint="tumour", posted=1, unknown=1)
    world.record(1, "aaa", "stable", status=500, outputs=None)  # no answer yet
    assert truth.counts("tumour").unknown == 1
    world.record(1, "aaa", "stable", late=3)
    assert truth.counts("tumour").joined == 1


def test_a_request_that_the_proxy_retried_is_one_request(truth, world, tmp_path):
    world.pair(1, ["early"])
    world.pair(1, ["middle"], stable_fields={"late": 0.5}, late=0.5)
    world.pair(1, ["last"], stable_fields={"late": 0.7}, late=0.7)
    world.pair(1, ["last"], stable_fields={"late": 0.7}, late=0.7)  # as by a clock that stands still
    tell(tmp_path, "r1")
    found = truth.counts("tumour")
    assert (found.joined, found.releases) == (1, {"tumour:aaa": 1, "tumour:bbb": 1})
    assert [line["predicted"] for line in rows(truth)[0]] == ["last"]


def test_torn_lines_are_counted_and_spoil_no_other(truth, world, tmp_path):
    world.pair(1)
    tell(tmp_path, "r1").open("a").write('{"ts": "2026\ngarbage\n')
    assert (truth.counts("tumour").joined, truth.counts("tumour").unreadable) == (1, 2)
    compact_all(tmp_path)
    assert (truth.counts("tumour").joined, truth.counts("tumour").unreadable) == (1, 2)


def test_the_archivist_compacts_feedback_where_there_is_nothing_else_to_do(truth, tmp_path):
    tell(tmp_path, "r1")
    limits = Limits(10**9)
    assert due(tmp_path, limits)
    assert maintain(tmp_path, limits) == []
    assert not due(tmp_path, limits)
    assert [path.name for path in (tmp_path / "feedback" / "tumour").glob("1-1*")] == ["1-1.v1.parquet"]
    assert truth.counts("tumour").posted == 1


def test_no_feedback_is_no_error(truth):
    assert truth.counts("tumour") == Feedback(endpoint="tumour")


def test_a_reader_of_records_alone_sees_no_feedback(told, tmp_path):
    """Treats each folder under the records as a release and compacts its files as records."""
    assert [folder.name for folder in segments.release_folders(tmp_path, "tumour")] == ["aaa", "bbb"]
    assert segments.endpoints(tmp_path) == ["tumour"]


def test_feedback_that_a_newer_version_wrote_is_refused_by_name(truth, tmp_path):
    tell(tmp_path, "r1", name="1-1.v2.jsonl")
    with pytest.raises(StoreError, match=r"1-1\.v2\.jsonl"):
        truth.counts("tumour")


# ---- it goes with what it is about


def purge_records(home, *ids, before=None, dry_run=False):
    return RecordLog(home).purge("tumour", before=before, request_ids=ids, dry_run=dry_run)


def left(home):
    found = []
    with purge.database() as connection:
        for path in (home / "feedback" / "tumour").glob("*.parquet"):
            found += [row[0] for row in connection.execute(f"SELECT request_id FROM '{path}'").fetchall()]
    return sorted(found)


@pytest.mark.parametrize(
    ("asked", "gone"),
    [
        ({"ids": ["r0", "nobody"]}, ["nobody", "r0", "r0", "r0", "r0"]),
        ({"before": NOON + timedelta(seconds=1.5)}, ["r0", "r0", "r0", "r0", "r1"]),  # however late it arrived
        ({"before": NOON + timedelta(seconds=1.5), "ids": ["r1", "r2"]}, ["r1"]),
        ({"before": NOON + DAY}, ["nobody", *["r0"] * 4, "r1", "r2", "r3", "r5", "r6"]),
        ({"ids": ["r9' OR true --"]}, []),
    ],
    ids=["by request", "by moment", "by both", "everything", "nothing"],
)
def test_a_purge_deletes_the_feedback_of_its_records(told, truth, tmp_path, asked, gone):
    ids, before = asked.get("ids", []), asked.get("before")
    everything = ["nobody", *["r0"] * 4, "r1", "r2", "r3", "r5", "r6"]
    counted = purge_records(tmp_path, *ids, before=before, dry_run=True)
    assert counted.feedback == len(gone)
    assert truth.counts("tumour").posted == 10
    assert purge_records(tmp_path, *ids, before=before) == counted.model_copy(update={"dry_run": False})
    for one in gone:
        everything.remove(one)
    assert left(tmp_path) == everything
    assert truth.counts("tumour").removed == len(gone)
    assert "other" in (tmp_path / "feedback" / "other" / "1-1.v1.jsonl").read_text()


def test_a_purge_killed_before_any_of_its_steps_and_repeated_leaves_no_feedback_of_purged_records(tmp_path):
    template = tmp_path / "template"
    world = World(template)
    for number in range(3):
        world.record(number, "aaa", "stable")
        tell(template, f"r{number}", after=DAY)
    assert compact_all(template) == []
    moment = NOON + timedelta(seconds=1.5)
    workshop, steps = Workshop(), 0

    def work(step):
        shutil.copytree(template, tmp_path / str(step))
        doomed = f"purge.PurgeSelection('tumour', datetime.datetime.fromisoformat({moment.isoformat()!r}), [])"
        return f"import datetime; purge.purge(Path({str(tmp_path / str(step))!r}), {doomed})"

    for steps in workshop.at_each_step(work):
        home = tmp_path / str(steps)
        purge_records(home, before=moment)
        assert left(home) == ["r2"], steps
        assert segments.removed(home / "feedback" / "tumour").count == 2, steps
    workshop.close()
    assert workshop.kills == steps - 1 > 5


def test_limits_hold_for_feedback_too(truth, told, tmp_path):
    old = tell(tmp_path, "r2", name="0-1.v1.jsonl")
    os.utime(old, (1, 1))
    limits = Limits(10**9, 3600.0 * 24 * 365 * 10)
    assert due(tmp_path, limits)
    assert maintain(tmp_path, limits) == []
    found = truth.counts("tumour")
    assert (found.posted, found.removed) == (10, 1)
    place = next(place for place in retention.scopes(tmp_path) if place.guard.parent.name == "feedback")
    assert place.guard == tmp_path / "feedback" / "other"


# ---- recorded rows


def test_the_last_rows_come_oldest_first_in_a_private_file_that_goes(truth, world):
    for number in range(5):
        world.record(number, "aaa", "stable", ["a", "b", "c"])
    with truth.recorded("tumour", since=None, limit=7) as found:
        assert stat.S_IMODE(found.path.stat().st_mode) == 0o600
        assert stat.S_IMODE(found.path.parent.stat().st_mode) == 0o700
        lines = [json.loads(line) for line in found.path.read_text().splitlines()]
    assert not found.path.parent.exists()
    assert (found.rows, found.of) == (7, 15)
    assert [(line["request_id"], line["row"]) for line in lines] == [
        ("r2", 2), ("r3", 0), ("r3", 1), ("r3", 2), ("r4", 0), ("r4", 1), ("r4", 2),
    ]  # fmt: skip
    assert lines[0] == {
        "request_id": "r2", "row": 2, "ts": "2026-11-25T12:00:02Z", "release": "tumour:aaa",
        "instance": {"n": 2, "row": 2}, "predicted": "c", "actual": None,
    }  # fmt: skip


def test_only_answers_to_clients_are_provided_and_records_without_data_are_counted(truth, world):
    world.pair(1)
    world.record(2, "bbb", "canary")
    for number, role in enumerate(("probe", "direct", "shadow"), 3):
        world.record(number, "aaa", role)
    world.record(6, "aaa", "stable", status=422, outputs=None)
    world.record(7, "aaa", "stable", inputs=None, outputs=None, rows=1)
    lines, found = rows(truth)
    assert [(line["request_id"], line["release"]) for line in lines] == [("r1", "tumour:aaa"), ("r2", "tumour:bbb")]
    assert (found.of, found.bare) == (2, 1)
    assert [line["request_id"] for line in rows(truth, since=NOON + timedelta(seconds=2))[0]] == ["r2"]


def test_values_come_back_as_they_were_recorded(truth, world):
    odd = [2**70, 1e-7, 1.0, 0.1, "é\u2028\u0000", None, True, {"a": [1, {"b": ""}]}]
    world.record(1, "aaa", "stable", outputs=odd, inputs=odd)
    compact_all(world.home)
    lines = rows(truth)[0]
    assert [line["instance"] for line in lines] == odd
    assert [type(line["predicted"]) for line in lines] == [type(value) for value in odd]


def frame(lines, monkeypatch, tmp_path, of=None):
    path = tmp_path / "recorded.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    monkeypatch.setenv("NBDEPLOY_RECORDED", str(path))
    monkeypatch.setenv("NBDEPLOY_RECORDED_OF", str(of or len(lines)))
    return face.recorded("is not asked")


def line(number, instance, actual=None):
    return {
        "request_id": f"r{number}", "row": 0, "ts": f"2026-11-25T12:00:0{number}.123456789Z", "release": "tumour:aaa",
        "instance": instance, "predicted": number, "actual": actual,
    }  # fmt: skip


def test_a_notebook_gets_features_prediction_and_ground_truth_as_columns(monkeypatch, tmp_path):
    found = frame([line(1, {"age": 30, "sex": "F"}, 1), line(2, {"age": 40, "sex": None})], monkeypatch, tmp_path)
    assert list(found.columns) == ["age", "sex", "predicted", "actual", "release", "ts"]
    assert found.attrs["features"] == ["age", "sex"]
    assert list(found.index) == [("r1", 0), ("r2", 0)]
    assert [*found["actual"]] == [1, None]
    assert type(found["actual"].iloc[0]) is int
    assert (found["predicted"].dtype, found["age"].dtype) == ("int64", "int64")
    assert found["ts"].iloc[1].isoformat() == "2026-11-25T12:00:02.123456789+00:00"


def test_a_feature_keeps_its_name_if_another_column_has_the_same(monkeypatch, tmp_path):
    found = frame([line(1, {"actual": 5, "actual_": 6, "ts": 7}, "yes")], monkeypatch, tmp_path)
    assert list(found.columns) == ["actual", "actual_", "ts", "predicted", "actual__", "release", "ts_"]
    assert (found["actual"].iloc[0], found["actual__"].iloc[0]) == (5, "yes")


@pytest.mark.parametrize("instances", [["a text", "another"], [[1, 2], [3, 4]], [1.5, {"a": 1}]])
def test_instances_that_are_no_objects_stand_in_one_column(monkeypatch, tmp_path, instances):
    found = frame([line(number, one) for number, one in enumerate(instances)], monkeypatch, tmp_path)
    assert found.attrs["features"] == ["instance"]
    assert [*found["instance"]] == instances


def test_rows_that_were_left_out_are_warned_of(monkeypatch, tmp_path):
    with pytest.warns(UserWarning, match="the last 1 of 7 recorded rows"):
        frame([line(1, 1)], monkeypatch, tmp_path, of=7)


def test_batches_hold_all_in_order_within_their_limits():
    actuals = [Actual(request_id=f"r{number}", actual=number) for number in range(10)]
    sizes = [1, 1, 1, 1, 1, 50, 1, 6, 6, 1]
    found = batches(actuals, sizes, most=3, size=10)
    assert [one for part in found for one in part] == actuals
    assert [len(part) for part in found] == [3, 2, 1, 2, 2]


def test_an_invalid_line_does_not_stop_the_join(truth, world, tmp_path):
    world.pair(1)
    write(tmp_path, "garbage\n", name="9-1.v1.jsonl")
    tell(tmp_path, "r1")
    assert truth.counts("tumour").joined == 1
