"""A release as a container of a published image, so that the tested image is the published one.

The supervised process is the engine's client in the foreground. Client and engine monitor can be killed while the
container continues; so every start, stop and cleanup of such a release first ends its container by name
(``Program.clear``).

A container sees only the folders of its records, its feedback and its socket; a link in the socket's usual path leads
to the latter.
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
from jupyter_deploy.domain.release.resources import ANY, Resources
from jupyter_deploy.serving.hosting.exit_reasons import TERMINATION_LOG
from jupyter_deploy.system.home import private_folder, write_atomic
from jupyter_deploy.targets.local.runtime import Runtime
from jupyter_deploy.targets.local.settings import LocalSettings
from jupyter_deploy.targets.local.supervisor import launch
from jupyter_deploy.targets.local.supervisor.supervisord import Program

from .by_process import RETRIES
from .container_engine import Container, Engine, call_engine, find_engine, run_line
from .environment import folders_of, front_variables
from .hardware import thread_words
from .secret_sources import require_secrets, secret_sources

ENDPOINT_LABEL = "io.nbdeploy.endpoint"
RELEASE_LABEL = "io.nbdeploy.release"
HOME_LABEL = "io.nbdeploy.home"

_SOCKETS = "/run/nbdeploy"
_SOCKET = "release.sock"
_TERMINATION_LOG = "termination"

# The container's paths of the folders that a release writes to.
_MOUNTS = {"NBDEPLOY_RECORDS": "/records", "NBDEPLOY_FEEDBACK": "/feedback"}

# After the time for requests in progress the container ends by itself, or the engine ends it, or its client is ended.
_ENGINE_SECONDS, _CLIENT_SECONDS = 4, 10


class ContainerRunner:
    """``workers.Runner`` for containers.

    Parameters
    ----------
    stem
        The prefix of the names of this generation's files.
    """

    def __init__(self, release: Release, settings: LocalSettings, runtime: Runtime, stem: str) -> None:
        self._release = release
        self._settings = settings
        self._runtime = runtime
        self._stem = stem
        self._reference = Reference.parse(release.image or "")

    def require(self) -> None:
        """Raise unless an engine works; load the image into its storage.

        Raises
        ------
        ToolMissing, TargetError, RegistryError, InvalidInput
        """
        require_secrets(self._release, self._settings, self._runtime)
        require_containable(self._release.resources, self._engine)
        self._settings.load_image(self._engine.name, self._reference)

    def program(self, name: str, socket: str) -> Program:
        """The engine's client as a program; makes the folders."""
        engine, resources = self._engine, self._release.resources
        folder = private_folder(socket_folder(self._runtime, self._stem))
        user, owner = engine.identity(os.geteuid(), os.getegid())
        written = folders_of(self._release, self._settings)
        write_atomic(self.termination_log, "")
        if owner is not None:
            for path in (folder, self.termination_log, *written.values()):
                os.chown(path, owner, owner)
        link = Path(socket)
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
            variables=front_variables(self._release, self._settings)
            | {TERMINATION_LOG: f"{_SOCKETS}/{_TERMINATION_LOG}"}
            | _MOUNTS,
            folders={folder: _SOCKETS} | {path: _MOUNTS[variable] for variable, path in written.items()},
            secrets=tuple(self._release.secrets),
            # A secret opens something outside of the container.
            network=self._settings.otlp_endpoint is not None or bool(self._release.secrets),
            memory=resources.memory,
            cpu=resources.cpu,
            stop_seconds=_end_seconds(self._settings),
        )
        return Program(
            name=name,
            commands=[run_line(engine, container)],
            environment=for_engine(os.environ),
            folder=self._runtime.path / "empty",
            stop_seconds=self._settings.grace_seconds + _CLIENT_SECONDS,
            retries=RETRIES,
            ready=[str(folder / _SOCKET)],
            clear=engine.end(self._name, _end_seconds(self._settings)),
            secrets=secret_sources(self._release, self._settings, self._runtime),
        )

    @property
    def termination_log(self) -> Path:
        """The file that gets the reason of a failed start."""
        return socket_folder(self._runtime, self._stem) / _TERMINATION_LOG

    def sweep(self) -> None:
        """End the release's containers that outlived a former runtime directory."""
        labels = {RELEASE_LABEL: self._release.tag, ENDPOINT_LABEL: self._release.endpoint}
        sweep(self._settings, labels, find=lambda: self._engine)

    def limits(self, resources: Resources, state: Path) -> tuple[str, ...]:  # noqa: ARG002 - of processes
        lines = [f"{resources.workers} workers, in one container"] if resources.processes > 1 else []
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
    """End the containers of this home that have these labels.

    Parameters
    ----------
    find
        Returns the engine; a caller that has one already passes it.

    Raises
    ------
    TargetError
        A container could not be ended.
    """
    try:
        engine = find()
    except (ToolMissing, TargetError):
        return  # without an engine there are no containers to end
    selected = {HOME_LABEL: _home(settings), **labels}
    filters = [f"--filter=label={name}={value}" for name, value in selected.items()]
    for name in _output(engine, ["ps", "--all", "--format={{.Names}}", *filters]).splitlines():
        for command in engine.end(name, _end_seconds(settings)):
            why = launch.cleared(command, for_engine(os.environ), _end_seconds(settings))
            if why:
                raise TargetError(f"the container {name} could not be ended", "end it by hand", why)


def _end_seconds(settings: LocalSettings) -> int:
    return settings.grace_seconds + _ENGINE_SECONDS


def _home(settings: LocalSettings) -> str:
    return hashlib.sha256(os.fsencode(settings.home.absolute())).hexdigest()[:8]


def socket_folder(runtime: Runtime, stem: str) -> Path:
    """The folder of a container's socket, which holds nothing else."""
    return runtime.path / "s" / f"{stem}.d"


def require_containable(resources: Resources, engine: Engine) -> None:
    """Raise if a container cannot have these resources here.

    Raises
    ------
    InvalidInput
        A GPU or a stop when idle is requested.
    TargetError
        The engine cannot limit memory or cpu.
    """
    if resources.gpu not in (None, "none"):
        raise InvalidInput(
            f"a release that runs from its image has no GPU, and gpu={resources.gpu} is requested",
            "add --resources gpu=none, or deploy it without --image",
        )
    if resources.idle_after is not None:
        raise InvalidInput(
            "a release that runs from its image does not stop when idle, and idle_after is requested",
            f"add --resources idle_after={ANY}, or deploy it without --image",
        )
    limited = {"memory": resources.memory, "cpu": resources.cpu}
    cannot = [name for name, value in limited.items() if value is not None and name not in engine.controllers]
    if cannot:
        raise TargetError(
            f"{engine.name} cannot limit {' and '.join(cannot)} for this user: no control group for it is delegated",
            f"have it delegated (systemd: Delegate=yes for user@.service), or add --resources {cannot[0]}=any",
        )


def _output(engine: Engine, arguments: Sequence[str]) -> str:
    """The engine's output; if the call fails, the following start reports the reason."""
    return call_engine(engine.name, engine.path, arguments).stdout
