"""Whether requests were refused is known without a look at the records, and the records are read once."""

import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest

from jupyter_deploy.comparison.record_log import RecordLog
from jupyter_deploy.domain.errors import InvalidName
from jupyter_deploy.records import records
from jupyter_deploy.records.counts import FileCounts
from jupyter_deploy.serving.telemetry.records import REFUSED_FILE, Entry, Recorder
from tests.contract.records.test_record_log import line, write

HOUR = timedelta(hours=1)


def recent(at=None):
    return (at or datetime.now(UTC)) - HOUR


@pytest.fixture
def recorder(tmp_path):
    made = Recorder(tmp_path / "records" / "tumour" / "aaa", "tumour", "tumour:aaa")
    yield made
    made.close()


def answer(status):
    error = {"type": "InvalidInstances", "message": "instances.0.age: must be a number"} if status == 422 else None
    return Entry("r", f"p{time.time_ns()}", time.time_ns(), "stable", status, 1.0, error=error)


def test_a_refused_request_is_known_by_its_mark(tmp_path, recorder):
    counts = FileCounts(tmp_path)
    assert counts.refusals("tumour", since=recent()) == []
    recorder.write_all([answer(422), answer(200)])
    (refusal,) = counts.refusals("tumour", since=recent())
    assert (refusal.status, refusal.reason, refusal.requests) == (422, "age: must be a number", 1)
    mark = tmp_path / "records" / "tumour" / "aaa" / REFUSED_FILE
    assert mark.stat().st_mode & 0o777 == 0o600
    os.utime(mark, (1, 1))  # long ago
    assert counts.refusals("tumour", since=recent()) == []
    with pytest.raises(InvalidName):
        counts.refusals("../x", since=recent())


@pytest.mark.parametrize("status", [200, 499, 500, 503])
def test_other_answers_leave_no_mark(tmp_path, recorder, status):
    recorder.write_all([answer(status)])
    assert not (tmp_path / "records" / "tumour" / "aaa" / REFUSED_FILE).exists()


def test_without_a_refusal_no_database_is_imported(tmp_path, recorder):
    recorder.write_all([answer(200)])
    program = (
        "import sys; from datetime import UTC, datetime; from pathlib import Path; from types import SimpleNamespace\n"
        "from jupyter_deploy.settings import Settings; from jupyter_deploy.wiring import Wiring\n"
        f"counts = Wiring(Settings(home={str(tmp_path)!r})).ports.record_counts\n"
        "assert counts.refusals('tumour', since=datetime(2026, 1, 1, tzinfo=UTC)) == []\n"
        "assert counts.removed('tumour') == 0\n"
        "print(*sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True)
    assert {"duckdb", "numpy"} & set(ended.stdout.split()) == set()


def test_the_time_series_and_the_refusals_are_of_one_reading(tmp_path, recorder, monkeypatch):
    recorder.write_all([answer(422), answer(422), answer(200)])
    write(tmp_path, line(1) + "\n", name="2-1.v1.jsonl")
    os.utime(tmp_path / "records" / "tumour" / "aaa" / "2-1.v1.jsonl", (1, 1))
    read = []
    lines_of = records.lines_of
    monkeypatch.setattr(
        "jupyter_deploy.records.refusals.lines_of", lambda files, c: read.append(files) or lines_of(files, c)
    )
    until = datetime.now(UTC) + HOUR
    series = RecordLog(tmp_path).time_series("tumour", since=recent(), until=until, every=2 * HOUR)
    assert [(one.requests, one.refused) for one in series.buckets] == [(3, 2)]
    assert [one.requests for one in series.refusals] == [2]
    assert read == [[recorder.path]], "once, and only what was written since"
