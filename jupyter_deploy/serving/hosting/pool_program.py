"""The start of a pool: it loads the model and forks workers; ``container.py`` becomes it, or starts it as a program.

The program's arguments are SOCKET, READY, PARENT and MODE, then container.py's own. SOCKET and READY are inherited
descriptors (READY ``-``: there is none, the pool opens the socket itself). It ends with the process PARENT, also if
that has ended before this program begins.

If a loaded model cannot be forked (it has threads, a CUDA context or files of its own), the pool logs the reason and
restarts in the mode ``apart``: each worker loads the model.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from .. import output, workplace
from ..telemetry.logging import log
from . import activation, forking, unix_socket
from . import run as startup
from .exit_reasons import StartupError
from .options import APART, METRICS, HostingOptions
from .pool import Pool
from .processors import processors, threads
from .read_only_bentoml import has_temporary_folder
from .shutdown import leave

SHARED = "shared"
"""The mode in which the workers are forked from the loaded model; the other one is ``APART``."""

_NO_FILE = "-"

_START = (
    "import sys; sys.path.insert(0, sys.argv[1]); from serving.hosting.pool_program import main; "
    "sys.exit(main(sys.argv[2:]))"
)


def program() -> tuple[str, ...]:
    """The command line of the program, up to its arguments. It finds service.py where this process does."""
    return (sys.executable, "-P", "-c", _START, sys.path[0])


def host(arguments: Sequence[str], options: HostingOptions) -> int:
    """Be the pool of a unix socket, which a gateway finds when all workers are ready; return the exit code."""
    with shared_metrics() as variables:
        os.environ.update(variables)
        return _host(arguments, startup.bound(options), None, SHARED, dict(os.environ))


def main(arguments: Sequence[str]) -> int:
    """Be the pool as a program; return the exit code."""
    number, ready, parent, mode, *rest = arguments
    if ready != _NO_FILE:
        forking.end_with_parent(int(parent))
    environment = dict(os.environ)
    startup.prepare()
    listener = socket.socket(fileno=int(number))
    return _host(rest, listener, None if ready == _NO_FILE else int(ready), mode, environment)


def _host(
    arguments: Sequence[str], listener: socket.socket, ready: int | None, mode: str, environment: dict[str, str]
) -> int:
    """Load the model, fork and supervise the workers; return the exit code.

    ``ready`` is written to when they accept requests; None: the pool gives the unix socket its name.
    """
    if ready is None:  # as process 1 of a container it ignores a signal without a handler
        for received in (signal.SIGTERM, signal.SIGINT):
            signal.signal(received, lambda *_: leave())  # no client is connected yet
    own = (str(listener.fileno()), _NO_FILE if ready is None else str(ready), str(os.getppid()))
    try:
        options = startup.read_options(arguments)
        count = threads(options.threads, options.most_workers) or processors()
        # Threads do not survive a fork, so loading must not start any.
        os.environ.update(dict.fromkeys(forking.THREADS, str(1 if mode == SHARED else count)))
        if mode == SHARED and not _load(options):
            listener.set_inheritable(True)
            os.execve(sys.executable, [*program(), *own, APART, *arguments], environment)  # noqa: S606
    except StartupError as error:
        startup.report(error)
        return error.code
    output.share_output_lock()
    return _run(options, listener, ready, count, apart=mode == APART)


def _load(options: HostingOptions) -> bool:
    """Load the model; return whether it can be forked. If not, nothing of it stays but its memory."""
    _prepare_folder("")
    folder = Path.cwd()
    startup.load(options)
    if reason := forking.fork_obstacle():
        log(f"the model cannot be shared: {reason}; each worker loads it", level="info")
        _prepare_folder(reason)
        workplace.leave()
        os.chdir(folder)
        return False
    gc.collect()
    gc.freeze()  # the collector would write into every page with an object
    return True


def _run(options: HostingOptions, listener: socket.socket, ready: int | None, count: int, *, apart: bool) -> int:
    """Run the pool; its unix socket has its name from the first readiness to the end, or until another one keeps it."""
    path = str(options.uds)
    owned = ready is None and not unix_socket.is_named(listener, path)

    def on_open(opened: socket.socket) -> None:
        nonlocal owned
        if ready is not None:
            os.write(ready, b"r")
            os.close(ready)
            return
        if owned:
            unix_socket.open_socket(opened, path)
        owned = True

    def on_idle(closed: socket.socket) -> bool:
        nonlocal owned
        kept = options.activator is not None and activation.keep(options.activator, path, closed)
        owned = owned and not kept
        if kept:
            log("no requests: the workers have ended, and start at the next one", level="info")
        return kept

    try:
        return Pool(options, listener, on_open, on_idle, count, apart=apart).run()
    finally:
        if owned:
            unix_socket.remove(path)


@contextlib.contextmanager
def shared_metrics() -> Iterator[dict[str, str]]:
    """Yield the variable that has the metrics of all workers summed, if there is a writable folder."""
    if os.environ.get(METRICS):
        yield {}
    elif has_temporary_folder():
        with tempfile.TemporaryDirectory(prefix="nbdeploy-metrics-", ignore_cleanup_errors=True) as folder:
            yield {METRICS: folder}
    else:
        log("/metrics shows one worker's metrics: mount a folder at /tmp to sum those of all workers", level="info")
        yield {}


def _prepare_folder(reason: str) -> None:
    """Remove the metrics of former processes, and note why each worker loads the model (empty: they share it)."""
    if (name := os.environ.get(METRICS)) is None:
        return
    folder = Path(name)
    for stale in folder.glob("*.db"):
        stale.unlink()
    (folder / APART).write_text(reason, encoding="utf-8")
    if (values := sys.modules.get("prometheus_client.values")) is not None:  # a zygote imported it for one process
        vars(values)["ValueClass"] = vars(values)["get_value_class"]()
