"""What the verbs around container images are asked with; see ``requests``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from jupyter_deploy.domain.base import FilePath
from jupyter_deploy.domain.requests import EndpointName, Force, Request

from .images import Builder

COMPOSE_FOLDER = "{name}-compose"
"""Where a Compose file of an endpoint goes if nothing else is said, ``{name}`` in it being the endpoint's name."""

GATEWAY_PORT = 8080
LEAST_PORT = 1024
"""Below it a container without rights may not listen."""


class PublishRequest(Request):
    """Make a container image of a release, send it to a registry and remember its digest.

    Any container runtime or cloud starts it; nothing of nbdeploy is needed for that. A layer that the registry has is
    not sent again. A bill of materials (CycloneDX) is attached to the image, and with a key a signature.

    A release that did not pass what its endpoint asks of releases is refused. For example:
    nbdeploy publish churn --to registry.example/team/churn. All of it: docs/publish.md.
    """

    name: EndpointName
    release: str | None = Field(
        default=None,
        description="The release's tag, or the beginning of its version (default: the stable one).",
        json_schema_extra={"important": True},
    )
    to: str | None = Field(
        default=None,
        description="HOST/PATH or HOST/PATH:TAG (default: the setting publish_to, else where the endpoint was "
        "published last; without a tag the release's version is the tag).",
        json_schema_extra={"important": True},
    )
    base: str | None = Field(
        default=None, description="The base image, HOST/PATH@sha256:… (default: the setting base_image)."
    )
    builder: Builder = Field(
        default="daemonless",
        description="What makes the image: daemonless needs no container engine; engine has buildah, podman or docker "
        "build a Containerfile, which is kept.",
    )
    sign: str | None = Field(
        default=None, description="Sign by this private key of cosign's, a file (default: the setting sign_key)."
    )
    overwrite: bool = Field(default=False, description="Have a tag name this image that names another one now.")
    force: Force = False
    reason: str = Field(
        default="", description="Why it is forced; kept with the publication.", json_schema_extra={"important": False}
    )
    dry_run: bool = Field(
        default=False, description="Make the image, show its layers and what the registry has of them; send nothing."
    )


class VerifyRequest(Request):
    """Check an image in a registry: who signed it, and that the model in it is the one that was validated.

    It is brought to this machine and read; nothing of it runs. The exit code is 0 when nothing speaks against it and a
    signature or this store vouches for it, 1 when something does, 4 when nobody here knows it.
    """

    image: str = Field(description="HOST/PATH:TAG, HOST/PATH@sha256:… or both.", json_schema_extra={"positional": True})
    key: str | None = Field(
        default=None,
        description="The signer's public key, a file such as cosign.pub.",
        json_schema_extra={"important": True},
    )


class ImagesRequest(Request):
    """The images of this machine's store and those that were published: what they are, and what uses each."""


class GcRequest(Request):
    """Remove the images that nothing uses from this machine's store; registries are not touched.

    What an endpoint, a revision in its history, a publication or a container refers to stays.
    """

    dry_run: bool = Field(default=False, description="Show what would go, and leave it.")


class ComposeRequest(Request):
    """Write an endpoint as a Compose file: its releases from their published images, and a gateway before them.

    podman-compose and docker compose run it anywhere, with the same shares, shadows, names and records; nothing of
    nbdeploy is needed for that. Each release that has traffic has to be published. The gateway's image, which is
    Envoy on the stable release's base, is made and sent beside it.

    For example: nbdeploy compose churn. All of it: docs/publish.md.
    """

    name: EndpointName
    output_dir: Annotated[str, FilePath(written=True, default=COMPOSE_FOLDER)] = Field(
        default=COMPOSE_FOLDER,
        description="The folder, {name} in it being the endpoint's name; made if need be.",
        json_schema_extra={"important": True},
    )
    port: int = Field(
        default=GATEWAY_PORT, ge=LEAST_PORT, le=65535, description="Where clients find the gateway, on 127.0.0.1."
    )
    push_to: str | None = Field(
        default=None,
        description="HOST/PATH where the gateway's image goes (default: where the stable release was published).",
    )
    base: str | None = Field(
        default=None,
        description="The base image of the gateway's, HOST/PATH@sha256:… (default: that of the stable release's).",
    )
    overwrite: bool = Field(
        default=False, description="Write over files that somebody else wrote or changed; others stay in any case."
    )
    dry_run: bool = Field(default=False, description="Show what would be written; write and send nothing.")
