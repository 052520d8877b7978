"""Spares: processes that have started and imported ahead of the next job of this process.

    spare = take("replay", Spare, key) or start(command, key)   what waits, if it still fits; else a new one
    spare.hand_over(job)                                 one line of JSON; ``serving.spare.read_job`` reads it
    put("replay", start(command, key))                   for the next job; a former one ends

A deploy spends most of its time in the imports of two processes: the clean process that replays the model, and the
process that builds the bento. In a notebook's kernel the next deploy is likely to be of a similar model. So one of each
is started after a deploy and waits (``verbs.spare``). The fork server of validation kernels and the process that forks
a server's jobs are spares too. Releases are forked from zygotes (``targets.local.releases.zygotes``).
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import subprocess
import threading
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from jupyter_deploy.domain.release.processes import passed_on
from jupyter_deploy.serving.imports import installed
from jupyter_deploy.serving.spare import IDLE_SECONDS


class Waiting(Protocol):
    """What ``put`` keeps: a spare, or a server that forks several processes.

    Attributes
    ----------
    key
        The key that it was started for; it is used only while this key is the same.
    """

    @property
    def key(self) -> Hashable: ...

    @property
    def alive(self) -> bool:
        """Whether its process runs."""

    def close(self) -> None:
        """End its process and remove its files."""


_AnyWaiting = TypeVar("_AnyWaiting", bound=Waiting)


@dataclass
class Spare:
    """A process for one job.

    Attributes
    ----------
    resources
        Closed with the process, such as its folder.
    """

    process: subprocess.Popen[str]
    key: Hashable
    resources: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process.poll() is None

    def hand_over(self, job: Any) -> None:
        """Send the job, a JSON value. Raise OSError if the process has ended."""
        if self.process.stdin is None:
            raise BrokenPipeError
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()

    def close(self) -> None:
        """Kill the process if it is alive (while it imports, it does not see the end of its input) and wait."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):  # input that the process did not read
                    stream.close()
        self.resources.close()


def start(
    command: Sequence[str], key: Hashable, resources: contextlib.ExitStack | None = None, **options: Any
) -> Spare:
    """Start a spare in a session of its own, so that Ctrl-C is handled here.

    ``resources`` are closed with it, and also if it cannot be started. Raises OSError.
    """
    with resources or contextlib.ExitStack() as held:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, text=True, start_new_session=True, **options)
        return Spare(process, key, held.pop_all())


def key_of(*made_for: Hashable) -> Hashable:
    """Return the key of a spare: its purpose, the installed distributions and the environment variables."""
    return (*made_for, installed(), tuple(passed_on(os.environ).items()))


_kept: dict[str, tuple[Waiting, threading.Timer]] = {}
_lock = threading.RLock()
_owner = os.getpid()


def put(purpose: str, waiting: Waiting) -> None:
    """Keep a spare for a purpose, in place of the present one, for ``IDLE_SECONDS``."""
    global _owner  # noqa: PLW0603 - a fork begins without spares: those that it copied are its parent's
    timer = threading.Timer(IDLE_SECONDS, dismiss, [purpose])
    timer.daemon = True
    with _lock:
        if os.getpid() != _owner:
            _kept.clear()
            _owner = os.getpid()
        dismiss(purpose)
        _kept[purpose] = waiting, timer
        timer.start()


def waits(purpose: str, key: Hashable) -> bool:
    """Return whether something lives that waits for a purpose and fits."""
    with _lock:
        waiting, _ = _kept.get(purpose, (None, None)) if os.getpid() == _owner else (None, None)
        return waiting is not None and waiting.alive and waiting.key == key


def take(purpose: str, kind: type[_AnyWaiting], key: Hashable) -> _AnyWaiting | None:
    """Return what waits for a purpose if it lives and fits; the caller closes it."""
    waiting = _removed(purpose)
    if waiting is None:
        return None
    if waiting.alive and waiting.key == key and isinstance(waiting, kind):
        return waiting
    waiting.close()
    return None


def dismiss(*purposes: str) -> None:
    """End what waits for these purposes; without a purpose, for all."""
    for purpose in purposes or tuple(_kept):
        if (waiting := _removed(purpose)) is not None:
            waiting.close()


def _removed(purpose: str) -> Waiting | None:
    if os.getpid() != _owner:
        return None  # a fork has no spare of its own
    with _lock:
        waiting, timer = _kept.pop(purpose, (None, None))
        if timer is not None:
            timer.cancel()
        return waiting


atexit.register(dismiss)
