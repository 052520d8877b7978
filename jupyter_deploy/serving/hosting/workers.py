"""The first process of a service with several workers: it is their pool, or starts and stops it (``pool_program``).

On a port it stays small: it holds the socket, answers until all workers are ready, receives the signals, and its exit
ends the container.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Sequence

from .. import workplace
from ..telemetry.logging import log
from . import pool_program
from .options import HostingOptions
from .pool_program import SHARED, program, shared_metrics
from .read_only_bentoml import has_temporary_folder
from .shutdown import Shutdown
from .startup_responder import Readiness, StartupResponder

_LATER_SECONDS = 0.4


def become_pool(arguments: Sequence[str], options: HostingOptions) -> int:
    """Be the pool of a unix socket; return the exit code."""
    return pool_program.host(arguments, options)


def run(arguments: Sequence[str], listener: socket.socket, readiness: Readiness, shutdown: Shutdown) -> int:
    """Serve with several workers until a signal stops the process; return the exit code."""
    responder = StartupResponder(listener, readiness)
    with shared_metrics() as variables:
        hearing, ready = os.pipe()
        descriptors = (listener.fileno(), ready)
        own = map(str, (*descriptors, os.getpid()))
        pool = subprocess.Popen(
            [*program(), *own, SHARED, *arguments],
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
            more_seconds=_LATER_SECONDS,
            on_timeout=send_signal_later(signal.SIGKILL),
        )
        if os.read(hearing, 1):
            responder.stop()
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
