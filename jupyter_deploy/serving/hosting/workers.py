"""The first process of a container with several workers: it starts and stops ``container_pool``.

It stays small: it holds the socket, answers until all workers are ready, receives the signals, and its exit ends the
container.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from .. import workplace
from ..telemetry.logging import log
from .read_only_bentoml import has_temporary_folder
from .shutdown import TIMEOUT_SECONDS, Shutdown
from .startup_responder import Readiness

_START = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from serving.hosting.container_pool import main; sys.exit(main(sys.argv[2:]))"
)
PROGRAM = (sys.executable, "-P", "-c", _START, str(Path(__file__).parents[2]))
SHARED, APART = "shared", "apart"

_METRICS = "PROMETHEUS_MULTIPROC_DIR"


def run(
    arguments: Sequence[str],
    listener: socket.socket,
    readiness: Readiness,
    shutdown: Shutdown,
    on_open: Callable[[], None],
) -> int:
    """Serve with several workers until a signal stops the process; return the exit code."""
    with _shared_metrics() as variables:
        hearing, ready = os.pipe()
        descriptors = (listener.fileno(), ready)
        pool = subprocess.Popen(
            [*PROGRAM, *map(str, descriptors), SHARED, *arguments],
            env={**os.environ, **variables},
            pass_fds=descriptors,
            start_new_session=True,
        )
        os.close(ready)

        def send_signal_later(number: int) -> Callable[[], None]:
            def send() -> None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(pool.pid, number) if number == signal.SIGKILL else pool.send_signal(number)

            return send

        # Workers have the same time limit and receive the signal a moment later.
        shutdown.on_signal(
            send_signal_later(signal.SIGTERM),
            timeout_seconds=TIMEOUT_SECONDS + 0.4,
            on_timeout=send_signal_later(signal.SIGKILL),
        )
        if os.read(hearing, 1):
            on_open()
            listener.close()
        os.close(hearing)
        code = pool.wait()
        send_signal_later(signal.SIGKILL)()  # workers that a killed pool left behind
        if has_temporary_folder():
            workplace.sweep()
    if readiness.stopping:
        return 0
    if code < 0:
        log(f"the parent process of the workers was killed by {signal.Signals(-code).name}")
        return 128 - code  # as for any killed process: 137 if memory ran out
    return code


@contextlib.contextmanager
def _shared_metrics() -> Iterator[dict[str, str]]:
    """Yield the variable that has the metrics of all workers summed, if there is a writable folder."""
    if os.environ.get(_METRICS):
        yield {}
    elif has_temporary_folder():
        with tempfile.TemporaryDirectory(prefix="nbdeploy-metrics-", ignore_cleanup_errors=True) as folder:
            yield {_METRICS: folder}
    else:
        log("/metrics shows one worker's metrics: mount a folder at /tmp to sum those of all workers", level="info")
        yield {}
