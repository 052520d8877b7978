"""Every request and its answer, as one line of JSON in a segment of this process."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from . import metrics

VERSION = 2
"""The version of what is written, in a segment's name. A segment without one is of version 1."""

SEGMENT_BYTES = 32 * 1024 * 1024
SEGMENT_SECONDS = 24 * 3600.0
FSYNC_SECONDS = 1.0

MODES = ("full", "meta", "off")

_NAMES_TRIED = 5


class Recorder:
    """Appends records to segments ``<folder>/<start>-<pid>-<random>.v2.jsonl``.

    A record is written with one call before the answer leaves: then it survives the death of the process. A thread
    brings it to the disk within a second: then it survives the death of the machine. If it cannot be written,
    ``nbdeploy_records_lost_total`` counts it and the first failure is told on stderr.

    A segment is locked (``flock``) while it is written and closed for ever when it is no longer: at
    ``segment_bytes``, after a day, when somebody puts a file ``<segment>.close`` beside it (within two seconds), or by
    the death of this process, since a lock dies with its holder. The clock decides about none of this.
    """

    def __init__(
        self, folder: str | os.PathLike[str], endpoint: str, release: str, *, segment_bytes: int = SEGMENT_BYTES
    ) -> None:
        self._folder = Path(folder)
        self._endpoint = endpoint
        self._release = release
        self._segment_bytes = segment_bytes
        self.path: Path | None = None
        self._file: int | None = None
        self._began = 0.0
        self._left: list[int] = []  # files that were written to, still to be brought to the disk and closed
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
        mode: str = "full",
    ) -> bool:
        """Append one record; never raises. False when it could not be written.

        Parameters
        ----------
        mode
            ``full``; ``meta`` leaves out what may hold data: inputs, outputs and an error's message; ``off``
            writes nothing, which is no failure.
        """
        if mode == "off":
            return True
        full = mode == "full"
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
            "inputs": inputs if full else None,
            "outputs": outputs if full else None,
            "error": error if full or error is None else {**error, "message": ""},
        }
        try:
            self._append(_line(record))
        except OSError as failure:
            metrics.records_lost().inc()
            if not self._told:
                self._told = True
                sys.stderr.write(f"records are being lost: {self.path or self._folder}: {failure}\n")
                sys.stderr.flush()
            return False
        return True

    def close(self) -> None:
        """Bring everything to the disk and end the thread."""
        self._closed.set()
        self._syncer.join()
        with self._lock:
            self._leave()
        self._sync_left()

    def _append(self, line: bytes) -> None:
        with self._lock:
            if self._file is not None and self._is_over(self._file):
                self._leave()
            if self._file is None:
                self._open()
            if self._torn:  # a half-written record must not spoil the next one
                line = b"\n" + line
            written = os.write(self._file, line)  # type: ignore[arg-type]  # just opened
            self._torn = written < len(line)
            if self._torn:
                raise OSError(f"only {written} of {len(line)} bytes could be written (is the disk full?)")
        self._dirty.set()

    def _is_over(self, file: int) -> bool:
        found = os.fstat(file)
        # No link: somebody deleted the file; do not write into nothing.
        old = time.monotonic() - self._began >= SEGMENT_SECONDS
        return found.st_nlink == 0 or found.st_size >= self._segment_bytes or old

    def _open(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder.chmod(0o700)
        for _ in range(_NAMES_TRIED):
            name = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}-{secrets.token_hex(4)}.v{VERSION}.jsonl"
            path = self._folder / name
            file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            if _claimed(file):
                self.path, self._file, self._began, self._torn = path, file, time.monotonic(), False
                return
            os.close(file)  # whoever tends the folder was faster and took it for a closed one
        raise OSError(f"no new segment can be begun in {self._folder}")

    def _leave(self) -> None:
        """The segment is closed; the caller holds the lock. Its end is brought to the disk by the thread."""
        if self._file is not None:
            self._left.append(self._file)
            self._file = None

    def _sync_for_ever(self) -> None:
        while not self._closed.wait(FSYNC_SECONDS):
            # No descriptor to be had, a folder that nobody may write: what is left undone is tried in a second again.
            with contextlib.suppress(OSError):
                self._look()
            self._sync_left()

    def _look(self) -> None:
        with self._lock:
            if self._file is not None and self.path is not None:
                asked = self.path.with_name(f"{self.path.name}.close")
                if asked.exists() or self._is_over(self._file):
                    self._leave()
                    asked.unlink(missing_ok=True)
            copy = os.dup(self._file) if self._file is not None and self._dirty.is_set() else None
            self._dirty.clear()  # only now: without a copy it is still to be brought to the disk
        if copy is not None:  # outside the lock: a slow disk must not hold up answers
            _sync_and_close(copy)

    def _sync_left(self) -> None:
        while self._left:
            _sync_and_close(self._left.pop())  # gives the segment's lock back


def timestamp(nanoseconds: int) -> str:
    """Nanoseconds since 1970 as ``2026-11-25T12:00:00.123456789Z``."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:09d}Z"


def _claimed(file: int) -> bool:
    """Whether the new file is this process's, for as long as it lives."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a file system without locks: there nobody can show that a segment is closed, and none is touched
    return os.fstat(file).st_nlink > 0


def _line(record: dict[str, Any]) -> bytes:
    try:
        return json.dumps(record, allow_nan=False, separators=(",", ":")).encode("ascii") + b"\n"
    except (ValueError, TypeError, RecursionError):
        # What cannot be written (nested hundreds of levels deep) must not take the rest of the record with it.
        bare = {**record, "inputs": None, "outputs": None}
        return json.dumps(bare, separators=(",", ":")).encode("ascii") + b"\n"


def _sync_and_close(file: int) -> None:
    with contextlib.suppress(OSError):  # a pipe or a full disk; the write itself reported what was lost
        os.fsync(file)
    with contextlib.suppress(OSError):  # the kernel lets go of it, whatever it says
        os.close(file)
