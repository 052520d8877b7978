"""The license of a project, by its ``pyproject.toml``."""

from __future__ import annotations

import tomllib
from pathlib import Path


def license_of(project: Path) -> str | None:
    """Return the SPDX expression in ``project.license``; None: the project names none."""
    try:
        declared = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))["project"]["license"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return declared if isinstance(declared, str) else None
