"""The feed of changes for clients: events of jobs by their ids, and endpoints' revisions when they change."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jupyter_deploy.domain.errors import DeployError
from jupyter_deploy.domain.jobs import JobEvent
from jupyter_deploy.domain.ports import Ports

POLL_SECONDS = 0.04
"""Seconds between two checks of the files' times; the files are read after a change, and once a second."""

_BUSY_POLL_SECONDS = 0.01
_BUSY_SECONDS = 3.0  # after a change polls are more frequent: a job that has begun will end
_READ_SECONDS = 1.0

_log = logging.getLogger(__name__)

Stamp = tuple[int, int, int]


@dataclass
class _Stream:
    """``after``: the last event that was sent; None: the stream starts with the next event."""

    after: int | None
    endpoints: dict[str, int] | None = None


class ChangeFeed:
    """Polls for changes while a client listens, in one thread for all streams.

    Parameters
    ----------
    send : Callable
        Gets a stream's identity and its next server-sent events as text.
    """

    def __init__(self, ports: Ports, home: Path, send: Callable[[int, str], None]) -> None:
        self._ports, self._send = ports, send
        self._files = (home / "jobs.sqlite", home / "state.sqlite")
        self._streams: dict[int, _Stream] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._last_error = ""  # so that an error is logged once

    def subscribe(self, identity: int, after: int | None) -> None:
        """Send a stream the events after this one, and all endpoints."""
        with self._changed:
            self._streams[identity] = _Stream(after)
            self._changed.notify()
            if self._thread is None:
                self._thread = threading.Thread(target=self._poll, daemon=True, name="nbdeploy-change-feed")
                self._thread.start()

    def unsubscribe(self, identity: int) -> None:
        """End a stream."""
        with self._changed:
            self._streams.pop(identity, None)

    def _poll(self) -> None:
        seen: tuple[Stamp, ...] = ()
        read_at = changed_at = 0.0
        while True:
            with self._changed:
                if not self._streams:
                    self._changed.wait()
                fresh = any(stream.endpoints is None for stream in self._streams.values())
                streams = dict(self._streams)
            # Before the files are read: a later write changes the times again.
            stamps = tuple(map(_stamp, self._files))
            due = time.monotonic() - read_at >= _READ_SECONDS
            if stamps != seen:
                changed_at = time.monotonic()
            if fresh or due or stamps != seen:
                self._read(streams)
                seen, read_at = stamps, time.monotonic()
            with self._changed:
                self._changed.wait(_BUSY_POLL_SECONDS if read_at - changed_at < _BUSY_SECONDS else POLL_SECONDS)

    def _read(self, streams: dict[int, _Stream]) -> None:
        try:
            latest = self._ports.jobs.latest()
            revisions = self._ports.store.revisions()
            for identity, stream in streams.items():
                self._update(identity, stream, latest, revisions)
        except Exception as error:  # noqa: BLE001 - a damaged file, a full disk, a bug: the streams stay open
            if str(error) != self._last_error:
                known = isinstance(error, DeployError)
                _log.warning("events cannot be read: %s", error, exc_info=None if known else error)
            self._last_error = str(error)
        else:
            self._last_error = ""

    def _update(self, identity: int, stream: _Stream, latest: int, revisions: dict[str, int]) -> None:
        if stream.after is None or stream.after > latest:  # a new client, or one of an earlier file of jobs
            stream.after = latest
        while stream.after < latest and (events := self._ports.jobs.events(stream.after)):
            self._send(identity, "".join(map(_job_event, events)))
            stream.after = events[-1].id
        if stream.endpoints != revisions:
            stream.endpoints = revisions
            self._send(identity, f"id: {stream.after}\nevent: endpoints\ndata: {json.dumps(revisions)}\n\n")


def _job_event(event: JobEvent) -> str:
    return f"id: {event.id}\nevent: job\ndata: {event.model_dump_json()}\n\n"


def _stamp(path: Path) -> Stamp:
    try:
        status = path.stat()
    except OSError:
        return (0, 0, 0)
    return (status.st_mtime_ns, status.st_size, status.st_ino)
