"""The installed targets: classes that entry points in the group ``nbdeploy.targets`` name."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from jupyter_deploy.system.entry_points import entry_points, load

if TYPE_CHECKING:
    from jupyter_deploy.domain.release.ports import Target, TargetClass, TargetSettings

GROUP = "nbdeploy.targets"
SETTINGS_GROUP = "nbdeploy.target_settings"


class InstalledTargets(Mapping[str, "Target"]):
    """The targets by their entry points' names; each is imported and made when it is first needed.

    Parameters
    ----------
    make : callable
        Makes a target of its class.
    """

    def __init__(self, make: Callable[[TargetClass], Target]) -> None:
        self._make = make
        self._places = entry_points(GROUP)
        self._made: dict[str, Target] = {}
        self._making = threading.Lock()

    def __getitem__(self, name: str) -> Target:
        with self._making:  # a target may hold a connection or a process: threads share one
            if name not in self._made:
                self._made[name] = self._make(load(self._places[name]))
            return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


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
