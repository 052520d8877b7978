"""A loaded model in forked workers: the obstacles to a fork, and the state that each worker needs of its own.

Standard library only, and no import of this package at import: the target reads ``THREADS``.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import importlib
import os
import random
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "RAYON_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "NBDEPLOY_THREADS",
)
"""Variables that numerical libraries, and this package, read at import."""

SNAPSHOT = "NBDEPLOY_SNAPSHOT"
"""The variable of an image without BentoML; see ``plain_service``."""

PASSIVE = {"OMP_WAIT_POLICY": "PASSIVE", "OPENBLAS_THREAD_TIMEOUT": "4"}
"""Variables by which these libraries' threads sleep while they wait for one another and for the next call.

Otherwise they spin for up to ten milliseconds after each call, on a processor that the gateway and others need.
"""

# Threads that their own fork handlers start again in the child.
_RESTARTED_THREADS = frozenset({"jemalloc_bg_thd"})

_PR_SET_PDEATHSIG = 1

_OPENBLAS = (
    "openblas_set_num_threads",
    "scipy_openblas_set_num_threads",
    "openblas_set_num_threads64_",
    "scipy_openblas_set_num_threads64_",
)


_thread_pools: list[Any] = []
"""The libraries with threads that ``find_thread_pools`` has found, as threadpoolctl's controller."""


def service() -> ModuleType:
    """Import the service: the bento's ``service.py``, or the one that needs no BentoML."""
    return importlib.import_module(f"{__package__}.plain_service" if os.environ.get(SNAPSHOT) else "service")


def load() -> None:
    """Import the service and load its model and the server, so all forked workers have them."""
    importlib.import_module("uvicorn")
    module = service()
    for value in list(vars(module).values()):
        made = getattr(value, "inner", None)  # BentoML's service: the class, whose constructor loads the model
        if isinstance(made, type) and made.__module__ == module.__name__:
            made()


def fork_obstacle() -> str | None:
    """Return the reason why the loaded model cannot be forked; None if it can."""
    if sys.platform != "linux":
        return "only Linux forks safely"
    tasks = [Path(f"/proc/self/task/{task}/comm") for task in os.listdir("/proc/self/task")]  # noqa: PTH208
    names = [task.read_text().strip() for task in tasks if task.parent.name != str(os.getpid())]
    others = [name for name in names if name not in _RESTARTED_THREADS]
    if others or threading.active_count() > 1:
        return f"it has started threads ({', '.join(sorted(set(others))) or 'of Python'})"
    workplace = sys.modules.get("serving.workplace")
    if workplace is not None and workplace.current_workplace() is not None:
        return "it has files of its own, which it may write to"
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return "it is on a GPU"
    return None


def use_threads(count: int) -> None:
    """Set the number of threads of numerical libraries that were imported with one thread, and of later ones."""
    os.environ.update(dict.fromkeys(THREADS, str(count)))
    if count > 1:
        _set_threads(count)


def restore_threads() -> None:
    """Give libraries that were imported with one thread the number that they would have chosen at their import."""
    from .processors import processors  # the target reads THREADS alone

    named = (os.environ.get(name, "") for name in ("NBDEPLOY_THREADS", "OMP_NUM_THREADS"))
    count = next((int(text) for text in named if text.isdecimal()), None) or processors()
    if count > 1:
        _set_threads(count, _thread_pools)


def find_thread_pools() -> None:
    """Find the libraries with threads in this process. Its forks need no search, which writes to 4 MB of memory."""
    with contextlib.suppress(ImportError):
        from threadpoolctl import ThreadpoolController

        _thread_pools[:] = [ThreadpoolController()]


def _set_threads(count: int, thread_pools: Sequence[Any] = ()) -> None:
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(count)
    if (numexpr := sys.modules.get("numexpr")) is not None:
        numexpr.set_num_threads(count)
    with contextlib.suppress(ImportError):
        from threadpoolctl import ThreadpoolController  # scikit-learn brings it, nothing else needs it

        for found in thread_pools or [ThreadpoolController()]:
            found.limit(limits=count)
        return
    for library in _openblas_libraries():
        for name in _OPENBLAS:
            if function := getattr(library, name, None):
                function(count)


def _openblas_libraries() -> list[ctypes.CDLL]:
    """The copies of OpenBLAS in this process: NumPy and SciPy each bring their own."""
    lines = Path("/proc/self/maps").read_text().splitlines() if Path("/proc/self/maps").exists() else []
    paths = {line.split(maxsplit=5)[5] for line in lines if "openblas" in line.rpartition("/")[2]}
    return [ctypes.CDLL(path) for path in sorted(paths)]


def end_fork(run: Callable[[], int]) -> NoReturn:
    """Run a forked process to its end: no caller of the fork may continue in it."""
    code = 1
    try:
        code = run()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except BaseException:  # noqa: BLE001 - the exception hook reports it
        sys.excepthook(*sys.exc_info())
    finally:
        with contextlib.suppress(Exception):
            vars(atexit)["_run_exitfuncs"]()  # as at an exit without a fork
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        os._exit(code)


def end_with_parent(parent: int) -> None:
    """Have the kernel send SIGTERM to this process if its parent is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(1)


def prefer_for_oom_kill() -> None:
    """Make the kernel kill a worker, not the parent that replaces it, if memory runs out."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")


def reseed() -> None:
    """Reseed random generators: workers must not draw equal numbers."""
    random.seed()
    if (numpy := sys.modules.get("numpy")) is not None:
        numpy.random.seed()
    if (torch := sys.modules.get("torch")) is not None:
        torch.seed()
