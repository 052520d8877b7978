"""The gateway's image: its base, and its publication next to a release's image."""

from __future__ import annotations

from jupyter_deploy.domain.base import size_in_words
from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.images.images import Image, Reference, as_source
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.release.endpoint import Release
from jupyter_deploy.verbs.capture import load_snapshot
from jupyter_deploy.verbs.steps import Steps


def publish_gateway(release: Release, ports: Ports) -> str:
    """Publish the gateway's image in the repository of a release's image, if it is not there; return it by digest.

    Raises
    ------
    InvalidInput
        This store does not know the base of the release's image.
    ToolMissing, RegistryError
    """
    runs, base = _base(release, ports)
    environment = load_snapshot(release.tag, trust=False, ports=ports).manifest.environment
    image = ports.images.composing.gateways.build(base, environment, lambda _: None)
    send_gateway(image, runs.at(), ports, Steps(lambda _: None, total=1))
    return str(runs.at(digest=image.digest))


def publish_archivist(release: Release, bucket: str, ports: Ports) -> str:
    """Publish the image of the program that uploads records from pods, as ``publish_gateway`` does; return it."""
    runs, base = _base(release, ports)
    image = ports.images.archivists.build(base, bucket, lambda _: None)
    send_gateway(image, runs.at(), ports, Steps(lambda _: None, total=1), part="archivist")
    return str(runs.at(digest=image.digest))


def _base(release: Release, ports: Ports) -> tuple[Reference, str]:
    runs = Reference.parse(release.image or "")
    return runs, base_of(ports.images.store.image(runs.digest or ""), runs)


def base_of(image: Image | None, reference: Reference) -> str:
    """Return the base of an image, as skopeo reads it. Raises InvalidInput if this store does not know it."""
    if image is None or not image.base:
        raise InvalidInput(
            f"the gateway's image has no base, and that of {reference} is not known here",
            "name one that has the same Python: --base HOST/PATH@sha256:…",
        )
    name, _, _ = image.base.rpartition("@")
    # An image on this machine is named by its path alone.
    return as_source(name if name.startswith(("oci:", "oci-archive:", "docker-archive:")) else image.base)


def send_gateway(image: Image, to: Reference, ports: Ports, progress: Steps, *, part: str = "gateway") -> None:
    """Send the image of a part with a tag made of its digest, and sign it with the setting ``sign_key``.

    Registries remove images without a tag.
    """
    title = f"sending the {part}'s image, {size_in_words(image.size)}, as far as {to.registry} has not"
    progress(title)
    tagged = to.at(tag=f"{part}-{image.digest.removeprefix('sha256:')[:12]}")
    if ports.images.registry.digest(tagged) != image.digest:
        ports.images.registry.push(
            image, ports.images.store.folder, tagged, lambda words: progress(f"{title}: {words}", False)
        )
    exact, key = to.at(digest=image.digest), ports.images.key
    if key and not ports.images.registry.signed(exact, key):
        progress(f"signing the {part}'s image", False)
        ports.images.registry.sign(exact, key)
