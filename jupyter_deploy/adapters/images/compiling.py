"""Bytecode for an image: without it a container whose files cannot be written compiles everything at each start.

The same sources give the same bytes: the hash of a text is fixed, a process compiles one batch in a fixed order (what
it marshals depends on what it did before), and the sources' times are not looked at.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path, PurePosixPath

from jupyter_deploy.domain.artifacts import Environment, minor_of
from jupyter_deploy.domain.errors import ToolMissing

from .archive import Entry

# Templates and files of other Pythons are no sources: they are left as they are, as pip leaves them.
_COMPILE = """
import json, py_compile, sys
for source, target, shown in json.load(sys.stdin):
    try:
        py_compile.compile(source, target, shown, doraise=True,
                           invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    except (py_compile.PyCompileError, ValueError, RecursionError):
        pass
"""

_VERSION = "import platform; print(platform.python_version())"


@dataclass(frozen=True)
class Compiler:
    """An interpreter of this machine that writes bytecode for the captured Python, and its full version."""

    interpreter: str
    version: str

    @property
    def minor(self) -> str:
        return minor_of(self.version)


def compiler(environment: Environment) -> Compiler:
    """The notebook's own interpreter, if it is still there; else one of the same minor version.

    Raises
    ------
    ToolMissing
        There is none.
    """
    minor = environment.minor
    for candidate in (environment.interpreter, sys.executable, shutil.which(f"python{minor}")):
        version = _version(candidate) if candidate else ""
        if candidate and version.startswith(f"{minor}."):
            return Compiler(candidate, version)
    raise ToolMissing(
        f"there is no Python {minor} here, which the image's libraries are compiled by", f"install python{minor}"
    )


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
    """The bytecode of the sources among these entries; tests of libraries are left out.

    Parameters
    ----------
    sources
        Files of this machine. What is below one folder of ``site-packages`` is one batch.
    folder
        Where the bytecode is written.
    lock
        A descriptor that the compiling processes inherit.
    """
    tag = f"cpython-{by.minor.replace('.', '')}"
    work: list[tuple[str, Path, Path]] = []
    for entry in sources:
        name = PurePosixPath(entry.name)
        if isinstance(entry.source, Path) and name.suffix == ".py" and "tests" not in name.parts:
            inside = name.parent / "__pycache__" / f"{name.stem}.{tag}.pyc"
            work.append((str(inside), entry.source, folder / inside))
    work.sort(key=lambda item: item[0])
    batches = [list(batch) for _, batch in groupby(work, key=lambda item: _top(item[0]))]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(partial(_compile, by.interpreter, lock), sorted(batches, key=len, reverse=True)):
            pass
    return [Entry(inside, target) for inside, _, target in work if target.exists()]


def _top(name: str) -> str:
    """The distribution's folder that a file is in; a path of one word: modules for themselves are a batch."""
    inside = name.partition("site-packages/")[2] or name
    return inside.split("/")[0]


def _compile(python: str, lock: int, batch: Sequence[tuple[str, Path, Path]]) -> None:
    told = [[str(source), str(target), "/" + _source_of(inside)] for inside, source, target in batch]
    for _, _, target in batch:
        target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [python, "-P", "-s", "-S", "-W", "ignore", "-c", _COMPILE],
        input=json.dumps(told),
        text=True,
        env={"PYTHONHASHSEED": "0"},
        cwd="/",
        capture_output=True,
        check=True,
        pass_fds=(lock,),
    )


def _source_of(inside: str) -> str:
    place = PurePosixPath(inside)
    return str(place.parents[1] / f"{place.name.partition('.cpython-')[0]}.py")
