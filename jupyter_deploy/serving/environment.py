"""Comparison of the installed distributions with those of the capture.

Also a program: ``python -P serving/environment.py snapshot.json`` prints the differences as a JSON list and exits with
1 if there are any. It therefore imports the standard library only.
"""

from __future__ import annotations

import json
import platform
import sys
import sysconfig
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any


class EnvironmentChanged(RuntimeError):
    """The installed versions differ from those of the snapshot's capture."""

    def __init__(self, lines: list[str]) -> None:
        self.changes = lines
        super().__init__("the environment differs from that of the capture:\n  " + "\n  ".join(lines))


def changes(manifest: Mapping[str, Any]) -> list[str]:
    """List the differences from ``manifest["environment"]``, one line for each; empty if there are none."""
    captured = manifest["environment"]
    lines = [
        f"{name}: captured {captured_version}, installed {version}"
        for name, captured_version, version in (
            ("python", captured["python"], platform.python_version()),
            ("platform", captured["platform"], sysconfig.get_platform()),
        )
        if captured_version != version
    ]
    fewer = captured.get("without_bentoml") if _version("bentoml") is None else None
    for name, captured_version in sorted(captured["distributions"].items()):
        if fewer and name not in fewer:
            continue
        version = _version(name)
        if version is None:
            lines.append(f"{name}: captured {captured_version}, not installed")
        elif version != captured_version:
            lines.append(f"{name}: captured {captured_version}, installed {version}")
    return lines


@cache  # a zygote fills it before it forks, and ends when a distribution is installed
def _version(distribution: str) -> str | None:
    with suppress(metadata.PackageNotFoundError):
        return metadata.version(distribution)
    return None


def another_python(manifest: Mapping[str, Any]) -> str | None:
    """Return the reason why this Python cannot load the pickle, or None. Pickled code needs the same minor version."""
    captured_version, version = manifest["environment"]["python"], platform.python_version()
    if captured_version.split(".")[:2] == version.split(".")[:2]:
        return None
    return f"python: captured {captured_version}, running {version}; load it with the same minor version"


def main(arguments: list[str]) -> int:
    """Print the differences as JSON; return 1 if there are any."""
    lines = changes(json.loads(Path(arguments[0]).read_bytes()))
    sys.stdout.write(json.dumps(lines) + "\n")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
