"""images, gc: which images there are, what uses each, and the end of those that nothing uses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from jupyter_deploy.domain.images.images import Image, Reference
from jupyter_deploy.domain.images.published import Collected, ImageList, UsedImage
from jupyter_deploy.domain.images.requests import GcRequest, ImagesRequest
from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.release.endpoint import Release
from jupyter_deploy.domain.requests import Step


def images(request: ImagesRequest, ports: Ports, report: Report) -> ImageList:  # noqa: ARG001 - one shape
    """The images of this machine's store, and those that were published and are gone from it."""
    found = _found(ports)
    layers = {layer.digest: layer.size for one in found.images if one.here for layer in one.image.layers}
    return ImageList(
        folder=str(ports.images.store.folder),
        size=sum(layers.values()),
        images=(*found.images,),
        unasked=(*found.unasked,),
    )


def gc(request: GcRequest, ports: Ports, report: Report) -> Collected:
    """Remove from this machine's store what nothing uses.

    While a container engine cannot tell what it runs, no image goes.
    """
    report(Step(number=1, total=1, title="looking what uses the images"))
    found = _found(ports)
    here = [one for one in found.images if one.here]
    gone = [] if found.unasked else [one for one in here if not (one.used_by or one.published)]
    freed = ports.images.store.remove([one.image.digest for one in gone], dry_run=request.dry_run)
    return Collected(
        folder=str(ports.images.store.folder),
        removed=tuple(one.image for one in gone),
        kept=tuple(one for one in here if one not in gone),
        freed=freed,
        unasked=(*found.unasked,),
        dry_run=request.dry_run,
    )


@dataclass(frozen=True)
class _Found:
    images: Sequence[UsedImage]
    unasked: Sequence[str]


def _found(ports: Ports) -> _Found:
    here = {image.digest: image for image in ports.images.store.images()}
    publications = ports.store.publications()
    everywhere = here | {one.image.digest: one.image for one in publications if one.image.digest not in here}
    users = _users(ports)
    containers, unasked = ports.images.containers.of_images()
    newest = _newest(here.values())
    found = [
        UsedImage(
            image=image,
            here=digest in here,
            published=tuple(one.reference for one in publications if one.image.digest == digest),
            used_by=(
                *(users.get(image.snapshot_digest, ()) if digest in newest else ()),
                *users.get(digest, ()),
                *(one.name for one in containers if one.snapshot_digest == image.snapshot_digest),
            ),
        )
        for digest, image in everywhere.items()
    ]
    return _Found(found, unasked)


def _newest(images: Iterable[Image]) -> set[str]:
    """Of several images of one snapshot the newest: it is the one that a release of it would run from."""
    found: dict[str, str] = {}
    for image in images:  # newest first
        found.setdefault(image.snapshot_digest, image.digest)
    return set(found.values())


def _users(ports: Ports) -> dict[str, tuple[str, ...]]:
    """The endpoints that refer to it now, else the latest of their revisions that did, by what is referred to."""
    found: dict[str, list[str]] = {}
    for endpoint in ports.store.endpoints():
        now = set()
        for release in endpoint.releases:
            role = endpoint.traffic.role_of(release.tag)
            found.setdefault(_referred(release), []).append(f"{endpoint.name} ({role})")
            now.add(_referred(release))
        for revision in ports.store.history(endpoint.name):  # newest first
            former = {_referred(release) for release in revision.state.releases} - now
            for digest in former:
                found.setdefault(digest, []).append(f"{endpoint.name} (revision {revision.revision})")
            now |= former
    return {digest: (*users,) for digest, users in found.items()}


def _referred(release: Release) -> str:
    """What a release needs: its image's digest, or its snapshot's."""
    return Reference.parse(release.image).digest or "" if release.image else release.digest
