"""Every request and its answer, as one line of JSON in a file of this process."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from . import metrics

FSYNC_SECONDS = 1.0


class Recorder:
    """Appends records to ``<folder>/<start>-<pid>.jsonl``.

    A record is written with one call before the answer leaves: then it survives the death of the process. A thread
    brings it to the disk within a second: then it survives the death of the machine. If it cannot be written, the
    request is answered all the same; ``nbdeploy_records_lost_total`` counts it and the first failure is told on
    stderr.
    """

    def __init__(self, folder: str | os.PathLike[str], endpoint: str, release: str) -> None:
        self._folder = Path(folder)
        self._endpoint = endpoint
        self._release = release
        self.path = self._folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}.jsonl"
        self._file: int | None = None
        self._torn = False
        self._told = False
        self._lock = threading.Lock()
        self._dirty = threading.Event()
        self._closed = threading.Event()
        metrics.records_lost()  # so that it is seen as 0 before anything is lost
        self._syncer = threading.Thread(target=self._sync_for_ever, name="records-fsync", daemon=True)
        self._syncer.start()

    def write(
        self,
        *,
        request_id: str,
        pair_id: str | None,
        ts_ns: int,
        role: str,
        status: int,
        latency_ms: float,
        inputs: Any = None,
        outputs: Any = None,
        error: dict[str, str] | None = None,
    ) -> None:
        """Append one record; never raises."""
        record = {
            "request_id": request_id,
            "pair_id": pair_id,
            "ts": timestamp(ts_ns),
            "endpoint": self._endpoint,
            "release": self._release,
            "role": role,
            "status": status,
            "latency_ms": round(latency_ms, 4),
            "rows": len(inputs) if isinstance(inputs, list) else None,
            "inputs": inputs,
            "outputs": outputs,
            "error": error,
        }
        try:
            self._append(_line(record))
        except OSError as failure:
            metrics.records_lost().inc()
            if not self._told:
                self._told = True
                sys.stderr.write(f"records are being lost: {self.path}: {failure}\n")

    def close(self) -> None:
        """Bring everything to the disk and end the thread."""
        self._closed.set()
        self._dirty.set()
        self._syncer.join()
        with self._lock:
            if self._file is not None:
                _sync(self._file)
                os.close(self._file)
                self._file = None

    def _append(self, line: bytes) -> None:
        with self._lock:
            if self._file is not None and os.fstat(self._file).st_nlink == 0:
                os.close(self._file)  # somebody deleted the file: do not write into nothing
                self._file = None
            if self._file is None:
                self._file = self._open()
            if self._torn:  # a half-written record must not spoil the next one
                line = b"\n" + line
            written = os.write(self._file, line)
            self._torn = written < len(line)
            if self._torn:
                raise OSError(f"only {written} of {len(line)} bytes could be written (is the disk full?)")
        self._dirty.set()

    def _open(self) -> int:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder.chmod(0o700)
        return os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _sync_for_ever(self) -> None:
        while not self._closed.is_set():
            self._dirty.wait()
            self._dirty.clear()
            with self._lock:
                copy = None if self._file is None else os.dup(self._file)
            if copy is not None:  # outside the lock: a slow disk must not hold up answers
                _sync(copy)
                os.close(copy)
            self._closed.wait(FSYNC_SECONDS)


def timestamp(nanoseconds: int) -> str:
    """Nanoseconds since 1970 as ``2026-11-25T12:00:00.123456789Z``."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:09d}Z"


def _line(record: dict[str, Any]) -> bytes:
    try:
        return json.dumps(record, allow_nan=False, separators=(",", ":")).encode("ascii") + b"\n"
    except (ValueError, TypeError, RecursionError):
        # What cannot be written (nested hundreds of levels deep) must not take the rest of the record with it.
        bare = {**record, "inputs": None, "outputs": None}
        return json.dumps(bare, separators=(",", ":")).encode("ascii") + b"\n"


def _sync(file: int) -> None:
    with contextlib.suppress(OSError):  # a pipe or a full disk; the write itself reported what was lost
        os.fsync(file)
