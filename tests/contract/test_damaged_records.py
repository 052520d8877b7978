"""Damaged Parquet files: named in errors, without effect on other work."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest
from record_world import World, endpoint
from test_record_log import NOON, ids, line, write

from jupyter_deploy.comparison.record_log import RecordLog
from jupyter_deploy.domain.errors import StoreError
from jupyter_deploy.domain.evidence.record_pages import RecordFilter, RecordKey
from jupyter_deploy.records import purge, retention
from jupyter_deploy.records.archivist import maintain
from jupyter_deploy.records.compaction import compact_all
from jupyter_deploy.records.retention import Limits


def cut(content):
    return content[: len(content) // 2]


def without_metadata(content):
    return content[:-200] + bytes(192) + content[-8:]


def spoiled(path, damage=cut):
    path.write_bytes(damage(path.read_bytes()))
    return path


@pytest.mark.parametrize("damage", [cut, without_metadata])
def test_a_damaged_file_is_named_by_every_reader_and_the_others_are_read_without_it(tmp_path, monkeypatch, damage):
    monkeypatch.setattr(purge, "_FLUSH_SECONDS", 0)
    for number in (1, 2):
        write(tmp_path, line(number) + "\n", name=f"{number}-1.v1.jsonl")
    compact_all(tmp_path)
    bad = spoiled(tmp_path / "records" / "tumour" / "aaa" / "1-1.v1.parquet", damage)
    log = RecordLog(tmp_path)
    for asked in (
        lambda: log.records("tumour"),
        lambda: log.purge("tumour", before=None, request_ids=["r2"], dry_run=True),
        lambda: log.purge("tumour", before=None, request_ids=["r2"], dry_run=False),
        lambda: World(tmp_path).compare(endpoint()),
        lambda: log.page("tumour", RecordFilter(), before=None, limit=10),
        lambda: log.page("tumour", RecordFilter(text="radius"), before=None, limit=10),
        lambda: log.pair("tumour", RecordKey("2026-11-25 12:00:01", "r1", "p1", "tumour:aaa", "stable").text),
        lambda: log.time_series("tumour", since=NOON, until=NOON + timedelta(hours=1), every=timedelta(hours=1)),
    ):
        with pytest.raises(StoreError) as caught:
            asked()
        assert f"{bad} is damaged" in caught.value.message
        assert "2-1.v2" not in caught.value.message
        assert "move it" in caught.value.remedy
    bad.unlink()
    assert ids(log.records("tumour")) == ["r2"]


@pytest.mark.parametrize("damage", [cut, without_metadata])
def test_a_damaged_file_goes_when_it_is_due_and_the_rest_is_tended(tmp_path, capsys, damage):
    for number in (1, 2):
        write(tmp_path, line(number) + "\n", name=f"{number}-1.v1.jsonl")
    compact_all(tmp_path)
    folder = tmp_path / "records" / "tumour" / "aaa"
    bad = spoiled(folder / "1-1.v1.parquet", damage)
    os.utime(bad, (1, 1))
    write(tmp_path, line(3) + "\n", name="3-1.v1.jsonl")
    assert maintain(tmp_path, Limits(10**9, 30 * 86400.0)) == []
    assert "a damaged file" in capsys.readouterr().out
    assert sorted(path.name for path in folder.iterdir()) == ["2-1.v1.parquet", "3-1.v1.parquet"]
    assert RecordLog(tmp_path).removed("tumour") == 0


def test_a_file_that_cannot_be_cleared_stops_no_other_work(tmp_path, monkeypatch):
    for endpoint_name in ("first", "tumour"):
        write(tmp_path, line(1) + "\n", name="1-1.v1.jsonl", version=f"../{endpoint_name}/aaa")
        os.utime(tmp_path / "records" / endpoint_name / "aaa" / "1-1.v1.jsonl", (1, 1))
    write(tmp_path, line(3) + "\n", name="3-1.v1.jsonl")
    lines = retention._count_lines

    def unreadable(segment):  # as a broken sector is
        if "first" in segment.path.parts:
            raise OSError(5, "Input/output error", str(segment.path))
        return lines(segment)

    monkeypatch.setattr(retention, "_count_lines", unreadable)
    (failure,) = maintain(tmp_path, Limits(10**9, 30 * 86400.0))
    assert "first" in failure
    assert [path.name for path in (tmp_path / "records" / "tumour" / "aaa").iterdir()] == ["3-1.v1.parquet"]
