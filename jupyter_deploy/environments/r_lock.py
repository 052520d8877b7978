"""The lock of a model of R: R's version, and the versions of the packages that a clean process had loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jupyter_deploy.domain.capture.artifacts import Snapshot


@dataclass(frozen=True)
class RLock:
    """The versions that a model of R was proved with.

    Attributes
    ----------
    version
        R's full version, such as 4.5.0.
    packages
        Name -> version; R's own packages are left out.
    packaged
        Name -> the time and the user by which ``R CMD build`` marked the installed package's archive. Packages that
        were installed from a folder have none.
    """

    version: str
    packages: Mapping[str, str]
    packaged: Mapping[str, str]


def r_lock(snapshot: Snapshot) -> RLock | None:
    """Return the lock in a snapshot's files; None: the model needs no R, as a translation."""
    if snapshot.manifest.translation is not None:
        return None
    formats = snapshot.manifest.formats
    file = next((name for name, kind in formats.items() if kind == "r" and name.endswith(".json")), None)
    if file is None:
        return None
    about = json.loads((Path(snapshot.path) / file).read_bytes())["r"]
    packages = sorted(about["packages"].items())
    return RLock(
        about["version"],
        {name: one["version"] for name, one in packages},
        {name: one["packaged"] for name, one in packages if one.get("packaged")},
    )
