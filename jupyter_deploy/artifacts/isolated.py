"""Environments of their own for releases: made of a lock, kept by what they are made of, shared by equals."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

from jupyter_deploy.domain.capture.artifacts import Environment
from jupyter_deploy.domain.release.processes import passed_on
from jupyter_deploy.environments.environment import KERNEL, closure, lacking, without
from jupyter_deploy.environments.installer import install, run_uv
from jupyter_deploy.system.clean_process import SERVING_FOLDER
from jupyter_deploy.system.home import private_folder

from .bento import locked_folder

_REMEDY = (
    "each distribution must be on an index, or in a folder of PIP_FIND_LINKS, in the version that the notebook "
    "has: make a wheel of what is installed from a folder of yours ('pip wheel')"
)


class VirtualEnvironments:
    """The Environments port: virtual environments in a folder, one for each lock and base interpreter.

    Parameters
    ----------
    folder : Path
        Made when it is first needed, for its owner alone: installed files keep the modes that they come with.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def ensure(self, captured: Environment, *, kernel: bool = False) -> Environment:
        """The same versions in an environment of their own; one that is there and whole is used as it is.

        It is built in its place, since virtual environments cannot be moved, and counts from when it is noted to be
        complete: what a killed process left is done again. A lock keeps a second builder waiting, also
        while the installer of a killed one is still at work.

        Raises
        ------
        EnvironmentNotBuilt
            A distribution cannot be installed, or the lock is older than what serving needs; nothing is left.
        """
        missing = lacking(captured)
        if kernel:  # of this nbdeploy's own serving code too: it asks the model that the notebook makes
            beside = closure([*KERNEL, *missing])
            captured = captured.model_copy(update={"distributions": beside | captured.distributions})
        elif missing:
            raise without(missing)
        base = str(Path(captured.interpreter).resolve())
        made_of = [base, captured.python, captured.platform, captured.distributions]
        key = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:32]
        folder = self._folder / key
        private_folder(folder)
        wanted = captured.model_copy(update={"interpreter": str(folder / "venv" / "bin" / "python")})
        with locked_folder(folder) as lock:
            if not ((folder / "complete").exists() and _is_as_locked(wanted, folder)):
                _build(wanted, base, folder, lock)
        return wanted


def _build(wanted: Environment, base: str, folder: Path, lock: int) -> None:
    complete, venv = folder / "complete", folder / "venv"
    complete.unlink(missing_ok=True)
    shutil.rmtree(venv, ignore_errors=True)
    try:
        run_uv(["venv", "--quiet", "--no-project", "--python", base, str(venv)], folder, lock, remedy=_REMEDY)
        # Compiled now, since workers write nothing.
        options = ["--compile-bytecode", "--python", wanted.interpreter]
        install(wanted.distributions, options, folder, lock, remedy=_REMEDY)
        complete.touch()
    except BaseException:
        shutil.rmtree(venv, ignore_errors=True)
        raise


def _is_as_locked(wanted: Environment, folder: Path) -> bool:
    """Whether the environment itself says that it holds the lock's versions."""
    manifest = folder / "environment.json"
    manifest.write_text(json.dumps({"environment": wanted.model_dump()}), "utf-8")
    try:
        ended = subprocess.run(
            [wanted.interpreter, "-P", str(SERVING_FOLDER / "environment.py"), str(manifest)],
            cwd=folder,
            env=passed_on(os.environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except OSError:
        return False
    return ended.returncode == 0
