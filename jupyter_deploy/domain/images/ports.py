"""What publishing needs of the outside world, as Protocols; see ``ports``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from jupyter_deploy.domain.capture.artifacts import Bento, Snapshot

from .compose_ports import Composing
from .images import Builder, Contained, Image, Reference

Progress = Callable[[str], None]
"""Hears, in words, what is being done: layers, sizes, retries."""


@dataclass(frozen=True)
class ImagePlan:
    """What an image is to be made of.

    Attributes
    ----------
    base
        An image with the captured Python: what ``skopeo`` reads, such as ``docker://HOST/PATH@sha256:…`` or
        ``oci:/folder:tag``.
    gpu
        Whether the CUDA builds of libraries go in; else those for processors alone.
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
        """Raise, before slow work, for what cannot be built.

        Raises ToolMissing (also: there is no engine), BaseUnfit, InvalidInput.
        """

    def build(self, plan: ImagePlan, progress: Progress) -> Image:
        """An image in this user's image store; the same plan gives the same digest.

        Raises BaseUnfit, ImageNotBuilt. Nothing half-made counts, whatever ends the process.
        """


class ImageStore(Protocol):
    """Images on this machine: a folder in OCI's image layout, read and written by any tool that knows it."""

    @property
    def folder(self) -> Path: ...

    def images(self) -> list[Image]:
        """Newest first."""

    def image(self, digest: str) -> Image | None: ...

    def containerfile(self, digest: str) -> Path | None:
        """What an engine built an image by; None: it was built without one, or elsewhere."""

    def remove(self, digests: Sequence[str], *, dry_run: bool) -> int:
        """Forget images and remove what no other image uses; bytes that this frees."""


class Registry(Protocol):
    """Registries, by their own protocol. Credentials are the user's own files and helpers; none is kept or shown.

    All raise ToolMissing and RegistryError (unreachable, refused, not trusted, full; what was done, what is left).
    """

    def check(self, reference: Reference) -> None:
        """Raise, before slow work, if the registry does not answer or does not let this user in."""

    def digest(self, reference: Reference) -> str | None:
        """Of what a tag names now; None: nothing yet."""

    def layers(self, reference: Reference) -> frozenset[str]:
        """Digests of the layers of what a tag or digest names; none: nothing is there."""

    def image(self, reference: Reference) -> Image | None:
        """What the image at a digest says of itself, no layer being brought; None: nbdeploy did not make it."""

    def push(self, image: Image, store: Path, reference: Reference, progress: Progress) -> frozenset[str]:
        """Send what is not there yet, the tag last; cut off, it can be said again. Tries again, a little later.

        Digests of the layers that were there already.
        """

    def pull(self, reference: Reference, store: Path, progress: Progress) -> str:
        """Bring an image to the image store; its digest."""

    def attach(self, reference: Reference, kind: str, document: bytes) -> None:
        """Attach a document of this media type to the image at a digest, where cosign and others look for it."""

    def attached(self, reference: Reference, kind: str) -> bytes | None: ...

    def public_key(self, key: Path) -> str:
        """SHA-256 of the public key that belongs to a private one. Raises InvalidInput (no such key, or password)."""

    def sign(self, reference: Reference, key: Path) -> None:
        """Sign the image at a digest by a private key, offline. Raises InvalidInput (no such key)."""

    def verify(self, reference: Reference, key: Path) -> bool:
        """Whether somebody with the private key of this public one signed the image at a digest."""


class ImageContents(Protocol):
    """What is in the images of an image store, as a container of one sees it; nothing is unpacked or run.

    Paths are absolute ones of the image; what is missing there, or is no plain file, is left out.
    """

    def sha256(self, store: Path, digest: str, paths: Collection[str]) -> dict[str, str]:
        """Of these files. Raises StoreError (a part of the image is not in the store, or is not what it was)."""

    def read(self, store: Path, digest: str, paths: Collection[str]) -> dict[str, bytes]:
        """These files, which must be small. Raises StoreError."""


class Containers(Protocol):
    def of_images(self) -> tuple[Sequence[Contained], Sequence[str]]:
        """The containers of nbdeploy's images, also those that have ended; and which engines could not be asked, why.

        An engine that is not installed has none.
        """


class Engines(Protocol):
    def bring(self, engine: str, reference: Reference) -> None:
        """Have an image, by its digest, in the storage of ``podman`` or ``docker``; quick where it is there already.

        It comes from this machine's image store, or is pulled to it first. Raises ToolMissing, RegistryError,
        TargetError (the engine, or the image store, does not take it).
        """


class Imaging(Protocol):
    """All parts that have to do with container images, and what the settings say of them."""

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

    def bill_of_materials(self, snapshot: Snapshot, image: Image) -> bytes:
        """What is in an image of a snapshot: CycloneDX in JSON, the same each time."""

    @property
    def base(self) -> str | None: ...

    @property
    def to(self) -> str | None:
        """Where endpoints are published, ``{name}`` in it being the endpoint's name."""

    @property
    def key(self) -> Path | None:
        """The private key that images are signed by."""
