"""Capture in R's kernel: what R writes there becomes a live object of Python."""

from pathlib import Path

from jupyter_deploy.system.clean_process import SERVING_FOLDER

_HERE = Path(__file__).parent

SCRIPTS = (SERVING_FOLDER / "r" / "answers.R", _HERE / "design.R", _HERE / "design_of_trees.R",
           _HERE / "design_of_glmnet.R", _HERE / "capture.R")  # fmt: skip
"""What captures in a kernel, in the order in which R reads it."""

LAB_SCRIPTS = (*SCRIPTS, _HERE / "lab.R")
"""What answers JupyterLab's Deploy dialog in a kernel."""

DESIGN, DESIGN_ARRAYS = "design.json", "design.bin"
"""What a kernel writes of a model for its translation: ``design.R`` has the form; the second file has the vectors of
trees, whose lengths the first one has by name (``arrays``), as little-endian doubles."""
