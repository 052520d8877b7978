"""The bound of a ledger that stays in its pod: a new log takes the place of one that is too long."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from .envoy import call

LOGS = ("edge.jsonl", "shadow.jsonl")


def bound_ledger(folder: Path, most: int, admin: str) -> None:
    """Begin a new log in place of each that has ``most`` bytes; the former one stays as ``<name>.1``.

    Parameters
    ----------
    admin
        The path of Envoy's admin socket; Envoy opens its logs again.
    """
    long = [path for path in map(folder.joinpath, LOGS) if _size(path) >= most]
    for path in long:
        path.replace(path.with_name(f"{path.name}.1"))
    if long:
        call(admin, "POST", "/reopen_logs")


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0
