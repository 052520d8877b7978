"""A fork server as its client sees it; the other side is ``forkserver.py``."""

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
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from jupyter_deploy.serving.imports import installed

_SERVER = Path(__file__).with_name("fork_server.py")
_START = 60.0  # seconds until the fork server must answer
_GROW = 120.0  # seconds that imports may take
_END = 5.0  # seconds that it may take to end
_AHEAD = 2  # so many lists of imports begin before their kernels are asked for
_ROUNDS = 5  # so often imports are tried again without those that cannot be had in a fork

_Place = tuple[Path, tuple[str, ...]]
"""A working directory and the imports, as statements, that are done in it."""


class ForkedProcess:
    """A kernel's process, as far as jupyter_client uses a ``Popen``."""

    stdin = stdout = stderr = None

    def __init__(self, pair: socket.socket, pid: int) -> None:
        self._pair, self.pid = pair, pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """How it ended, or None; -9 where the process that forked it was killed, since it is then killed too."""
        if self.returncode is None and self._readable(0):
            said = _line(self._pair)
            self.returncode = -9 if said is None else int(said["exit"])
            self._pair.close()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Raises TimeoutExpired after so many seconds."""
        if self.returncode is None and not self._readable(timeout):
            raise subprocess.TimeoutExpired("kernel", timeout or 0.0)
        return self.poll() or 0

    def send_signal(self, number: int) -> None:
        """To its process group."""
        if self.returncode is None:
            with contextlib.suppress(OSError):  # it has just ended
                _tell(self._pair, {"signal": number})

    def kill(self) -> None:
        self.send_signal(9)

    def terminate(self) -> None:
        self.send_signal(15)

    def ends_within(self, seconds: float) -> bool:
        """Whether it has ended by then."""
        return self.returncode is not None or self._readable(seconds)

    def _readable(self, seconds: float | None) -> bool:
        return bool(select.select([self._pair], [], [], seconds)[0])


@dataclass
class _Node:
    """A process that forks: what it has imported, and the pair that leads to it."""

    pair: socket.socket
    statements: tuple[str, ...] = ()
    lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, what: bytes, request: Mapping[str, Any], *handed: int) -> socket.socket:
        """The pair by which a new branch or kernel is spoken with. Raises OSError: the process is gone."""
        ours, theirs = socket.socketpair()
        try:
            with theirs, self.lock:
                socket.send_fds(self.pair, [what], [theirs.fileno(), *handed])
            _tell(ours, request)
        except BaseException:
            ours.close()
            raise
        return ours


class ForkServer:
    """One fork server with its branches: one for each list of imports and working directory.

    ``environment`` are the variables under which it imports. May be used from several threads.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = dict(environment)
        self.installed = installed()
        ours, theirs = socket.socketpair()
        # A library that frees memory in a thread of its own (Arrow does) frees it in between instead.
        variables = {"JE_ARROW_MALLOC_CONF": "background_thread:false"} | self.environment
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, str(_SERVER), str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env=variables,
                cwd="/",
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for us, who end it
            )
        self._root = _Node(ours)
        self._ready: bool | None = None
        self._branches: dict[_Place, Future[_Node]] = {}
        self._planned: set[_Place] = set()
        self._unfit: dict[str, str] = {}
        self._waited: set[socket.socket] = set()
        self.cancelled = False
        self._lock, self._first = threading.Lock(), threading.Lock()

    @property
    def unfit(self) -> Mapping[str, str]:
        """The imports that each kernel does itself, with why."""
        return dict(self._unfit)

    @property
    def works(self) -> bool:
        """Whether it forks kernels; waits until it can say."""
        with self._first:
            if self._ready is None:
                said = self._answer(self._root.pair, _START)
                self._ready = bool(said and said.get("ready"))
            return self._ready

    @property
    def lives(self) -> bool:
        return self._process.poll() is None

    def expect(self, places: Iterable[_Place]) -> None:
        """Be told what kernels will import, and where: what they have in common is imported once, and that begins."""
        places = list(places)
        with self._lock:
            self._planned |= set(places)
        threading.Thread(target=self._warm, args=(places[:_AHEAD],), daemon=True).start()

    def forget(self, place: _Place) -> None:
        """End the branch for this place, with those that it began with."""
        with self._lock:
            for key in [k for k in self._branches if k[0] == place[0] and place[1][: len(k[1])] == k[1]]:
                _close_when_grown(self._branches.pop(key))

    def tidy(self) -> None:
        """End the branches that nobody was expected to use since the last time."""
        with self._lock:
            kept = {key for key in self._branches for cwd, statements in self._planned
                    if key[0] == cwd and self._fit(statements)[: len(key[1])] == key[1]}  # fmt: skip
            for key in set(self._branches) - kept:
                _close_when_grown(self._branches.pop(key))
            self._planned.clear()

    def start(
        self, argv: Sequence[str], environment: Mapping[str, str], place: _Place, output: tuple[int, int]
    ) -> ForkedProcess | None:
        """Fork a kernel that has imported these; None: it cannot be had.

        ``output`` are the files that become its stdout and stderr.
        """
        request = {"argv": list(argv), "env": dict(environment), "cwd": str(place[0])}
        try:
            try:
                pair = self._node(place).ask(b"K", request, *output)
            except BrokenPipeError:  # somebody killed the branch: there may be another
                self.forget(place)
                pair = self._node(place).ask(b"K", request, *output)
        except OSError:
            return None
        said = self._answer(pair, _GROW)
        if said is None:
            pair.close()
            return None
        return ForkedProcess(pair, said["pid"])

    def cancel(self) -> None:
        """Whoever waits for an import, or will, is told that it cannot be had; kernels go on."""
        with self._lock:
            self.cancelled = True
            for pair in self._waited:
                with contextlib.suppress(OSError):
                    pair.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End it with all that it forked; who waits for it is told that there is none."""
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
            return _line(pair, seconds)
        finally:
            with self._lock:
                self._waited.discard(pair)

    def _warm(self, places: Sequence[_Place]) -> None:
        with contextlib.suppress(OSError):  # it ended meanwhile
            for place in places:
                self._node(place)

    def _fit(self, statements: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(one for one in statements if one not in self._unfit)

    def _node(self, place: _Place) -> _Node:
        """What is to fork the kernel. Raises OSError: the server is gone."""
        if not self.works or self.cancelled:
            raise ConnectionError("the fork server does not answer")
        cwd, statements = place
        for _ in range(_ROUNDS):
            try:
                return self._grown(cwd, self._fit(statements))
            except _Unfit as unfit:
                self._unfit |= unfit.why
        return self._root

    def _grown(self, cwd: Path, statements: tuple[str, ...]) -> _Node:
        """The branch for these imports; where another list begins in the same way, that beginning is a branch too."""
        if not statements:
            return self._root
        with self._lock:
            found = self._branches.get((cwd, statements))
            if found is None:
                growing = self._branches[cwd, statements] = Future()
                others = {self._fit(other) for place, other in self._planned if place == cwd}
        if found is not None:
            return found.result()
        try:
            beginnings = (common(statements, other) for other in others)
            shorter = max((one for one in beginnings if len(one) < len(statements)), key=len, default=())
            growing.set_result(self._branch(self._grown(cwd, shorter), cwd, statements))
        except BaseException as error:
            with self._lock:
                self._branches.pop((cwd, statements), None)
            growing.set_exception(error)
            raise
        return growing.result()

    def _branch(self, parent: _Node, cwd: Path, statements: tuple[str, ...]) -> _Node:
        rest = statements[len(parent.statements) :]
        pair = parent.ask(b"B", {"cwd": str(cwd), "statements": rest, "roots": _roots()})
        at = said = {"at": rest[0]}
        while said is not None and "at" in said:
            at, said = said, self._answer(pair, _GROW)
        if said is not None and said.get("ready"):
            return _Node(pair, statements)
        pair.close()
        if self.cancelled or not self.lives:
            raise ConnectionError("nobody waits for it any more")
        raise _Unfit({at["at"]: "does not end"} if said is None else {said["left_out"]: said["why"]})


class _Unfit(Exception):
    """``why`` by the import that cannot be had in a fork."""

    def __init__(self, why: dict[str, str]) -> None:
        super().__init__(*why)
        self.why = why


def common(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    """The beginning that two lists have in common."""
    return one[: next((n for n, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]),
                      min(len(one), len(other)))]  # fmt: skip


@cache
def _roots() -> tuple[str, ...]:
    """The folders of what is nobody's own code."""
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    base = {"base": sys.base_prefix, "platbase": sys.base_exec_prefix}
    found = {sysconfig.get_path(name, vars=given) for name in names for given in (None, base)}
    found |= {*site.getsitepackages(), site.getusersitepackages()}
    package = str(Path(__file__).parents[2])
    return tuple(sorted(f"{os.path.realpath(one)}{os.sep}" for one in {*found, package} if one))


def _close_when_grown(branch: Future[_Node]) -> None:
    def close(done: Future[_Node]) -> None:
        if done.exception() is None:
            done.result().pair.close()

    branch.add_done_callback(close)


def _tell(pair: socket.socket, document: Mapping[str, Any]) -> None:
    pair.sendall(json.dumps(document).encode() + b"\n")


def _line(pair: socket.socket, seconds: float | None = None) -> Any:
    """The next line as JSON; None: the other end is closed, or says nothing for so long."""
    found = bytearray()
    try:
        pair.settimeout(seconds)
        while not found.endswith(b"\n"):
            piece = pair.recv(1)  # another line may follow
            if not piece:
                return None
            found += piece
    except OSError:
        return None
    return json.loads(found)
