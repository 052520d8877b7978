"""What runs in an image: the bento's application, kept as platforms expect: ``python -P serving/container.py [serve]``.

    /livez    200 as soon as there is a process
    /readyz   200 when the example is answered as in the notebook; it ends with 3 and says why, if that never is

``hosting`` says which arguments and variables there are. SIGTERM and SIGINT end it: what is asked already is answered,
and after ten seconds, whatever still hangs, it has exited with 0. All that is said stands in lines of JSON on standard
output (``NBDEPLOY_LOG_FORMAT=text``: as it is). It needs no folder that can be written to, but where the model has
packed files.

Exit codes: 1 the model cannot be loaded, 2 a setting is wrong, 3 the example is answered otherwise.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))  # as what a bento has: a package beside its service.py
    sys.exit(importlib.import_module("serving.hosting.run").main(sys.argv[1:]))
