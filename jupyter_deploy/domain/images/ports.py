"""The ports of publishing, as Protocols; see ``ports``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from jupyter_deploy.domain.capture.artifacts import Bento, Environment, Snapshot

from .compose_ports import Composing
from .images import Builder, Contained, Image, Reference

Progress = Callable[[str], None]
"""Called with the present step in words: layers, sizes, retries."""


@dataclass(frozen=True)
class ImagePlan:
    """The inputs of an image.

    Attributes
    ----------
    base
        An image with the captured Python in ``skopeo``'s notation, such as ``docker://HOST/PATH@sha256:…`` or
        ``oci:/folder:tag``.
    gpu
        Whether the image has the CUDA builds of libraries; else it has the CPU builds.
    labels
        See ``images.labels_of``.
    """

    snapshot: Snapshot
    bento: Bento
    base: str
    labels: Mapping[str, str]
    gpu: bool = False


class ImageBuilder(Protocol):
    def check(self, plan: ImagePlan) -> None:
        """Raise, before slow work, if the image cannot be built.

        Raises ToolMissing (also without an engine), BaseUnfit, InvalidInput.
        """

    def build(self, plan: ImagePlan, progress: Progress) -> Image:
        """Build an image in this user's image store; the same plan gives the same digest.

        Raises BaseUnfit, ImageNotBuilt. An interrupted build leaves no image.
        """


class ImageStore(Protocol):
    """Images on this machine: a folder in OCI's image layout, which other tools can read and write."""

    @property
    def folder(self) -> Path: ...

    def images(self) -> list[Image]:
        """Newest first."""

    def image(self, digest: str) -> Image | None: ...

    def containerfile(self, digest: str) -> Path | None:
        """The Containerfile of an image; None: it was built without an engine, or elsewhere."""

    def remove(self, digests: Sequence[str], *, dry_run: bool) -> int:
        """Remove images with all blobs that no other image uses; returns the bytes freed."""


class Registry(Protocol):
    """Registries, by OCI's protocol. Credentials are the user's own files and helpers; none is stored or shown.

    All methods raise ToolMissing and RegistryError (unreachable, refused, not trusted, full; with the progress).
    """

    def check(self, reference: Reference) -> None:
        """Raise, before slow work, if the registry does not answer or rejects this user."""

    def digest(self, reference: Reference) -> str | None:
        """The digest behind a tag; None: the tag does not exist."""

    def layers(self, reference: Reference) -> frozenset[str]:
        """Digests of the layers of the image at a tag or digest; empty: there is no image."""

    def image(self, reference: Reference) -> Image | None:
        """The image at a digest, without fetching layers; None: nbdeploy did not make it."""

    def push(self, image: Image, store: Path, reference: Reference, progress: Progress) -> frozenset[str]:
        """Send missing layers, and the tag last, with retries; an interrupted push can be repeated.

        Returns the digests of the layers that the registry had already.
        """

    def pull(self, reference: Reference, store: Path, progress: Progress) -> str:
        """Pull an image to the image store; returns its digest."""

    def attach(self, reference: Reference, kind: str, document: bytes) -> None:
        """Attach a document of this media type to the image at a digest, under cosign's tag."""

    def attached(self, reference: Reference, kind: str) -> bytes | None: ...

    def public_key(self, key: Path) -> str:
        """SHA-256 of a private key's public key. Raises InvalidInput for a wrong key or password."""

    def sign(self, reference: Reference, key: Path) -> None:
        """Sign the image at a digest with a private key, offline. Raises InvalidInput for a wrong key."""

    def sign_file(self, file: Path, key: Path, signature: Path) -> None:
        """Write the signature of a file with a private key, offline. Raises InvalidInput for a wrong key."""

    def signed(self, reference: Reference, key: Path) -> bool:
        """Whether the image at a digest is signed with this private key. Raises as ``sign``."""

    def attest(self, reference: Reference, kind: str, predicate: bytes, key: Path) -> None:
        """Attest a predicate (JSON) of a type, in place of an earlier one, with a private key. Raises as ``sign``."""

    def attestation(self, reference: Reference, kind: str, key: Path) -> Mapping[str, Any] | None:
        """The predicate of a type that this public key's owner attested of the image at a digest."""

    def verify(self, reference: Reference, key: Path) -> bool:
        """Whether the image at a digest is signed with the private key of this public one."""


class ImageContents(Protocol):
    """Files in the images of an image store, as a container sees them; nothing is unpacked or run.

    Paths are absolute paths in the image; missing files, links and devices are omitted.
    """

    def sha256(self, store: Path, digest: str, paths: Collection[str]) -> dict[str, str]:
        """SHA-256 of these files. Raises StoreError if a blob of the image is missing or damaged."""

    def read(self, store: Path, digest: str, paths: Collection[str]) -> dict[str, bytes]:
        """The content of these small files. Raises StoreError."""


class Containers(Protocol):
    def of_images(self) -> tuple[Sequence[Contained], Sequence[str]]:
        """The containers of nbdeploy's images, also stopped ones, and the engines that failed, with reasons.

        An engine that is not installed has none.
        """


class Engines(Protocol):
    def load(self, engine: str, reference: Reference) -> None:
        """Load an image, by its digest, into the storage of ``podman`` or ``docker`` unless it is there.

        It comes from this machine's image store, to which it is pulled first if need be. Raises ToolMissing,
        RegistryError, TargetError (the engine or the image store cannot store it).
        """


class ArchivistImages(Protocol):
    """Images of the program that uploads records from pods."""

    def build(self, base: str, bucket: str, progress: Progress) -> Image:
        """Build the image in this user's store, with the client of the bucket's scheme; the index does not name it.

        The same base and the same versions give the same digest. Raises BaseUnfit, ImageNotBuilt, ToolMissing.
        """


class Imaging(Protocol):
    """All ports for container images, and their settings."""

    def builder(self, kind: Builder) -> ImageBuilder: ...

    @property
    def store(self) -> ImageStore: ...

    @property
    def contents(self) -> ImageContents: ...

    @property
    def registry(self) -> Registry: ...

    @property
    def containers(self) -> Containers: ...

    @property
    def engines(self) -> Engines: ...

    @property
    def composing(self) -> Composing: ...

    @property
    def archivists(self) -> ArchivistImages: ...

    def bill_of_materials(self, snapshot: Snapshot, image: Image) -> bytes:
        """The bill of materials of a snapshot's image: CycloneDX in JSON, reproducible."""

    @property
    def base(self) -> str | None: ...

    def default_base(self, environment: Environment) -> str:
        """The base without a setting, pinned by its present digest: ``python:X.Y-slim``, as container tools resolve it.

        Raises InvalidInput (it cannot be reached), ToolMissing.
        """

    @property
    def to(self) -> str | None:
        """The default destination of publications, with ``{name}`` for the endpoint's name."""

    @property
    def key(self) -> Path | None:
        """The private key for signatures."""

    @property
    def verify_key(self) -> Path | None:
        """The signer's public key that must have signed every image that a release runs from; None: any image runs."""
