"""The record log: each request and its response as a line of JSON in a segment of this process."""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import os
import secrets
import threading
import time
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from json.encoder import encode_basestring_ascii as _text
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from ..dispatch.parsed_request import Raw
from ..output import write_lines
from ..values.column_table import ColumnTable
from . import metrics
from .logging import log
from .recording import EVERYTHING, Recording, drop_columns, redact_error, redact_inputs
from .routing import Routing, digest_inputs
from .writers import lock_as_writer

VERSION = 1
"""The version of the lines in a segment; it stands in the segment's name."""

SEGMENT_BYTES = 32 * 1024 * 1024
SEGMENT_SECONDS = 24 * 3600.0
FSYNC_SECONDS = 1.0
_MARK_SECONDS = 1.0

REFUSED_FILE = ".refused"
"""A file in the folder of segments; its time is that of the last refused request, to a second."""

_NAMES_TRIED = 5

_ENCODER = json.JSONEncoder(allow_nan=False, separators=(",", ":"))
_BREAKS_TO_BLANKS = bytes.maketrans(b"\r\n", b"  ")


class Entry(NamedTuple):
    """The record of one request.

    Attributes
    ----------
    rows
        The number of instances; None if it is unknown.
    inputs, outputs
        JSON values; their JSON, which is written unchanged; or a large table.
    mode
        The recording mode.
    routing
        The canary that shared the requests with stable, and its share.
    cluster
        The hash of the caller's sticky key.
    """

    request_id: str
    pair_id: str | None
    ts_ns: int
    role: str
    status: int
    latency_ms: float
    rows: int | None = None
    inputs: Any = None
    outputs: Any = None
    error: dict[str, str] | None = None
    mode: Recording = EVERYTHING
    routing: Routing | None = None
    cluster: str | None = None


class Records(Protocol):
    """A receiver of records."""

    def write_all(self, entries: Sequence[Entry]) -> bool:
        """Write the records of one model call together; never raises. Return False if not all are written."""
        ...

    def close(self) -> None: ...


class SegmentWriter:
    """Appends lines to segments ``<folder>/<start>-<pid>-<random>.v1.jsonl``.

    Lines are written in one system call, so they survive the death of the process. A thread syncs them to the disk
    within a second, so they survive the death of the machine.

    A segment is locked (``flock``) while it is written, and closed for ever afterwards: at ``segment_bytes``, after a
    day, within two seconds after a file ``<segment>.close`` appears next to it, or at the death of this process, since
    a lock dies with its holder. None of this depends on the system clock.
    """

    def __init__(self, folder: str | os.PathLike[str], *, segment_bytes: int = SEGMENT_BYTES) -> None:
        self._folder = Path(folder)
        self._segment_bytes = segment_bytes
        self.path: Path | None = None
        self._file: int | None = None
        self._began = 0.0
        self._unsynced: list[int] = []  # closed segments that must still be synced
        self._incomplete = False
        self._loss_logged = False
        self._lock = threading.Lock()
        self._dirty = False  # there are writes that are not synced
        self._writer = lock_as_writer(self._folder)
        self._closed = threading.Event()
        self._syncer = threading.Thread(target=self._sync_for_ever, name="records-fsync", daemon=True)
        self._syncer.start()

    def close(self) -> None:
        """Sync everything and stop the thread."""
        self._closed.set()
        self._syncer.join()
        with self._lock:
            self._close_segment()
        self._sync_closed()
        if self._writer is not None:
            os.close(self._writer)
            self._writer = None

    def append(self, lines: bytes) -> int:
        """Write whole lines in one call; never raises.

        Returns
        -------
        int
            The number of bytes written: all, or, if the disk is full, possibly only the first of them.
        """
        try:
            with self._lock:
                written = self._append(lines)
        except OSError as failure:
            self._log_loss(str(failure))
            return 0
        if written < len(lines):
            self._log_loss(f"only {written} of {len(lines)} bytes could be written (is the disk full?)")
        return written

    def _append(self, lines: bytes) -> int:
        if self._file is not None and self._is_full(self._file):
            self._close_segment()
        file = self._file if self._file is not None else self._open()
        if self._incomplete:  # a partial record must not corrupt the next one
            if os.write(file, b"\n") == 0:
                return 0
            self._incomplete = False
        written = os.write(file, lines)
        self._dirty = True
        self._incomplete = 0 < written < len(lines)
        return written

    def _log_loss(self, failure: str) -> None:
        if not self._loss_logged:
            self._loss_logged = True
            log(f"records are being lost: {self.path or self._folder}: {failure}")

    def _is_full(self, file: int) -> bool:
        status = os.fstat(file)
        # No link: the file was deleted, and further writes would be lost.
        old = time.monotonic() - self._began >= SEGMENT_SECONDS
        return status.st_nlink == 0 or status.st_size >= self._segment_bytes or old

    def _open(self) -> int:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(PermissionError):  # a writable volume that another user owns
            self._folder.chmod(0o700)
        for _ in range(_NAMES_TRIED):
            name = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}-{secrets.token_hex(4)}.v{VERSION}.jsonl"
            path = self._folder / name
            file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            if _lock_segment(file):
                self.path, self._file, self._began, self._incomplete = path, file, time.monotonic(), False
                return file
            os.close(file)  # the archivist was faster and took it for a closed segment
        raise OSError(f"no new segment can be created in {self._folder}")

    def _close_segment(self) -> None:
        """Close the segment; the caller holds the lock, and the thread syncs the file."""
        if self._file is not None:
            self._unsynced.append(self._file)
            self._file = None

    def _sync_for_ever(self) -> None:
        while not self._closed.wait(FSYNC_SECONDS):
            # If there is no free descriptor or the folder is read-only, the next second tries again.
            with contextlib.suppress(OSError):
                self._check_segment()
            self._sync_closed()

    def _check_segment(self) -> None:
        with self._lock:
            if self._file is not None and self.path is not None:
                marker = self.path.with_name(f"{self.path.name}.close")
                if marker.exists() or self._is_full(self._file):
                    self._close_segment()
                    marker.unlink(missing_ok=True)
            copy = os.dup(self._file) if self._file is not None and self._dirty else None
            self._dirty = False  # only now: if dup() fails, the writes are still not synced
        if copy is not None:  # outside the lock: a slow disk must not delay responses
            _sync_and_close(copy)

    def _sync_closed(self) -> None:
        while self._unsynced:
            _sync_and_close(self._unsynced.pop())  # releases the segment's lock


class _RecordLines:
    """Formats records as lines for ``append`` and counts those that cannot be written.

    Parameters
    ----------
    columns
        The columns of an instance; if some are redacted, a failed request keeps only these.
    """

    _in_columns = False  # programs that read standard output know rows alone

    def __init__(self, endpoint: str, release: str, columns: Collection[str]) -> None:
        self._columns = columns
        self._release_fields = f'"endpoint":{_text(endpoint)},"release":{_text(release)},"role":'
        metrics.records_lost()  # so the metric shows 0 before the first loss

    def append(self, lines: bytes) -> int:
        """Write whole lines without raising; return the number of bytes written."""
        raise NotImplementedError

    def write_all(self, entries: Sequence[Entry]) -> bool:
        """Append records in one write; never raises.

        On a full disk the first records may be complete, and only the others count as lost.
        """
        lines = [self._line(entry) for entry in entries if entry.mode.keeps(entry.pair_id, entry.request_id)]
        if not lines:
            return True
        text = b"".join(lines)
        written = self.append(text)
        if written == len(text):
            return True
        metrics.records_lost().inc(len(lines) - text.count(b"\n", 0, written))
        return False

    def _line(self, entry: Entry) -> bytes:
        # Assembled by hand: json.dumps takes five times as long and cannot embed existing JSON.
        request_id, pair_id, ts_ns, role, status, latency_ms, rows, inputs, outputs, error, mode, routing, cluster = (
            entry
        )
        head = (
            f'{{"request_id":{_text(request_id)},"pair_id":{"null" if pair_id is None else _text(pair_id)},'
            f'"ts":"{timestamp(ts_ns)}",{self._release_fields}{_text(role)},"status":{status},"latency_ms":{latency_ms:.4f},'
            f'"rows":{"null" if rows is None else rows},'
        ).encode("ascii")
        more = b"" if mode.sample == 1 else f',"sample":{mode.sample!r}'.encode("ascii")
        if routing is not None:
            more += f',"canary":{_text(routing.canary)},"share":{routing.share!r}'.encode("ascii")
        if cluster is not None:
            more += f',"cluster":"{cluster}"'.encode("ascii")
        if mode.kept != "full":
            inputs = outputs = None
            error = error and {**error, "message": ""}
        elif mode.redact:
            inputs, outputs = (
                redact_inputs(inputs, mode.redact, status, self._columns),
                drop_columns(outputs, mode.redact),
            )
            error = error and redact_error(error, mode.redact)
            more += b',"redacted":' + _json(mode.redact)
        input_field, recorded_inputs = self._value("input", inputs)
        output_field, recorded_outputs = self._value("output", outputs)
        if digest := digest_inputs(recorded_inputs):
            more += f',"inputs_digest":"{digest}"'.encode("ascii")
        values = (input_field, recorded_inputs, b",", output_field, recorded_outputs)
        return b"".join((head, *values, b',"error":', _json(error), more, b"}\n"))

    def _value(self, name: str, value: Any) -> tuple[bytes, bytes]:
        """Return the key of inputs or outputs, and their JSON; a large table has a key of its own."""
        if self._in_columns and isinstance(value, ColumnTable):
            return f'"{name}s":null,"{name}_table":'.encode("ascii"), value.encoded()
        return f'"{name}s":'.encode("ascii"), _json(value)


class Recorder(SegmentWriter, _RecordLines):
    """Appends a record of each request to segments, before its response is sent; large tables are written in columns.

    ``nbdeploy_records_lost_total`` counts records that cannot be written; the first failure is logged on stderr.
    """

    _in_columns = True

    def __init__(
        self,
        folder: str | os.PathLike[str],
        endpoint: str,
        release: str,
        *,
        columns: Collection[str] = (),
        segment_bytes: int = SEGMENT_BYTES,
    ) -> None:
        _RecordLines.__init__(self, endpoint, release, columns)
        SegmentWriter.__init__(self, folder, segment_bytes=segment_bytes)
        self._marked = -math.inf  # when a refusal was noted

    def write_all(self, entries: Sequence[Entry]) -> bool:
        """Append records in one write, and note that a request was refused; never raises."""
        written = super().write_all(entries)
        if any(is_refusal(entry.status) for entry in entries) and time.monotonic() > self._marked + _MARK_SECONDS:
            self._marked = time.monotonic()
            with contextlib.suppress(OSError):  # a full disk: the record is lost too
                (self._folder / REFUSED_FILE).touch(mode=0o600)
        return written


class StdoutRecorder(_RecordLines):
    """Writes a record of each request to standard output, before its response is sent."""

    def __init__(self, endpoint: str, release: str, *, columns: Collection[str] = ()) -> None:
        super().__init__(endpoint, release, columns)

    def append(self, lines: bytes) -> int:
        """Write whole lines; return the number of bytes written."""
        return write_lines(lines)

    def close(self) -> None:
        """Do nothing: there is no buffer."""


def is_refusal(status: int) -> bool:
    """Whether a request was refused; 499 is a client that went away."""
    return 400 <= status <= 498


def timestamp(nanoseconds: int) -> str:
    """Format nanoseconds since 1970 as ``2026-11-25T12:00:00.123456789Z``."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{_second(seconds)}.{rest:09d}Z"


@lru_cache(maxsize=8)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def _lock_segment(file: int) -> bool:
    """Return whether this process holds the lock of the new segment."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a file system without locks: no segment counts as closed there, and none is touched
    return os.fstat(file).st_nlink > 0


def _json(value: Any) -> bytes:
    if value is None:
        return b"null"
    if isinstance(value, ColumnTable):
        return value.json()
    if isinstance(value, Raw):
        # Strict JSON has line breaks only between its tokens; a record is one line.
        broken = value.find(b"\n") >= 0 or value.find(b"\r") >= 0
        return value.translate(_BREAKS_TO_BLANKS) if broken else value
    try:
        return _ENCODER.encode(value).encode("ascii")
    except (ValueError, TypeError, RecursionError):
        return b"null"  # a value that cannot be written (nested hundreds of levels deep) must not lose the record


def _sync_and_close(file: int) -> None:
    with contextlib.suppress(OSError):  # a pipe or a full disk; the write has reported the loss
        os.fsync(file)
    with contextlib.suppress(OSError):  # the kernel closes the file even on an error
        os.close(file)
