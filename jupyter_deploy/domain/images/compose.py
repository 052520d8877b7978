"""What ``compose`` is made of and gives: an endpoint as services of a Compose file. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath

from pydantic import Field

from jupyter_deploy.domain.base import Value
from jupyter_deploy.domain.release.endpoint import Endpoint, Role
from jupyter_deploy.domain.validation.scaffold import FileState, quoted

from .images import Reference

COMPOSE_FILE = "compose.yaml"
GATEWAY_FILE = "envoy.json"
README = "README.md"

FILES = (GATEWAY_FILE, README, COMPOSE_FILE)
"""What is written into the folder, in this order: who finds the last one finds all."""

TOKEN_VARIABLE = "NBDEPLOY_TOKEN"  # noqa: S105 - a variable's name
"""By which the gateway's container is told the token that clients must carry."""


@dataclass(frozen=True)
class ComposePlan:
    """What the files depend on besides the settings.

    Attributes
    ----------
    images
        The image of each release that has traffic, by its digest; by the release's tag.
    gateway
        The gateway's image, by its digest.
    port
        Where clients find the gateway on 127.0.0.1.
    token
        Whether they must carry a token.
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
    """A folder with a Compose file of an endpoint, or with ``dry_run`` what would be in it."""

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
        """A line for a shell that starts it."""
        token = f"{TOKEN_VARIABLE}=… " if self.token else ""
        file = quoted(str(PurePath(self.folder) / COMPOSE_FILE))
        return f"{token}podman-compose --file {file} up --detach"


def service_of(tag: str) -> str:
    """What the service of a release is called: by its version, so that a promotion leaves its container alone."""
    return tag.replace(":", "-")
