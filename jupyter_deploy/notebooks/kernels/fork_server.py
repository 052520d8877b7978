"""A process that has imported what notebooks import, and forks kernels; run as a script by ``kernels.py``.

Only the standard library is imported, then ipykernel, then what it is told to. It speaks with its client over
socket pairs: a byte that says what is wanted comes with the end of a new pair, on which one line of JSON follows.

``B``, a branch: a fork of this process that imports more. ``{"cwd", "statements", "roots"}``; answered by
``{"at": statement}`` for each and ``{"ready": true}``, whereupon that pair is the branch's own, as this process's is;
or by ``{"left_out": statement, "why"}``, with which it ends.

``K``, a kernel: a fork that becomes an ipykernel. ``{"argv", "env", "cwd"}``, and with the pair come the files that
become its stdout and stderr; answered by ``{"pid"}`` and, when it has ended, by ``{"exit"}``: as ``Popen.returncode``.
Meanwhile it takes ``{"signal"}`` for the kernel's process group.

Whose other end is closed ends itself: a kernel with its process group, a branch with its kernels, all with the client.
What is killed takes with it what it forked.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    del sys.path[0]  # this folder, where a kernel has none
    # What is imported later may look for the notebook's main module, and finds it as empty as in a kernel.
    _OWN = sys.modules["__main__"]
    sys.modules["__main__"] = type(sys)("__main__")

import builtins
import contextlib
import ctypes
import gc
import importlib
import importlib.util
import json
import logging
import os
import select
import signal
import socket
import warnings
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:  # a kernel imports 'typing' too, but later
    from collections.abc import Mapping
    from typing import Any, NoReturn

    from . import import_effects as overheard

    Json = dict[str, Any]
else:  # a part of this script, by its path: no kernel is to find it among its modules
    _PART = importlib.util.spec_from_file_location("import_effects", Path(__file__).with_name("import_effects.py"))
    overheard = importlib.util.module_from_spec(_PART)
    _PART.loader.exec_module(overheard)

# What a kernel imports when it is made, beside ipykernel itself.
_AT_START = (
    "ipykernel.debugger", "IPython.core.completerlib", "IPython.core.debugger", "IPython.core.logger",
    "IPython.core.oinspect", "IPython.extensions.storemagic", "IPython.utils.wildcard", "psutil", "sqlite3",
    "tornado.platform.asyncio", "tornado.queues",
)  # fmt: skip
_PR_SET_PDEATHSIG = 1
_INLINE = "module://matplotlib_inline.backend_inline"


class Kernel:
    """A kernel that was forked here."""

    def __init__(self, pid: int, pair: socket.socket) -> None:
        self.pid = pid
        self.pair: socket.socket | None = pair
        self.ended = os.pidfd_open(pid)

    def signal(self, number: int) -> None:
        """To its process group; before it has one, to itself."""
        with contextlib.suppress(ProcessLookupError):
            try:
                os.killpg(self.pid, number)
            except ProcessLookupError:
                os.kill(self.pid, number)


class Node:
    """A process that forks: the pair that leads to the client, and what was forked here."""

    def __init__(self, pair: socket.socket) -> None:
        self.pair = pair
        self.kernels: dict[int, Kernel] = {}  # by the descriptor that tells their end
        self.branches: dict[int, int] = {}

    def serve(self) -> Json:
        """Until the client has gone; returns the request in a process that is to be a kernel."""
        while True:
            for ready in self._wait():
                if ready == self.pair.fileno():
                    request = self._asked()
                    if request is not None:
                        return request
                elif ready in self.branches:
                    os.waitpid(self.branches.pop(ready), 0)
                    os.close(ready)
                else:
                    self._of_kernel(ready)

    def _wait(self) -> list[int]:
        watched = [self.pair.fileno(), *self.branches, *self.kernels]
        watched += [kernel.pair.fileno() for kernel in self.kernels.values() if kernel.pair is not None]
        poll = select.poll()
        for one in watched:
            poll.register(one, select.POLLIN)
        return [found for found, _ in poll.poll()]

    def _of_kernel(self, ready: int) -> None:
        if ready in self.kernels:
            kernel = self.kernels.pop(ready)
            kernel.signal(signal.SIGKILL)  # what it started and left; until it is waited for, its number is its own
            _, status = os.waitpid(kernel.pid, 0)
            os.close(ready)
            if kernel.pair is not None:
                _tell(kernel.pair, {"exit": os.waitstatus_to_exitcode(status)})
                kernel.pair.close()
            return
        for kernel in self.kernels.values():
            if kernel.pair is not None and kernel.pair.fileno() == ready:
                said = _line(kernel.pair)
                if said is None:
                    kernel.signal(signal.SIGKILL)
                    kernel.pair.close()
                    kernel.pair = None
                else:
                    kernel.signal(said["signal"])
                return

    def _asked(self) -> Json | None:
        """Do what the client wants; in a fork that is to be a kernel, what it wants of it."""
        try:
            wanted, handed, _, _ = socket.recv_fds(self.pair, 1, 3)
        except OSError:
            wanted = b""
        if not wanted:
            self._end()
        pair, output = socket.socket(fileno=handed[0]), handed[1:]
        request = _line(pair, 65536)
        parent = os.getpid()
        pid = os.fork() if request is not None else None  # None: who wanted it has gone
        if pid == 0:
            self._forget()
            _end_with(parent)
            if wanted == b"K":
                pair.close()
                for number, one in enumerate(output, 1):
                    os.dup2(one, number)
                    os.close(one)
                return request
            self.pair, self.kernels, self.branches = pair, {}, {}
            _grow(pair, request or {})
            return None
        for one in output:
            os.close(one)
        if pid is not None and wanted == b"K":
            kernel = Kernel(pid, pair)
            self.kernels[kernel.ended] = kernel
            _tell(pair, {"pid": pid})
            return None
        if pid is not None:
            self.branches[os.pidfd_open(pid)] = pid
        pair.close()
        return None

    def _forget(self) -> None:
        """In a fork: close what is the parent's."""
        self.pair.close()
        for number, kernel in self.kernels.items():
            os.close(number)
            if kernel.pair is not None:
                kernel.pair.close()
        for number in self.branches:
            os.close(number)

    def _end(self) -> NoReturn:
        for kernel in self.kernels.values():
            kernel.signal(signal.SIGKILL)
        for kernel in self.kernels.values():
            os.waitpid(kernel.pid, 0)
        os._exit(0)  # its branches end with it


def _tell(pair: socket.socket, document: Json) -> None:
    with contextlib.suppress(OSError):  # the client has gone: that is seen elsewhere
        pair.sendall(json.dumps(document).encode() + b"\n")


def _line(pair: socket.socket, at_once: int = 1) -> Json | None:
    """The next line as JSON; None: the other end is closed. ``at_once``: more than one where no other line follows."""
    found = bytearray()
    try:
        while not found.endswith(b"\n"):
            piece = pair.recv(at_once)
            if not piece:
                return None
            found += piece
    except OSError:
        return None
    return dict(json.loads(found))


def _end_with(parent: int) -> None:
    """Die when the process that forked this one does."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it was quicker
        os._exit(1)


def _grow(pair: socket.socket, request: Json) -> None:
    """In a branch: import more, or say what cannot be had here and end."""
    os.chdir(request["cwd"])
    with contextlib.suppress(ValueError):
        sys.path.remove("")
    sys.path.insert(_place_of_cwd(), "")  # as a kernel has it
    for statement in request["statements"]:
        _tell(pair, {"at": statement})
        why = overheard.imported(statement, tuple(request["roots"]))
        if why is not None:
            _tell(pair, {"left_out": statement, "why": why})
            os._exit(0)
    sys.path.remove("")
    _tell(pair, {"ready": True})


def _place_of_cwd() -> int:
    """Where IPython puts the working directory: before the first folder of installed packages."""
    for place, folder in enumerate(sys.path):
        if Path(folder).name in ("site-packages", "dist-packages"):
            return place
    return 0


def _become(request: Json, imported: Mapping[str, str]) -> None:
    """Be the kernel, as if it had been started by its command."""
    os.setsid()
    reading, writing = os.pipe()
    os.dup2(reading, 0)  # as jupyter_client does it: a pipe at its end
    os.close(reading)
    os.close(writing)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"] | imported | {"JPY_PARENT_PID": str(os.getppid())})
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()  # or all kernels would draw the same
    command = request["argv"]
    sys.orig_argv = list(command)
    launcher = importlib.util.find_spec("ipykernel_launcher")
    sys.argv = [str(launcher and launcher.origin), *command[3:]]


def _main() -> None:
    environment = dict(os.environ)
    os.environ.pop("JPY_PARENT_PID", None)
    from ipykernel import kernelapp  # after what stands above, as in a kernel

    with overheard.listening():  # a debugger that warns of itself, where in a kernel nobody listens yet
        for name in _AT_START:
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
    # As a kernel does before its first cell.
    os.environ.setdefault("MPLBACKEND", _INLINE)
    vars(builtins).update(__IPYTHON__=True, display=importlib.import_module("IPython.display").display)
    filters, logs = list(warnings.filters), list(vars(logging)["_handlerList"])
    pair = socket.socket(fileno=int(sys.argv[1]))
    if overheard.threads() > 1:
        _tell(pair, {"left_out": "ipykernel", "why": "starts threads"})
        return
    _tell(pair, {"ready": True})
    request = Node(pair).serve()
    gc.freeze()  # what was imported stays: looking at it all would copy it into every kernel, and takes long at its end
    changed = {name: value for name, value in os.environ.items() if environment.get(name) != value}
    _become(request, changed)
    imported = warnings.filters[: len(warnings.filters) - len(filters)]
    handlers = vars(logging)["_handlerList"]  # there is no public one
    made = [one for one in handlers if one not in logs]
    handlers[:] = logs  # an application closes those that are there when it starts: in a kernel none of these is
    app = kernelapp.IPKernelApp.instance(parent_handle=os.getppid())
    with warnings.catch_warnings():  # tells who has looked at the filters that they changed
        warnings.filters = list(filters)
        app.initialize(None)
        final = [*imported, *warnings.filters]  # a kernel makes its own before its cells import
    warnings.filters[:] = final
    handlers += made
    for handler in (one() for one in made):
        if getattr(handler, "stream", None) in overheard.STREAMS:  # of the time when something was imported
            handler.setStream(sys.stdout if handler.stream is overheard.STREAMS[0] else sys.stderr)
    app.start()


if __name__ == "__main__":
    _main()
