"""The gateway's token: while its file is in the home, every request must carry it.

The file decides, not the setting ``require_token``, which only has it made: a shell without the setting must not open
the gateway when it changes routes. The file holds a whole header line, so that ``curl -H @FILE`` sends the token
without showing it in a list of processes.
"""

from __future__ import annotations

import re
import secrets
from pathlib import Path

from jupyter_deploy.domain.errors import TargetError
from jupyter_deploy.system.home import write_atomic
from jupyter_deploy.targets.envoy.documents import TOKEN_HEADER

# Characters that need no escape in a header or in Envoy's documents, and enough of them.
_TOKEN = re.compile(rf"{TOKEN_HEADER}: ([A-Za-z0-9._~+/=-]{{16,512}})\s*")


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
        match = _TOKEN.fullmatch(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError):
        match = None
    if not match:
        raise TargetError(
            f"{path} does not hold a gateway token",
            f"make it one line '{TOKEN_HEADER}: ' with at least 16 letters and digits, or remove it; "
            "then 'nbdeploy reconcile'",
        )
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)
    return match[1]


def make_token(home: Path) -> None:
    """Make a token of 256 random bits unless there is one. The caller holds the ``state`` lock."""
    if not token_file(home).exists():
        write_atomic(token_file(home), f"{TOKEN_HEADER}: {secrets.token_urlsafe(32)}\n")
