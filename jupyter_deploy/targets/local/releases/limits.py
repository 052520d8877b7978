"""Enforcement of a release's resources: by control groups where the user may make them, else by other means.

``launch`` loads this file by its path before it becomes the process, so it uses only the standard library. It writes
the limits in effect to ``NAME@0.limits``, for descriptions and for the keeper, which counts the processes that ran out
of memory (``NAME@0.killed``) and, without a control group, ends them itself.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import resource
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

CGROUP, WATCH, RLIMIT, CORES = "cgroup", "watch", "rlimit", "cores"

_PERIOD = 100_000  # microseconds, the period of a control group's share of the processors

_State = dict[str, Any]


def enforce(memory: int | None, cpu: float | None, name: str) -> _State:
    """Apply limits to this process and its descendants; returns the means of each."""
    done: _State = {}
    groups = _grouped(memory, cpu, f"nbdeploy-{hashlib.sha256(name.encode()).hexdigest()[:12]}")
    if memory is not None:
        done["memory"] = {"bytes": memory, "how": CGROUP, "group": groups.get("memory")}
        if "memory" not in groups:
            resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
            done["memory"] = {"bytes": memory, "how": WATCH if Path("/proc/self/smaps_rollup").exists() else RLIMIT}
    if cpu is not None:
        done["cpu"] = {"cpu": cpu, "how": CGROUP, "group": groups.get("cpu")}
        if "cpu" not in groups:
            done["cpu"] = {"cpu": cpu, "how": CORES, "cores": _keep_to(math.ceil(cpu), name)}
    return done


def undo(state: Path) -> None:
    """Remove the control groups of a process that has ended."""
    for limit in read(state).values():
        if isinstance(limit, dict) and limit.get("group"):
            with suppress(OSError):
                Path(limit["group"]).rmdir()


def read(path: Path) -> _State:
    """The content of a state file; empty: there is none."""
    try:
        state = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def killed(state: Path) -> tuple[int, float]:
    """The number of processes that ran out of memory, and the time of the last one, ahead of the keeper's count."""
    noted = read(state.with_suffix(".killed"))
    fresh = _fresh(_group_of(read(state)), noted)
    return noted.get("count", 0) + fresh, time.time() if fresh else noted.get("last", 0.0)


def check_memory(programs: Path, pids: Path) -> None:
    """Check all releases with a memory limit: count processes that were ended, end those beyond the limit."""
    for path in programs.glob("*.limits"):
        state = read(path)
        memory = state.get("memory")
        if memory is None or path.with_suffix(".idle").exists():  # another process may have its id by now
            continue
        noted_at = path.with_suffix(".killed")
        noted = read(noted_at)
        fresh = _fresh(_group_of(state), noted)
        if memory["how"] == WATCH:
            fresh = _end_beyond(pids / path.stem, memory["bytes"])
        if not fresh:
            continue
        log = read(path.with_suffix(".json")).get("log")
        many = f"{fresh} processes were" if fresh > 1 else "a process was"
        _say(log, f"out of memory: {many} ended, since the release may have {memory['bytes']} bytes")
        noted = {
            "count": noted.get("count", 0) + fresh,
            "seen": _counted(_group_of(state)),
            "last": time.time(),
        }
        with suppress(OSError):
            noted_at.write_text(json.dumps(noted), encoding="utf-8")


def _group_of(state: Mapping[str, Any]) -> str | None:
    group: str | None = state.get("memory", {}).get("group")
    return group


def _fresh(group: str | None, noted: Mapping[str, Any]) -> int:
    """Processes that a control group ended since the last count; a new group counts from 0."""
    counted, seen = _counted(group), noted.get("seen", 0)
    return counted - seen if counted >= seen else counted


def _counted(group: str | None) -> int:
    for name in ("memory.events", "memory.oom_control") if group else ():
        with suppress(OSError, ValueError):
            lines = dict(line.split() for line in (Path(group or "") / name).read_text().splitlines())
            return int(lines["oom_kill"])
    return 0


def _end_beyond(holder: Path, most: int) -> int:
    """If a release has more than ``most`` bytes, end its largest process; returns the number ended."""
    try:
        leader = int(holder.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return 0
    members = list(_members(leader))
    # Shared memory counts for each process here; this is quick.
    if sum(_resident(pid) for pid in members) <= most:
        return 0
    sizes = {pid: share(pid) for pid in members}
    if sum(sizes.values()) <= most:
        return 0
    with suppress(OSError):
        os.kill(max(sizes, key=lambda pid: (sizes[pid], pid)), signal.SIGKILL)
        return 1
    return 0


def _members(leader: int) -> Iterator[int]:
    """The processes of a group."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError, ValueError, IndexError):
                if int((entry / "stat").read_text().rpartition(")")[2].split()[2]) == leader:
                    yield int(entry.name)


def _resident(pid: int) -> int:
    with suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()
    return 0


def share(pid: int) -> int:
    """Bytes of a process, with its part of shared memory."""
    with suppress(OSError, ValueError, IndexError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def _keep_to(count: int, name: str) -> list[int]:
    """Restrict this process to ``count`` processors, chosen by its name so that releases spread over all."""
    if not hasattr(os, "sched_setaffinity"):
        return []
    mine = sorted(os.sched_getaffinity(0))
    start = int(hashlib.sha256(name.encode()).hexdigest(), 16) % len(mine)
    chosen = sorted((mine + mine)[start : start + min(count, len(mine))])
    os.sched_setaffinity(0, chosen)
    return chosen


def _grouped(memory: int | None, cpu: float | None, name: str) -> dict[str, str]:
    """Put this process into control groups with these limits; returns the folder of each that could be made."""
    limited = [kind for kind, value in (("memory", memory), ("cpu", cpu)) if value is not None]
    if not limited:
        return {}
    mounts = _mounts()
    if "" not in mounts:
        made = {
            kind: _made([mounts[kind][0]], _settings([kind], memory, cpu, 1), name)
            for kind in limited
            if kind in mounts
        }
        return {kind: folder for kind, folder in made.items() if folder}
    # Version 2: one group for all. The controllers that were delegated to the user decide.
    for kinds in (limited, *([kind] for kind in limited if len(limited) > 1)):
        folder = _made(mounts[""], _settings(kinds, memory, cpu, 2), name, kinds)
        if folder:
            return dict.fromkeys(kinds, folder)
    return {}


def _settings(kinds: Sequence[str], memory: int | None, cpu: float | None, version: int) -> list[tuple[str, str, bool]]:
    """File, content, and whether it must exist (a limit of swap often does not)."""
    files = []
    for kind in kinds:
        if kind == "memory":
            names = (
                ("memory.max", "memory.swap.max")
                if version == 2
                else ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes")
            )
            swap = "0" if version == 2 else str(memory)
            files += [(names[0], str(memory), True), (names[1], swap, False)]
        elif version == 2:
            files.append(("cpu.max", f"{int((cpu or 1) * _PERIOD)} {_PERIOD}", True))
        else:
            files += [
                ("cpu.cfs_period_us", str(_PERIOD), True),
                ("cpu.cfs_quota_us", str(int((cpu or 1) * _PERIOD)), True),
            ]
    return files


def _made(
    bases: Sequence[Path], settings: Sequence[tuple[str, str, bool]], name: str, controllers: Sequence[str] = ()
) -> str | None:
    """The folder of a new group below the first of ``bases`` that allows it, with this process in it."""
    for base in bases:
        folder = base / name
        try:
            for controller in controllers:
                with suppress(OSError):  # perhaps enabled already
                    _write(base / "cgroup.subtree_control", f"+{controller}")
            folder.mkdir(exist_ok=True)
            for file, content, needed in settings:
                with nullcontext() if needed else suppress(OSError):
                    _write(folder / file, content)
            _write(folder / "cgroup.procs", str(os.getpid()))
        except OSError:
            with suppress(OSError):
                folder.rmdir()
        else:
            return str(folder)
    return None


def _write(path: Path, content: str) -> None:
    """Write to an existing file: a folder that is no control group must get none."""
    file = os.open(path, os.O_WRONLY)
    try:
        os.write(file, content.encode())
    finally:
        os.close(file)


def _mounts() -> dict[str, list[Path]]:
    """Controller (version 2: empty) -> this process's own group, and in version 2 those above it."""
    try:
        mounted = [line.split(" - ") for line in Path("/proc/self/mountinfo").read_text().splitlines()]
        own = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    except OSError:
        return {}
    kinds = {kind: path for _, names, path in own for kind in names.split(",")}
    groups: dict[str, list[Path]] = {}
    for left, right in mounted:
        root, point = left.split()[3:5]
        kind, options = right.split()[0], right.split()[-1].split(",")
        if kind == "cgroup":
            for name in ("memory", "cpu"):
                if name in options and name in kinds:
                    groups[name] = [_below(point, root, kinds[name])]
        elif kind == "cgroup2" and "" in kinds:
            here = _below(point, root, kinds[""])
            above = [here, *(one for one in here.parents if one.is_relative_to(point))]
            if (Path(point) / "cgroup.controllers").exists() and _controls(above):
                groups[""] = above
    both = "" in groups and {"memory", "cpu"} & groups.keys()
    return {k: v for k, v in groups.items() if k} if both else groups


def _controls(groups: Sequence[Path]) -> bool:
    """Whether version 2 has controllers here: next to version 1 it has none."""
    with suppress(OSError):
        return bool({"memory", "cpu"} & set((groups[-1] / "cgroup.controllers").read_text().split()))
    return False


def _below(point: str, root: str, path: str) -> Path:
    """A group's folder; a container may see only a part of the tree."""
    within = path.removeprefix(root.rstrip("/")) if path.startswith(root) else ""
    return Path(point) / within.lstrip("/")


def _say(log: object, text: str) -> None:
    if isinstance(log, str):
        with suppress(OSError), open(log, "a", encoding="utf-8") as file:  # noqa: PTH123 - as launch writes it
            file.write(f"{text}\n")
