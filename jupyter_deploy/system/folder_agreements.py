"""The user's agreements that jobs read a folder's ``nbdeploy.yaml``, in the user's own state.

One file a folder, ``<home>/agreements/<digest of its path>.json`` with mode 0600: the folder, and the digest of the
content that the user has seen. Another content needs another agreement. To withdraw one, remove its file.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path

from .filesystem import write_error


def content_digest(content: bytes) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def is_agreed(home: Path, folder: Path, digest: str) -> bool:
    """Whether the user agreed to this content for this folder; a damaged file is no agreement."""
    try:
        return bool(json.loads(_file(home, folder).read_text("utf-8"))["digest"] == digest)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def agree(home: Path, folder: Path, digest: str) -> None:
    """Store the user's agreement to this content, in place of an earlier one.

    Raises
    ------
    StoreError
        The home cannot be written.
    """
    file = _file(home, folder)
    partial = file.with_suffix(f".{os.getpid()}")
    try:
        for one in (home, file.parent):
            one.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump({"folder": str(folder.resolve()), "digest": digest}, stream)
        partial.replace(file)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise write_error(file.parent, error.strerror or error) from error


def _file(home: Path, folder: Path) -> Path:
    """A link to a folder has the folder's agreement."""
    return home / "agreements" / f"{hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:32]}.json"
