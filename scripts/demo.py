"""Run the quickstart notebook and print, cell by cell, what a person would look at."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]
WIDTH = 180  # a curl line with thirty features is longer than anybody reads
NOTEBOOK = ROOT / "notebooks" / "quickstart.ipynb"


def main() -> None:
    """Execute the notebook in a kernel of its own; every cell is shown as soon as it has run."""
    began = time.monotonic()
    os.environ.setdefault("NBDEPLOY_NOTEBOOK", str(NOTEBOOK))
    os.environ["BENTOML_DO_NOT_TRACK"] = "true"
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(notebook, timeout=600, on_cell_executed=_show, resources={"metadata": {"path": str(ROOT)}})
    with client.setup_kernel():
        for index, cell in enumerate(notebook.cells):
            if cell.cell_type == "markdown":
                print(f"\n\033[1m{cell.source}\033[0m\n" if sys.stdout.isatty() else f"\n{cell.source}\n", flush=True)
            else:
                client.execute_cell(cell, index)
    print(f"\nThe quickstart took {time.monotonic() - began:.0f} s. The endpoint goes on:\n", flush=True)
    subprocess.run([sys.executable, "-m", "jupyter_deploy", "describe", "tumour"], check=True)
    names = ("NBDEPLOY_HOME", "BENTOML_HOME")
    settings = " ".join(f"{name}={os.environ[name]}" for name in names if name in os.environ)
    print(f"\nAsk it more:  {settings} {Path(sys.executable).parent / 'nbdeploy'} --help\nStop it:      make down")


def _show(cell: Any, cell_index: int, execute_reply: Any) -> None:  # noqa: ARG001 - nbclient names its arguments
    for line in cell.source.splitlines():
        print(f"  │ {line}")
    for output in cell.get("outputs", []):
        words = output.text if output.output_type == "stream" else output.get("data", {}).get("text/plain", "")
        if "IPython.core.display.HTML" in words or not words.strip():
            continue
        for line in words.rstrip().splitlines():
            print(f"  {line if len(line) <= WIDTH else line[:WIDTH] + ' …'}")
    print(flush=True)


if __name__ == "__main__":
    main()
