"""A published image as the source of a deploy: it is identified, compared with its snapshot, verified and pulled."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jupyter_deploy.domain.capture.artifacts import Snapshot
from jupyter_deploy.domain.capture.ports import Live
from jupyter_deploy.domain.errors import InvalidInput, Refused
from jupyter_deploy.domain.images.images import Image, Reference
from jupyter_deploy.domain.images.published import published_at
from jupyter_deploy.domain.images.requests import VerifyRequest
from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.requests import DeployRequest, Step
from jupyter_deploy.domain.validation.validation import Underway
from jupyter_deploy.verbs.capture import as_tag, is_notebook, load_snapshot, with_waivers
from jupyter_deploy.verbs.steps import Steps

from .verify import verify


@dataclass(frozen=True)
class ImageSource:
    """The image of a deploy, and its snapshot.

    Attributes
    ----------
    request
        The deploy's request, with the image's digest in place of its tag, and the image's snapshot as the source.
    """

    request: DeployRequest
    image: Image
    snapshot: Snapshot


def require_image(request: DeployRequest, live: Live | None) -> None:
    """Raise InvalidInput if an option cannot be combined with ``--image``, or needs it."""
    if request.image is None:
        if request.verify is not None:
            raise InvalidInput("--verify needs an image", "add --image HOST/PATH:TAG")
        return
    reference = Reference.parse(request.image)
    if reference.tag is None and reference.digest is None:
        raise InvalidInput(
            f"{reference} names no image: its tag or digest is missing",
            f"write {reference}:TAG or {reference}@sha256:…",
        )
    if live is not None or (request.source and is_notebook(request.source)):
        raise InvalidInput(
            f"an image has its own model, so {request.source or 'another model'} cannot be deployed from it",
            "name the tag of the published snapshot, or none: the image names its snapshot",
        )
    if request.isolated:
        raise InvalidInput("an image has an environment of its own", "leave out --isolated")
    _require_key(request.verify)


def _require_key(key: str | Path | None) -> None:
    if key is not None and not Path(key).expanduser().is_file():
        raise InvalidInput(f"there is no key {key}", "name the signer's public key, such as cosign.pub")


def find_image(request: DeployRequest, ports: Ports, report: Report) -> ImageSource:
    """Find the image of a deploy by its own metadata, without pulling it.

    An image in this machine's store needs no request to its registry.

    Raises
    ------
    InvalidInput
        There is no such image, or it has no snapshot.
    Refused
        This store published another image at the tag; its snapshot is not the request's, or not the store's with that
        tag.
    UnknownSource, Untrusted
        Its snapshot is not in the store, or was not captured by it.
    ToolMissing, RegistryError
    """
    reference = Reference.parse(request.image or "")
    report(Step(number=1, total=1, title=f"asking {reference.registry} for {reference}"))
    key = request.verify or ports.images.verify_key
    _require_key(key)
    exact, image = _identify(reference, ports)
    _require_published(reference, exact, ports)
    if request.source and as_tag(request.source) != image.snapshot:
        raise Refused(
            f"{exact} is of {image.snapshot}, not of {request.source}",
            f"publish {request.source} and name that image, or deploy {image.snapshot}",
        )
    snapshot = load_snapshot(image.snapshot, trust=request.trust, ports=ports)
    if snapshot.digest != image.snapshot_digest:
        raise Refused(
            f"{exact} is not of the {image.snapshot} that is stored here",
            f"publish {image.snapshot} from here and name that image",
            f"stored   {snapshot.digest}\nin image {image.snapshot_digest}",
        )
    update = {"image": str(exact), "source": image.snapshot, "verify": None if key is None else str(key)}
    return ImageSource(request.model_copy(update=update), image, snapshot)


def require_replaceable(source: ImageSource, before: Endpoint | None) -> None:
    """Raise Refused if the image would replace the one that stable runs from, and the request does not say so.

    A release has the tag of its snapshot, so another image of stable's snapshot cannot be a shadow of it.
    """
    if before is None or source.image.snapshot != before.traffic.stable or source.request.role == "stable":
        return
    runs = before.release(before.traffic.stable).image
    if runs is None or Reference.parse(runs).digest != source.image.digest:
        raise Refused(
            f"{source.image.snapshot} is stable, and runs from {runs or 'its bento'}: {source.request.image} would "
            "answer all clients at once, and a release cannot be its own shadow",
            "verify the image, and replace what runs: --role stable --verify cosign.pub",
        )


def snapshot_of_image(source: ImageSource, ports: Ports, progress: Steps) -> Snapshot:
    """Verify the image if the request demands it, pull it into this machine's store, and return its snapshot.

    Raises
    ------
    CheckFailed
        The snapshot has findings that are not waived.
    Refused
        With ``verify``: that key did not sign the image, or the evidence does not pass.
    ToolMissing, RegistryError, StoreError
    """
    _pull(source, ports, progress)
    return with_waivers(source.snapshot, source.request)


def _pull(source: ImageSource, ports: Ports, progress: Steps) -> None:
    request, store = source.request, ports.images.store
    reference = Reference.parse(request.image or "")
    if request.verify is not None:
        _verify(reference, request.verify, ports, progress)  # which pulls the image too
        return
    title = f"bringing {reference}"
    progress(title)
    if store.image(source.image.digest) is None:
        ports.images.registry.pull(reference, store.folder, lambda words: progress(f"{title}: {words}", False))


def _verify(reference: Reference, key: str, ports: Ports, progress: Steps) -> None:
    progress(f"verifying {reference}")

    def report(step: Step | Underway) -> None:
        if isinstance(step, Step):
            progress(f"verifying {reference}: {step.title}", False)

    result = verify(VerifyRequest(image=str(reference), key=key), ports, report)
    if result.verdict != "pass":
        raise Refused(
            f"{reference} is not to be run: 'nbdeploy verify' does not pass it",
            "examine the evidence against it; without --verify, and without verify_key in the settings, a deploy runs "
            "it all the same",
            "\n".join(f"  {one.subject}: {one.sentence}" for one in result.evidence if one.verdict != "pass"),
        )


def _identify(reference: Reference, ports: Ports) -> tuple[Reference, Image]:
    """Return the image, and its reference with a digest in place of a tag."""
    registry, store = ports.images.registry, ports.images.store
    digest = reference.digest
    if digest is None:
        digest = registry.digest(reference)
    if digest is None:
        raise _missing(reference)
    exact = reference.at(digest=digest)
    image = store.image(digest) or registry.image(exact)
    if image is None:
        if registry.digest(exact) is None:
            raise _missing(reference)
        raise InvalidInput(
            f"{exact} was not made by nbdeploy: no snapshot is named in it",
            "name an image that 'nbdeploy publish' made",
        )
    return exact, image


def _require_published(reference: Reference, exact: Reference, ports: Ports) -> None:
    """Raise Refused if this store published another image at the tag: somebody else moved it since."""
    published = published_at(reference, ports.store.publications())
    if published not in (None, exact.digest):
        raise Refused(
            f"the tag {reference.tag} names {exact.digest}, but this store published {published} there",
            f"deploy the published image, --image {reference.at(digest=published)}; or check the other one and name it "
            f"by its digest: 'nbdeploy verify {exact} --key cosign.pub'",
        )


def _missing(reference: Reference) -> InvalidInput:
    return InvalidInput(f"there is no image {reference}", "look for a spelling mistake in path, tag and digest")
