"""The IPython shell of this process; every call checks for it, so this module imports nothing heavy."""

from __future__ import annotations

import sys
import time
from typing import Any

BEGAN: dict[int, float] = {}
"""Start times of the kernel's cells, by execution count; cells before ``%load_ext jupyter_deploy`` are missing."""


def current_shell() -> Any:
    """Return the running IPython shell, or None."""
    if "IPython" not in sys.modules:
        return None
    from IPython import get_ipython  # only where IPython runs already

    return get_ipython()


def namespace_of(shell: Any) -> dict[str, Any]:
    """Return the notebook's variables; without a shell those of the main program."""
    import __main__

    return shell.user_ns if shell else vars(__main__)


def watch_cells(shell: Any) -> None:
    """Note the start times of cells from now on."""
    BEGAN.setdefault(shell.execution_count, time.time())  # this one is running; those before it have ended
    shell.events.register("pre_run_cell", _note)


def _note(info: Any) -> None:
    if info.store_history and (shell := current_shell()) is not None:
        BEGAN[shell.execution_count] = time.time()
