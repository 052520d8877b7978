"""What a release's processes printed: the end of its log, with its tracebacks."""

from __future__ import annotations

from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.masking.masking import masked
from jupyter_deploy.verbs.change import find, target_of

from .record_documents import ReleaseLogView
from .requests import ReleaseLogRequest

MOST = 512 * 1024
"""Bytes of the log that are read."""

_SHORT, _LONG = 128 * 1024, 4_000
"""Characters of all lines, and of one."""


def release_log(request: ReleaseLogRequest, ports: Ports) -> ReleaseLogView:
    """Return the latest lines of a release, a running or a stopped one.

    The values of redacted columns are masked by the release itself, before they are written.
    """
    endpoint = find(ports, request.name)
    release = endpoint.release(request.release or endpoint.traffic.stable)
    text = target_of(ports, endpoint.target).output(release, MOST)
    lines = text.splitlines()
    kept = _with(lines, request.text) if request.text else lines
    shown = _latest(kept, request.limit)
    note = "" if kept else "no line has this text" if lines else "the release has printed nothing"
    return ReleaseLogView(
        release=release.tag,
        lines=tuple(masked("\n".join(shown))[0].split("\n")) if shown else (),
        cut=len(shown) < len(kept) or len(text.encode()) >= MOST - _LONG,
        note=note,
    )


def _with(lines: list[str], text: str) -> list[str]:
    """Return the blocks with a text: a line with the indented ones below it, such as a traceback's."""
    wanted = text.casefold()
    blocks: list[list[str]] = []
    for line in lines:
        if blocks and line[:1].isspace():
            blocks[-1].append(line)
        else:
            blocks.append([line])
    return [line for block in blocks if any(wanted in one.casefold() for one in block) for line in block]


def _latest(lines: list[str], most: int) -> list[str]:
    """Return the last lines, as many as a browser shows well."""
    shown: list[str] = []
    size = 0
    for line in reversed(lines[-most:]):
        short = line if len(line) <= _LONG else f"{line[:_LONG]}…"
        size += len(short)
        if size > _SHORT and shown:
            break
        shown.append(short)
    return shown[::-1]
