"""The program of the gateway's image: ``python start.py ARGUMENTS`` runs what ``gateway_program.main`` describes."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.append(str(Path(__file__).parent))  # the image has the package next to this file
    sys.exit(importlib.import_module("gateway_program.main").main(sys.argv[1:]))
