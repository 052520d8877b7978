"""Records whose large tables are written in columns: every reader gives the rows of a record in JSON rows."""

from __future__ import annotations

import json
import math
from datetime import timedelta
from types import SimpleNamespace

import numpy as np
import pytest
from record_world import NOON, World

from jupyter_deploy.comparison.record_log import RecordLog
from jupyter_deploy.domain.evidence.record_pages import RecordFilter
from jupyter_deploy.records import pages
from jupyter_deploy.records.compaction import compact_all
from jupyter_deploy.records.follow import RecordFollower
from jupyter_deploy.records.ground_truth import RecordedGroundTruth
from jupyter_deploy.serving.telemetry.records import Entry, Recorder
from jupyter_deploy.serving.values.column_table import ColumnTable

COUNT = 50
CHANCE = np.random.default_rng(7)
PEOPLE = {
    "age": CHANCE.normal(50, 20, COUNT).astype("float32"),
    "income": np.where(CHANCE.random(COUNT) < 0.1, math.nan, CHANCE.normal(1e5, 1e4, COUNT)),
    "children": CHANCE.integers(0, 5, COUNT),
    "member": CHANCE.random(COUNT) < 0.5,
    "city": ["Zürich", None, 'a "quoted" \\ name', "x\u2028y"] * (COUNT // 4) + ["Bern"] * (COUNT % 4),
}
ANSWERS = CHANCE.normal(0, 1, (COUNT, 2))


def write(home, *, in_columns):
    """Three requests to stable and its shadow; the second one's table is of an array, the last one fails."""
    for version, role in (("aaa", "stable"), ("bbb", "shadow")):
        recorder = Recorder(home / "records" / "tumour" / version, "tumour", f"tumour:{version}")
        for number in range(3):
            table = ColumnTable(PEOPLE if number != 1 else ANSWERS.astype("float32"))
            answers = ColumnTable(ANSWERS + (0.5 if role == "shadow" and number == 1 else 0))
            status, error = (500, {"type": "ValueError", "message": "no"}) if number == 2 else (200, None)
            moment = int(NOON.timestamp() + number) * 10**9 + 1000 * (role == "shadow")
            inputs, outputs = (one if in_columns else one.json() for one in (table, answers))
            outputs = None if error else outputs
            entry = Entry(f"r{number}", f"p{number}", moment, role, status, 1.5, COUNT, inputs, outputs, error)
            assert recorder.write_all([entry])
        recorder.close()
    world = World(home)
    for number in range(3):
        world.ledger("edge", number, "aaa")
        world.ledger("shadow", number)
    return world


@pytest.fixture
def homes(tmp_path):
    return SimpleNamespace(
        rows=write(tmp_path / "rows", in_columns=False), columns=write(tmp_path / "columns", in_columns=True)
    )


def records_of(log):
    """All records; the digest is of the inputs as they are written."""
    return [without_digest(record) for record in log.records("tumour")]


def without_digest(record):
    assert record.inputs_digest
    return record.model_copy(update={"inputs_digest": None})


def reading(world):
    """All that the readers say of a home."""
    log = RecordLog(world.home)
    page = pages.page(world.home, "tumour", RecordFilter(), before=None, limit=10)
    found = pages.page(world.home, "tumour", RecordFilter(text="Zürich"), before=None, limit=10)
    with RecordedGroundTruth(world.home).recorded("tumour", since=None, limit=1000) as recorded:
        rows = recorded.path.read_text()
    return {
        "records": records_of(log),
        "page": page,
        "found": found,
        "pairs": [
            [without_digest(answer) for answer in pages.pair(world.home, "tumour", head.key).answers]
            for head in page.heads
        ],
        "comparison": world.compare(dtype="float64"),
        "series": log.time_series(
            "tumour", since=NOON, until=NOON + timedelta(hours=1), every=timedelta(minutes=1)
        ).buckets,
        "ground truth": rows,
    }


def test_every_reader_gives_the_rows_before_and_after_the_compaction(homes):
    [segment] = (homes.columns.home / "records" / "tumour" / "aaa").glob("*.jsonl")
    assert '"input_table":{"columns":' in segment.read_text()
    expected = reading(homes.rows)
    assert expected["records"][0].inputs[1]["city"] is None
    assert expected["comparison"].agreement.value == pytest.approx(0.5)
    assert (expected["page"].total, expected["found"].total) == (6, 4)
    assert reading(homes.columns) == expected
    assert compact_all(homes.columns.home) == []
    assert not list(homes.columns.home.rglob("*.jsonl.*"))
    assert reading(homes.columns) == expected


def test_a_followed_record_has_its_rows(homes, tmp_path):
    expected = records_of(RecordLog(homes.rows.home))
    follower = RecordFollower(tmp_path / "new", "tumour")
    write(tmp_path / "new", in_columns=True)
    assert [without_digest(record) for record in follower.new()] == expected


def test_a_line_with_a_damaged_table_is_unreadable_and_kept(homes):
    home = homes.columns.home
    [segment] = (home / "records" / "tumour" / "aaa").glob("*.jsonl")
    first, *others = segment.read_text().split("\n")
    document = json.loads(first)
    document["input_table"]["columns"]["age"]["data"] += "AAAA"
    segment.write_text("\n".join([json.dumps(document), *others]))
    log = RecordLog(home)
    assert len(log.records("tumour")) == 5
    assert pages.page(home, "tumour", RecordFilter(), before=None, limit=10).unreadable == 1
    assert compact_all(home) == []
    [rejected] = (home / "records" / "tumour" / "aaa").glob("*.rejected")
    assert json.loads(rejected.read_text()) == document
    assert pages.page(home, "tumour", RecordFilter(), before=None, limit=10).unreadable == 1
    assert len(log.records("tumour")) == 5


def test_a_segment_that_ends_within_a_table_has_the_records_before_it(homes):
    home = homes.columns.home
    [segment] = (home / "records" / "tumour" / "aaa").glob("*.jsonl")
    content = segment.read_bytes()
    segment.write_bytes(content[: content.rindex(b'"input_table"') + 60])
    found = RecordLog(home).records("tumour", RecordFilter(role="stable"))
    assert [record.request_id for record in found] == ["r0", "r1"]
