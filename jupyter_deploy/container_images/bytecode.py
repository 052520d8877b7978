"""Bytecode for an image: without it a read-only container compiles everything at each start.

The same sources give the same bytes: see ``normalization``.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from jupyter_deploy.domain.capture.artifacts import Environment, minor_of
from jupyter_deploy.domain.errors import ToolMissing

from .archive import Entry
from .normalization import compile_all, to_compile

_VERSION = "import platform; print(platform.python_version())"


@dataclass(frozen=True)
class Compiler:
    """An interpreter of this machine that compiles for the captured Python, and its full version."""

    interpreter: str
    version: str

    @property
    def minor(self) -> str:
        return minor_of(self.version)


def compiler(environment: Environment) -> Compiler:
    """The notebook's own interpreter if it still exists, else one of the same minor version.

    Raises
    ------
    ToolMissing
        Neither exists.
    """
    minor = environment.minor
    for candidate in (environment.interpreter, sys.executable, shutil.which(f"python{minor}")):
        version = _version(candidate) if candidate else ""
        if candidate and version.startswith(f"{minor}."):
            return Compiler(candidate, version)
    raise ToolMissing(f"there is no Python {minor} here to compile the image's libraries", f"install python{minor}")


def _version(interpreter: str) -> str:
    if interpreter == sys.executable:
        return platform.python_version()
    try:
        ended = subprocess.run(
            [interpreter, "-I", "-S", "-c", _VERSION], capture_output=True, text=True, check=False, env={}
        )
    except OSError:
        return ""
    return ended.stdout.strip()


def compiled(sources: Iterable[Entry], by: Compiler, folder: Path, lock: int) -> list[Entry]:
    """The bytecode of the sources among these entries, without libraries' tests.

    Parameters
    ----------
    sources
        Files of this machine.
    folder
        The folder for the bytecode.
    lock
        A descriptor that the compiling processes inherit.
    """
    files = ((entry.name, entry.source) for entry in sources if isinstance(entry.source, Path))
    work = to_compile(files, by.minor, folder)
    compile_all(work, by.interpreter, (lock,))
    return [Entry(module.inside, module.target) for module in work if module.target.exists()]
