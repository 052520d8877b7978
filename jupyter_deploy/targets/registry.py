"""The installed targets: classes that entry points in the group ``nbdeploy.targets`` name."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import metadata

from jupyter_deploy.domain.release.ports import TargetClass, TargetSettings

GROUP = "nbdeploy.targets"
SETTINGS_GROUP = "nbdeploy.target_settings"


def installed_targets() -> Mapping[str, TargetClass]:
    """Every target's class, by its entry point's name."""
    return {point.name: point.load() for point in metadata.entry_points(group=GROUP)}


def target_settings() -> Mapping[str, type[TargetSettings]]:
    """Every target's settings class, by its entry point's name.

    An entry point of the same name in the group ``nbdeploy.target_settings`` spares the import of the target, which
    the start of each command would wait for.
    """
    light = {point.name: point for point in metadata.entry_points(group=SETTINGS_GROUP)}
    return {
        point.name: light[point.name].load() if point.name in light else point.load().settings_class
        for point in metadata.entry_points(group=GROUP)
    }
