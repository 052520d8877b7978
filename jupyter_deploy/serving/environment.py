"""Whether what is installed here is what the notebook's model was captured with.

Runs on its own too: ``python -P serving/environment.py snapshot.json`` prints the changes as a JSON list and exits
with 1 if there are any. So it imports nothing but the standard library.
"""

from __future__ import annotations

import json
import platform
import sys
import sysconfig
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any


class EnvironmentChanged(RuntimeError):
    """The installed versions are not those that the snapshot was captured with."""

    def __init__(self, lines: list[str]) -> None:
        self.changes = lines
        super().__init__("this is not the environment that the model was captured in:\n  " + "\n  ".join(lines))


def changes(manifest: Mapping[str, Any]) -> list[str]:
    """What differs from ``manifest["environment"]``, one line a difference; empty when all is as captured."""
    captured = manifest["environment"]
    found = [
        f"{name}: captured {then}, installed {now}"
        for name, then, now in (
            ("python", captured["python"], platform.python_version()),
            ("platform", captured["platform"], sysconfig.get_platform()),
        )
        if then != now
    ]
    for name, then in sorted(captured["distributions"].items()):
        try:
            now = metadata.version(name)
        except metadata.PackageNotFoundError:
            found.append(f"{name}: captured {then}, not installed")
        else:
            if now != then:
                found.append(f"{name}: captured {then}, installed {now}")
    return found


def another_python(manifest: Mapping[str, Any]) -> str | None:
    """What to say if this Python cannot load the pickle: code in it is that of one minor version. None: it can."""
    then, now = manifest["environment"]["python"], platform.python_version()
    if then.split(".")[:2] == now.split(".")[:2]:
        return None
    return f"python: captured {then}, running {now}; captured functions load in the same minor version only"


def main(arguments: list[str]) -> int:
    found = changes(json.loads(Path(arguments[0]).read_bytes()))
    sys.stdout.write(json.dumps(found) + "\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
