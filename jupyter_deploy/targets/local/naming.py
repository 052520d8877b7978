"""Names of a release's program and files in a runtime directory."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from jupyter_deploy.domain.release.endpoint import Release
from jupyter_deploy.targets.envoy.names import cluster_name

from .runtime import Runtime, read_json

PREFIX = "release-"
"""The prefix of all releases' programs, and of no others."""


def program_name(endpoint: str, tag: str, generation: int = 0) -> str:
    """The supervisor's name of a release, readable in ``logs/``."""
    name = re.sub(r"[^A-Za-z0-9._-]", ".", cluster_name(endpoint, tag))
    return f"{PREFIX}{name}{f'..{generation}' if generation else ''}"


def generations(endpoint: str, tag: str, programs: Iterable[str]) -> set[int]:
    """The generations of a release among the supervisor's programs."""
    pattern = re.compile(rf"{re.escape(program_name(endpoint, tag))}(?:\.\.(\d+))?")
    matches = (pattern.fullmatch(name) for name in programs)
    return {int(one[1] or 0) for one in matches if one}


def logs_of(folder: Path, endpoint: str, tag: str) -> list[Path]:
    """The logs of a release's processes, of all its generations."""
    pattern = re.compile(rf"{re.escape(program_name(endpoint, tag))}(?:\.\.\d+)?-\d+\.log(?:\.\d+)?")
    return [path for path in sorted(folder.glob(f"{PREFIX}*")) if pattern.fullmatch(path.name)]


def remove_logs(folder: Path, endpoint: str, tags: Iterable[str]) -> None:
    """Remove the logs of releases' processes."""
    for tag in tags:
        for path in logs_of(folder, endpoint, tag):
            path.unlink(missing_ok=True)


def read_end(logs: Iterable[Path], most: int) -> str:
    """The last ``most`` bytes of logs as one text, the file that was written last at its end; from a whole line on."""
    times = []
    for path in logs:
        with suppress(OSError):
            times.append((path.stat().st_mtime_ns, path))
    parts, left = [], most
    for _, path in sorted(times, reverse=True):
        if left <= 0:
            break
        with suppress(OSError), path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - left))
            part = file.read(left)
            left -= len(part)
            parts.append(part.partition(b"\n")[2] if size > len(part) else part)
    return b"".join(reversed(parts)).decode("utf-8", "replace")


def socket_of(runtime: Runtime, release: Release, generation: int | None = None) -> str:
    """The socket of a release, which all its workers share; by default of its running generation."""
    key = key_of(release.endpoint, release.tag)
    if generation is None:
        generation = read_json(runtime.path / "releases" / f"{key}.json").get("generation", 0)
    return f"{runtime.path}/s/{stem_of(key, generation)}.sock"


def key_of(endpoint: str, tag: str) -> str:
    # Short, since a socket's path must be.
    return hashlib.sha256(f"{endpoint} {tag}".encode()).hexdigest()[:12]


def stem_of(key: str, generation: int) -> str:
    """The prefix of the names of a generation's files."""
    return f"{key}.{generation}" if generation else key
