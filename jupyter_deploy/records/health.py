"""The health of records: damaged files, unreadable lines, and a compaction that falls behind."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from jupyter_deploy.domain.errors import StoreError
from jupyter_deploy.domain.health import HealthCheck

from . import segments

_MAGIC = b"PAR1"
"""The first and the last bytes of a Parquet file; one that was cut short lacks the last."""

_BEHIND_SECONDS = 600.0
"""A closed segment is compacted within seconds, after a failure within a minute."""


class RecordsExaminer:
    """Checks the records and the feedback of all endpoints."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def __call__(self, *, mend: bool) -> Iterator[HealthCheck]:  # noqa: ARG002 - a damaged file cannot be mended
        """Check each endpoint's files by name, size and first bytes; their content is not read."""
        try:
            names = sorted({*segments.endpoints(self._home), *segments.with_feedback(self._home)})
        except (StoreError, OSError) as error:
            yield HealthCheck(
                part="records", state="error", message=str(error), remedy="check the folder's permissions"
            )
            return
        for name in names:
            yield self._endpoint(name)

    def _endpoint(self, name: str) -> HealthCheck:
        part = f"records of {name}"
        folders = [*segments.release_folders(self._home, name), segments.feedback_folder(self._home, name)]
        try:
            files = [segment for folder in folders for segment in segments.readable(folder)]
        except (StoreError, OSError) as error:
            remedy = error.remedy if isinstance(error, StoreError) else "check the folder's permissions"
            return HealthCheck(part=part, state="error", message=str(error).partition("\n")[0], remedy=remedy)
        damaged = next((one.path for one in files if one.form == "parquet" and _is_damaged(one.path)), None)
        if damaged:
            remedy = "restore it from a backup, or move it away: its records are lost, the others are read again"
            return HealthCheck(part=part, state="error", message=f"{damaged} is damaged", remedy=remedy)
        behind = [one for one in files if one.form == "jsonl" and _is_behind(one)]
        if behind:
            message = f"{len(behind)} closed files are not compacted, such as {behind[0].path}"
            remedy = f"read the archivist's log in {self._home / 'logs'}; reads stay right, and take longer"
            return HealthCheck(part=part, state="warning", message=message, remedy=remedy)
        rejected = sum(segments.rejected_lines(folder) for folder in folders)
        if rejected:
            message = f"{rejected} line{'s' * (rejected != 1)} could not be read"
            remedy = "they lie in the files *.rejected: a full disk or a power failure cut them short"
            return HealthCheck(part=part, state="warning", message=message, remedy=remedy)
        return HealthCheck(part=part, state="ok", message=f"{len(files)} file{'s' * (len(files) != 1)}")


def _is_damaged(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            first = file.read(4)
            file.seek(-4, 2)
            return first != _MAGIC or file.read(4) != _MAGIC
    except FileNotFoundError:  # the archivist has just removed or replaced it
        return False
    except OSError:  # too short, or unreadable
        return True


def _is_behind(segment: segments.Segment) -> bool:
    try:
        old = time.time() - segment.path.stat().st_mtime > _BEHIND_SECONDS
        return old and segments.is_closed(segment)
    except OSError:
        return False
