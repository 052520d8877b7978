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
from ..telemetry.logging import tell
from .read_only_bentoml import has_folder
from .shutdown import LAST_SECONDS, Ending
from .startup_responder import State

_START = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from serving.hosting.container_pool import main; sys.exit(main(sys.argv[2:]))"
)
PROGRAM = (sys.executable, "-P", "-c", _START, str(Path(__file__).parents[2]))
SHARED, APART = "shared", "apart"

_METRICS = "PROMETHEUS_MULTIPROC_DIR"


def run(
    arguments: Sequence[str], listener: socket.socket, state: State, ending: Ending, opened: Callable[[], None]
) -> int:
    """Serve by several workers until told to end; the exit code."""
    with _summed() as variables:
        hearing, ready = os.pipe()
        descriptors = (listener.fileno(), ready)
        crew = subprocess.Popen(
            [*PROGRAM, *map(str, descriptors), SHARED, *arguments],
            env={**os.environ, **variables},
            pass_fds=descriptors,
            start_new_session=True,
        )
        os.close(ready)

        def signalled(number: int) -> Callable[[], None]:
            def send() -> None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(crew.pid, number) if number == signal.SIGKILL else crew.send_signal(number)

            return send

        # Workers keep the same promise for themselves, and are told a moment later.
        ending.gently(signalled(signal.SIGTERM), last_seconds=LAST_SECONDS + 0.4, at_last=signalled(signal.SIGKILL))
        if os.read(hearing, 1):
            opened()
            listener.close()
        os.close(hearing)
        code = crew.wait()
        signalled(signal.SIGKILL)()  # those that it left behind, if it was killed itself
        if has_folder():
            workplace.sweep()
    if state.ending:
        return 0
    if code < 0:
        tell(f"the process that the workers are forked from was killed by {signal.Signals(-code).name}")
        return 128 - code  # as of any killed process: 137 where there was no memory
    return code


@contextlib.contextmanager
def _summed() -> Iterator[dict[str, str]]:
    """The variable that has the metrics of all workers summed, where there is a folder for that."""
    if os.environ.get(_METRICS):
        yield {}
    elif has_folder():
        with tempfile.TemporaryDirectory(prefix="nbdeploy-metrics-", ignore_cleanup_errors=True) as folder:
            yield {_METRICS: folder}
    else:
        tell(
            "/metrics are those of whichever worker answers: to have them summed, mount a folder at /tmp", level="info"
        )
        yield {}
