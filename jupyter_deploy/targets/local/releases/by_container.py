"""A release as a container of a published image: what was tested is what was published.

The supervised process is the engine's client in the foreground. It can be killed, and so can the engine's monitor, with
the container going on; so whatever starts, stops or clears away such a release ends its container first, by its name
(``Program.clear``).

A container sees the folders of its records, of feedback and of its socket, and no other; a link stands where the socket
of a process would be.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

from jupyter_deploy.domain.base import size_in_words
from jupyter_deploy.domain.errors import InvalidInput, TargetError, ToolMissing
from jupyter_deploy.domain.images.images import Reference, in_engine
from jupyter_deploy.domain.release.endpoint import Release
from jupyter_deploy.domain.release.processes import for_engine
from jupyter_deploy.domain.release.resources import Resources
from jupyter_deploy.system.home import private_folder
from jupyter_deploy.targets.local.runtime import Runtime
from jupyter_deploy.targets.local.settings import LocalSettings
from jupyter_deploy.targets.local.supervisor import launch
from jupyter_deploy.targets.local.supervisor.supervisord import Program

from .by_process import RETRIES
from .container_engine import Container, Engine, ask, find_engine, run_line
from .environment import folders_of, told
from .hardware import thread_words

ENDPOINT_LABEL = "io.nbdeploy.endpoint"
RELEASE_LABEL = "io.nbdeploy.release"
HOME_LABEL = "io.nbdeploy.home"

_SOCKETS = "/run/nbdeploy"
_SOCKET = "release.sock"

# Where a container sees the folders that a release writes into.
_PLACES = {"NBDEPLOY_RECORDS": "/records", "NBDEPLOY_FEEDBACK": "/feedback"}

# A container ends within ten seconds, its engine's client a moment later.
_STOP_SECONDS = 25


class ByContainer:
    """``workers.Way``.

    Parameters
    ----------
    stem
        What the names of this generation's files begin with.
    """

    def __init__(self, release: Release, settings: LocalSettings, runtime: Runtime, stem: str) -> None:
        self._release = release
        self._settings = settings
        self._runtime = runtime
        self._stem = stem
        self._reference = Reference.parse(release.image or "")

    def require(self) -> None:
        """An engine that works, and has the image.

        Raises
        ------
        ToolMissing, TargetError, RegistryError, InvalidInput
        """
        require_containable(self._release.resources, self._engine)
        self._settings.bring(self._engine.name, self._reference)

    def program(self, name: str, sockets: Sequence[str]) -> Program:
        """Its program; its folders are made."""
        engine, resources = self._engine, self._release.resources
        folder = private_folder(socket_folder(self._runtime, self._stem))
        user, owner = engine.identity(os.geteuid(), os.getegid())
        written = folders_of(self._release, self._settings)
        if owner is not None:
            for one in (folder, *written.values()):
                os.chown(one, owner, owner)
        link = Path(sockets[0])
        link.unlink(missing_ok=True)
        link.symlink_to(folder / _SOCKET)
        container = Container(
            name=self._name,
            image=in_engine(engine.name, self._reference),
            arguments=("--uds", f"{_SOCKETS}/{_SOCKET}"),
            user=user,
            labels={
                HOME_LABEL: _home(self._settings),
                ENDPOINT_LABEL: self._release.endpoint,
                RELEASE_LABEL: self._release.tag,
            },
            variables=told(self._release, self._settings) | resources.in_container | _PLACES,
            folders={folder: _SOCKETS} | {path: _PLACES[variable] for variable, path in written.items()},
            network=self._settings.otlp_endpoint is not None,
            memory=resources.memory,
            cpu=resources.cpu,
        )
        return Program(
            name=name,
            commands=[run_line(engine, container)],
            environment=for_engine(os.environ),
            folder=self._runtime.path / "empty",
            stop_seconds=_STOP_SECONDS,
            retries=RETRIES,
            ready=[str(folder / _SOCKET)],
            clear=engine.end(self._name),
        )

    def sweep(self) -> None:
        """End what a former runtime directory has left of it: its containers outlive that."""
        labels = {RELEASE_LABEL: self._release.tag, ENDPOINT_LABEL: self._release.endpoint}
        sweep(self._settings, labels, find=lambda: self._engine)

    def begin(self, plan: Path) -> None:
        """A container is begun by its engine alone."""

    def stand_by(self) -> None:
        """What is not there yet cannot wait: its image is not known."""

    def limits(self, resources: Resources, state: Path) -> tuple[str, ...]:  # noqa: ARG002 - of processes
        lines = [f"{resources.processes} workers, in one container"] if resources.processes > 1 else []
        if resources.cpu is not None:
            lines.append(f"cpu {resources.cpu:g}, by the container engine")
        if resources.memory is not None:
            lines.append(f"memory {size_in_words(resources.memory)}, by the container engine")
        return (*lines, *thread_words(resources))

    @cached_property
    def _engine(self) -> Engine:
        return find_engine()

    @property
    def _name(self) -> str:
        return f"nbdeploy-{_home(self._settings)}-{self._stem}"


def sweep(
    settings: LocalSettings,
    labels: Mapping[str, str] = MappingProxyType({}),
    *,
    find: Callable[[], Engine] = find_engine,
) -> None:
    """End the containers of this home that have these labels: whatever started them may have gone.

    ``find``: who was asked for its engine already is not asked again.

    Raises
    ------
    TargetError
        One is left.
    """
    try:
        engine = find()
    except (ToolMissing, TargetError):
        return  # nothing can be run by it, nor ended
    wanted = {HOME_LABEL: _home(settings), **labels}
    filters = [f"--filter=label={name}={value}" for name, value in wanted.items()]
    for name in _said(engine, ["ps", "--all", "--format={{.Names}}", *filters]).splitlines():
        for command in engine.end(name):
            why = launch.cleared(command, for_engine(os.environ))
            if why:
                raise TargetError(f"the container {name} could not be ended", "end it yourself", why)


def _home(settings: LocalSettings) -> str:
    return hashlib.sha256(os.fsencode(settings.home.absolute())).hexdigest()[:8]


def socket_folder(runtime: Runtime, stem: str) -> Path:
    """Where a container's socket is, and nothing else."""
    return runtime.path / "s" / f"{stem}.d"


def require_containable(resources: Resources, engine: Engine) -> None:
    """Raise for resources that a container cannot be given here.

    Raises
    ------
    InvalidInput
        A GPU.
    TargetError
        The engine cannot limit what is to be limited.
    """
    if resources.gpu not in (None, "none"):
        raise InvalidInput(
            f"a release that runs from its image has no GPU, and gpu={resources.gpu} is asked for",
            "add --resources gpu=none, or deploy it without --image",
        )
    wanted = {"memory": resources.memory, "cpu": resources.cpu}
    cannot = [name for name, value in wanted.items() if value is not None and name not in engine.controllers]
    if cannot:
        raise TargetError(
            f"{engine.name} cannot limit {' and '.join(cannot)} for this user: no control group for it is delegated",
            f"have it delegated (systemd: Delegate=yes for user@.service), or add --resources {cannot[0]}=any",
        )


def _said(engine: Engine, arguments: Sequence[str]) -> str:
    """What it prints; if it cannot do it, the start that follows says why."""
    return ask(engine.name, engine.path, arguments).stdout
