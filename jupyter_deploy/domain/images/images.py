"""Container images of releases: names, contents, labels. Pure."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Literal

from pydantic import Field

from jupyter_deploy.domain.base import Value
from jupyter_deploy.domain.capture.artifacts import Snapshot
from jupyter_deploy.domain.errors import InvalidInput

Builder = Literal["daemonless", "engine"]
LayerKind = Literal["base", "system", "dependencies", "model", "code"]

# The grammar of distribution/reference, which registries and every client of theirs share.
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_HOST = r"(?:localhost|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+|[A-Za-z0-9-]+(?=:\d)|\[[0-9A-Fa-f:]+\])(?::\d{1,5})?"
_REFERENCE = re.compile(
    rf"(?P<registry>{_HOST})/(?P<repository>{_COMPONENT}(?:/{_COMPONENT})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)


class Reference(Value):
    """An image's name: ``registry.example:5000/team/tumour:1a2b3c@sha256:…``; tag and digest are optional."""

    registry: str
    repository: str
    tag: str | None = None
    digest: str | None = None

    @classmethod
    def parse(cls, text: str) -> Reference:
        """A reference as people write it.

        Raises
        ------
        InvalidInput
            The text is no reference, or names no registry: there is no default registry.
        """
        match = _REFERENCE.fullmatch(text)
        if match:
            return cls(**match.groupdict())
        raise InvalidInput(f"'{text}' names no image: {_wrong(text)}", "write HOST/PATH or HOST/PATH:TAG")

    @property
    def name(self) -> str:
        """The reference without tag and digest."""
        return f"{self.registry}/{self.repository}"

    def at(self, *, tag: str | None = None, digest: str | None = None) -> Reference:
        """The same repository at a tag, a digest, or both."""
        return self.model_copy(update={"tag": tag, "digest": digest})

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.name}{tag}{f'@{self.digest}' if self.digest else ''}"


_TRANSPORTS = ("docker://", "docker-archive:", "oci:", "oci-archive:")


def as_source(text: str) -> str:
    """An image in skopeo's notation, such as ``docker://HOST/PATH@sha256:…``, the default transport.

    Raises
    ------
    InvalidInput
        The text names no image.
    """
    if text.startswith(_TRANSPORTS):
        return text
    return f"docker://{Reference.parse(text)}"


def _wrong(text: str) -> str:
    first, slash, rest = text.partition("/")
    if "://" in text:
        return "remove the part before '://'"
    if not slash or not re.fullmatch(_HOST, first):
        return "it begins with the registry's host, such as registry.example or localhost:5000"
    if rest != rest.lower() and re.fullmatch(r"[^:@]*[A-Z][^:@]*.*", rest):
        return "its path is in lower-case letters"
    return "a path is words of a-z, 0-9, '.', '_' and '-' with '/' between; a tag has at most 128 characters"


class Layer(Value):
    """One layer; a registry stores and sends each once."""

    kind: LayerKind
    title: str = Field(description="What is in it, such as '62 distributions' or 'model.pkl'.")
    digest: str = Field(description="sha256:… of the bytes that are sent.")
    size: int = Field(description="Bytes that are sent.")


class Image(Value):
    """A built image; its digest is that of its manifest, in every store and registry."""

    digest: str
    snapshot: str = Field(description="The snapshot's tag; empty: it is a gateway's image.")
    snapshot_digest: str
    builder: Builder
    base: str = Field(description="The base image, with its digest.")
    platform: str = Field(description="As containers name it, such as linux/amd64.")
    python: str = Field(description="Full version of the base's Python, such as 3.11.2.")
    layers: tuple[Layer, ...]
    labels: dict[str, str] = {}

    @property
    def size(self) -> int:
        """Bytes of all layers as they are sent."""
        return sum(layer.size for layer in self.layers)


class Publication(Value):
    """An image in a registry, recorded by this store."""

    reference: str = Field(description="With tag and digest.")
    image: Image
    endpoint: str | None = None
    validation: str | None = Field(default=None, description="Of the release that was published; None: no gates.")
    forced: str = Field(default="", description="Why it was published although gates did not hold.")
    choice: str = Field(default="", description="The choice among models that led to the release; empty: none.")
    signed_by: str | None = Field(default=None, description="SHA-256 of the public key.")
    bill_of_materials: str = Field(default="", description="SHA-256 of the attached document.")
    published_at: datetime
    user: str


class Contained(Value):
    """A container of an image that nbdeploy made."""

    name: str = Field(description="As its engine names it, such as 'podman churn'.")
    snapshot_digest: str


SBOM_TYPE = "application/vnd.cyclonedx+json"
"""The media type of CycloneDX' bills of materials in JSON."""

SNAPSHOT_LABEL = "io.nbdeploy.snapshot"
SNAPSHOT_DIGEST_LABEL = "io.nbdeploy.snapshot.digest"
NOTEBOOK_LABEL = "io.nbdeploy.notebook.sha256"


def labels_of(snapshot: Snapshot) -> dict[str, str]:
    """The labels of an image about its origin, with OCI's names if there are any.

    They are the same for every user at every time; who and when are attested (``attestations``).
    """
    manifest = snapshot.manifest
    provenance = manifest.provenance
    labels = {
        "org.opencontainers.image.title": manifest.name,
        "org.opencontainers.image.version": snapshot.tag.partition(":")[2],
        "org.opencontainers.image.description": f"{manifest.kind}, served over HTTP",
        SNAPSHOT_LABEL: snapshot.tag,
        SNAPSHOT_DIGEST_LABEL: snapshot.digest,
    }
    if provenance.git:
        labels["org.opencontainers.image.revision"] = provenance.git.commit
        if provenance.git.source:
            labels["org.opencontainers.image.source"] = provenance.git.source
    if provenance.license:
        labels["org.opencontainers.image.licenses"] = provenance.license
    if provenance.notebook_sha256:
        labels[NOTEBOOK_LABEL] = provenance.notebook_sha256
    return labels


IMAGE_USER = 65532
"""User and group of an image's processes: numbers, which need no name in the base."""

# Paths in an image: the same in every image, so that layers with the same content are the same.
BENTO_FOLDER = "opt/nbdeploy/bento"
SNAPSHOT_FOLDER = "opt/nbdeploy/snapshot"

GATEWAY_FOLDER = "opt/nbdeploy/gateway"
"""The folder of Envoy (``envoy``), its start script (``start.py``) and its Python (``python``) in a gateway's image."""


def in_engine(engine: str, reference: Reference) -> str:
    """A container engine's name of the image at a digest.

    ``docker`` does not keep the digest of a loaded image, so the digest becomes its tag.
    """
    digest = reference.digest or ""
    return str(reference.at(digest=digest) if engine == "podman" else reference.at(tag=digest.replace(":", "-")))
