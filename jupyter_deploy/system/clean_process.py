"""A clean folder for a model's process, with the serving package alone and nothing of the project on its path."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_deploy import serving
from jupyter_deploy.domain.release.processes import passed_on

from .temp import scratch_folder

SERVING_FOLDER = Path(serving.__file__).parent


def copy_serving(into: Path) -> Path:
    """Copy the serving package for this user alone, without an editor's backups and files that are being compiled.

    The copy keeps modification times, so that Python reuses compiled files: that saves a tenth of a second. A bento
    holds only source.
    """
    destination = into / "serving"
    shutil.copytree(SERVING_FOLDER, destination, ignore=shutil.ignore_patterns(".*", "*.pyc.*"))
    for path in (destination, *destination.rglob("*")):  # the installed package is readable for everybody
        path.chmod(0o700 if path.is_dir() else 0o600)
    return destination


@dataclass(frozen=True)
class CleanProcess:
    """A private folder in which one process of a captured interpreter runs; ``root`` is for its arguments."""

    root: Path

    def command(self, interpreter: str, imports: str, call: str) -> list[str]:
        """Return the command line that imports from the serving package and makes a call; pass no secret in it."""
        code = f"import sys; sys.path.insert(0, {str(self.root / 'code')!r}); {imports}; {call}"
        # -P keeps the working directory and the script's folder off the path.
        return [interpreter, "-P", "-c", code]

    @property
    def options(self) -> dict[str, Any]:
        """Options of ``subprocess``: a separate working directory and few environment variables."""
        environment = passed_on(os.environ) | {
            "PYTHONDONTWRITEBYTECODE": "1",
            "TMPDIR": str(self.root / "tmp"),
        }
        return {"cwd": self.root / "elsewhere", "env": environment}


@contextmanager
def clean_process(purpose: str) -> Iterator[CleanProcess]:
    """Make a clean folder and remove it at the end."""
    with scratch_folder(purpose) as root:
        copy_serving(root / "code")
        (root / "elsewhere").mkdir()
        (root / "tmp").mkdir()
        yield CleanProcess(root)
