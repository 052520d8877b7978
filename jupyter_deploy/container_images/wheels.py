"""Distributions that exist only on this machine, and their wheels."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from packaging.utils import InvalidWheelFilename, NormalizedName, canonicalize_name, parse_wheel_filename

from jupyter_deploy.domain.capture.artifacts import Environment
from jupyter_deploy.domain.errors import EnvironmentNotBuilt, InvalidInput
from jupyter_deploy.domain.release.processes import passed_on
from jupyter_deploy.environments import module_origins
from jupyter_deploy.environments.installer import pips_settings, run_uv, uvs_settings
from jupyter_deploy.environments.module_origins import LocalDistribution, local_distributions

from .package_indexes import folder_of

_REMEDY = "make a wheel of it ('pip wheel') and name its folder by PIP_FIND_LINKS"

# Folders without sources, which may change at any time.
_IGNORED = frozenset({".git", ".venv", "venv", "__pycache__", "node_modules", "build", "dist", ".pytest_cache"})

_ASK = """
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location("origins", sys.argv[1])
origins = sys.modules["origins"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(origins)
print(json.dumps([[d.name, d.version, str(d.source), d.editable] for d in origins.local_distributions()]))
"""


def local_only(environment: Environment) -> list[LocalDistribution]:
    """The lock's distributions that come from this machine and are in no folder of wheels.

    Raises
    ------
    InvalidInput
        The source of one is missing.
    """
    lock = {canonicalize_name(name): version for name, version in environment.distributions.items()}
    locked = [
        distribution
        for distribution in _of(environment.interpreter)
        if lock.get(_key(distribution)[0]) == distribution.version
    ]
    offered = _offered() if locked else set()
    local = [distribution for distribution in locked if _key(distribution) not in offered]
    for distribution in local:
        if not distribution.source.exists():
            raise InvalidInput(
                f"{_title(distribution)} exists on this machine only, and its source {distribution.source} is gone",
                _REMEDY,
            )
    return local


def _key(distribution: LocalDistribution) -> tuple[NormalizedName, str]:
    return canonicalize_name(distribution.name), distribution.version


def _title(distribution: LocalDistribution) -> str:
    return f"{distribution.name} {distribution.version}"


def state_of(distributions: Sequence[LocalDistribution]) -> dict[str, str]:
    """By name, a hash of the source's file names, sizes and times."""
    return {distribution.name: _state(distribution.source) for distribution in distributions}


def write_wheels(distributions: Sequence[LocalDistribution], into: Path, lock: int) -> None:
    """Write a wheel of each distribution into a folder.

    Raises
    ------
    EnvironmentNotBuilt
        A wheel cannot be built.
    InvalidInput
        The source now has another version than the notebook ran on.
    """
    for distribution in distributions:
        if distribution.source.is_file():
            shutil.copy(distribution.source, into)
        else:
            run_uv(
                ["build", "--wheel", "--no-progress", "--out-dir", str(into), str(distribution.source)],
                into,
                lock,
                settings=uvs_settings(pips_settings()),
                failed=f"{_title(distribution)} exists on this machine only: "
                f"of {distribution.source} no wheel could be built",
                remedy=_REMEDY,
            )
    there = _wheels_in(into)
    for distribution in distributions:
        key = _key(distribution)
        if key not in there:
            now = ", ".join(version for name, version in there if name == key[0]) or "no wheel"
            raise InvalidInput(
                f"the notebook ran on {_title(distribution)}, and {distribution.source} now makes {now}",
                "install it again and deploy the notebook anew, or " + _REMEDY,
            )


def wheels_of(folders: Iterable[Path], versions: Mapping[str, str]) -> list[Path]:
    """The lock's wheels in these folders, for any Python and platform."""
    locked = {(canonicalize_name(name), version) for name, version in versions.items()}
    return [file for folder in folders for file in sorted(folder.glob("*.whl")) if _wheel(file) in locked]


def _of(interpreter: str) -> list[LocalDistribution]:
    if Path(interpreter) == Path(sys.executable):
        return local_distributions()
    try:
        ended = subprocess.run(
            [interpreter, "-P", "-c", _ASK, module_origins.__file__],
            env=passed_on(os.environ),
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:  # it is gone: only the lock is left
        return []
    if ended.returncode:
        raise EnvironmentNotBuilt(
            f"{interpreter}, which ran the notebook, does not list its distributions",
            "mend or remove that environment",
            ended.stderr[-1000:],
        )
    return [
        LocalDistribution(name, version, Path(at), editable) for name, version, at, editable in json.loads(ended.stdout)
    ]


def _offered() -> set[tuple[str, str]]:
    """Name and version of the wheels in the folders of pip's and uv's settings."""
    settings: Mapping[str, str] = uvs_settings(pips_settings()) | os.environ
    folders = settings.get("UV_FIND_LINKS", "").replace(",", " ").split()
    paths = [Path(path) for folder in folders if (path := folder_of(folder))]
    return {wheel for path in paths if path.is_dir() for wheel in _wheels_in(path)}


def _wheels_in(folder: Path) -> set[tuple[str, str]]:
    return {wheel for file in folder.glob("*.whl") if (wheel := _wheel(file))}


def _wheel(file: Path) -> tuple[str, str] | None:
    try:
        name, version, *_ = parse_wheel_filename(file.name)
    except InvalidWheelFilename:
        return None
    return str(name), str(version)


def _state(source: Path) -> str:
    digest = hashlib.sha256()
    if source.is_file():
        about = source.stat()
        return f"{about.st_size} {about.st_mtime_ns}"
    for root, folders, files in os.walk(source):
        folders[:] = sorted(name for name in folders if name not in _IGNORED and not name.endswith(".egg-info"))
        for name in sorted(files):
            about = (Path(root) / name).lstat()
            digest.update(f"{root}/{name} {about.st_size} {about.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()
