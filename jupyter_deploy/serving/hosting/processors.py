"""The processors available to this process, and the threads of its numerical libraries.

A container's CPU limit (``--cpus``, Kubernetes) hides no processors: libraries start a thread for each processor of the
machine, and the threads wait for one another.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_SELF = Path("/proc/self")


def share() -> float:
    """Return the processors that this process may use, as a fraction such as 1.5."""
    return min(_visible(), quota() or _visible())


def processors() -> int:
    """Return the whole processors that this process may use, at least one."""
    return max(1, int(share()))


def threads(requested: int | None, workers: int) -> int | None:
    """Return the threads of each worker's libraries; None: the libraries' own choice is right.

    ``requested`` is an explicit setting.
    """
    if requested is not None or (workers == 1 and processors() == _visible()):
        return requested
    return max(1, processors() // workers)


def quota(about: Path = _SELF) -> float | None:
    """Return the smallest CPU limit, in processors, of this process's control groups and their parents; None: no limit.

    ``about`` is the process's folder in ``/proc``. Supports cgroup versions 1 and 2, and both together.
    """
    shares = (share for group in _groups(about) for share in (_of_version_2(group), _of_version_1(group)))
    return min((share for share in shares if share is not None), default=None)


def _visible() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _of_version_2(group: Path) -> float | None:
    with suppress(OSError, ValueError):
        allowed, period = (group / "cpu.max").read_text().split()
        return int(allowed) / int(period)  # "max" is not a number
    return None


def _of_version_1(group: Path) -> float | None:
    with suppress(OSError, ValueError):
        allowed = int((group / "cpu.cfs_quota_us").read_text())
        return allowed / int((group / "cpu.cfs_period_us").read_text()) if allowed > 0 else None
    return None


def _groups(about: Path) -> Iterator[Path]:
    """Yield the folders of the CPU control groups: those of the process and their parents."""
    try:
        own = [line.split(":", 2) for line in (about / "cgroup").read_text().splitlines()]
        mounted = [line.partition(" - ") for line in (about / "mountinfo").read_text().splitlines()]
    except OSError:
        return
    paths = {kind: path for _, names, path in own for kind in names.split(",")}
    for left, _, right in mounted:
        root, point = left.split()[3:5]
        system, options = right.split()[0], right.split()[-1].split(",")
        kind = {"cgroup2": "", "cgroup": "cpu"}.get(system)
        if kind is None or kind not in paths or (kind and kind not in options):
            continue
        # A container sees a part of the tree, whose top may be its own group.
        within = paths[kind].removeprefix(root.rstrip("/")) if paths[kind].startswith(root) else ""
        group = Path(point) / within.lstrip("/")
        yield group
        yield from (above for above in group.parents if above.is_relative_to(point))
