"""Several workers of one service that share the loaded model: ``python -P serving/hosting/pool.py SOCKET SOCKET …``.

The parent imports the service and loads its model once, listens on one unix socket a worker, and forks the workers,
each of which serves one socket. They share the model's memory page by page until one writes into it. The parent
serves nothing itself, so that whichever worker dies, another one is forked from it in milliseconds; meanwhile its
clients wait in its socket. SIGTERM ends all of them, their requests answered; if the parent is killed, they end too.

Where a loaded model cannot be forked (it has threads, a CUDA context or files of its own), the parent says so and
starts again, and each worker loads the model itself.
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
"""What numerical libraries, and this package's own code, read when they are imported."""

APART = "apart"
"""A file in a pool's folder: why each worker has loaded the model itself; empty: they share it."""

_KEEP_ALIVE_SECONDS = 75
_GRACE_SECONDS = 20
_FAILURES = 4  # starts in a row that never got ready, when others had before

# Its fork handlers start it again in the child.
_RESTARTED_THREADS = frozenset({"jemalloc_bg_thd"})

_PR_SET_PDEATHSIG = 1
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)


@dataclass
class _Worker:
    """One process; ``pid`` 0: it is to be started, not before ``due``. ``told``: where it says that it is ready."""

    listener: socket.socket
    pid: int = 0
    ready_pipe: int | None = None
    due: float = 0.0


class Pool:
    """The parent. ``run`` returns its exit code, and in a worker never."""

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
        """One for each worker, which they listen on from now on."""
        return [_listening(path) for path in self._paths]

    def serve(self, number: int, listener: socket.socket, ready: int) -> None:
        """Be worker ``number`` until told to end; ``ready`` is written to when it can be asked."""
        del number
        serve(listener, ready)

    def all_ready(self) -> None:
        """Each worker can be asked, for the first time."""

    def log(self, words: str) -> None:
        """What happens to workers."""
        _log(words)

    def _on_signal(self, number: int, _frame: object) -> None:
        self._stopping = self._stopping or number != signal.SIGCHLD

    def _start(self) -> None:
        for worker in self._workers:
            if worker.pid or time.monotonic() < worker.due:
                continue
            reading, writing = os.pipe()
            # A signal that comes before the worker has handlers of its own waits for them.
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
        """Be this worker; never returns."""
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
        """Until a signal comes, a worker is ready or has ended, or one is due."""
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
            if os.read(worker.ready_pipe, 1):  # else it ended
                self._ever_ready, self._failures = True, 0
                os.close(worker.ready_pipe)
                worker.ready_pipe = None
        if not self._all_ready and all(worker.pid and worker.ready_pipe is None for worker in self._workers):
            self._all_ready = True
            self.all_ready()

    def _reap(self) -> bool:
        """Note who has ended; False: it is no use to start them again."""
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
        """End the workers, their requests answered, and say how it ended."""
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
    """Serve the service at a socket until told to end; ``ready`` is written to when it can be asked."""
    import uvicorn  # noqa: PLC0415 - whoever asks for THREADS needs no server

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
    """Import the service and load its model, so that every worker has it, and what serves it."""
    importlib.import_module("uvicorn")
    module = importlib.import_module("service")
    for value in list(vars(module).values()):
        made = getattr(value, "inner", None)  # BentoML's service: the class, whose own beginning loads the model
        if isinstance(made, type) and made.__module__ == module.__name__:
            made()


def fork_obstacle() -> str | None:
    """Why what is loaded cannot be forked; None: it can."""
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
    """Have numerical libraries that are imported already, with one thread, use so many."""
    os.environ.update(dict.fromkeys(THREADS, str(count)))
    if count == 1:
        return
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(count)
    if (numexpr := sys.modules.get("numexpr")) is not None:
        numexpr.set_num_threads(count)
    with contextlib.suppress(ImportError):
        from threadpoolctl import threadpool_limits  # noqa: PLC0415 - scikit-learn brings it, nothing else needs it

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
    """Be told to end when the parent is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(1)


def _prefer_for_oom_kill() -> None:
    """Where memory is short, the kernel is to end a worker and not the parent that starts it again."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")


def _reseed() -> None:
    """Workers must not all draw the same numbers."""
    random.seed()
    if (numpy := sys.modules.get("numpy")) is not None:
        numpy.random.seed()
    if (torch := sys.modules.get("torch")) is not None:
        torch.seed()


def _prepare_metrics(folder: Path, apart: str) -> None:
    """Have all workers' metrics summed (prometheus_client reads this when it is imported), and keep what was said."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for stale in folder.glob("*.db"):
        stale.unlink()
    (folder / APART).write_text(apart, encoding="utf-8")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)


def _forget_gauges(pid: int) -> None:
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        with contextlib.suppress(ImportError, OSError):
            from prometheus_client import multiprocess  # noqa: PLC0415 - see _keep_in

            multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]


def _log(text: str) -> None:
    with contextlib.suppress(OSError):  # a full disk
        os.write(2, f"{text}\n".encode())


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--app-dir", default=str(Path(__file__).parents[2]), help="folder of service.py")
    parser.add_argument("--threads", type=int, help="threads of each worker's numerical libraries")
    parser.add_argument("--folder", type=Path, help="where the workers' metrics are summed")
    parser.add_argument("--apart", default="", help="why each worker is to load the model itself")
    parser.add_argument("sockets", nargs="+")
    options = parser.parse_args(arguments)
    sys.path.insert(0, options.app_dir)
    if options.folder:
        _prepare_metrics(options.folder, options.apart)
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = options.threads or max(1, cpus // len(options.sockets))
    # Threads do not live through a fork: what is loaded is to start none.
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
        gc.freeze()  # the collector would write into every page that has an object
    return Pool(options.sockets, threads, apart=bool(options.apart)).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
