"""Delete all records of an endpoint: its folders whole, and its lines in the ledger that all endpoints share."""

from __future__ import annotations

import time
from pathlib import Path

from jupyter_deploy.domain.errors import StoreError, TargetError
from jupyter_deploy.system.filesystem import remove_folder, size_of

from . import rotation, segments
from .compaction import LEDGER_FORMAT, compact_ledger
from .purge import FLUSH_SECONDS, PurgeSelection, purge_folder, purge_rejected
from .segments import LEDGER


def size(home: Path, endpoint: str) -> int:
    """Return the bytes of the endpoint's records and feedback."""
    return sum(size_of(folder) for folder in _folders(home, endpoint))


def delete(home: Path, endpoint: str) -> None:
    """Delete records, feedback and ledger lines, also damaged files; its releases have ended.

    Raises
    ------
    TargetError
        The gateway does not close its log; nothing was deleted.
    StoreError
        The ledger or a folder cannot be changed; completed steps are kept.
    """
    logs = home / LEDGER
    if not any(folder.exists() for folder in (*_folders(home, endpoint), logs)):
        return
    with segments.maintenance_lock(home):
        time.sleep(FLUSH_SECONDS)
        if not rotation.rotate(home):
            raise TargetError("the gateway does not close its log; no record was deleted", "try again")
        for folder in _folders(home, endpoint):
            with segments.swapping(folder):
                remove_folder(folder)
        remove_folder(segments.drift_folder(home, endpoint))
        failures = compact_ledger(home)
        if failures:
            raise StoreError("not everything can be deleted", "repair the files and delete again", "\n".join(failures))
        selection = PurgeSelection(endpoint, named=True)
        purge_folder(logs, logs, LEDGER_FORMAT, selection.condition())
        purge_rejected(logs, logs, selection, shared=True)


def _folders(home: Path, endpoint: str) -> tuple[Path, Path]:
    return segments.data_folder(home, endpoint), segments.feedback_folder(home, endpoint)
