"""Workers of one release that share the loaded model: ``python -P serving/hosting/pool.py SOCKET SOCKET …``.

The parent imports the service, loads its model once, listens on one unix socket a worker and forks the workers, each of
which serves one socket. They share the model's memory pages until one writes into them. The parent serves no requests,
so it can replace a dead worker in milliseconds; meanwhile the clients wait in the worker's socket. SIGTERM ends all
workers after their requests; if the parent is killed, they end too.

If a loaded model cannot be forked (it has threads, a CUDA context or files of its own), the parent logs the reason and
restarts, and each worker loads the model.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import gc
import importlib
import os
import random
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

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

APART = "apart"
"""A file in a pool's folder: the reason why each worker loads the model itself; empty if they share it."""

_KEEP_ALIVE_SECONDS = 75
_GRACE_SECONDS = 20
_FAILURES = 4  # consecutive failed starts after others were ready

# Threads that their own fork handlers start again in the child.
_RESTARTED_THREADS = frozenset({"jemalloc_bg_thd"})

_PR_SET_PDEATHSIG = 1
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)


@dataclass
class _Worker:
    """A worker process. ``pid`` 0: to be started, not before ``due``. ``ready_pipe``: written to when it is ready."""

    listener: socket.socket
    pid: int = 0
    ready_pipe: int | None = None
    due: float = 0.0


class Pool:
    """The parent of the workers. ``run`` returns its exit code in the parent and never returns in a worker."""

    def __init__(self, paths: Sequence[str], threads: int, *, apart: bool) -> None:
        self._paths = paths
        self._threads = None if apart else threads
        self._workers: list[_Worker] = []
        self._ever_ready = self._all_ready = False
        self._failures = 0
        self._stopping = False
        self._code = 1
        self._woken, self._waker = os.pipe()

    def run(self) -> int:
        for end in (self._woken, self._waker):
            os.set_blocking(end, False)
        for number in _SIGNALS:
            signal.signal(number, self._on_signal)
        signal.set_wakeup_fd(self._waker)
        self._workers = [_Worker(listener) for listener in self.listeners()]
        while True:
            if self._stopping:
                return self._end(0)
            self._start()
            self._wait()
            self._read_ready_pipes()
            if not self._reap():
                return self._end(self._code)

    def listeners(self) -> list[socket.socket]:
        """Return a listening socket for each worker."""
        return [_listening(path) for path in self._paths]

    def serve(self, number: int, listener: socket.socket, ready: int) -> None:
        """Run worker ``number`` until it is stopped; ``ready`` is written to when it accepts requests."""
        del number
        serve(listener, ready)

    def all_ready(self) -> None:
        """Called when all workers are ready for the first time."""

    def log(self, words: str) -> None:
        """Log an event of a worker."""
        _log(words)

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
        end_with_parent(parent)
        _prefer_for_oom_kill()
        _reseed()
        if self._threads is not None:
            use_threads(self._threads)
        self.serve(self._workers.index(worker), worker.listener, writing)
        sys.exit(0)

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
            self.all_ready()

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
            self.log(f"worker {number} (process {pid}) {how}{'' if was_ready else ' before it was ready'}")
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
        for path in self._paths:
            with contextlib.suppress(OSError):
                Path(path).unlink()
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


def serve(listener: socket.socket, ready: int) -> None:
    """Serve the service on a socket until it is stopped; ``ready`` is written to when it accepts requests."""
    import uvicorn  # whoever asks for THREADS needs no server

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            os.write(ready, b"1")
            os.close(ready)

    config = uvicorn.Config(
        "service:app",
        factory=True,
        access_log=False,
        log_level="warning",
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    Server(config).run(sockets=[listener])


def load() -> None:
    """Import the service and load its model and the server, so all forked workers have them."""
    importlib.import_module("uvicorn")
    module = importlib.import_module("service")
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
    """Set the number of threads of numerical libraries that were imported with one thread."""
    os.environ.update(dict.fromkeys(THREADS, str(count)))
    if count == 1:
        return
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(count)
    if (numexpr := sys.modules.get("numexpr")) is not None:
        numexpr.set_num_threads(count)
    with contextlib.suppress(ImportError):
        from threadpoolctl import threadpool_limits  # scikit-learn brings it, nothing else needs it

        threadpool_limits(count)


def _listening(path: str) -> socket.socket:
    with contextlib.suppress(FileNotFoundError):
        Path(path).unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen(2048)
    listener.setblocking(False)
    return listener


def end_with_parent(parent: int) -> None:
    """Have the kernel send SIGTERM to this process if its parent is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(1)


def _prefer_for_oom_kill() -> None:
    """Make the kernel kill a worker, not the parent that replaces it, if memory runs out."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")


def _reseed() -> None:
    """Reseed random generators: workers must not draw equal numbers."""
    random.seed()
    if (numpy := sys.modules.get("numpy")) is not None:
        numpy.random.seed()
    if (torch := sys.modules.get("torch")) is not None:
        torch.seed()


def _prepare_metrics(folder: Path, apart: str) -> None:
    """Have all workers' metrics summed (prometheus_client reads the variable at import); store ``apart``."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for stale in folder.glob("*.db"):
        stale.unlink()
    (folder / APART).write_text(apart, encoding="utf-8")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)


def _forget_gauges(pid: int) -> None:
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        with contextlib.suppress(ImportError, OSError):
            from prometheus_client import multiprocess  # see _keep_in

            multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]


def _log(text: str) -> None:
    with contextlib.suppress(OSError):  # the disk may be full
        os.write(2, f"{text}\n".encode())


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--app-dir", default=str(Path(__file__).parents[2]), help="folder of service.py")
    parser.add_argument("--threads", type=int, help="threads of each worker's numerical libraries")
    parser.add_argument("--folder", type=Path, help="folder of the workers' metrics, which are summed")
    parser.add_argument("--apart", default="", help="reason why each worker loads the model itself")
    parser.add_argument("sockets", nargs="+")
    options = parser.parse_args(arguments)
    sys.path.insert(0, options.app_dir)
    if options.folder:
        _prepare_metrics(options.folder, options.apart)
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = options.threads or max(1, cpus // len(options.sockets))
    # Threads do not survive a fork, so loading must not start any.
    os.environ.update(dict.fromkeys(THREADS, str(threads if options.apart else 1)))
    if not options.apart:
        folder = Path.cwd()
        load()
        if reason := fork_obstacle():
            _log(f"the model cannot be shared: {reason}; each worker loads it")
            if (workplace := sys.modules.get("serving.workplace")) is not None:
                workplace.leave()
            os.chdir(folder)
            os.execv(sys.executable, [sys.executable, "-P", __file__, "--apart", reason, *arguments])  # noqa: S606
        gc.collect()
        gc.freeze()  # the collector would write into every page with an object
    return Pool(options.sockets, threads, apart=bool(options.apart)).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
