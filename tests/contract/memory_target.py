"""A target in memory: the second target, which shows that the contract is not the local target's alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from pydantic import Field

from jupyter_deploy.domain.base import Value
from jupyter_deploy.domain.errors import InvalidInput, StartFailed
from jupyter_deploy.domain.release.endpoint import Endpoint, Release
from jupyter_deploy.domain.release.ports import Observation, ReleaseHealth, TargetSettings
from jupyter_deploy.domain.release.resources import Resources
from jupyter_deploy.domain.release.status import Usage


class MemoryOptions(Value):
    cpus: int = 4


class MemorySettings(TargetSettings):
    memory: MemoryOptions = Field(default=MemoryOptions(), description="What the machine in memory has.")


class Machine:
    """What a target in memory keeps between its objects."""

    def __init__(self) -> None:
        self.answers: dict[str, str] = {}
        self.running: dict[str, Release] = {}
        self.routes: dict[str, Endpoint] = {}

    def answer(self, release: Release) -> str:
        return self.answers.get(release.tag, release.version)


class MemoryTarget:
    """A ``Target`` with releases in a dictionary, one machine per home."""

    settings_class: type[TargetSettings] = MemorySettings
    needs_image = False
    on = True
    shared = None
    header_file = None
    machines: ClassVar[dict[str, Machine]] = {}

    def __init__(self, settings: MemorySettings) -> None:
        self._settings = settings
        self._machine = self.machines.setdefault(str(settings.home), Machine())

    def check(self, resources: Resources | None = None, platform: str | None = None) -> None:
        if ((resources and resources.cpu) or 0) > self._settings.memory.cpus or platform:
            raise InvalidInput("the target has fewer resources", "ask for less")

    def check_ramp(self, endpoint: Endpoint) -> None:
        """Nothing."""

    def check_serving(self, way: object) -> None:
        """Nothing."""

    def start(self, release: Release, *, ask: bool = False, renew: bool = False) -> bool:
        self.check(release.resources)
        runs = release.tag in self._machine.running
        if runs and not (ask or renew):
            return False
        if self._machine.answer(release) != release.version:
            raise StartFailed(f"{release.tag} does not answer as the notebook did", "deploy it again")
        self._machine.running[release.tag] = release
        return not runs

    def stop(self, release: Release) -> None:
        self._machine.running.pop(release.tag, None)

    def route(self, endpoint: Endpoint) -> str:
        known = self._machine.routes.get(endpoint.name)
        if known is None or known.revision <= endpoint.revision:
            self._machine.routes[endpoint.name] = endpoint
        return f"memory:{endpoint.name}"

    def observe(self, endpoint: Endpoint) -> Observation:
        running = self._machine.running
        return Observation(
            url=f"memory:{endpoint.name}",
            gateway=bool(running),
            releases={
                r.tag: ReleaseHealth(running=r.tag in running, healthy=r.tag in running) for r in endpoint.releases
            },
        )

    def observe_all(self, endpoints: Sequence[Endpoint]) -> Mapping[str, Observation]:
        return {endpoint.name: self.observe(endpoint) for endpoint in endpoints}

    def limits(self, release: Release) -> tuple[str, ...]:
        return ()

    def usage(self, releases: Sequence[Release]) -> Mapping[str, Usage]:
        one = Usage(cpu_seconds=1.0, memory=2**20, workers=1)
        return {release.tag: one for release in releases if release.tag in self._machine.running}

    def output(self, release: Release, most: int) -> str:
        return "started\n"[-most:] if release.tag in self._machine.running else ""

    def lost(self) -> bool:
        return False

    def forget(self, endpoint: str, tags: Sequence[str]) -> None:
        self._machine.routes.pop(endpoint, None)

    def down(self) -> None:
        self._machine.running.clear()
