"""Capture in R's kernel: what R writes there becomes a live object of Python."""

from pathlib import Path

from jupyter_deploy.system.clean_process import SERVING_FOLDER

SCRIPTS = (SERVING_FOLDER / "r" / "answers.R", Path(__file__).with_name("capture.R"))
"""What captures in a kernel, in the order in which R reads it."""

LAB_SCRIPTS = (*SCRIPTS, Path(__file__).with_name("lab.R"))
"""What answers JupyterLab's Deploy dialog in a kernel."""
