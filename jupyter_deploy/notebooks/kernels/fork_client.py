"""The client of a fork server; the server is ``fork_server.py``."""

from __future__ import annotations

import contextlib
import json
import os
import select
import site
import socket
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Hashable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from jupyter_deploy.system import spare

_SERVER = Path(__file__).with_name("fork_server.py")
_START = 60.0  # seconds for the fork server's first answer
_GROW = 120.0  # seconds for an import
_END = 5.0  # seconds for the server's end
_AHEAD = 2  # lists of imports that start before their kernels are requested
_ROUNDS = 5  # retries of imports without those that a fork cannot hold

_OURS = "NBDEPLOY_"  # variables that may differ between kernels: no library reads them during its import

_BranchKey = tuple[Path, tuple[str, ...]]
"""A working directory, and import statements to run in it."""


class ForkedProcess:
    """A kernel's process with the interface of ``Popen`` that jupyter_client uses."""

    stdin = stdout = stderr = None

    def __init__(self, pair: socket.socket, pid: int) -> None:
        self._pair, self.pid = pair, pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit code, or None; -9 if its parent was killed, which kills the kernel too."""
        if self.returncode is None and self._readable(0):
            reply = _read_line(self._pair)
            self.returncode = -9 if reply is None else int(reply["exit"])
            self._pair.close()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end; raise TimeoutExpired after the time limit."""
        if self.returncode is None and not self._readable(timeout):
            raise subprocess.TimeoutExpired("kernel", timeout or 0.0)
        return self.poll() or 0

    def send_signal(self, number: int) -> None:
        """Send a signal to the process group."""
        if self.returncode is None:
            with contextlib.suppress(OSError):  # it has just ended
                _send(self._pair, {"signal": number})

    def kill(self) -> None:
        self.send_signal(9)

    def terminate(self) -> None:
        self.send_signal(15)

    def ends_within(self, seconds: float) -> bool:
        """Whether the process ends within the time limit."""
        return self.returncode is not None or self._readable(seconds)

    def _readable(self, seconds: float | None) -> bool:
        return bool(select.select([self._pair], [], [], seconds)[0])


@dataclass
class _Node:
    """A forking process: its imports, and the socket pair to it."""

    pair: socket.socket
    statements: tuple[str, ...] = ()
    lock: threading.Lock = field(default_factory=threading.Lock)

    def request(self, what: bytes, request: Mapping[str, Any], *handed: int) -> socket.socket:
        """Return the socket pair to a new branch or kernel. Raises OSError if the process has ended."""
        own_end, other_end = socket.socketpair()
        try:
            with other_end, self.lock:
                socket.send_fds(self.pair, [what], [other_end.fileno(), *handed])
            _send(own_end, request)
        except BaseException:
            own_end.close()
            raise
        return own_end


class ForkServer:
    """One fork server with a branch for each list of imports and working directory.

    ``environment`` holds the variables during the imports. Callable from several threads.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = dict(environment)
        self.key = key_of(environment)
        ours, theirs = socket.socketpair()
        # A library that frees memory in its own thread (Arrow does) frees it synchronously instead.
        variables = {"JE_ARROW_MALLOC_CONF": "background_thread:false"} | self.environment
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, str(_SERVER), str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env=variables,
                cwd="/",
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # the client handles Ctrl-C and ends the server
            )
        self._root = _Node(ours)
        self._ready: bool | None = None
        self._branches: dict[_BranchKey, Future[_Node]] = {}
        self._planned: set[_BranchKey] = set()
        self._unfit: dict[str, str] = {}
        self._waited: set[socket.socket] = set()
        self.cancelled = False
        self._lock, self._first = threading.Lock(), threading.Lock()

    @property
    def unfit(self) -> Mapping[str, str]:
        """The imports that each kernel runs itself, with the reasons."""
        return dict(self._unfit)

    @property
    def works(self) -> bool:
        """Whether the server forks kernels; waits for its first answer."""
        with self._first:
            if self._ready is None:
                reply = self._answer(self._root.pair, _START)
                self._ready = bool(reply and reply.get("ready"))
            return self._ready

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self._process.poll() is None

    def expect(self, keys: Iterable[_BranchKey]) -> None:
        """Announce kernels' imports and folders: shared imports run once, and the first ones start now."""
        keys = list(keys)
        with self._lock:
            self._planned |= set(keys)
        threading.Thread(target=self._warm, args=(keys[:_AHEAD],), daemon=True).start()

    def forget(self, key: _BranchKey) -> None:
        """End the branch of a folder and imports, and the branches that it grew from."""
        with self._lock:
            for branch_key in [k for k in self._branches if k[0] == key[0] and key[1][: len(k[1])] == k[1]]:
                _close_when_grown(self._branches.pop(branch_key))

    def tidy(self) -> None:
        """End the branches without an announced use since the last call."""
        with self._lock:
            kept = {key for key in self._branches for cwd, statements in self._planned
                    if key[0] == cwd and self._fit(statements)[: len(key[1])] == key[1]}  # fmt: skip
            for key in set(self._branches) - kept:
                _close_when_grown(self._branches.pop(key))
            self._planned.clear()

    def start(
        self, argv: Sequence[str], environment: Mapping[str, str], key: _BranchKey, output: tuple[int, int]
    ) -> ForkedProcess | None:
        """Fork a kernel with these imports; None: not possible.

        ``output`` holds the files for its stdout and stderr.
        """
        request = {"argv": list(argv), "env": dict(environment), "cwd": str(key[0])}
        try:
            try:
                pair = self._node(key).request(b"K", request, *output)
            except BrokenPipeError:  # the branch was killed: try a new one
                self.forget(key)
                pair = self._node(key).request(b"K", request, *output)
        except OSError:
            return None
        reply = self._answer(pair, _GROW)
        if reply is None:
            pair.close()
            return None
        return ForkedProcess(pair, reply["pid"])

    def cancel(self) -> None:
        """Abort all waits for imports, also future ones; kernels continue."""
        with self._lock:
            self.cancelled = True
            for pair in self._waited:
                with contextlib.suppress(OSError):
                    pair.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End the server and all its forks; a waiting caller gets an error."""
        with contextlib.suppress(OSError):
            self._root.pair.shutdown(socket.SHUT_RDWR)
        try:
            self._process.wait(_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        with self._lock:
            for branch in self._branches.values():
                _close_when_grown(branch)
            self._branches.clear()
        self._root.pair.close()

    def _answer(self, pair: socket.socket, seconds: float) -> Any:
        with self._lock:
            if self.cancelled:
                return None
            self._waited.add(pair)
        try:
            return _read_line(pair, seconds)
        finally:
            with self._lock:
                self._waited.discard(pair)

    def _warm(self, keys: Sequence[_BranchKey]) -> None:
        with contextlib.suppress(OSError):  # it ended meanwhile
            for key in keys:
                self._node(key)

    def _fit(self, statements: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(one for one in statements if one not in self._unfit)

    def _node(self, key: _BranchKey) -> _Node:
        """Return the process that forks the kernel. Raises OSError if the server has ended."""
        if not self.works or self.cancelled:
            raise ConnectionError("the fork server does not answer")
        cwd, statements = key
        for _ in range(_ROUNDS):
            try:
                return self._grown(cwd, self._fit(statements))
            except _Unfit as unfit:
                self._unfit |= unfit.why
        return self._root

    def _grown(self, cwd: Path, statements: tuple[str, ...]) -> _Node:
        """Return the branch for these imports; a beginning shared with another list becomes a branch, too."""
        if not statements:
            return self._root
        with self._lock:
            branch = self._branches.get((cwd, statements))
            if branch is None:
                growing = self._branches[cwd, statements] = Future()
                others = {self._fit(other) for key, other in self._planned if key == cwd}
        if branch is not None:
            return branch.result()
        try:
            beginnings = (common(statements, other) for other in others)
            shorter = max(
                (beginning for beginning in beginnings if len(beginning) < len(statements)), key=len, default=()
            )
            growing.set_result(self._branch(self._grown(cwd, shorter), cwd, statements))
        except BaseException as error:
            with self._lock:
                self._branches.pop((cwd, statements), None)
            growing.set_exception(error)
            raise
        return growing.result()

    def _branch(self, parent: _Node, cwd: Path, statements: tuple[str, ...]) -> _Node:
        rest = statements[len(parent.statements) :]
        pair = parent.request(b"B", {"cwd": str(cwd), "statements": rest, "roots": _roots()})
        at = reply = {"at": rest[0]}
        while reply is not None and "at" in reply:
            at, reply = reply, self._answer(pair, _GROW)
        if reply is not None and reply.get("ready"):
            return _Node(pair, statements)
        pair.close()
        if self.cancelled or not self.alive:
            raise ConnectionError("the import was cancelled")
        raise _Unfit({at["at"]: "does not end"} if reply is None else {reply["left_out"]: reply["why"]})


class _Unfit(Exception):
    """The imports that a fork cannot hold; ``why`` maps each to its reason."""

    def __init__(self, why: dict[str, str]) -> None:
        super().__init__(*why)
        self.why = why


def common(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    """Return the common beginning of two lists."""
    return first[: next((n for n, pair in enumerate(zip(first, second, strict=False)) if pair[0] != pair[1]),
                      min(len(first), len(second)))]  # fmt: skip


def key_of(environment: Mapping[str, str]) -> Hashable:
    """Return the key of a fork server (``system.spare``): the variables that libraries may read at import."""
    return spare.key_of("kernels", tuple(sorted(pair for pair in environment.items() if not pair[0].startswith(_OURS))))


@cache
def _roots() -> tuple[str, ...]:
    """Return the folders of installed code."""
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    base = {"base": sys.base_prefix, "platbase": sys.base_exec_prefix}
    folders = {sysconfig.get_path(name, vars=variables) for name in names for variables in (None, base)}
    folders |= {*site.getsitepackages(), site.getusersitepackages()}
    package = str(Path(__file__).parents[2])
    return tuple(sorted(f"{os.path.realpath(folder)}{os.sep}" for folder in {*folders, package} if folder))


def _close_when_grown(branch: Future[_Node]) -> None:
    def close(done: Future[_Node]) -> None:
        if done.exception() is None:
            done.result().pair.close()

    branch.add_done_callback(close)


def _send(pair: socket.socket, document: Mapping[str, Any]) -> None:
    pair.sendall(json.dumps(document).encode() + b"\n")


def _read_line(pair: socket.socket, seconds: float | None = None) -> Any:
    """Read the next line as JSON; None: the other end is closed or silent for too long."""
    received = bytearray()
    try:
        pair.settimeout(seconds)
        while not received.endswith(b"\n"):
            piece = pair.recv(1)  # another line may follow
            if not piece:
                return None
            received += piece
    except OSError:
        return None
    return json.loads(received)
