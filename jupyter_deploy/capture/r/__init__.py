"""Capture in R's kernel: what R writes there becomes a live object of Python."""

from pathlib import Path

from jupyter_deploy.system.clean_process import SERVING_FOLDER

_HERE = Path(__file__).parent

SCRIPTS = (SERVING_FOLDER / "r" / "answers.R", _HERE / "design.R", _HERE / "capture.R")
"""What captures in a kernel, in the order in which R reads it."""

LAB_SCRIPTS = (*SCRIPTS, _HERE / "lab.R")
"""What answers JupyterLab's Deploy dialog in a kernel."""

DESIGN = "design.json"
"""What a kernel writes of a model for its translation: ``design.R`` has the form."""
