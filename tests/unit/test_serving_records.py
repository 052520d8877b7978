"""Every request leaves one line, whatever happens."""

from __future__ import annotations

import json
import os
import stat
import threading

import pytest
from prometheus_client import REGISTRY

from jupyter_deploy.domain.inference import Record
from jupyter_deploy.serving import records
from jupyter_deploy.serving.records import Recorder, timestamp


@pytest.fixture
def recorder(tmp_path):
    recorder = Recorder(tmp_path / "records", "tumour", "tumour:1a2b")
    yield recorder
    recorder.close()


def written(recorder, **changes):
    given = {"request_id": "r", "pair_id": None, "ts_ns": 1, "role": "direct", "status": 200, "latency_ms": 1.5}
    recorder.write(**(given | changes))
    return [json.loads(line) for line in recorder.path.read_text().splitlines()]


def lost():
    return REGISTRY.get_sample_value("nbdeploy_records_lost_total")


def test_a_record_has_the_fields_of_the_domain(recorder):
    (line,) = written(recorder, inputs=[{"a": 1}, {"a": 2}], outputs=[0, 1])
    assert set(line) == set(Record.model_fields)
    record = Record.model_validate(line)
    assert (record.endpoint, record.release, record.rows) == ("tumour", "tumour:1a2b", 2)


def test_moments_have_nanoseconds():
    assert timestamp(1_795_608_000_123_456_789) == "2026-11-25T12:00:00.123456789Z"


def test_only_the_owner_may_read_records(recorder):
    written(recorder)
    assert stat.S_IMODE(recorder.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(recorder.path.parent.stat().st_mode) == 0o700


def test_a_record_is_in_the_file_before_write_returns(recorder):
    assert len(written(recorder)) == 1
    assert len(written(recorder)) == 2


def test_records_of_many_threads_do_not_mix(recorder):
    def write_many():
        for _ in range(200):
            written_line = "x" * 5000
            recorder.write(
                request_id="r", pair_id=None, ts_ns=1, role="direct", status=200, latency_ms=1, inputs=[written_line]
            )

    threads = [threading.Thread(target=write_many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([json.loads(line) for line in recorder.path.read_text().splitlines()]) == 800


def test_what_json_cannot_say_does_not_lose_the_record(recorder):
    nested: list[object] = []
    for _ in range(100_000):
        nested = [nested]
    (line,) = written(recorder, inputs=nested)
    assert (line["request_id"], line["inputs"]) == ("r", None)
    assert "NaN" not in json.dumps(written(recorder, outputs=[float("nan")]))


def test_a_full_disk_is_counted_and_told_once_and_the_service_goes_on(tmp_path, capsys):
    recorder = Recorder(tmp_path, "tumour", "tumour:1a2b")
    recorder.path = tmp_path / "full"
    recorder.path.symlink_to("/dev/full")
    before = lost()
    for _ in range(3):
        recorder.write(request_id="r", pair_id=None, ts_ns=1, role="direct", status=200, latency_ms=1)
    recorder.close()
    assert lost() == before + 3
    assert capsys.readouterr().err.count("records are being lost") == 1


def test_a_deleted_file_is_made_anew(recorder):
    written(recorder)
    recorder.path.unlink()
    assert len(written(recorder)) == 1


def test_a_record_is_brought_to_the_disk_within_a_second(tmp_path, monkeypatch):
    synced = threading.Event()
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (fsync(file), synced.set()))
    recorder = Recorder(tmp_path, "tumour", "tumour:1a2b")
    written(recorder)
    assert synced.wait(records.FSYNC_SECONDS + 1)
    synced.clear()
    written(recorder)
    assert synced.wait(records.FSYNC_SECONDS + 1)
    recorder.close()
