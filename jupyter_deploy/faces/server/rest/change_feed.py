"""What has happened, for those who listen: events of jobs by their ids, and endpoints' revisions when they change."""

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

EVERY = 0.04
"""Seconds between two looks at the files' times; the files are read when those have changed, and once a second."""

_SOON = 0.01
_LIVELY = 3.0  # so long after a change, in seconds, the next one is looked for sooner: a job that has begun will end
_READ_ANYWAY = 1.0

_log = logging.getLogger(__name__)

Stamp = tuple[int, int, int]


@dataclass
class _Stream:
    """``after``: the event up to which it was told; None: it begins with what happens next."""

    after: int | None
    endpoints: dict[str, int] | None = None


class Watch:
    """Looks while somebody listens, in one thread for all.

    Parameters
    ----------
    tell : Callable
        Told a stream's identity and the next part of its text, as server-sent events have it.
    """

    def __init__(self, ports: Ports, home: Path, tell: Callable[[int, str], None]) -> None:
        self._ports, self._tell = ports, tell
        self._files = (home / "jobs.sqlite", home / "state.sqlite")
        self._streams: dict[int, _Stream] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._said = ""  # of what is wrong, so that it is said once

    def begin(self, identity: int, after: int | None) -> None:
        """Tell a stream what comes after an event, and all endpoints."""
        with self._changed:
            self._streams[identity] = _Stream(after)
            self._changed.notify()
            if self._thread is None:
                self._thread = threading.Thread(target=self._look, daemon=True, name="nbdeploy-watch")
                self._thread.start()

    def end(self, identity: int) -> None:
        """Nobody listens to it any more."""
        with self._changed:
            self._streams.pop(identity, None)

    def _look(self) -> None:
        seen: tuple[Stamp, ...] = ()
        read_at = changed_at = 0.0
        while True:
            with self._changed:
                if not self._streams:
                    self._changed.wait()
                fresh = any(stream.endpoints is None for stream in self._streams.values())
                streams = dict(self._streams)
            # Before they are read: what is written afterwards changes them again.
            stamps = tuple(map(_stamp, self._files))
            due = time.monotonic() - read_at >= _READ_ANYWAY
            if stamps != seen:
                changed_at = time.monotonic()
            if fresh or due or stamps != seen:
                self._read(streams)
                seen, read_at = stamps, time.monotonic()
            with self._changed:
                self._changed.wait(_SOON if read_at - changed_at < _LIVELY else EVERY)

    def _read(self, streams: dict[int, _Stream]) -> None:
        try:
            latest = self._ports.jobs.latest()
            revisions = self._ports.store.revisions()
            for identity, stream in streams.items():
                self._bring_up_to(identity, stream, latest, revisions)
        except Exception as error:  # noqa: BLE001 - a damaged file, a full disk, a bug: who listens goes on listening
            if str(error) != self._said:
                known = isinstance(error, DeployError)
                _log.warning("events cannot be read: %s", error, exc_info=None if known else error)
            self._said = str(error)
        else:
            self._said = ""

    def _bring_up_to(self, identity: int, stream: _Stream, latest: int, revisions: dict[str, int]) -> None:
        if stream.after is None or stream.after > latest:  # a new listener, or one of an earlier file of jobs
            stream.after = latest
        while stream.after < latest and (events := self._ports.jobs.events(stream.after)):
            self._tell(identity, "".join(map(_told, events)))
            stream.after = events[-1].id
        if stream.endpoints != revisions:
            stream.endpoints = revisions
            self._tell(identity, f"id: {stream.after}\nevent: endpoints\ndata: {json.dumps(revisions)}\n\n")


def _told(event: JobEvent) -> str:
    return f"id: {event.id}\nevent: job\ndata: {event.model_dump_json()}\n\n"


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_mtime_ns, found.st_size, found.st_ino)
