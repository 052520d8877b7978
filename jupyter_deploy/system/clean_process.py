"""A clean place for a model's process: the serving package alone, and nothing of the project on its path."""

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
    """The serving package, without what an editor left beside it or what is being compiled right now.

    A copy has its original's time, by which Python knows that what it had compiled is of this very source: that saves a
    tenth of a second. In a bento there is only source.
    """
    destination = into / "serving"
    shutil.copytree(SERVING_FOLDER, destination, ignore=shutil.ignore_patterns(".*", "*.pyc.*"))
    return destination


@dataclass(frozen=True)
class CleanPlace:
    """A private folder in which one process of a captured interpreter runs; ``root`` is for what it is told."""

    root: Path

    def command(self, interpreter: str, imports: str, call: str) -> list[str]:
        """The command line that imports from the serving package and makes a call; no secret belongs into it."""
        code = f"import sys; sys.path.insert(0, {str(self.root / 'code')!r}); {imports}; {call}"
        # -P: neither the working directory nor a script's folder gets on the path.
        return [interpreter, "-P", "-c", code]

    @property
    def options(self) -> dict[str, Any]:
        """What ``subprocess`` is told: a working directory of its own, and few variables."""
        environment = passed_on(os.environ) | {
            "PYTHONDONTWRITEBYTECODE": "1",
            "TMPDIR": str(self.root / "tmp"),
        }
        return {"cwd": self.root / "elsewhere", "env": environment}


@contextmanager
def clean_place(purpose: str) -> Iterator[CleanPlace]:
    """A clean place, gone at the end."""
    with scratch_folder(purpose) as root:
        copy_serving(root / "code")
        (root / "elsewhere").mkdir()
        (root / "tmp").mkdir()
        yield CleanPlace(root)
