"""Results of the verbs for container images: ``publish``, ``verify``, ``images``, ``gc``. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from jupyter_deploy.domain.base import Value
from jupyter_deploy.domain.deletion import UnusedSnapshot
from jupyter_deploy.domain.release.resources import Resources
from jupyter_deploy.domain.validation.scaffold import quoted
from jupyter_deploy.domain.validation.validation import Verdict, worst

from .images import Image, Layer, Publication, Reference

PORT = 8080
"""The default port of a published container."""


class Published(Value):
    """A release's image in a registry; with ``dry_run``, the image that would be sent.

    ``changed`` is False if the tag named this image already, so that no layer was sent.
    """

    publication: Publication
    release: str = Field(description="The release's tag.")
    there: tuple[str, ...] = Field(description="Digests of the layers that the registry had already.")
    bill_of_materials: int = Field(description="Bytes of the CycloneDX document that is attached to the image.")
    command: str = Field(description="A line for a shell that starts the image.")
    containerfile: str | None = Field(
        default=None, description="The file that an engine built it by; None: it needed no engine."
    )
    changed: bool = True
    dry_run: bool = False

    @property
    def sent(self) -> tuple[Layer, ...]:
        """The layers that the registry lacked."""
        return tuple(layer for layer in self.publication.image.layers if layer.digest not in self.there)

    @property
    def sent_bytes(self) -> int:
        return sum(layer.size for layer in self.sent)


Subject = Literal["signature", "digest", "bill of materials", "gates", "snapshot", "model", "validation"]


class Evidence(Value):
    """The result of one check of an image; ``inconclusive``: it could not be decided here.

    ``digest``: whether this store published the image under the reference; ``bill of materials``: whether it is the one
    that the signer attested or this store published; ``gates``: whether they held, as the signer attested;
    ``snapshot``: whether label, bento and model name the same snapshot; ``model``: whether the files have the
    snapshot's hashes.
    """

    subject: Subject
    verdict: Verdict
    sentence: str


class Verified(Value):
    """The checks of an image and their verdict."""

    reference: str = Field(description="With its digest.")
    snapshot: str | None = Field(description="The tag of the snapshot in it; None: nbdeploy did not make it.")
    labels: dict[str, str] = {}
    evidence: tuple[Evidence, ...]
    verdict: Verdict


def verdict_of(evidence: Iterable[Evidence]) -> Verdict:
    """Fail if a check failed; pass if none failed and a signature or this store's publication vouches for the image.

    An image's agreement with itself is no reason to trust it: a forged image agrees with itself too.
    """
    checks = tuple(evidence)
    if worst(one.verdict for one in checks) == "fail":
        return "fail"
    vouched = any(one.verdict == "pass" and one.subject in ("signature", "digest") for one in checks)
    return "pass" if vouched else "inconclusive"


def published_at(reference: Reference, publications: Iterable[Publication]) -> str | None:
    """The digest that a store published last at the reference's tag; None: nothing.

    ``publications``: newest first.
    """
    known = (Reference.parse(one.reference) for one in publications)
    here = (one for one in known if reference.tag and (one.name, one.tag) == (reference.name, reference.tag))
    return next((one.digest for one in here), None)


class UsedImage(Value):
    """An image and its uses; ``here``: it is in this machine's image store."""

    image: Image
    here: bool
    published: tuple[str, ...] = Field(default=(), description="References, with tag and digest.")
    used_by: tuple[str, ...] = Field(default=(), description="In words, such as 'churn (stable)'; empty: nothing.")


class ImageList(Value):
    """The known images, newest first.

    ``unasked`` names the container engines that did not report their containers, with reasons.
    """

    folder: str = Field(description="This machine's image store.")
    size: int = Field(description="Bytes of its images, with shared blobs counted once.")
    images: tuple[UsedImage, ...]
    unasked: tuple[str, ...] = ()


class Collected(Value):
    """The images and snapshots removed from this machine's stores; with ``dry_run``, those that would be removed."""

    folder: str
    removed: tuple[Image, ...]
    kept: tuple[UsedImage, ...]
    snapshots: tuple[UnusedSnapshot, ...] = Field(
        default=(), description="Snapshots of deleted endpoints, with their bentos."
    )
    freed: int = Field(description="Bytes; also of layers and bases that no image needs any more.")
    unasked: tuple[str, ...] = Field(
        default=(), description="Container engines that did not report their containers: all images were kept."
    )
    dry_run: bool = False


def run_line(reference: Reference, resources: Resources) -> str:
    """The command line that runs an image without capabilities and read-only.

    ``resources``: those of its release, which the container gets too.
    """
    exact = reference.at(digest=reference.digest)  # some engines accept no tag with a digest
    words = ["podman", "run", "--rm", "--read-only", "--cap-drop=all", "-p", f"{PORT}:{PORT}"]
    words += [f"--cpus={resources.cpu:g}"] if resources.cpu else []
    words += [f"--memory={resources.memory}"] if resources.memory else []
    words += [f"--env={name}={value}" for name, value in resources.in_container.items()]
    devices = [] if resources.gpu in (None, "none") else str(resources.gpu).split(",")
    words += [f"--device=nvidia.com/gpu={device}" for device in devices]
    words.append(str(exact))
    return " ".join(map(quoted, words))


def destination_of(name: str, setting: str | None, publications: Iterable[Publication]) -> str:
    """An endpoint's default destination, HOST/PATH; empty: there is none.

    Parameters
    ----------
    setting
        ``publish_to``, with ``{name}`` for the endpoint's name.
    publications
        The endpoint's, newest first.
    """
    if setting:
        return setting.replace("{name}", name)
    last = next(iter(publications), None)
    return Reference.parse(last.reference).name if last else ""
