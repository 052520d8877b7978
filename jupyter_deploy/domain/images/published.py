"""What the verbs around container images give: ``publish``, ``verify``, ``images``, ``gc``. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from jupyter_deploy.domain.base import Value
from jupyter_deploy.domain.release.resources import Resources
from jupyter_deploy.domain.validation.scaffold import quoted
from jupyter_deploy.domain.validation.validation import Verdict, worst

from .images import Image, Layer, Publication, Reference

PORT = 8080
"""Where a published container listens unless it is told another port."""


class Published(Value):
    """A release's image in a registry, or with ``dry_run`` what would be there.

    ``changed`` is False when the tag named this very image already: no layer was sent.
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
        """The layers that the registry had not."""
        return tuple(layer for layer in self.publication.image.layers if layer.digest not in self.there)

    @property
    def sent_bytes(self) -> int:
        return sum(layer.size for layer in self.sent)


Subject = Literal["signature", "digest", "snapshot", "model", "validation"]


class Evidence(Value):
    """One thing that was asked of an image; ``inconclusive``: it could not be found out here.

    ``digest``: whether the reference names what this store published; ``snapshot``: whether label, bento and model name
    the same snapshot; ``model``: whether its files are those that the snapshot names.
    """

    subject: Subject
    verdict: Verdict
    sentence: str


class Verified(Value):
    """What could be found out about an image, and what follows from it."""

    reference: str = Field(description="With its digest.")
    snapshot: str | None = Field(description="The tag of the snapshot in it; None: nbdeploy did not make it.")
    labels: dict[str, str] = {}
    evidence: tuple[Evidence, ...]
    verdict: Verdict


def verdict_of(evidence: Iterable[Evidence]) -> Verdict:
    """Fail: something speaks against it. Pass: nothing does, and somebody vouches for it, who signed or published it.

    That an image agrees with itself is no reason to trust it: whoever made it up saw to that.
    """
    found = tuple(evidence)
    if worst(one.verdict for one in found) == "fail":
        return "fail"
    vouched = any(one.verdict == "pass" and one.subject in ("signature", "digest") for one in found)
    return "pass" if vouched else "inconclusive"


class UsedImage(Value):
    """An image and what uses it; ``here``: it lies in this machine's image store."""

    image: Image
    here: bool
    published: tuple[str, ...] = Field(default=(), description="References, with tag and digest.")
    used_by: tuple[str, ...] = Field(default=(), description="In words, such as 'churn (stable)'; empty: nothing.")


class ImageList(Value):
    """The images that are known, newest first.

    ``unasked`` says which container engines could not tell what they run, and why.
    """

    folder: str = Field(description="This machine's image store.")
    size: int = Field(description="Bytes of what its images are made of, what several share being there once.")
    images: tuple[UsedImage, ...]
    unasked: tuple[str, ...] = ()


class Collected(Value):
    """What went from this machine's image store, or with ``dry_run`` what would go."""

    folder: str
    removed: tuple[Image, ...]
    kept: tuple[UsedImage, ...]
    freed: int = Field(description="Bytes; also of layers and bases that no image needs any more.")
    unasked: tuple[str, ...] = Field(
        default=(), description="Container engines that could not tell what they run: all images were kept."
    )
    dry_run: bool = False


def run_line(reference: Reference, resources: Resources) -> str:
    """A line for a shell that starts an image as it is meant to run: without rights, and without writing anything.

    ``resources``: what its release may use, which the container is to have too.
    """
    exact = reference.at(digest=reference.digest)  # not every engine takes a tag beside it
    words = ["podman", "run", "--rm", "--read-only", "--cap-drop=all", "-p", f"{PORT}:{PORT}"]
    words += [f"--cpus={resources.cpu:g}"] if resources.cpu else []
    words += [f"--memory={resources.memory}"] if resources.memory else []
    words += [f"--env={name}={value}" for name, value in resources.in_container.items()]
    devices = [] if resources.gpu in (None, "none") else str(resources.gpu).split(",")
    words += [f"--device=nvidia.com/gpu={device}" for device in devices]
    words.append(str(exact))
    return " ".join(map(quoted, words))


def place_of(name: str, setting: str | None, publications: Iterable[Publication]) -> str:
    """Where an endpoint is published when nothing else is said, as HOST/PATH; empty: nothing says it.

    Parameters
    ----------
    setting
        ``publish_to``, ``{name}`` in it being the endpoint's name.
    publications
        The endpoint's, newest first.
    """
    if setting:
        return setting.replace("{name}", name)
    last = next(iter(publications), None)
    return Reference.parse(last.reference).name if last else ""
