"""A comparison of many rows a request stays within its memory: it splits answers in parts, and spills."""

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from record_world import NOON, World

from jupyter_deploy.comparison import row_agreement
from jupyter_deploy.domain.errors import StoreError
from jupyter_deploy.records import records
from jupyter_deploy.records.compaction import compact_all

ROWS = 4000
"""Of each request."""


def write(home, requests):
    """Records of a shadow whose floats differ from stable's in every row."""
    chance = np.random.default_rng(0)
    for version, role in (("aaa", "stable"), ("bbb", "shadow")):
        folder = home / "records" / "tumour" / version
        folder.mkdir(parents=True)
        with (folder / "1-1.v1.jsonl").open("w") as file:
            for number in range(requests):
                fields = {
                    "request_id": f"r{number}",
                    "pair_id": f"p{number}",
                    "ts": (NOON + timedelta(seconds=number)).strftime("%Y-%m-%dT%H:%M:%S.000000000Z"),
                    "endpoint": "tumour",
                    "release": f"tumour:{version}",
                    "role": role,
                    "status": 200,
                    "latency_ms": 2.0,
                    "rows": ROWS,
                    "inputs": [{"n": number}],
                    "outputs": chance.normal(size=ROWS).tolist(),
                    "error": None,
                }
                file.write(json.dumps(fields) + "\n")
    compact_all(home)


def test_the_answers_of_many_rows_are_split_in_parts_that_fit(tmp_path, monkeypatch):
    write(tmp_path, 60)
    monkeypatch.setattr(records, "MEMORY_LIMIT", "150MB")
    monkeypatch.setattr(row_agreement, "BATCH_BYTES", 10**12)
    with pytest.raises(StoreError) as failed:
        World(tmp_path).compare(dtype="float64", relative=0.01)
    assert "Out of Memory" in failed.value.details, "else the test shows nothing"
    monkeypatch.setattr(row_agreement, "BATCH_BYTES", 2 * 1024**2)
    compared = World(tmp_path).compare(dtype="float64", relative=0.01)
    assert (compared.pairs, compared.rows) == (60, 60 * ROWS)
    assert compared.sides["stable"].rows == compared.sides["candidate"].rows == 60 * ROWS
    assert compared.flip_count > 0.9 * 60 * ROWS


def test_parts_change_no_figure(tmp_path, monkeypatch):
    write(tmp_path, 8)
    whole = World(tmp_path).compare(dtype="float64", relative=0.5)
    monkeypatch.setattr(row_agreement, "BATCH_BYTES", 1)
    parts = World(tmp_path).compare(dtype="float64", relative=0.5)
    assert parts == whole


BOUNDED = """
import resource, sys
from pathlib import Path
limit = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
from record_world import World
compared = World(Path(sys.argv[1])).compare(dtype="float64", relative=0.01)
print(compared.pairs, compared.rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.exhaustive
def test_five_million_rows_are_compared_within_three_gigabytes(tmp_path):
    write(tmp_path, 1250)
    command = [sys.executable, "-c", BOUNDED, str(tmp_path), str(3 * 1024**3)]
    ended = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    pairs, rows, peak = map(int, ended.stdout.split())
    assert (pairs, rows) == (1250, 5_000_000)
    assert peak < 2500, "megabytes"
