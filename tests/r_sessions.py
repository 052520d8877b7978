"""Models of R as a kernel captures them, without a notebook: the cells and the capture in one Rscript."""

import subprocess
from contextlib import contextmanager
from pathlib import Path

from jupyter_deploy.capture.r.notebooks import RNotebooks, capture_cell
from jupyter_deploy.domain.capture.artifacts import Tolerance
from jupyter_deploy.domain.requests import DeployRequest


@contextmanager
def captured(folder: Path, cells: str, model: str, example: str, **options):
    """The live object of an R session's variable, whose process ends with the context.

    Parameters
    ----------
    options
        Further fields of the request, such as ``method``.
    """
    files = folder / "captured"
    files.mkdir(parents=True)
    request = DeployRequest(model=model, example=example, **options)
    script = folder / "cells.R"
    script.write_text(f"{cells}\n{capture_cell(files, request)}\n", "utf-8")
    ended = subprocess.run(
        ["Rscript", "--vanilla", script], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 0, ended.stderr
    with RNotebooks(Tolerance()).live(files, folder / "train.ipynb", request, tuple(cells.split("\n\n"))) as live:
        yield live
