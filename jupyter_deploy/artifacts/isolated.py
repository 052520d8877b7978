"""Isolated environments for releases: built from a lock, stored by its hash, and shared by equal locks."""

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
    "make each distribution available on an index or in a folder of PIP_FIND_LINKS in the notebook's version; "
    "build a wheel ('pip wheel') of each distribution that is installed from a local folder"
)


class VirtualEnvironments:
    """The Environments port: virtual environments in a folder, one for each lock and base interpreter.

    Parameters
    ----------
    folder : Path
        Made on first use, for its owner alone; installed files keep their modes.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def ensure(self, captured: Environment, *, kernel: bool = False) -> Environment:
        """Build an environment with the same versions, or return a complete one that exists.

        It is built in its final folder, since virtual environments cannot be moved, and counts from the moment when it
        is marked as complete: the rest of a killed build is built again. A lock makes a second builder wait, also while
        the installer of a killed builder still runs.

        Raises
        ------
        EnvironmentNotBuilt
            A distribution cannot be installed, or the lock predates a need of serving; the folder is removed.
        """
        missing = lacking(captured)
        if kernel:  # also with the needs of this nbdeploy's serving code, which queries the notebook's model
            kernel_needs = closure([*KERNEL, *missing])
            captured = captured.model_copy(update={"distributions": kernel_needs | captured.distributions})
        elif missing:
            raise without(missing)
        base = str(Path(captured.interpreter).resolve())
        identity = [base, captured.python, captured.platform, captured.distributions]
        key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:32]
        folder = self._folder / key
        private_folder(folder)
        isolated = captured.model_copy(update={"interpreter": str(folder / "venv" / "bin" / "python")})
        with locked_folder(folder) as lock:
            if not ((folder / "complete").exists() and _is_as_locked(isolated, folder)):
                _build(isolated, base, folder, lock)
        return isolated


def _build(isolated: Environment, base: str, folder: Path, lock: int) -> None:
    complete, venv = folder / "complete", folder / "venv"
    complete.unlink(missing_ok=True)
    shutil.rmtree(venv, ignore_errors=True)
    try:
        run_uv(["venv", "--quiet", "--no-project", "--python", base, str(venv)], folder, lock, remedy=_REMEDY)
        # Compiled now, since workers write no files.
        options = ["--compile-bytecode", "--python", isolated.interpreter]
        install(isolated.distributions, options, folder, lock, remedy=_REMEDY)
        complete.touch()
    except BaseException:
        shutil.rmtree(venv, ignore_errors=True)
        raise


def _is_as_locked(isolated: Environment, folder: Path) -> bool:
    """Whether the environment itself reports the lock's versions."""
    manifest = folder / "environment.json"
    manifest.write_text(json.dumps({"environment": isolated.model_dump()}), "utf-8")
    try:
        completed = subprocess.run(
            [isolated.interpreter, "-P", str(SERVING_FOLDER / "environment.py"), str(manifest)],
            cwd=folder,
            env=passed_on(os.environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except OSError:
        return False
    return completed.returncode == 0
