"""A deploy from a published image: which image is meant, whether it is that of the snapshot, and who vouches for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jupyter_deploy.domain.capture.artifacts import Snapshot
from jupyter_deploy.domain.errors import InvalidInput, Refused
from jupyter_deploy.domain.images.images import Image, Reference
from jupyter_deploy.domain.images.requests import VerifyRequest
from jupyter_deploy.domain.ports import Live, Ports, Report
from jupyter_deploy.domain.requests import DeployRequest, Step
from jupyter_deploy.domain.validation.validation import Underway

from .capture import as_tag, is_notebook, stored
from .steps import Steps
from .verify import verify


@dataclass(frozen=True)
class Imaged:
    """A deploy whose image is known.

    Attributes
    ----------
    request
        As it was asked, but with the image's digest in the place of its tag, and its snapshot as the source.
    """

    request: DeployRequest
    image: Image
    snapshot: Snapshot


def require_image(request: DeployRequest, live: Live | None) -> None:
    """Raise InvalidInput for what cannot be asked beside an image, or without one."""
    if request.image is None:
        if request.verify is not None:
            raise InvalidInput("there is no image whose signature could be looked at", "add --image HOST/PATH:TAG")
        return
    reference = Reference.parse(request.image)
    if reference.tag is None and reference.digest is None:
        raise InvalidInput(f"which image of {reference} is meant?", f"write {reference}:TAG or {reference}@sha256:…")
    if live is not None or (request.source and is_notebook(request.source)):
        raise InvalidInput(
            f"an image holds a model already, so {request.source or 'another one'} cannot be deployed from it",
            "name the snapshot's tag that was published, or none: the image says it",
        )
    if request.isolated:
        raise InvalidInput("an image has an environment of its own", "leave out --isolated")
    if request.verify is not None and not Path(request.verify).expanduser().is_file():
        raise InvalidInput(f"there is no key {request.verify}", "name the signer's public key, such as cosign.pub")


def imaged(request: DeployRequest, ports: Ports, report: Report) -> Imaged:
    """The image that is meant, by what it says of itself; nothing of it is brought yet.

    One that lies in this machine's store already is not asked for in its registry.

    Raises
    ------
    InvalidInput
        There is no such image, or it is of no snapshot.
    Refused
        It is of another snapshot than the request's, or than the store has by that tag.
    UnknownSource, Untrusted
        Its snapshot is not in the store, or was not captured by it.
    ToolMissing, RegistryError
    """
    reference = Reference.parse(request.image or "")
    report(Step(number=1, total=1, title=f"asking {reference.registry} for {reference}"))
    exact, image = _found(reference, ports)
    if request.source and as_tag(request.source) != image.snapshot:
        raise Refused(
            f"{exact} is of {image.snapshot}, not of {request.source}",
            f"publish {request.source} and name that image, or deploy {image.snapshot}",
        )
    snapshot = stored(image.snapshot, trust=request.trust, ports=ports)
    if snapshot.digest != image.snapshot_digest:
        raise Refused(
            f"{exact} is not of the {image.snapshot} that is stored here",
            f"publish {image.snapshot} from here and name that image",
            f"stored   {snapshot.digest}\nin image {image.snapshot_digest}",
        )
    return Imaged(request.model_copy(update={"image": str(exact), "source": image.snapshot}), image, snapshot)


def bring(found: Imaged, ports: Ports, progress: Steps) -> None:
    """Have the image in this machine's store, vouched for if that is demanded.

    Raises
    ------
    Refused
        With ``verify``: it is not signed by that key's owner, or something speaks against it.
    ToolMissing, RegistryError, StoreError
    """
    request, store = found.request, ports.images.store
    reference = Reference.parse(request.image or "")
    bringing = f"bringing {reference}"
    if request.verify is not None:
        progress(f"verifying {reference}")

        def told(step: Step | Underway) -> None:
            if isinstance(step, Step):
                progress(f"verifying {reference}: {step.title}", False)

        result = verify(VerifyRequest(image=str(reference), key=request.verify), ports, told)
        if result.verdict != "pass":
            raise Refused(
                f"{reference} is not to be run: 'nbdeploy verify' does not pass it",
                "look into what speaks against it; without --verify it is run all the same",
                "\n".join(f"  {one.subject}: {one.sentence}" for one in result.evidence if one.verdict != "pass"),
            )
        return
    progress(bringing)
    if store.image(found.image.digest) is None:
        ports.images.registry.pull(reference, store.folder, lambda words: progress(f"{bringing}: {words}", False))


def _found(reference: Reference, ports: Ports) -> tuple[Reference, Image]:
    """The image's place with its digest alone, and the image."""
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


def _missing(reference: Reference) -> InvalidInput:
    return InvalidInput(f"there is no image {reference}", "look for a spelling mistake in path, tag and digest")
