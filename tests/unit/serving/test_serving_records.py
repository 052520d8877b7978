"""Every request leaves one line in the record log, whatever happens."""

from __future__ import annotations

import fcntl
import json
import os
import resource
import stat
import subprocess
import sys
import threading
import time
from datetime import datetime

import pytest
from prometheus_client import REGISTRY

from jupyter_deploy.domain.evidence.inference import Record
from jupyter_deploy.serving.dispatch.parsed_request import Raw
from jupyter_deploy.serving.telemetry import records
from jupyter_deploy.serving.telemetry.recording import KEPT, Recording
from jupyter_deploy.serving.telemetry.records import Entry, Recorder, timestamp


@pytest.fixture
def recorder(tmp_path):
    recorder = Recorder(tmp_path / "records", "tumour", "tumour:1a2b")
    yield recorder
    recorder.close()


GIVEN = {"request_id": "r", "pair_id": None, "ts_ns": 1, "role": "direct", "status": 200, "latency_ms": 1.5}


def entry(**changes):
    return Entry(**(GIVEN | changes))


def written(recorder, **changes):
    assert recorder.write_all([entry(**changes)])
    return [json.loads(line) for line in recorder.path.read_text().splitlines()]


def lost():
    return REGISTRY.get_sample_value("nbdeploy_records_lost_total")


def test_a_record_has_the_fields_of_the_domain(recorder):
    (line,) = written(recorder, inputs=[{"a": 1}, {"a": 2}], outputs=[0, 1], rows=2)
    assert set(line) == set(Record.model_fields) - {"redacted", "sample", "canary", "share", "cluster"}
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
            recorder.write_all([entry(inputs=[written_line])])

    threads = [threading.Thread(target=write_many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([json.loads(line) for line in recorder.path.read_text().splitlines()]) == 800


def test_a_value_without_json_form_does_not_lose_the_record(recorder):
    nested: list[object] = []
    for _ in range(100_000):
        nested = [nested]
    (line,) = written(recorder, inputs=nested)
    assert (line["request_id"], line["inputs"]) == ("r", None)
    assert "NaN" not in json.dumps(written(recorder, outputs=[float("nan")]))


def test_lost_records_are_counted_and_logged_once_and_the_service_continues(tmp_path, capsys):
    (tmp_path / "file").touch()
    recorder = Recorder(tmp_path / "file" / "records", "tumour", "tumour:1a2b")
    before = lost()
    assert [recorder.write_all([entry()]) for _ in range(3)] == [False, False, False]
    recorder.close()
    assert lost() == before + 3
    assert capsys.readouterr().err.count("records are being lost") == 1


FULL = """
import json, resource, sys
from pathlib import Path
from prometheus_client import REGISTRY
from jupyter_deploy.serving.telemetry.recording import KEPT, Recording
from jupyter_deploy.serving.telemetry.records import Entry, Recorder
recorder = Recorder(sys.argv[1], "tumour", "tumour:1a2b")
def write(*numbers):
    return recorder.write_all([Entry(str(number), None, 1, "direct", 200, 1) for number in numbers])
def room(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
written = [write(0)]
size = recorder.path.stat().st_size
room(2 * size + 50)
written += [write(1, 2, 3), write(4)]
room(resource.RLIM_INFINITY)
written += [write(5, 6)]
print(json.dumps([written, REGISTRY.get_sample_value("nbdeploy_records_lost_total")]))
"""


def test_a_record_cut_off_by_a_full_disk_corrupts_no_other(tmp_path):
    ended = subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=True)
    assert json.loads(ended.stdout) == [[True, False, False, True], 3]
    (segment,) = tmp_path.glob("*.jsonl")
    first, second, torn, *last = segment.read_text().splitlines()
    assert [json.loads(line)["request_id"] for line in (first, second, *last)] == ["0", "1", "5", "6"]
    assert len(torn) == 50


def test_the_records_of_one_call_are_one_write(recorder, monkeypatch):
    writes = []
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, text: (writes.append(text), write(file, text))[1])
    recorder.write_all([entry(request_id=str(number), mode=Recording(mode)) for number, mode in enumerate(KEPT)])
    assert recorder.write_all([])
    assert recorder.write_all([entry(mode=Recording("off"))])
    assert len(writes) == 1
    assert [json.loads(line)["request_id"] for line in recorder.path.read_text().splitlines()] == ["0", "1"]


def test_raw_json_is_written_unchanged_on_one_line(recorder):
    asked = Raw('[{"a": 1.50, "name": "é\\n"},\r\n {"a": 2}]'.encode())
    (line,) = written(recorder, inputs=asked, outputs=Raw(b"[0,1]"), rows=2)
    assert (line["inputs"], line["outputs"]) == ([{"a": 1.5, "name": "é\n"}, {"a": 2}], [0, 1])
    (text,) = recorder.path.read_bytes().splitlines()
    assert asked.replace(b"\r\n", b"  ") in text


def test_a_line_is_strict_json_for_any_id_and_name(tmp_path):
    recorder = Recorder(tmp_path, 'tu"mour', "tumour:é")
    (line,) = written(recorder, request_id='"\\ \x80é', pair_id="}{", latency_ms=0.00004)
    recorder.close()
    assert (line["request_id"], line["pair_id"], line["endpoint"]) == ('"\\ \x80é', "}{", 'tu"mour')
    assert (line["release"], line["latency_ms"]) == ("tumour:é", 0.0)


def test_a_deleted_segment_is_replaced(recorder):
    written(recorder)
    recorder.path.unlink()
    assert len(written(recorder)) == 1


def test_meta_leaves_out_possible_data_and_off_leaves_out_everything(recorder):
    failed = {
        "rows": 2,
        "inputs": [1, 2],
        "outputs": [3, 4],
        "error": {"type": "ValueError", "message": "no such name: Ada"},
    }
    (line,) = written(recorder, **failed, mode=Recording("meta"))
    assert (line["inputs"], line["outputs"], line["rows"]) == (None, None, 2)
    assert line["error"] == {"type": "ValueError", "message": ""}
    assert recorder.write_all([entry(mode=Recording("off"), **failed)])
    assert len(recorder.path.read_text().splitlines()) == 1


def test_a_segment_is_closed_at_its_size_and_never_written_again(tmp_path):
    recorder = Recorder(tmp_path, "tumour", "tumour:1a2b", segment_bytes=1000)
    paths = []
    for number in range(20):
        written(recorder, request_id=str(number))
        paths.append(recorder.path)
    recorder.close()
    found = sorted(tmp_path.glob("*.jsonl"), key=paths.index)
    assert found == list(dict.fromkeys(paths))
    assert len(found) == 4
    lines = [json.loads(line)["request_id"] for path in found for line in path.read_text().splitlines()]
    assert lines == [str(number) for number in range(20)]


def locked(path):
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_a_segment_is_locked_while_it_is_written(recorder):
    written(recorder)
    assert locked(recorder.path)
    recorder.close()
    assert not locked(recorder.path)


def test_an_idle_writer_closes_its_segment_on_request(recorder):
    written(recorder)
    first = recorder.path
    request = first.with_name(f"{first.name}.close")
    request.touch()
    deadline = time.monotonic() + 60
    while locked(first) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not locked(first)
    assert not request.exists()
    written(recorder)
    assert recorder.path != first


def test_a_clock_that_jumps_closes_no_segment_and_reuses_no_name(recorder, monkeypatch):
    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime(1999, 1, 1, tzinfo=tz)

    written(recorder)
    first = recorder.path
    monkeypatch.setattr(records, "datetime", Clock)
    assert len(written(recorder, ts_ns=10**18)) == 2
    assert recorder.path == first
    names = set()
    for _ in range(3):
        recorder.path.unlink()
        written(recorder)
        names.add(recorder.path.name)
    assert len(names) == 3


def test_a_record_is_synced_without_another_write(tmp_path, monkeypatch):
    synced = threading.Event()
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (fsync(file), synced.set()))
    recorder = Recorder(tmp_path, "tumour", "tumour:1a2b")
    written(recorder)
    assert synced.wait(60)
    synced.clear()
    written(recorder)
    assert synced.wait(60)
    recorder.close()


def test_a_lack_of_file_descriptors_stops_neither_fsync_nor_the_closing_of_segments(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "FSYNC_SECONDS", 0.02)
    dup, fsync, refused, synced = os.dup, os.fsync, threading.Event(), threading.Event()

    def dup_without_descriptors(file):
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        monkeypatch.setattr(os, "dup", dup)
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
        try:
            return dup(file)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            refused.set()

    monkeypatch.setattr(os, "dup", dup_without_descriptors)
    monkeypatch.setattr(os, "fsync", lambda file: (fsync(file), synced.set()))
    recorder = Recorder(tmp_path, "tumour", "tumour:1a2b")
    written(recorder)
    assert refused.wait(120)
    assert synced.wait(60)  # without another write
    request = recorder.path.with_name(f"{recorder.path.name}.close")
    request.touch()
    deadline = time.monotonic() + 60
    while (request.exists() or locked(recorder.path)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not locked(recorder.path)
    recorder.close()
