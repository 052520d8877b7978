"""The container engine of this machine: its choice, its abilities, and the command line of a release's container.

Podman is preferred to docker. This module holds all differences between their command lines.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from jupyter_deploy.domain.errors import InvalidInput, TargetError, ToolMissing
from jupyter_deploy.domain.images.images import IMAGE_USER
from jupyter_deploy.domain.release.processes import for_engine, last_lines

_CALL_SECONDS = 60.0

_PROCESSORS = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


@dataclass(frozen=True)
class Engine:
    """A container engine and its own information.

    Attributes
    ----------
    path
        The program.
    rootless
        It runs with a user's rights alone; the user's id is root's in a container, or a chosen one.
    controllers
        Those of ``memory`` and ``cpu`` that it can limit.
    """

    name: Literal["podman", "docker"]
    path: str
    rootless: bool
    controllers: frozenset[str]

    def identity(self, uid: int, gid: int) -> tuple[tuple[str, ...], int | None]:
        """Options that make a container's files this user's, and the owner that its folders need.

        ``uid`` and ``gid`` are this user's. The owner is None if folders of this user are the container's own.
        """
        image = f"--user={IMAGE_USER}:{IMAGE_USER}"
        if self.rootless and self.name == "podman":
            return (f"--userns=keep-id:uid={IMAGE_USER},gid={IMAGE_USER}", image), None
        if self.rootless:
            return ("--user=0:0",), None
        if uid != 0:  # docker's daemon is root, and not this user
            return (f"--user={uid}:{gid}",), None
        return (image,), IMAGE_USER

    def end(self, name: str, seconds: int) -> list[list[str]]:
        """Command lines that end a container, which has these seconds for its requests, and remove it, if it exists."""
        if self.name == "podman":
            return [[self.path, "rm", "--force", "--ignore", f"--time={seconds}", name]]
        return [[self.path, "stop", f"--time={seconds}", name], [self.path, "rm", "--force", name]]


@dataclass(frozen=True)
class Container:
    """A container to run.

    Attributes
    ----------
    image
        The engine's name of the image.
    user
        Options for the user, see ``Engine.identity``.
    secrets
        Variables whose values the engine's client has in its environment.
    folders
        Folder of this machine -> writable folder in the container.
    network
        Whether it may use this machine's network; else it has none.
    memory, cpu
        Bytes and processors; None: any.
    stop_seconds
        Seconds from SIGTERM until the engine kills it.
    """

    name: str
    image: str
    arguments: tuple[str, ...]
    user: tuple[str, ...]
    labels: Mapping[str, str]
    variables: Mapping[str, str]
    folders: Mapping[Path, str]
    stop_seconds: int
    network: bool = False
    memory: int | None = None
    cpu: float | None = None
    secrets: Sequence[str] = ()


def run_line(engine: Engine, container: Container) -> list[str]:
    """The command line that runs a container in the foreground; it ends with the container, and removes it."""
    line = [engine.path, "run", "--rm", f"--name={container.name}", "--pull=never"]
    if engine.name == "podman":
        # The container's output goes to the client's log, even if client and monitor are killed.
        line += ["--replace", "--read-only-tmpfs=false", "--log-driver=passthrough"]
    else:
        line.append("--log-driver=none")
    line += ["--read-only", "--tmpfs=/tmp:mode=1777", "--cap-drop=ALL", "--security-opt=no-new-privileges"]
    # With SELinux, a folder of the user is else closed to any container.
    line += ["--security-opt=label=disable", f"--network={'host' if container.network else 'none'}"]
    line += [f"--stop-timeout={container.stop_seconds}", *container.user]
    if container.memory is not None:
        line += [f"--memory={container.memory}", f"--memory-swap={container.memory}"]
    if container.cpu is not None:
        line += [f"--cpus={container.cpu:g}"]
    line += [f"--label={name}={value}" for name, value in container.labels.items()]
    line += [f"--env={name}={value}" for name, value in container.variables.items()]
    line += [f"--env={name}" for name in container.secrets]  # their values are the client's variables
    for here, there in container.folders.items():
        line += ["--mount", ",".join(map(_field, ("type=bind", f"source={here}", f"target={there}")))]
    return [*line, container.image, *container.arguments]


def _field(text: str) -> str:
    """As a field of a line of CSV, which the value of ``--mount`` is."""
    if not any(character in text for character in ',"\n'):
        return text
    doubled = text.replace('"', '""')
    return f'"{doubled}"'


def find_engine() -> Engine:
    """Podman, else docker.

    Raises
    ------
    ToolMissing
        Neither is installed.
    TargetError
        It does not work for this user.
    """
    for name, inspect in (("podman", _podman), ("docker", _docker)):
        path = shutil.which(name)
        if path is not None:
            return inspect(path)
    raise ToolMissing(
        "a release that runs from its image needs a container engine, and neither podman nor docker is installed",
        "install the package 'podman', or deploy it without --image",
    )


def require_platform(required: str) -> None:
    """Raise InvalidInput for an image of another platform than this machine's."""
    own = f"{platform.system().lower()}/{_PROCESSORS.get(platform.machine(), platform.machine())}"
    if sys.platform != "linux":
        raise InvalidInput(
            f"a release runs from its image on Linux alone, and this is {own}",
            "deploy it without --image: it runs in the environment that it was captured in",
        )
    if required != own:
        raise InvalidInput(
            f"the image is for {required}, and this machine is {own}",
            f"publish it on a machine like this one, with a base image for {own}, or deploy it without --image",
        )


def _podman(path: str) -> Engine:
    host = _info("podman", path, "info", "--format=json").get("host", {})
    controllers = frozenset(host.get("cgroupControllers") or ())
    rootless = bool(host.get("security", {}).get("rootless"))
    # With control groups version 1, only root may limit anything.
    return Engine("podman", path, rootless, controllers if rootless else controllers | {"memory", "cpu"})


def _docker(path: str) -> Engine:
    info = _info("docker", path, "info", "--format={{json .}}")
    if info.get("ServerErrors"):
        raise unusable("docker", "; ".join(info["ServerErrors"]))
    can = {"memory": info.get("MemoryLimit"), "cpu": info.get("CpuCfsQuota")}
    rootless = any("rootless" in option for option in info.get("SecurityOptions") or ())
    return Engine("docker", path, rootless, frozenset(name for name, able in can.items() if able))


def _info(name: str, path: str, *arguments: str) -> dict[str, Any]:
    ended = call_engine(name, path, arguments)
    try:
        info: dict[str, Any] = json.loads(ended.stdout)
    except ValueError:
        raise unusable(name, last_lines(ended.stderr, 3)) from None
    return info


def call_engine(name: str, path: str, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """The result of an engine's command, whatever its exit code.

    Raises TargetError if it cannot be started, or does not end within a minute.
    """
    try:
        return subprocess.run(
            [path, *arguments],
            env=for_engine(os.environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_CALL_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise unusable(name, str(error)) from error


def unusable(name: str, why: str) -> TargetError:
    """The error for an installed engine that does not work."""
    return TargetError(
        f"{name} is installed and does not work for this user: {why}",
        f"read the output of '{name} info', or deploy it without --image",
    )
