"""Temporary folders that are gone whatever happens."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def scratch_folder(purpose: str) -> Iterator[Path]:
    """A private folder, removed at the end.

    ``tempfile.TemporaryDirectory`` makes its folder before it notes that it has to be removed; Ctrl-C or a polite
    kill in between would leave it. Here the name is known first.
    """
    folder = new_folder_name(purpose)
    try:
        folder.mkdir(mode=0o700)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def new_folder_name(purpose: str) -> Path:
    """A name in the temporary folder that nothing has yet."""
    return Path(tempfile.gettempdir()) / f"nbdeploy-{purpose}-{uuid.uuid4().hex}"
