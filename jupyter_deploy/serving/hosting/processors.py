"""How many processors this process may use, and how many threads its numerical libraries are to have.

A container's share of the processors (``--cpus``, a limit of Kubernetes) hides none of them: libraries start a thread
for each that the machine has, and these wait for one another.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_SELF = Path("/proc/self")


def share() -> float:
    """What this process may use of the processors, such as 1.5 of them."""
    return min(_visible(), quota() or _visible())


def processors() -> int:
    """Whole ones, at least one."""
    return max(1, int(share()))


def threads(requested: int | None, workers: int) -> int | None:
    """Of the libraries of each worker; None: they find out for themselves, and will be right.

    ``asked``: what somebody who knows better has said.
    """
    if requested is not None or (workers == 1 and processors() == _visible()):
        return requested
    return max(1, processors() // workers)


def quota(about: Path = _SELF) -> float | None:
    """The smallest share, in processors, of this process's control groups and of those above; None: there is no limit.

    ``about`` is the process's folder in ``/proc``. Versions 1 and 2, and both beside each other.
    """
    shares = (share for group in _groups(about) for share in (_of_version_2(group), _of_version_1(group)))
    return min((share for share in shares if share is not None), default=None)


def _visible() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _of_version_2(group: Path) -> float | None:
    with suppress(OSError, ValueError):
        allowed, period = (group / "cpu.max").read_text().split()
        return int(allowed) / int(period)  # "max" is no number
    return None


def _of_version_1(group: Path) -> float | None:
    with suppress(OSError, ValueError):
        allowed = int((group / "cpu.cfs_quota_us").read_text())
        return allowed / int((group / "cpu.cfs_period_us").read_text()) if allowed > 0 else None
    return None


def _groups(about: Path) -> Iterator[Path]:
    """The folders of the control groups that share out the processors: the own ones, and those above them."""
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
        # A container sees a part of the tree, and its own group may be the top of it.
        within = paths[kind].removeprefix(root.rstrip("/")) if paths[kind].startswith(root) else ""
        group = Path(point) / within.lstrip("/")
        yield group
        yield from (above for above in group.parents if above.is_relative_to(point))
