"""The workers of a service that share its loaded model and one socket: their parent.

    port      container.py (workers.py) holds the socket, answers until all are ready, receives the signals
                pool (pool_program.py)  loads the model, forks the workers, and replaces one that dies
                  a worker              proves the example, serves, and drains on SIGTERM, as a service with one process
    --uds     container.py is the pool

The workers share the model's memory pages until one writes into them. All accept on the same socket, so an idle worker
takes the next connection, and no connection waits for a dead worker. The pool serves no requests, so it can replace a
dead worker in milliseconds. SIGTERM ends all workers after their requests; if the pool is killed, they end too.

The number of workers follows their load (``scaling``). A worker that is not needed *drains*: it accepts no connection,
closes each one after its response, and ends without any. It never closes an idle connection, on which a request may be
on its way. Without a request for ``idle_after``, all drain, and another process gets the socket (``activation``).
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NoReturn

from ..dispatch.load_board import LoadBoard, write_to
from ..telemetry.logging import log
from . import forking, scaling
from . import run as startup
from .exit_reasons import StartupError
from .options import METRICS, HostingOptions
from .pool_link import PoolLink
from .scaling import LOOK_SECONDS, Scaling
from .shutdown import Shutdown
from .startup_responder import Readiness

_FAILURES = 4  # consecutive failed starts after others were ready
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)

_REBALANCE_SECONDS = 1.0
_IDLE_LOOK_SECONDS = 5.0
_DRAIN_SECONDS = 2.0

OnOpen = Callable[[socket.socket], None]
OnIdle = Callable[[socket.socket], bool]


@dataclass
class _Worker:
    """A place for a worker process. ``pid`` 0: there is none, and none is started before ``due``.

    ``ready_pipe`` is written to when it is ready. The worker drains when ``control`` is closed.
    """

    number: int
    listener: socket.socket
    pid: int = 0
    ready_pipe: int | None = None
    control: int | None = None
    draining: bool = False
    due: float = 0.0

    @property
    def is_ready(self) -> bool:
        return bool(self.pid) and self.ready_pipe is None and not self.draining


class Pool:
    """The parent of the workers. ``run`` returns its exit code in the parent and never returns in a worker.

    Parameters
    ----------
    listener
        The socket that all workers serve, by descriptors of their own; it need not listen yet, and is closed here.
    on_open
        Called with the socket when all workers have proved the example, before any of them accepts a client.
    on_idle
        Called with the socket when no worker runs any more, after ``idle_after`` without a request; returns whether
        another process has it from now on.
    threads
        Threads of each worker's numerical libraries.
    apart
        Whether each worker loads the model.
    """

    def __init__(
        self,
        options: HostingOptions,
        listener: socket.socket,
        on_open: OnOpen,
        on_idle: OnIdle,
        threads: int,
        *,
        apart: bool,
    ) -> None:
        self._options, self._on_open, self._on_idle = options, on_open, on_idle
        self._threads, self._apart = threads, apart
        self._listener = listener
        self._workers = [_Worker(number, listener.dup()) for number in range(options.most_workers)]
        for worker in self._workers:
            worker.listener.setblocking(False)
        self._board = LoadBoard(options.most_workers)
        self._scaling = Scaling(options.workers, options.most_workers, scaling.SHRINK_SECONDS)
        self._wanted = options.workers
        self._awake_since = time.monotonic()
        self._idle_since = 0.0
        self._gate, self._gate_opener = os.pipe()  # a ready worker waits for the others until the other end closes
        self._ever_ready = self._all_ready = False
        self._failures = 0
        self._stopping = False
        self._code = 1
        self._woken, self._waker = os.pipe()

    def run(self) -> int:
        """Start the workers and replace those that die, until a signal arrives or no worker starts any more."""
        for end in (self._woken, self._waker):
            os.set_blocking(end, False)
        for number in _SIGNALS:
            signal.signal(number, self._on_signal)
        signal.set_wakeup_fd(self._waker)
        while True:
            if self._stopping:
                return self._end(0)
            self._start()
            self._wait()
            self._read_ready_pipes()
            if not self._reap():
                return self._end(self._code)
            self._scale()
            if self._is_idle():
                if self._on_idle(self._listener):
                    return self._end(0)
                self._wake()

    def _on_signal(self, number: int, _frame: object) -> None:
        self._stopping = self._stopping or number != signal.SIGCHLD

    def _start(self) -> None:
        """Fork the workers that are lacking."""
        now = time.monotonic()
        free = [worker for worker in self._workers if not worker.pid]
        # A worker whose start failed counts until its next one.
        counted = sum(bool(worker.pid) and not worker.draining for worker in self._workers)
        counted += sum(now < worker.due for worker in free)
        for worker in [one for one in free if now >= one.due][: max(0, self._wanted - counted)]:
            self._fork(worker)

    def _fork(self, worker: _Worker) -> None:
        reading, writing = os.pipe()
        controlled, control = os.pipe()
        self._board.slot(worker.number).clear()
        # A signal that arrives before the worker has its own handlers is held back.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        parent = os.getpid()
        worker.pid = os.fork()
        if not worker.pid:
            os.close(reading)
            os.close(control)
            self._run_worker(worker, writing, controlled, parent)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        os.close(writing)
        os.close(controlled)
        worker.ready_pipe, worker.control = reading, control

    def _run_worker(self, worker: _Worker, writing: int, controlled: int, parent: int) -> NoReturn:
        """Become a worker."""
        signal.set_wakeup_fd(-1)
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        self._listener.close()
        for other in self._workers:
            if other is not worker:
                other.listener.close()
                for end in (other.ready_pipe, other.control):
                    if end is not None:
                        os.close(end)
        if not self._all_ready:
            os.close(self._gate_opener)
        forking.end_with_parent(parent)
        forking.prefer_for_oom_kill()
        forking.reseed()
        if not self._apart:
            forking.use_threads(self._threads)
        slot = self._board.slot(worker.number)
        write_to(slot)
        first = not self._all_ready and worker.number == 0
        pool = PoolLink(self._board, slot, controlled, self._options if first else None)
        forking.end_fork(partial(self._serve, worker.listener, writing, pool, logs=first))

    def _serve(self, listener: socket.socket, ready: int, pool: PoolLink, *, logs: bool) -> int:
        """Serve in a worker until it is stopped; return its exit code.

        ``ready`` is written to after the proof; ``logs``: this worker logs that all are ready.
        """
        readiness = Readiness()
        shutdown = Shutdown(readiness, self._options.grace_seconds)

        def on_ready() -> None:
            os.write(ready, b"1")
            os.close(ready)
            os.read(self._gate, 1)

        def on_open() -> None:
            if logs:
                startup.log_ready(tag, self._options, self._threads)

        try:
            if self._apart:
                startup.load(self._options)
            app, tag = startup.application()
            from .outer_app import ContainerApp  # the parent needs neither this nor the server
            from .server import serve

            application = ContainerApp(app, self._options, readiness, on_ready, pool)
            serve(application, self._options, listener, shutdown, on_open)
        except StartupError as error:
            startup.report(error)
            return error.code
        return 0

    def _wait(self) -> None:
        """Wait until a signal arrives, a worker is ready or has ended, a start is due, or the load is to be looked at.

        If the last workers drain for long, a client's connection ends the wait too. Until then it may be a health
        check, which the next owner of the socket answers.
        """
        pipes = [worker.ready_pipe for worker in self._workers if worker.ready_pipe is not None]
        due = [worker.due - time.monotonic() for worker in self._workers if not worker.pid and worker.due]
        pauses = [max(0.0, pause) for pause in due] + ([self._look_seconds] if self._look_seconds else [])
        drains_long = not self._wanted and time.monotonic() > self._idle_since + _DRAIN_SECONDS
        watched = [self._woken, *pipes, *([self._listener.fileno()] if drains_long else [])]
        readable, _, _ = select.select(watched, [], [], min(pauses, default=None))
        if self._woken in readable:
            with contextlib.suppress(BlockingIOError):
                os.read(self._woken, 4096)
        if self._listener.fileno() in readable:
            self._wake()

    @property
    def _look_seconds(self) -> float:
        """The time between two looks at the load; 0: none is needed."""
        options = self._options
        if options.most_workers > options.workers:
            return LOOK_SECONDS
        return 0.0 if options.idle_after is None else min(options.idle_after / 4, _IDLE_LOOK_SECONDS)

    def _scale(self) -> None:
        """Start or drain workers, by the load of those that are ready."""
        if not self._all_ready or not self._look_seconds or not self._wanted:
            return
        ready, now = [worker for worker in self._workers if worker.is_ready], time.monotonic()
        loads = [self._board.slot(worker.number).read() for worker in ready]
        if self._options.most_workers > self._options.workers:
            self._wanted = self._scaling.look(now, loads, len(ready))
            for worker in ready[self._wanted :]:
                _drain(worker)
        idle_after = self._options.idle_after
        last = max([self._awake_since, *(load.last for load in loads)])
        if idle_after is not None and not any(load.requests for load in loads) and now - last >= idle_after:
            self._wanted, self._idle_since = 0, now
            for worker in self._workers:
                _drain(worker)

    def _is_idle(self) -> bool:
        return not self._wanted and not any(worker.pid for worker in self._workers)

    def _wake(self) -> None:
        self._wanted, self._awake_since = self._options.workers, time.monotonic()

    def _read_ready_pipes(self) -> None:
        for worker in self._workers:
            if worker.ready_pipe is None or not select.select([worker.ready_pipe], [], [], 0)[0]:
                continue
            if os.read(worker.ready_pipe, 1):  # otherwise it ended
                self._ever_ready, self._failures = True, 0
                os.close(worker.ready_pipe)
                worker.ready_pipe = None
                if self._all_ready:
                    self._board.rebalance(_REBALANCE_SECONDS)
        ready = sum(worker.is_ready for worker in self._workers)
        if not self._all_ready and ready == self._wanted:
            self._all_ready, self._awake_since = True, time.monotonic()
            self._on_open(self._listener)
            os.close(self._gate_opener)

    def _reap(self) -> bool:
        """Note the workers that ended; return False if a restart is pointless."""
        for worker in self._workers:
            if not worker.pid:
                continue
            pid, status = os.waitpid(worker.pid, os.WNOHANG)
            if not pid:
                continue
            was_ready, drained = worker.ready_pipe is None, worker.draining
            for end in (worker.ready_pipe, worker.control):
                if end is not None:
                    os.close(end)
            worker.pid, worker.ready_pipe, worker.control, worker.draining = 0, None, None, False
            self._board.slot(worker.number).clear()
            _forget_gauges(pid)
            if self._stopping or drained:
                continue
            code = os.waitstatus_to_exitcode(status)
            how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
            when = "" if was_ready else " before it was ready"
            log(f"worker {worker.number} (process {pid}) {how}{when}", level="warning")
            if was_ready:
                continue
            self._failures += 1
            self._code = max(code, 1)
            worker.due = time.monotonic() + self._failures
            if not self._ever_ready or self._failures > _FAILURES:
                return False
        return True

    def _end(self, code: int) -> int:
        """Stop the workers after their requests; return the exit code."""
        self._stopping = True
        self._listener.close()
        for worker in self._workers:
            worker.listener.close()
        for worker in self._workers:
            if worker.pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker.pid, signal.SIGTERM)
        for worker in self._workers:
            if worker.pid:
                os.waitpid(worker.pid, 0)
        return code


def _drain(worker: _Worker) -> None:
    """Let a worker end when its connections have: each is closed after its response, or by an idle client."""
    if worker.control is not None:
        os.close(worker.control)
    worker.control, worker.draining = None, bool(worker.pid)


def _forget_gauges(pid: int) -> None:
    if METRICS in os.environ:
        with contextlib.suppress(ImportError, OSError):
            from prometheus_client import multiprocess  # the variable must be set before

            multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]
