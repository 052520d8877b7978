"""The program that an image runs: ``python -P serving/container.py [serve] [--uds PATH | --tcp]`` hosts the bento.

    /livez    200 as soon as the process runs
    /readyz   200 once the example is answered as in the notebook; if it never is, the process logs why and exits with 3

``hosting.options`` defines the arguments and environment variables. On SIGTERM or SIGINT the process completes the
requests in progress and exits with 0 after at most ten seconds. All output is JSON lines on standard output
(``NBDEPLOY_LOG_FORMAT=text``: unchanged). The process needs no writable folder, unless the model has packed files.
With the argument ``batch`` it serves nothing: it scores files and ends (``batch.job``).

Exit codes: 1 the model cannot be loaded, 2 a setting is invalid, 3 the example is answered differently.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))  # in a bento, the package serving is next to service.py
    sys.exit(importlib.import_module("serving.hosting.run").main(sys.argv[1:]))
