"""The images of this machine's store, and their use by endpoints, publications and containers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from jupyter_deploy.domain.images.images import Image, Reference
from jupyter_deploy.domain.images.published import UsedImage
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.release.endpoint import Release


@dataclass(frozen=True)
class ImageUse:
    """The images with their users; ``unasked`` are container engines that do not answer."""

    images: Sequence[UsedImage]
    unasked: Sequence[str]


def find_images(ports: Ports) -> ImageUse:
    """Find the images of this machine's store, and the published ones that it no longer has."""
    here = {image.digest: image for image in ports.images.store.images()}
    publications = ports.store.publications()
    everywhere = here | {one.image.digest: one.image for one in publications if one.image.digest not in here}
    users = _users(ports)
    containers, unasked = ports.images.containers.of_images()
    newest = _newest(here.values())
    used = [
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
    return ImageUse(used, unasked)


def _newest(images: Iterable[Image]) -> set[str]:
    """Return the newest image of each snapshot: a release of the snapshot would run from it."""
    newest: dict[str, str] = {}
    for image in images:  # newest first
        newest.setdefault(image.snapshot_digest, image.digest)
    return set(newest.values())


def _users(ports: Ports) -> dict[str, tuple[str, ...]]:
    """Return the endpoints that refer to a digest now, else the latest of their revisions that did, by the digest."""
    users: dict[str, list[str]] = {}
    for endpoint in ports.store.endpoints():
        now = set()
        for release in endpoint.releases:
            role = endpoint.traffic.role_of(release.tag)
            users.setdefault(_referred(release), []).append(f"{endpoint.name} ({role})")
            now.add(_referred(release))
        for revision in ports.store.history(endpoint.name):  # newest first
            former = {_referred(release) for release in revision.state.releases} - now
            for digest in former:
                users.setdefault(digest, []).append(f"{endpoint.name} (revision {revision.revision})")
            now |= former
    return {digest: (*names,) for digest, names in users.items()}


def _referred(release: Release) -> str:
    """Return the digest of the release's image; if it has none, of its snapshot."""
    return Reference.parse(release.image).digest or "" if release.image else release.digest
