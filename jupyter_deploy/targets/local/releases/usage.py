"""The processor time, memory and workers of releases' processes, from ``/proc``, and their requests that wait."""

from __future__ import annotations

import http.client
import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from jupyter_deploy.domain.release.status import Usage
from jupyter_deploy.system.unix_http import UnixConnection

from . import limits

_WAITING = re.compile(rb"^nbdeploy_requests_waiting(?:\{[^}]*\})? (\S+)$", re.MULTILINE)
_SECONDS = 0.3
"""A release that computes answers its metrics late: its number of waiting requests is then unknown."""


@dataclass(frozen=True)
class _Process:
    pid: int
    parent: int
    seconds: float


def usages(leaders: Mapping[str, int], states: Mapping[str, Path]) -> dict[str, Usage]:
    """Return the usage of process groups by name, in one pass over all processes; empty: there is no ``/proc``.

    Parameters
    ----------
    leaders
        The process id of each group's leader.
    states
        The files with the limits in effect (``limits``): a control group knows its memory.
    """
    groups = _groups(set(leaders.values()))
    return {
        name: Usage(
            cpu_seconds=round(sum(one.seconds for one in groups[leader]), 2),
            memory=_memory(groups[leader], states[name]),
            workers=max(1, sum(one.parent == leader for one in groups[leader])),
        )
        for name, leader in leaders.items()
        if leader in groups
    }


def waiting(socket: str) -> int | None:
    """Return the requests that wait for a release's model; None: it does not answer at once."""
    if not Path(socket).exists():
        return None
    connection = UnixConnection(socket, _SECONDS)
    try:
        connection.request("GET", "/metrics")
        found = _WAITING.findall(connection.getresponse().read())
        return sum(int(float(count)) for count in found)
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()


def _groups(leaders: set[int]) -> dict[int, list[_Process]]:
    ticks = os.sysconf("SC_CLK_TCK")
    groups: dict[int, list[_Process]] = {}
    entries: Iterable[Path] = Path("/proc").iterdir() if Path("/proc/self/stat").exists() else ()
    for entry in entries:
        if not entry.name.isdigit():
            continue
        with suppress(OSError, ValueError, IndexError):  # it has ended
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            parent, leader, seconds = int(fields[1]), int(fields[2]), (int(fields[11]) + int(fields[12])) / ticks
            if leader in leaders:
                groups.setdefault(leader, []).append(_Process(int(entry.name), parent, seconds))
    return groups


def _memory(processes: Iterable[_Process], state: Path) -> int:
    group = (limits.read(state).get("memory") or {}).get("group")
    for name in ("memory.current", "memory.usage_in_bytes") if group else ():
        with suppress(OSError, ValueError):
            return int((Path(str(group)) / name).read_text())
    return sum(limits.share(one.pid) for one in processes)
