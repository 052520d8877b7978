"""The salt of the gateway: the key with which releases hash the clients' ``x-sticky-key`` for their records."""

from __future__ import annotations

import secrets
from pathlib import Path

from jupyter_deploy.system.home import write_atomic


def salt(home: Path) -> str:
    """Return the home's salt of 128 random bits, made at the first call. The caller holds the ``state`` lock.

    If the file is lost, later records have other hashes: a user then counts as a new one.
    """
    path = home / "salt"
    try:
        known = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        known = ""
    if not (known and known.isascii()):
        known = secrets.token_hex(16)
        write_atomic(path, known)
    return known[:64]
