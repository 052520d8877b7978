"""The installed targets: classes that entry points in the group ``nbdeploy.targets`` name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from jupyter_deploy.system.entry_points import entry_points, load

if TYPE_CHECKING:
    from jupyter_deploy.domain.release.ports import TargetClass, TargetSettings

GROUP = "nbdeploy.targets"
SETTINGS_GROUP = "nbdeploy.target_settings"


def installed_targets() -> Mapping[str, TargetClass]:
    """Every target's class, by its entry point's name."""
    return {name: load(place) for name, place in entry_points(GROUP).items()}


def target_settings() -> Mapping[str, type[TargetSettings]]:
    """Every target's settings class, by its entry point's name.

    An entry point of the same name in the group ``nbdeploy.target_settings`` spares the import of the target, which
    the start of each command would wait for.
    """
    light = entry_points(SETTINGS_GROUP)
    return {
        name: load(light[name]) if name in light else load(place).settings_class
        for name, place in entry_points(GROUP).items()
    }
