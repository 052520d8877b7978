"""Paths of files in requests: relative to the server's folder, as in JupyterLab."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jupyter_deploy.domain.base import FilePath
from jupyter_deploy.domain.requests import Request


def resolve_files(request: type[Request], given: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Make the paths in the fields that are marked as a ``FilePath`` absolute, for a process with another folder."""
    files = {
        name: mark
        for name, field in request.model_fields.items()
        for mark in field.metadata
        if isinstance(mark, FilePath)
    }
    defaults = {name: mark.default for name, mark in files.items() if mark.default is not None}
    return {
        name: _resolve(value, folder, files[name]) if name in files else value
        for name, value in (defaults | given).items()
    }


def _resolve(value: Any, folder: Path, mark: FilePath) -> Any:
    if isinstance(value, list):
        files = value[:1] if mark.first_only else value
        return [_resolve(one, folder, mark) for one in files] + value[len(files) :]
    if not isinstance(value, str) or not value:
        return value
    path = folder / value  # an absolute one stays as it is
    return str(path) if mark.written or _exists(path) else value


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long, or with a null character
        return False
