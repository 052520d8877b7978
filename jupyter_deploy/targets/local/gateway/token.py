"""The gateway's token: while its file is in the home, every request must carry it.

The file decides, not the setting ``require_token``, which only has it made: a shell without the setting must not open
the gateway when it changes routes. The file holds a whole header line, so that ``curl -H @FILE`` sends the token
without showing it in a list of processes.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from jupyter_deploy.domain.errors import TargetError
from jupyter_deploy.system.home import write_atomic
from jupyter_deploy.targets.envoy.documents import TOKEN_HEADER
from jupyter_deploy.targets.header_files import token_in


def token_file(home: Path) -> Path:
    """The token's file, which only its owner can read."""
    return home / "token.header"


def token(home: Path) -> str | None:
    """The token that requests must carry; None: they need none.

    Raises
    ------
    TargetError
        The file exists and holds no token.
    """
    path = token_file(home)
    try:
        if not path.exists():
            return None
        found = token_in(path)
    except TargetError as error:
        raise TargetError(error.message, f"{error.remedy}, or remove it; then 'nbdeploy reconcile'") from error
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)
    return found


def make_token(home: Path) -> None:
    """Make a token of 256 random bits unless there is one. The caller holds the ``state`` lock."""
    if not token_file(home).exists():
        write_atomic(token_file(home), f"{TOKEN_HEADER}: {secrets.token_urlsafe(32)}\n")
