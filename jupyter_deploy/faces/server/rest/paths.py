"""Files that a request names are relative to the server's folder, as everything is that JupyterLab shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jupyter_deploy.domain.base import FilePath
from jupyter_deploy.domain.requests import Request


def absolute(request: type[Request], given: dict[str, Any], folder: Path) -> dict[str, Any]:
    """A request whose files a process finds wherever it works: by the fields that are marked as a ``FilePath``."""
    files = {
        name: mark
        for name, field in request.model_fields.items()
        for mark in field.metadata
        if isinstance(mark, FilePath)
    }
    defaults = {name: mark.default for name, mark in files.items() if mark.default is not None}
    return {
        name: _each(value, folder, there=not files[name].written) if name in files else value
        for name, value in (defaults | given).items()
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
