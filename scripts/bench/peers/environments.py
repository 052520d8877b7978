"""What peers need, in the user's cache: made once, their environments again when what they are made of changes."""

from __future__ import annotations

import os
import platform
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import distributions, version
from pathlib import Path

from uv import find_uv_bin

from jupyter_deploy.environments.installer import pips_settings, uvs_settings


def _folder(name: str) -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nbdeploy-bench" / name


def environment(name: str, requirements: Sequence[str]) -> Path:
    """The Python of an environment with these requirements and the torch that this process has."""
    folder = _folder(name)
    python, complete = folder / "bin" / "python", folder / "made-of.txt"
    wanted = [*requirements, f"torch=={version('torch')}"]
    made_of = "\n".join([platform.python_version(), *wanted])
    if complete.exists() and complete.read_text() == made_of:
        return python
    print(f"making the environment of {name} in {folder} (not counted)", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    _uv("venv", "--quiet", "--no-project", "--python", sys.executable, str(folder))
    _uv("pip", "install", "--compile-bytecode", "--python", str(python), *wanted)
    complete.write_text(made_of)
    return python


def kept(name: str, make: Callable[[Path], str]) -> str:
    """What ``make`` gives when it is called with a new folder, which stays."""
    folder = _folder(name)
    made = folder / "made.txt"
    if not made.exists():
        print(f"making {name} in {folder} (not counted)", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        made.write_text(make(folder))
    return made.read_text()


def versioned(name: str) -> str:
    """An environment's first requirement, in the version that is installed."""
    folder = _folder(name)
    first = re.split(r"[\[<>=]", (folder / "made-of.txt").read_text().splitlines()[1])[0]
    found = next(iter(distributions(name=first, path=[str(one) for one in folder.glob("lib/*/site-packages")])))
    return f"{first} {found.version}"


def _uv(*arguments: str) -> None:
    """Its progress is seen. An interrupt of the terminal reaches uv too, and is waited for."""
    settings = {**uvs_settings(pips_settings()), **os.environ}
    with subprocess.Popen([find_uv_bin(), *arguments], env=settings) as process:
        try:
            code = process.wait()
        except BaseException:
            process.send_signal(signal.SIGTERM)
            raise
    if code:
        raise RuntimeError(f"'uv {' '.join(arguments[:2])}' failed ({code}); its own words are above")
