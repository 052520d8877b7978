"""The installed targets: classes that entry points in the group ``nbdeploy.targets`` name."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import metadata

from jupyter_deploy.domain.release.ports import TargetClass

GROUP = "nbdeploy.targets"


def installed_targets() -> Mapping[str, TargetClass]:
    """Every target's class, by its entry point's name."""
    return {point.name: point.load() for point in metadata.entry_points(group=GROUP)}
