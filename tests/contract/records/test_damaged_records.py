"""Damaged Parquet files: named in errors, without effect on other work."""

from __future__ import annotations

import os
import random
import subprocess
from datetime import timedelta

import pytest
from record_world import World, endpoint

from jupyter_deploy.comparison.record_log import RecordLog
from jupyter_deploy.domain.errors import StoreError
from jupyter_deploy.domain.evidence.record_pages import RecordFilter, RecordKey
from jupyter_deploy.records import purge, retention
from jupyter_deploy.records.archivist import maintain
from jupyter_deploy.records.compaction import compact_all
from jupyter_deploy.records.counts import FileCounts
from jupyter_deploy.records.retention import Limits
from tests.contract.records.test_record_log import NOON, ids, line, write


def cut(content):
    return content[: len(content) // 2]


def without_metadata(content):
    return content[:-200] + bytes(192) + content[-8:]


def with_other_bytes(seed):
    """One to ten bytes anywhere are others: in the metadata, in a page's header, within compressed values."""

    def damage(content):
        chance = random.Random(seed)
        changed = bytearray(content)
        for _ in range(chance.choice([1, 3, 10])):
            changed[chance.randrange(len(content))] ^= chance.randrange(1, 256)
        return bytes(changed)

    return damage


def failure_of(asked):
    try:
        asked()
    except StoreError as error:
        return error
    return None


def spoiled(path, damage=cut):
    path.write_bytes(damage(path.read_bytes()))
    return path


@pytest.mark.parametrize("damage", [cut, without_metadata])
def test_a_damaged_file_is_named_by_every_reader_and_the_others_are_read_without_it(tmp_path, monkeypatch, damage):
    monkeypatch.setattr(purge, "FLUSH_SECONDS", 0)
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


# With the second, the filter of a column is damaged that comparisons alone read.
FEW, OF_A_FILTER, PART = range(30), range(992, 993), 250
MANY = [range(begin, begin + PART) for begin in range(0, 2000, PART)]
"""Each damage is read four times, and opening DuckDB takes most of it: a part stays below a test's time."""


@pytest.mark.parametrize(
    "seeds", [FEW, OF_A_FILTER, *(pytest.param(part, marks=pytest.mark.exhaustive) for part in MANY)], ids=str
)
def test_whatever_bytes_are_damaged_an_error_names_the_file_and_its_remedy_brings_the_others_back(tmp_path, seeds):
    for number in (1, 2):
        lines = "".join(line(100 * number + k) + "\n" for k in range(50))
        write(tmp_path, lines, name=f"{number}-1.v1.jsonl")
    compact_all(tmp_path)
    bad = tmp_path / "records" / "tumour" / "aaa" / "1-1.v1.parquet"
    sound, log, refused = bad.read_bytes(), RecordLog(tmp_path), 0
    for seed in seeds:
        bad.write_bytes(with_other_bytes(seed)(sound))
        for asked in (
            lambda: log.records("tumour"),
            lambda: World(tmp_path).compare(endpoint()),
            lambda: log.page("tumour", RecordFilter(), before=None, limit=10),
            lambda: log.time_series("tumour", since=NOON, until=NOON + timedelta(hours=1), every=timedelta(hours=1)),
        ):
            error = failure_of(asked)
            if error is not None:  # some bytes change a value alone
                refused += 1
                assert f"{bad} is damaged" in error.message, (seed, error.details)
                remedy = error.remedy
    assert refused > len(seeds) / 4
    subprocess.run(["sh", "-c", remedy.partition("the others: ")[2]], check=True)
    assert len(log.records("tumour")) == 50


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
    assert FileCounts(tmp_path).removed("tumour") == 0


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
