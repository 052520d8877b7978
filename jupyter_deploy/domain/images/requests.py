"""Requests of the verbs for container images; see ``domain.requests``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from jupyter_deploy.domain.base import FilePath
from jupyter_deploy.domain.requests import EndpointName, Force, Request

from .images import Builder

COMPOSE_FOLDER = "{name}-compose"
"""The default folder of an endpoint's Compose file, with ``{name}`` for the endpoint's name."""

GATEWAY_PORT = 8080
LEAST_PORT = 1024
"""The lowest port on which a container without capabilities may listen."""


class PublishRequest(Request):
    """Build a container image of a release, push it to a registry and record its digest.

    Any container runtime or cloud runs it without nbdeploy. Layers that the registry has are not sent again. A bill of
    materials (CycloneDX) is attached to the image, and with a key a signature.

    A release that does not pass its endpoint's gates is refused. For example:
    nbdeploy publish churn --to registry.example/team/churn. Details: docs/how-to/publish-an-image.md.
    """

    name: EndpointName
    release: str | None = Field(
        default=None,
        description="The release's tag, or the beginning of its version (default: the stable one).",
        json_schema_extra={"important": True, "completes": "release"},
    )
    to: str | None = Field(
        default=None,
        description="HOST/PATH or HOST/PATH:TAG (default: the setting publish_to, else the destination of the "
        "endpoint's last publication; the default tag is the release's version).",
        json_schema_extra={"important": True},
    )
    base: str | None = Field(
        default=None,
        description="The base image, HOST/PATH@sha256:… (default: the setting base_image, else that of the last "
        "publication, else python:X.Y-slim as container tools resolve it, pinned by its digest).",
        json_schema_extra={"important": True},
    )
    builder: Builder = Field(
        default="daemonless",
        description="The builder: daemonless needs no container engine; engine lets buildah, podman or docker build a "
        "Containerfile, which is kept.",
    )
    sign: str | None = Field(
        default=None, description="File of a private key of cosign for the signature (default: the setting sign_key)."
    )
    overwrite: bool = Field(default=False, description="Move a tag that names another image.")
    force: Force = False
    reason: str = Field(
        default="",
        description="The reason for --force; stored with the publication.",
        json_schema_extra={"important": False},
    )
    dry_run: bool = Field(
        default=False, description="Build the image, show its layers and those that the registry has; send nothing."
    )


class VerifyRequest(Request):
    """Check an image in a registry: its signature, and that its model is the validated one.

    The image is pulled to this machine and read, not run. The exit code is 0 if no check fails and a signature or this
    store vouches for the image, 1 if a check fails, 4 if nothing here vouches for it.
    """

    image: str = Field(description="HOST/PATH:TAG, HOST/PATH@sha256:… or both.", json_schema_extra={"positional": True})
    key: str | None = Field(
        default=None,
        description="The signer's public key, a file such as cosign.pub.",
        json_schema_extra={"important": True},
    )


class ImagesRequest(Request):
    """List the images of this machine's store and the published ones, with their uses."""


class GcRequest(Request):
    """Remove unused images from this machine's store, and unused snapshots of deleted endpoints.

    Registries are not touched. Images of endpoints, of revisions in their history, of publications and of containers
    stay.
    """

    dry_run: bool = Field(
        default=False, description="Show the images and snapshots that would be removed; remove none."
    )


class ComposeRequest(Request):
    """Write an endpoint as a Compose file: its releases from their published images, and a gateway.

    podman-compose and docker compose run it anywhere without nbdeploy, with the same shares, shadows, names and
    records. Each release with traffic must be published. The gateway's image, Envoy on the stable release's base, is
    built and pushed too.

    For example: nbdeploy compose churn. Details: docs/how-to/run-an-endpoint-with-compose.md.
    """

    name: EndpointName
    output_dir: Annotated[str, FilePath(written=True, default=COMPOSE_FOLDER)] = Field(
        default=COMPOSE_FOLDER,
        description="The folder, with {name} for the endpoint's name; made if need be.",
        json_schema_extra={"important": True},
    )
    port: int = Field(default=GATEWAY_PORT, ge=LEAST_PORT, le=65535, description="The gateway's port on 127.0.0.1.")
    push_to: str | None = Field(
        default=None,
        description="HOST/PATH of the gateway's image (default: the destination of the stable release's image).",
    )
    base: str | None = Field(
        default=None,
        description="The base of the gateway's image, HOST/PATH@sha256:… (default: the stable release's).",
    )
    overwrite: bool = Field(
        default=False,
        description="Overwrite project files that were changed or made by others; other files stay in any case.",
    )
    dry_run: bool = Field(default=False, description="Show the files; write and send nothing.")
