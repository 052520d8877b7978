"""Whether this process is a notebook's kernel; asked by every call, so it imports nothing."""

from __future__ import annotations

import sys
from typing import Any


def current_shell() -> Any:
    """The running IPython shell, or None."""
    if "IPython" not in sys.modules:
        return None
    from IPython import get_ipython  # noqa: PLC0415 - only where IPython runs already

    return get_ipython()
