"""Parquet files that are damaged: said by name, and in nobody's way."""

from __future__ import annotations

import pytest
from record_world import World, endpoint
from test_record_log import ids, line, write

from jupyter_deploy.adapters import purging
from jupyter_deploy.adapters.compaction import compact_all
from jupyter_deploy.adapters.comparison import RecordLog
from jupyter_deploy.domain.errors import StoreError


def cut(content):
    return content[: len(content) // 2]


def without_metadata(content):
    return content[:-200] + bytes(192) + content[-8:]


def spoiled(path, damage=cut):
    path.write_bytes(damage(path.read_bytes()))
    return path


@pytest.mark.parametrize("damage", [cut, without_metadata])
def test_a_damaged_file_is_named_by_all_who_read_and_the_others_are_read_without_it(tmp_path, monkeypatch, damage):
    monkeypatch.setattr(purging, "_FLUSH_SECONDS", 0)
    for number in (1, 2):
        write(tmp_path, line(number) + "\n", name=f"{number}-1.jsonl")
    compact_all(tmp_path)
    bad = spoiled(tmp_path / "records" / "tumour" / "aaa" / "1-1.v2.parquet", damage)
    log = RecordLog(tmp_path)
    for asked in (
        lambda: log.records("tumour"),
        lambda: log.purge("tumour", before=None, request_ids=["r2"], dry_run=True),
        lambda: log.purge("tumour", before=None, request_ids=["r2"], dry_run=False),
        lambda: World(tmp_path).compare(endpoint()),
    ):
        with pytest.raises(StoreError) as caught:
            asked()
        assert f"{bad} is damaged" in caught.value.message
        assert "2-1.v2" not in caught.value.message
        assert "move it" in caught.value.remedy
    bad.unlink()
    assert ids(log.records("tumour")) == ["r2"]
