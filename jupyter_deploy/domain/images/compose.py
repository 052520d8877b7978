"""Plan and result of ``compose``: an endpoint as services of a Compose file. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath

from pydantic import Field

from jupyter_deploy.domain.base import Value
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.release.traffic import Role
from jupyter_deploy.domain.validation.scaffold import FileState, quoted

from .images import Reference

COMPOSE_FILE = "compose.yaml"
GATEWAY_FILE = "gateway/envoy.json"
"""In a folder of its own, which the gateway's container sees: it follows the file when that is replaced."""

README = "README.md"

FILES = (GATEWAY_FILE, README, COMPOSE_FILE)
"""The files in the order of their writing: if the last one exists, all do."""

TOKEN_VARIABLE = "NBDEPLOY_TOKEN"  # noqa: S105 - a variable's name
"""The variable of the gateway's container that holds the token of clients."""


@dataclass(frozen=True)
class ComposePlan:
    """Inputs of the files besides the settings.

    Attributes
    ----------
    images
        By a release's tag, its image with digest, for each release that has traffic.
    gateway
        The gateway's image with digest.
    port
        The gateway's port on 127.0.0.1.
    token
        Whether clients must carry a token.
    """

    endpoint: Endpoint
    images: Mapping[str, Reference]
    gateway: Reference
    port: int
    token: bool


class ComposedService(Value):
    """A release, and the service that runs it."""

    release: str = Field(description="The release's tag.")
    role: Role
    percent: float
    service: str
    image: str = Field(description="Its image, by its digest.")


class ComposedFile(Value):
    path: str = Field(description="In the folder.")
    state: FileState
    text: str = Field(repr=False)


class Composed(Value):
    """A folder with an endpoint's Compose file; with ``dry_run``, its future content."""

    endpoint: str
    revision: int
    folder: str
    files: tuple[ComposedFile, ...]
    releases: tuple[ComposedService, ...]
    gateway: str = Field(description="The gateway's image, by its digest.")
    url: str = Field(description="Where clients find it once it runs.")
    token: bool = Field(default=False, description="Whether clients must carry a token, which NBDEPLOY_TOKEN names.")
    dry_run: bool = False

    @property
    def command(self) -> str:
        """The command line that starts it.

        It pulls first: ``podman-compose up`` waits for ever for an image that cannot be pulled, ``pull`` fails.
        """
        token = f"{TOKEN_VARIABLE}=… " if self.token else ""
        file = quoted(str(PurePath(self.folder) / COMPOSE_FILE))
        compose = f"{token}podman-compose --file {file}"
        return f"{compose} pull && {compose} up --detach"


def service_of(tag: str) -> str:
    """The name of a release's service, by its version, so that a promotion keeps its container."""
    return tag.replace(":", "-")
