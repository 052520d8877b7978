"""Whether this process is a notebook's kernel; asked by every call, so it imports nothing."""

from __future__ import annotations

import sys
import time
from typing import Any

BEGAN: dict[int, float] = {}
"""When the kernel's cells began, by execution count; those before ``%load_ext jupyter_deploy`` were not watched."""


def current_shell() -> Any:
    """The running IPython shell, or None."""
    if "IPython" not in sys.modules:
        return None
    from IPython import get_ipython  # only where IPython runs already

    return get_ipython()


def namespace_of(shell: Any) -> dict[str, Any]:
    """The notebook's variables; where there is no shell those of the main program."""
    import __main__

    return shell.user_ns if shell else vars(__main__)


def watch_cells(shell: Any) -> None:
    """Note from now on when cells begin."""
    BEGAN.setdefault(shell.execution_count, time.time())  # this one is running; those before it have ended
    shell.events.register("pre_run_cell", _note)


def _note(info: Any) -> None:
    if info.store_history and (shell := current_shell()) is not None:
        BEGAN[shell.execution_count] = time.time()
