"""Processes that have started and imported ahead for the next deploy of this process: each is used once, or never.

A deploy spends most of its time in imports: of the clean process that replays the model, of the one that builds the
bento, of the release. In a notebook's kernel the next deploy is likely to be of much the same model. So after a deploy
one of each is started, and waits (``operations.standby``). Whoever takes one may find that it does not fit any more,
and does without.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import subprocess
from collections.abc import Hashable
from dataclasses import dataclass

from jupyter_deploy.domain.release.processes import passed_on
from jupyter_deploy.serving.imports import installed


@dataclass(frozen=True)
class Standby:
    """One that waits.

    Attributes
    ----------
    fits
        What it was made for; it is of use only where this is still the same.
    held
        Closed when it is used up: ends the process and removes its folder.
    """

    process: subprocess.Popen[str]
    fits: Hashable
    held: contextlib.ExitStack


_waiting: dict[str, Standby] = {}
_owner = os.getpid()


def fits(*made_for: Hashable) -> Hashable:
    """What must be the same still when one is taken: what it was made for, what is installed, the variables."""
    return (*made_for, installed(), tuple(passed_on(os.environ).items()))


def put(purpose: str, standby: Standby) -> None:
    """Have one wait, in place of the one that does."""
    dismiss(purpose)
    _waiting[purpose] = standby


def take(purpose: str, fits: Hashable) -> Standby | None:
    """The one that waits, if it lives and fits; the caller closes what it holds."""
    standby = _waiting.pop(purpose, None) if os.getpid() == _owner else None  # a fork has none of its own
    if standby is None:
        return None
    if standby.fits == fits and standby.process.poll() is None:
        return standby
    standby.held.close()
    return None


def dismiss(*purposes: str) -> None:
    """End those that wait; without a name all."""
    if os.getpid() == _owner:
        for purpose in purposes or tuple(_waiting):
            if standby := _waiting.pop(purpose, None):
                standby.held.close()


def tell(process: subprocess.Popen[str], text: str) -> None:
    """Write to its standard input and leave that open. Raises OSError: it has ended."""
    if process.stdin is not None:
        process.stdin.write(text)
        process.stdin.flush()


def end(process: subprocess.Popen[str]) -> None:
    """Kill it, if it lives still, and wait for its end."""
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):  # what it did not read any more
                stream.close()


atexit.register(dismiss)
