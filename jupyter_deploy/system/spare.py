"""Spare processes that have started and imported ahead of the next deploy; each is used once or never.

A deploy spends most of its time in the imports of three processes: the clean process that replays the model, the
process that builds the bento, and the release. In a notebook's kernel the next deploy is likely to be of a similar
model. So one of each is started after a deploy and waits (``verbs.spare``). If a spare process no longer fits, the
deploy starts a new one.
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
    """A spare process.

    Attributes
    ----------
    fits
        The key that it was started for; a spare process is used only while this key is the same.
    held
        Closed after use: ends the process and removes its folder.
    """

    process: subprocess.Popen[str]
    fits: Hashable
    resources: contextlib.ExitStack


_spares: dict[str, Standby] = {}
_owner = os.getpid()


def fits(*made_for: Hashable) -> Hashable:
    """Return the key of a spare process: its purpose, the installed distributions and the environment variables."""
    return (*made_for, installed(), tuple(passed_on(os.environ).items()))


def put(purpose: str, standby: Standby) -> None:
    """Keep a spare process for a purpose, in place of the present one."""
    dismiss(purpose)
    _spares[purpose] = standby


def take(purpose: str, fits: Hashable) -> Standby | None:
    """Return the spare process if it lives and fits; the caller closes its resources."""
    standby = _spares.pop(purpose, None) if os.getpid() == _owner else None  # a fork has no spare process of its own
    if standby is None:
        return None
    if standby.fits == fits and standby.process.poll() is None:
        return standby
    standby.resources.close()
    return None


def dismiss(*purposes: str) -> None:
    """End the spare processes of these purposes; without a purpose, all of them."""
    if os.getpid() == _owner:
        for purpose in purposes or tuple(_spares):
            if standby := _spares.pop(purpose, None):
                standby.resources.close()


def send(process: subprocess.Popen[str], text: str) -> None:
    """Write to a process's standard input and leave it open. Raise OSError if the process has ended."""
    if process.stdin is not None:
        process.stdin.write(text)
        process.stdin.flush()


def end(process: subprocess.Popen[str]) -> None:
    """Kill the process if it is alive, and wait for its end."""
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):  # input that the process did not read
                stream.close()


atexit.register(dismiss)
