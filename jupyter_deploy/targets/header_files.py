"""Files whose one line is the header with a gateway's token, so that ``curl -H @FILE`` sends it."""

from __future__ import annotations

import re
from pathlib import Path

from jupyter_deploy.domain.errors import TargetError
from jupyter_deploy.targets.envoy.documents import TOKEN_HEADER

# Characters that need no escape in a header or in Envoy's documents, and enough of them.
_TOKEN = re.compile(rf"{TOKEN_HEADER}: ([A-Za-z0-9._~+/=-]{{16,512}})\s*")


def token_in(path: Path) -> str:
    """The token of a file; the error shows nothing of its content.

    Raises
    ------
    TargetError
        The file cannot be read, or holds no token.
    """
    try:
        match = _TOKEN.fullmatch(path.read_text("utf-8"))
    except UnicodeDecodeError:
        match = None
    except OSError as error:
        raise TargetError(f"{path} with the gateway's token cannot be read: {error.strerror}", _REMEDY) from error
    if match is None:
        raise TargetError(f"{path} does not hold a gateway token", _REMEDY)
    return match[1]


_REMEDY = f"make it one line '{TOKEN_HEADER}: ' with at least 16 letters and digits"
