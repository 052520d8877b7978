"""The workers of a service that share its loaded model and one socket: ``main([SOCKET, READY, MODE, …])``.

    port      container.py (workers.py) holds the socket, answers until all are ready, receives the signals
                pool            loads the model, forks the workers, and replaces one that dies
                  a worker      proves the example, serves, and drains on SIGTERM, as a service with one process does
    --uds     container.py becomes the pool

SOCKET and READY are inherited descriptors (READY ``-``: there is none, the pool opens the socket itself); the further
arguments are container.py's own. The workers share the model's memory pages until one writes into them. All accept on
the same socket, so an idle worker takes the next connection, and no connection waits for a dead worker. The pool serves
no requests, so it can replace a dead worker in milliseconds. SIGTERM ends all workers after their requests; if the pool
is killed, they end too.

If a loaded model cannot be forked (it has threads, a CUDA context or files of its own), the pool logs the reason and
restarts in the mode ``apart``: each worker loads the model.
"""

from __future__ import annotations

import contextlib
import gc
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import output, workplace
from ..telemetry.logging import log
from . import forking, unix_socket
from . import run as startup
from .exit_reasons import StartupError
from .options import APART, METRICS, HostingOptions
from .processors import threads
from .shutdown import Shutdown, leave
from .startup_responder import Readiness

SHARED = "shared"
"""The mode in which the workers are forked from the loaded model; the other one is ``APART``."""

NO_FILE = "-"

_START = (
    "import sys; sys.path.insert(0, sys.argv[1]); from serving.hosting.pool import main; sys.exit(main(sys.argv[2:]))"
)
PROGRAM = (sys.executable, "-P", "-c", _START, str(Path(__file__).parents[2]))

_FAILURES = 4  # consecutive failed starts after others were ready
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)


OnOpen = Callable[[socket.socket], None]


@dataclass
class _Worker:
    """A worker process. ``pid`` 0: to be started, not before ``due``. ``ready_pipe``: written to when it is ready."""

    listener: socket.socket
    pid: int = 0
    ready_pipe: int | None = None
    due: float = 0.0


class Pool:
    """The parent of the workers. ``run`` returns its exit code in the parent and never returns in a worker.

    Parameters
    ----------
    listener
        The socket that all workers serve, by descriptors of their own; it need not listen yet, and is closed here.
    on_open
        Called with the socket when all workers have proved the example, before any of them accepts a client.
    threads
        Threads of each worker's numerical libraries.
    apart
        Whether each worker loads the model.
    """

    def __init__(
        self, options: HostingOptions, listener: socket.socket, on_open: OnOpen, threads: int, *, apart: bool
    ) -> None:
        self._options, self._on_open, self._threads, self._apart = options, on_open, threads, apart
        self._workers = [_Worker(listener.dup()) for _ in range(options.workers)]
        listener.close()
        for worker in self._workers:
            worker.listener.setblocking(False)
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

    def _on_signal(self, number: int, _frame: object) -> None:
        self._stopping = self._stopping or number != signal.SIGCHLD

    def _start(self) -> None:
        for worker in self._workers:
            if worker.pid or time.monotonic() < worker.due:
                continue
            reading, writing = os.pipe()
            # A signal that arrives before the worker has its own handlers is held back.
            signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
            parent = os.getpid()
            worker.pid = os.fork()
            if not worker.pid:
                os.close(reading)
                self._run_worker(worker, writing, parent)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            os.close(writing)
            worker.ready_pipe = reading

    def _run_worker(self, worker: _Worker, writing: int, parent: int) -> None:
        """Become a worker; never returns."""
        signal.set_wakeup_fd(-1)
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        for other in self._workers:
            if other is not worker:
                other.listener.close()
                if other.ready_pipe is not None:
                    os.close(other.ready_pipe)
        if not self._all_ready:
            os.close(self._gate_opener)
        forking.end_with_parent(parent)
        forking.prefer_for_oom_kill()
        forking.reseed()
        if not self._apart:
            forking.use_threads(self._threads)
        logs = worker is self._workers[0] and not self._all_ready
        sys.exit(self._serve(worker.listener, writing, logs=logs))

    def _serve(self, listener: socket.socket, ready: int, *, logs: bool) -> int:
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

            serve(ContainerApp(app, self._options, readiness, on_ready), self._options, listener, shutdown, on_open)
        except StartupError as error:
            startup.report(error)
            return error.code
        return 0

    def _wait(self) -> None:
        """Wait until a signal arrives, a worker is ready or has ended, or a start is due."""
        pipes = [worker.ready_pipe for worker in self._workers if worker.ready_pipe is not None]
        due = [worker.due for worker in self._workers if not worker.pid]
        pause = max(0.0, min(due) - time.monotonic()) if due else None
        readable, _, _ = select.select([self._woken, *pipes], [], [], pause)
        if self._woken in readable:
            with contextlib.suppress(BlockingIOError):
                os.read(self._woken, 4096)

    def _read_ready_pipes(self) -> None:
        for worker in self._workers:
            if worker.ready_pipe is None or not select.select([worker.ready_pipe], [], [], 0)[0]:
                continue
            if os.read(worker.ready_pipe, 1):  # otherwise it ended
                self._ever_ready, self._failures = True, 0
                os.close(worker.ready_pipe)
                worker.ready_pipe = None
        if not self._all_ready and all(worker.pid and worker.ready_pipe is None for worker in self._workers):
            self._all_ready = True
            self._on_open(self._workers[0].listener)
            os.close(self._gate_opener)

    def _reap(self) -> bool:
        """Note the workers that ended; return False if a restart is pointless."""
        for number, worker in enumerate(self._workers):
            if not worker.pid:
                continue
            pid, status = os.waitpid(worker.pid, os.WNOHANG)
            if not pid:
                continue
            was_ready = worker.ready_pipe is None
            if worker.ready_pipe is not None:
                os.close(worker.ready_pipe)
            worker.pid, worker.ready_pipe = 0, None
            _forget_gauges(pid)
            if self._stopping:
                continue
            code = os.waitstatus_to_exitcode(status)
            how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
            when = "" if was_ready else " before it was ready"
            log(f"worker {number} (process {pid}) {how}{when}", level="warning")
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


def _forget_gauges(pid: int) -> None:
    if METRICS in os.environ:
        with contextlib.suppress(ImportError, OSError):
            from prometheus_client import multiprocess  # the variable must be set before

            multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]


def _prepare_folder(reason: str) -> None:
    """Remove the metrics of former processes, and note why each worker loads the model (empty: they share it)."""
    if (name := os.environ.get(METRICS)) is None:
        return
    folder = Path(name)
    for stale in folder.glob("*.db"):
        stale.unlink()
    (folder / APART).write_text(reason, encoding="utf-8")


def main(arguments: Sequence[str]) -> int:
    """Load the model, fork and supervise the workers; return the exit code."""
    number, ready, mode, *rest = arguments
    within = ready != NO_FILE
    if within:
        forking.end_with_parent(os.getppid())
    else:  # as process 1 of a container it ignores a signal without a handler
        for received in _SIGNALS[:2]:
            signal.signal(received, lambda *_: leave())  # no client is connected yet
    environment = dict(os.environ)
    startup.prepare()
    listener = socket.socket(fileno=int(number))
    try:
        options = startup.read_options(rest)
        count = threads(options.threads, options.workers) or 1
        # Threads do not survive a fork, so loading must not start any.
        os.environ.update(dict.fromkeys(forking.THREADS, str(1 if mode == SHARED else count)))
        if mode == SHARED:
            _prepare_folder("")
            folder = Path.cwd()
            startup.load(options)
            if reason := forking.fork_obstacle():
                log(f"the model cannot be shared: {reason}; each worker loads it", level="info")
                _prepare_folder(reason)
                workplace.leave()
                os.chdir(folder)
                listener.set_inheritable(True)
                os.execve(PROGRAM[0], [*PROGRAM, number, ready, APART, *rest], environment)  # noqa: S606
            gc.collect()
            gc.freeze()  # the collector would write into every page with an object
    except StartupError as error:
        startup.report(error)
        return error.code
    output.share_output_lock()

    def on_open(opened: socket.socket) -> None:
        if within:
            os.write(int(ready), b"r")
            os.close(int(ready))
        else:
            unix_socket.open_socket(opened, str(options.uds))

    parent = os.getpid()
    try:
        return Pool(options, listener, on_open, count, apart=mode == APART).run()
    finally:
        if not within and os.getpid() == parent:  # not at the end of a worker
            unix_socket.remove(str(options.uds))
