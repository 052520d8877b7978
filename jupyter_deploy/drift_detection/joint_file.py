"""The file of the joint shifts of a release's days, next to its watch. Uses only the standard library."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

JOINT = ".joint"


def days_due(path: Path, now: datetime) -> bool:
    """Whether the joint shift of past days was not looked for since midnight (UTC)."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    try:
        return path.stat().st_mtime < midnight.timestamp()
    except FileNotFoundError:
        return True
