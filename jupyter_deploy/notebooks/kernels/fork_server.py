"""The fork server: a process that imports what notebooks import, and forks kernels; started as a script.

It imports only the standard library, then ipykernel, then the requested statements. It talks to its client over
socket pairs: a byte for the kind of request arrives with the end of a new pair, on which one line of JSON follows.

``B``, a branch: a fork of this process that imports more. Request ``{"cwd", "statements", "roots"}``; replies
``{"at": statement}`` for each and ``{"ready": true}``, after which the pair belongs to the branch, as this process's
pair does; or ``{"left_out": statement, "why"}``, after which the branch ends.

``K``, a kernel: a fork that becomes an ipykernel. Request ``{"argv", "env", "cwd"}``, with the files for its stdout
and stderr; replies ``{"pid"}`` and, at its end, ``{"exit"}`` as in ``Popen.returncode``. Meanwhile the pair accepts
``{"signal"}`` for the kernel's process group.

A process ends when the other end of its pair closes: a kernel with its process group, a branch with its kernels, all
with the client. A killed process ends its forks.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    del sys.path[0]  # this folder, which a kernel's path lacks
    # A later import may look up the notebook's main module, and gets it as empty as in a kernel.
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

    from . import import_effects

    Json = dict[str, Any]
else:  # a part of this script, loaded by path so that kernels do not have it as a module
    _PART = importlib.util.spec_from_file_location("import_effects", Path(__file__).with_name("import_effects.py"))
    import_effects = importlib.util.module_from_spec(_PART)
    _PART.loader.exec_module(import_effects)

# A kernel's own imports at its start, apart from ipykernel.
_AT_START = (
    "ipykernel.debugger", "IPython.core.completerlib", "IPython.core.debugger", "IPython.core.logger",
    "IPython.core.oinspect", "IPython.extensions.storemagic", "IPython.utils.wildcard", "psutil", "sqlite3",
    "tornado.platform.asyncio", "tornado.queues",
)  # fmt: skip
_PR_SET_PDEATHSIG = 1
_INLINE = "module://matplotlib_inline.backend_inline"


class Kernel:
    """A kernel forked by this process."""

    def __init__(self, pid: int, pair: socket.socket) -> None:
        self.pid = pid
        self.pair: socket.socket | None = pair
        self.ended = os.pidfd_open(pid)

    def signal(self, number: int) -> None:
        """Send a signal to the process group; before the group exists, to the process."""
        with contextlib.suppress(ProcessLookupError):
            try:
                os.killpg(self.pid, number)
            except ProcessLookupError:
                os.kill(self.pid, number)


class Node:
    """A forking process: the socket pair to the client, and the kernels forked here."""

    def __init__(self, pair: socket.socket) -> None:
        self.pair = pair
        self.kernels: dict[int, Kernel] = {}  # by the descriptor that reports their end
        self.branches: dict[int, int] = {}

    def serve(self) -> Json:
        """Serve until the client closes the pair; return the request in a process that becomes a kernel."""
        while True:
            for ready in self._wait():
                if ready == self.pair.fileno():
                    request = self._handle_request()
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
        for descriptor in watched:
            poll.register(descriptor, select.POLLIN)
        return [ready for ready, _ in poll.poll()]

    def _of_kernel(self, ready: int) -> None:
        if ready in self.kernels:
            kernel = self.kernels.pop(ready)
            kernel.signal(signal.SIGKILL)  # ends processes that the kernel left, before its number is freed
            _, status = os.waitpid(kernel.pid, 0)
            os.close(ready)
            if kernel.pair is not None:
                _send(kernel.pair, {"exit": os.waitstatus_to_exitcode(status)})
                kernel.pair.close()
            return
        for kernel in self.kernels.values():
            if kernel.pair is not None and kernel.pair.fileno() == ready:
                request = _read_line(kernel.pair)
                if request is None:
                    kernel.signal(signal.SIGKILL)
                    kernel.pair.close()
                    kernel.pair = None
                else:
                    kernel.signal(request["signal"])
                return

    def _handle_request(self) -> Json | None:
        """Handle a request; return it in a fork that becomes a kernel."""
        try:
            kind, handed, _, _ = socket.recv_fds(self.pair, 1, 3)
        except OSError:
            kind = b""
        if not kind:
            self._end()
        pair, output = socket.socket(fileno=handed[0]), handed[1:]
        request = _read_line(pair, 65536)
        parent = os.getpid()
        pid = os.fork() if request is not None else None  # None: the requester has gone
        if pid == 0:
            self._forget()
            _end_with(parent)
            if kind == b"K":
                pair.close()
                for number, descriptor in enumerate(output, 1):
                    os.dup2(descriptor, number)
                    os.close(descriptor)
                return request
            self.pair, self.kernels, self.branches = pair, {}, {}
            _import_more(pair, request or {})
            return None
        for descriptor in output:
            os.close(descriptor)
        if pid is not None and kind == b"K":
            kernel = Kernel(pid, pair)
            self.kernels[kernel.ended] = kernel
            _send(pair, {"pid": pid})
            return None
        if pid is not None:
            self.branches[os.pidfd_open(pid)] = pid
        pair.close()
        return None

    def _forget(self) -> None:
        """Close the parent's descriptors in a fork."""
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


def _send(pair: socket.socket, document: Json) -> None:
    with contextlib.suppress(OSError):  # the client has gone, which the main loop detects
        pair.sendall(json.dumps(document).encode() + b"\n")


def _read_line(pair: socket.socket, at_once: int = 1) -> Json | None:
    """Read the next line as JSON; None: the other end is closed. ``at_once`` > 1 is safe without a following line."""
    received = bytearray()
    try:
        while not received.endswith(b"\n"):
            piece = pair.recv(at_once)
            if not piece:
                return None
            received += piece
    except OSError:
        return None
    return dict(json.loads(received))


def _end_with(parent: int) -> None:
    """Let the kernel end this process together with its parent."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # the parent ended before
        os._exit(1)


def _import_more(pair: socket.socket, request: Json) -> None:
    """Import more in a branch, or report the import that a fork cannot hold and end."""
    os.chdir(request["cwd"])
    with contextlib.suppress(ValueError):
        sys.path.remove("")
    sys.path.insert(_cwd_position(), "")  # as in a kernel
    for statement in request["statements"]:
        _send(pair, {"at": statement})
        why = import_effects.imported(statement, tuple(request["roots"]))
        if why is not None:
            _send(pair, {"left_out": statement, "why": why})
            os._exit(0)
    sys.path.remove("")
    _send(pair, {"ready": True})


def _cwd_position() -> int:
    """Return IPython's position of the working directory: before the first folder of installed packages."""
    for position, folder in enumerate(sys.path):
        if Path(folder).name in ("site-packages", "dist-packages"):
            return position
    return 0


def _become(request: Json, imported: Mapping[str, str]) -> None:
    """Become the kernel, as if started by its command."""
    os.setsid()
    reading, writing = os.pipe()
    os.dup2(reading, 0)  # a pipe at its end, as with jupyter_client
    os.close(reading)
    os.close(writing)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"] | imported | {"JPY_PARENT_PID": str(os.getppid())})
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()  # or all kernels would draw the same numbers
    command = request["argv"]
    sys.orig_argv = list(command)
    launcher = importlib.util.find_spec("ipykernel_launcher")
    sys.argv = [str(launcher and launcher.origin), *command[3:]]


def _main() -> None:
    environment = dict(os.environ)
    os.environ.pop("JPY_PARENT_PID", None)
    from ipykernel import kernelapp

    with import_effects.captured_output():  # a debugger warns about itself, where a kernel's output is not shown yet
        for name in _AT_START:
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
    # As a kernel does before its first cell.
    os.environ.setdefault("MPLBACKEND", _INLINE)
    vars(builtins).update(__IPYTHON__=True, display=importlib.import_module("IPython.display").display)
    filters, logs = list(warnings.filters), list(vars(logging)["_handlerList"])
    pair = socket.socket(fileno=int(sys.argv[1]))
    if import_effects.threads() > 1:
        _send(pair, {"left_out": "ipykernel", "why": "starts threads"})
        return
    _send(pair, {"ready": True})
    request = Node(pair).serve()
    gc.freeze()  # no collection of the imports, which would copy them into every kernel
    changed = {name: value for name, value in os.environ.items() if environment.get(name) != value}
    _become(request, changed)
    imported = warnings.filters[: len(warnings.filters) - len(filters)]
    handlers = vars(logging)["_handlerList"]  # there is no public list
    made = [one for one in handlers if one not in logs]
    handlers[:] = logs  # an application closes existing handlers at its start: a kernel would have none of these
    app = kernelapp.IPKernelApp.instance(parent_handle=os.getppid())
    with warnings.catch_warnings():  # resets the warning registries, since the filters changed
        warnings.filters = list(filters)
        app.initialize(None)
        final = [*imported, *warnings.filters]  # a kernel sets its own filters before its cells import
    warnings.filters[:] = final
    handlers += made
    for handler in (one() for one in made):
        if getattr(handler, "stream", None) in import_effects.STREAMS:  # the stream at the time of the import
            handler.setStream(sys.stdout if handler.stream is import_effects.STREAMS[0] else sys.stderr)
    app.start()


if __name__ == "__main__":
    _main()
