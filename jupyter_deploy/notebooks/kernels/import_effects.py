"""What a module does when it is imported, so that a fork of who imported it is what a kernel would be.

A part of the script ``forkserver.py``, which loads it by its path: it imports the standard library alone, since what is
imported there is in every kernel.
"""

from __future__ import annotations

import builtins
import contextlib
import io
import os
import signal
import sys
import warnings
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:  # a kernel imports 'typing' too, but later
    from collections.abc import Iterator
    from typing import Any

# What sys.stdout and sys.stderr are while something is imported: to be looked at, as those of a kernel are.
STREAMS = tuple(io.TextIOWrapper(io.FileIO(number, "w", closefd=False), "UTF-8") for number in (1, 2))


def imported(statement: str, roots: tuple[str, ...]) -> str | None:  # noqa: PLR0911 - one a reason
    """Import; why a fork would not be what a kernel is that imports it itself, or None."""
    modules, before = set(sys.modules), _seen()
    with listening() as (asked, said):
        try:
            exec(statement, {"__name__": "__main__", "__builtins__": builtins})  # noqa: S102
        except BaseException as error:  # noqa: BLE001 - whatever a module raises, its cell is to raise
            return f"raises {type(error).__name__}"
    if said:
        return "prints"
    if asked:
        return "asks for the notebook's shell"
    if _seen() != before:
        return "changes signals or the working directory, or opens files"
    for name in set(sys.modules) - modules:
        file = getattr(sys.modules[name], "__file__", None)
        if file and Path(file).is_absolute() and not os.path.realpath(file).startswith(roots):
            return f"imports {name}, which is the project's own"
    if threads() > 1:
        # OpenBLAS and its like end their threads when their process forks, and start them again when they are used.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pid = os.fork()
        if not pid:
            os._exit(0)
        os.waitpid(pid, 0)
        if threads() > 1:
            return "starts threads"
    return None


@contextlib.contextmanager
def listening() -> Iterator[tuple[list[str], list[bool]]]:
    """Within, what is printed goes to nobody; two lists are filled: what was asked of the shell, and what was said."""
    asked: list[str] = []
    said: list[bool] = []
    saved, heard = (os.dup(1), os.dup(2)), os.memfd_create("said")
    os.dup2(heard, 1)
    os.dup2(heard, 2)
    own, (sys.stdout, sys.stderr) = (sys.stdout, sys.stderr), STREAMS
    try:
        with _stand_in(asked):
            yield asked, said
    finally:
        for stream in {sys.stdout, sys.stderr, *STREAMS}:
            stream.flush()
        sys.stdout, sys.stderr = own
        for number, copy in enumerate(saved, 1):
            os.dup2(copy, number)
            os.close(copy)
        said.extend([True] * bool(os.fstat(heard).st_size))
        os.close(heard)


@contextlib.contextmanager
def _stand_in(asked: list[str]) -> Iterator[None]:
    """Within, IPython's shell is there for who only looks whether it is, and whose; ``asked`` is what else was asked.

    pandas, plotly and tqdm look when they are imported, and behave accordingly for good.
    """
    from ipykernel.zmqshell import ZMQInteractiveShell  # see forkserver._main
    from IPython.core.interactiveshell import InteractiveShell

    class Part:
        def __init__(self, *known: str) -> None:
            object.__setattr__(self, "known", known)

        def __getattribute__(self, name: str) -> Any:
            asked.append(name)
            raise AttributeError(name)

        def __contains__(self, name: str) -> bool:
            if name not in object.__getattribute__(self, "known"):
                asked.append(name)
            return True

    class Shell(ZMQInteractiveShell):
        def __getattribute__(self, name: str) -> Any:
            if name in parts:
                return parts[name]
            asked.append(name)
            raise AttributeError(name)

    parts = {"__class__": ZMQInteractiveShell, "kernel": Part(), "config": Part("IPKernelApp")}
    Shell.__name__ = Shell.__qualname__ = ZMQInteractiveShell.__name__
    Shell.__module__ = ZMQInteractiveShell.__module__
    shell = object.__new__(Shell)
    InteractiveShell.initialized = classmethod(lambda _: True)
    InteractiveShell.instance = classmethod(lambda _, **__: shell)
    vars(builtins)["get_ipython"] = lambda: shell
    held = sys.getrefcount(shell), [sys.getrefcount(part) for part in parts.values()][1:]
    try:
        yield
    finally:
        del InteractiveShell.initialized, InteractiveShell.instance, vars(builtins)["get_ipython"]
        # Less what the lambdas held.
        if (sys.getrefcount(shell), [sys.getrefcount(part) for part in parts.values()][1:]) != held:
            asked.append("to keep it")


def threads() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


def _seen() -> tuple[Any, ...]:
    handlers = [signal.getsignal(number) for number in sorted(signal.valid_signals())]
    return Path.cwd(), handlers, sys.excepthook, sys.displayhook, len(list(Path("/proc/self/fd").iterdir()))
