"""Envoy in a pod of Kubernetes, with the documents that the agent writes in the pod's other container.

At its end the pod leaves the addresses of its Service, which clients and nodes learn a moment later: for so long Envoy
goes on. Then it fails its health check, lets its connections end, waits for pending requests, and ends.
"""

from __future__ import annotations

import signal
import subprocess
import threading
import time

from .documents import Invalid, Secrets
from .envoy import say, started, supervise
from .pod import KEY_VARIABLE, Pod

_POLL_SECONDS = 0.1
_MOST_OF_A_LINE = 1000


def run(environment: dict[str, str]) -> int:
    """Run Envoy until it ends or SIGTERM arrives; return its exit code, or 0 after SIGTERM."""
    pod = Pod.of(environment)
    try:
        secrets = Secrets.read(pod.secret)
    except Invalid as error:
        say(str(error))
        return 2
    ending: list[float] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.append(time.monotonic()))
    say("the gateway waits for its agent's documents")
    while not (pod.documents / "edge" / "edge.json").exists():  # the agent writes it last
        if ending:
            return 0
        time.sleep(_POLL_SECONDS)
    envoy = started(pod.bootstrap, {**environment, KEY_VARIABLE: secrets.key}, subprocess.PIPE)
    threading.Thread(target=_copy_log, args=(envoy, secrets), daemon=True).start()
    return supervise(
        envoy, pod.admin, lambda: bool(ending) and time.monotonic() >= ending[0] + pod.drain_delay, lambda: None
    )


def _copy_log(envoy: subprocess.Popen[bytes], secrets: Secrets) -> None:
    """Print Envoy's log without secrets and documents: Envoy quotes a document that it cannot read."""
    for line in envoy.stderr or ():
        text = secrets.masked(line.decode(errors="replace").rstrip("\n"))
        say(text if len(text) <= _MOST_OF_A_LINE else f"{text[:_MOST_OF_A_LINE]} …")
