"""The files in which the programs of schedules note their runs; they stay after a reboot."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from jupyter_deploy.domain.batch.results import BatchLog

from .home import private_folder, write_atomic


class BatchLogFile:
    """The file of an endpoint."""

    def __init__(self, home: Path, endpoint: str) -> None:
        self._path = home / "batches" / f"{endpoint}.json"

    def read(self) -> BatchLog | None:
        """Return its content; None: there is none, or it cannot be read."""
        try:
            return BatchLog.model_validate_json(self._path.read_bytes())
        except (OSError, ValidationError):
            return None

    def write(self, log: BatchLog) -> None:
        """Replace its content."""
        private_folder(self._path.parent)
        write_atomic(self._path, log.model_dump_json())

    def remove(self) -> None:
        """Remove it; none is no error."""
        self._path.unlink(missing_ok=True)
