"""The gateway in its container.

CONFIGURATION            runs Envoy, and follows the routes in this file (Compose; ``followed_file``)
run                      runs Envoy with the documents of the agent (a pod of Kubernetes; ``envoy``)
agent                    writes these documents, as the API of Kubernetes has them (``agent``)
--ask SOCKET             ends with 0 if Envoy reports on its admin socket that it is ready, else with 1
"""

from __future__ import annotations

import os
from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Run the program that the arguments name; return its exit code."""
    match list(arguments):
        case ["--ask", path]:
            from .envoy import ask

            return ask(path)
        case ["run"]:
            from .envoy_in_pod import run

            return run(dict(os.environ))
        case ["agent"]:
            from .agent import run as run_agent

            return run_agent(dict(os.environ))
        case [path]:
            from .followed_file import follow

            return follow(path, dict(os.environ))
        case _:
            raise SystemExit("usage: start.py CONFIGURATION | run | agent | --ask SOCKET")
