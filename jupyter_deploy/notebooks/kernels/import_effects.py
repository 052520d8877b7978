"""The effects of an import, which decide whether a fork after it equals a fresh kernel.

A part of the script ``fork_server.py``, which loads it by its path: it imports the standard library alone, since every
kernel inherits its imports.
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

# sys.stdout and sys.stderr during imports: a module may inspect them as in a kernel.
STREAMS = tuple(io.TextIOWrapper(io.FileIO(number, "w", closefd=False), "UTF-8") for number in (1, 2))


def imported(statement: str, roots: tuple[str, ...]) -> str | None:  # noqa: PLR0911 - one a reason
    """Run an import; return the reason why a fork would differ from a kernel that imports it itself, or None."""
    modules, before = set(sys.modules), _process_state()
    with captured_output() as (shell_uses, printed):
        try:
            exec(statement, {"__name__": "__main__", "__builtins__": builtins})  # noqa: S102
        except BaseException as error:  # noqa: BLE001 - the cell must raise whatever the module raises
            return f"raises {type(error).__name__}"
    if printed:
        return "prints"
    if shell_uses:
        return "asks for the notebook's shell"
    if _process_state() != before:
        return "changes signals or the working directory, or opens files"
    for name in set(sys.modules) - modules:
        file = getattr(sys.modules[name], "__file__", None)
        if file and Path(file).is_absolute() and not os.path.realpath(file).startswith(roots):
            return f"imports {name}, which is the project's own"
    if threads() > 1:
        # OpenBLAS and similar libraries end their threads before a fork and start them again on use.
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
def captured_output() -> Iterator[tuple[list[str], list[bool]]]:
    """Capture output and the use of IPython's shell during an import in two lists."""
    shell_uses: list[str] = []
    printed: list[bool] = []
    saved, output = (os.dup(1), os.dup(2)), os.memfd_create("said")
    os.dup2(output, 1)
    os.dup2(output, 2)
    streams, (sys.stdout, sys.stderr) = (sys.stdout, sys.stderr), STREAMS
    try:
        with _shell_stub(shell_uses):
            yield shell_uses, printed
    finally:
        for stream in {sys.stdout, sys.stderr, *STREAMS}:
            stream.flush()
        sys.stdout, sys.stderr = streams
        for number, copy in enumerate(saved, 1):
            os.dup2(copy, number)
            os.close(copy)
        printed.extend([True] * bool(os.fstat(output).st_size))
        os.close(output)


@contextlib.contextmanager
def _shell_stub(shell_uses: list[str]) -> Iterator[None]:
    """Provide IPython's shell to code that checks its presence and class; ``asked`` records any other use.

    pandas, plotly and tqdm check during their import, and keep the result.
    """
    from ipykernel.zmqshell import ZMQInteractiveShell
    from IPython.core.interactiveshell import InteractiveShell

    class Part:
        def __init__(self, *known: str) -> None:
            object.__setattr__(self, "known", known)

        def __getattribute__(self, name: str) -> Any:
            shell_uses.append(name)
            raise AttributeError(name)

        def __contains__(self, name: str) -> bool:
            if name not in object.__getattribute__(self, "known"):
                shell_uses.append(name)
            return True

    class Shell(ZMQInteractiveShell):
        def __getattribute__(self, name: str) -> Any:
            if name in parts:
                return parts[name]
            shell_uses.append(name)
            raise AttributeError(name)

    parts = {"__class__": ZMQInteractiveShell, "kernel": Part(), "config": Part("IPKernelApp")}
    Shell.__name__ = Shell.__qualname__ = ZMQInteractiveShell.__name__
    Shell.__module__ = ZMQInteractiveShell.__module__
    shell = object.__new__(Shell)
    InteractiveShell.initialized = classmethod(lambda _: True)
    InteractiveShell.instance = classmethod(lambda _, **__: shell)
    vars(builtins)["get_ipython"] = lambda: shell
    references = sys.getrefcount(shell), [sys.getrefcount(part) for part in parts.values()][1:]
    try:
        yield
    finally:
        del InteractiveShell.initialized, InteractiveShell.instance, vars(builtins)["get_ipython"]
        # Without the lambdas' own references.
        if (sys.getrefcount(shell), [sys.getrefcount(part) for part in parts.values()][1:]) != references:
            shell_uses.append("to keep it")


def threads() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


def _process_state() -> tuple[Any, ...]:
    handlers = [signal.getsignal(number) for number in sorted(signal.valid_signals())]
    return Path.cwd(), handlers, sys.excepthook, sys.displayhook, len(list(Path("/proc/self/fd").iterdir()))
