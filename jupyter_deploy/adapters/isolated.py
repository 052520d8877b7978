"""Environments of their own for releases: made of a lock, kept by what they are made of, shared by equals."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from jupyter_deploy.domain.artifacts import Environment
from jupyter_deploy.domain.errors import EnvironmentNotBuilt
from jupyter_deploy.domain.processes import passed_on
from jupyter_deploy.home import private_folder

from .bento import locked_folder
from .clean import SERVING_FOLDER
from .environment import KERNEL, closure, lacking, without

_TAIL = 15

# pip's settings and what uv, which does not read them, calls the same; the last: how uv separates several values.
_PIPS = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "cert": ("SSL_CERT_FILE", " "),
    "proxy": ("ALL_PROXY", " "),
    "timeout": ("UV_HTTP_TIMEOUT", " "),
    "default-timeout": ("UV_HTTP_TIMEOUT", " "),
}


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
    complete, venv, requirements = folder / "complete", folder / "venv", folder / "requirements.txt"
    complete.unlink(missing_ok=True)
    shutil.rmtree(venv, ignore_errors=True)
    requirements.write_text("".join(f"{name}=={version}\n" for name, version in wanted.distributions.items()), "utf-8")
    settings = pips_settings()
    try:
        _uv(["venv", "--quiet", "--no-project", "--python", base, str(venv)], folder, lock)
        # Compiled now, since workers write nothing. The lock is complete, so that nothing is left to resolve.
        options = ["--no-deps", "--compile-bytecode", "--no-progress", "--python", wanted.interpreter]
        if "no-index" in settings:
            options.append("--no-index")
        _uv(["pip", "install", *options, "--requirements", str(requirements)], folder, lock, uvs_settings(settings))
        complete.touch()
    except BaseException:
        shutil.rmtree(venv, ignore_errors=True)
        raise


def _uv(arguments: list[str], folder: Path, lock: int, settings: Mapping[str, str] | None = None) -> None:
    from uv import find_uv_bin  # noqa: PLC0415 - only isolated releases need it

    unwanted = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "CONDA_PREFIX")
    own = {name: value for name, value in os.environ.items() if name not in unwanted}
    ended = subprocess.run(
        [find_uv_bin(), *arguments],
        cwd=folder,
        env={**(settings or {}), **own},  # what the user says to uv itself goes first
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        pass_fds=(lock,),
    )
    if ended.returncode:
        raise EnvironmentNotBuilt(
            "an environment of its own could not be made of the lock",
            "each distribution must be on an index, or in a folder of PIP_FIND_LINKS, in the version that the notebook "
            "has: make a wheel of what is installed from a folder of yours ('pip wheel')",
            "\n".join(without_credentials(ended.stderr).strip().splitlines()[-_TAIL:]),
        )


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


def pips_settings() -> dict[str, list[str]]:
    """What pip's files and the environment tell it: where the notebook's distributions most likely came from."""
    ended = subprocess.run(
        [sys.executable, "-P", "-m", "pip", "config", "list"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    found: dict[str, dict[str, list[str]]] = {"global": {}, "install": {}, ":env:": {}}
    for line in ended.stdout.splitlines():
        match = re.fullmatch(r"(global|install|:env:)\.([a-z-]+)=('.*'|\".*\")", line)
        if match:
            found[match[1]][match[2]] = str(ast.literal_eval(match[3])).split()
    merged = found["global"] | found["install"] | found[":env:"]
    if merged.get("no-index", ["false"])[0].lower() in ("0", "false", "no", "off"):
        merged.pop("no-index", None)
    return merged


def uvs_settings(pips: Mapping[str, list[str]]) -> dict[str, str]:
    """The same as variables for uv, which, as pip does, is to look for a version on all indexes."""
    named = {uv: separator.join(pips[pip]) for pip, (uv, separator) in _PIPS.items() if pip in pips}
    return {"UV_INDEX_STRATEGY": "unsafe-best-match", **named}


def without_credentials(text: str) -> str:
    """``https://user:password@host`` without what stands before the last ``@``: rather too little than too much."""
    return re.sub(r"(\w+://)\S*@", r"\1", text)
