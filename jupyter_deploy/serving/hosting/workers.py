"""Several workers of a container, as its first process sees them: it starts ``crew``, and ends it.

The first process stays small: it has the socket and answers until all workers are ready, hears the signals, and its end
is the container's.
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
    """Serve by several workers until told to end; the exit code."""
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

        # Workers keep the same promise for themselves, and are told a moment later.
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
        send_signal_later(signal.SIGKILL)()  # those that it left behind, if it was killed itself
        if has_temporary_folder():
            workplace.sweep()
    if readiness.stopping:
        return 0
    if code < 0:
        log(f"the process that the workers are forked from was killed by {signal.Signals(-code).name}")
        return 128 - code  # as of any killed process: 137 where there was no memory
    return code


@contextlib.contextmanager
def _shared_metrics() -> Iterator[dict[str, str]]:
    """The variable that has the metrics of all workers summed, where there is a folder for that."""
    if os.environ.get(_METRICS):
        yield {}
    elif has_temporary_folder():
        with tempfile.TemporaryDirectory(prefix="nbdeploy-metrics-", ignore_cleanup_errors=True) as folder:
            yield {_METRICS: folder}
    else:
        log("/metrics are those of whichever worker answers: to have them summed, mount a folder at /tmp", level="info")
        yield {}
