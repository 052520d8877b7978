"""Files that a request names are relative to the server's folder, as everything is that JupyterLab shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jupyter_deploy.domain.images.requests import COMPOSE_FOLDER

_READ = {
    "deploy": ("source", "include", "validate"),
    "validate": ("notebooks", "cwd", "parameters_file"),
    "init": ("folder",),
    "feedback": ("data",),
}
_WRITTEN = {"validate": ("executed", "junit", "html"), "compose": ("output_dir",)}
_DEFAULTS = {"compose": {"output_dir": COMPOSE_FOLDER}}
"""Files that are written if nothing else is said, and so relative to the server's folder, too."""


def absolute(verb: str, given: dict[str, Any], folder: Path) -> dict[str, Any]:
    """A request whose files a process finds wherever it works.

    What is read may be something else, such as a snapshot's tag; it is a file if it is there.
    """
    read, written = _READ.get(verb, ()), _WRITTEN.get(verb, ())
    given = _DEFAULTS.get(verb, {}) | given
    return {
        name: _each(value, folder, there=name in read) if name in read or name in written else value
        for name, value in given.items()
    }


def _each(value: Any, folder: Path, *, there: bool) -> Any:
    if isinstance(value, list):
        return [_each(one, folder, there=there) for one in value]
    if not isinstance(value, str) or not value:
        return value
    path = folder / value  # an absolute one stays as it is
    return str(path) if not there or _exists(path) else value


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long, or with a null character
        return False
