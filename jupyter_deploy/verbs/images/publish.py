"""publish: from a release to an image in a registry."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from jupyter_deploy.domain.base import now, size_in_words, user_name
from jupyter_deploy.domain.capture.artifacts import Bento, Snapshot, minor_of
from jupyter_deploy.domain.errors import BaseUnfit, InvalidInput, Refused
from jupyter_deploy.domain.images.attestations import (
    BILL_TYPE,
    PROVENANCE_TYPE,
    TEST_RESULT_TYPE,
    provenance_of,
    results_of,
)
from jupyter_deploy.domain.images.images import SBOM_TYPE, Image, Publication, Reference, as_source, labels_of
from jupyter_deploy.domain.images.ports import ImagePlan
from jupyter_deploy.domain.images.published import Published, destination_of, run_line
from jupyter_deploy.domain.images.requests import PublishRequest
from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.release.endpoint import Release
from jupyter_deploy.verbs.build import build
from jupyter_deploy.verbs.capture import load_snapshot
from jupyter_deploy.verbs.change import find
from jupyter_deploy.verbs.gates.publish_gate import forced_or_passed
from jupyter_deploy.verbs.steps import Steps, noted_if_interrupted

_LATEST = 3  # images of the same repository whose layers are listed before an upload


def publish(request: PublishRequest, ports: Ports, report: Report) -> Published:
    """Build the image of a release, send it, attach its bill of materials, sign it, store the publication.

    Faulty requests are refused before the image is built. After an interrupt the same command continues: finished
    parts are used, and a tag names a whole image or none. The interrupt has a note with the finished steps.
    """
    so_far = _SoFar()
    with noted_if_interrupted(lambda: f"{so_far.words}; run it again: finished parts are used"):
        return _published(_possible(request, ports), request, ports, report, so_far)


def publish_new(release: Release, snapshot: Snapshot, ports: Ports, report: Report) -> Reference:
    """Publish a release that its endpoint does not have yet; return the image by its digest.

    Its deploy has enforced the endpoint's gates. A tag that names another image is not moved: another version of
    nbdeploy, or another user, may have published the same snapshot. The release is named by its digest in any case.
    """
    request = PublishRequest(name=release.endpoint, release=release.tag)
    so_far = _SoFar()
    with noted_if_interrupted(lambda: f"{so_far.words}; deploy again: finished parts are used"):
        reference = reference_for(request, release.endpoint, release, ports)
        named = ports.images.registry.digest(reference)
        if named is not None and named not in _digests_of(snapshot, ports):
            reference = reference.at(tag=f"{reference.tag}-{now():%Y%m%d%H%M%S}")
        inputs = _inputs(request, release, snapshot, ports, reference=reference, forced="")
        published = _published(inputs, request, ports, report, so_far)
    return inputs.reference.at(digest=published.publication.image.digest)


@dataclass
class _SoFar:
    """The finished steps of a publication, for the note of an interrupt."""

    words: str = "nothing was made or sent"


def _published(
    inputs: _PublishInputs, request: PublishRequest, ports: Ports, report: Report, so_far: _SoFar
) -> Published:
    images = ports.images
    progress = Steps(report, total=3 + (not request.dry_run) * (2 + bool(inputs.key)))
    progress(f"asking {inputs.reference.registry}")
    signer = images.registry.public_key(inputs.key) if inputs.key else None
    _require_free(inputs, images.registry.digest(inputs.reference), _digests_of(inputs.snapshot, ports), request)
    builder = images.builder(request.builder)
    builder.check(inputs.plan(Bento(tag=inputs.snapshot.tag, snapshot_digest=inputs.snapshot.digest, path="")))

    progress("building the bento")
    so_far.words = "no image was made and nothing was sent; finished layers are kept"
    bento = build(inputs.snapshot, ports)
    progress("building the image")
    image = builder.build(inputs.plan(bento), lambda words: progress(f"building the image: {words}", False))
    so_far.words = f"the image was made, and nothing of it is in {inputs.reference.registry} yet"
    with ThreadPoolExecutor(1) as pool:  # the bill is written during the upload
        bill = pool.submit(images.bill_of_materials, inputs.snapshot, image)
        named = images.registry.digest(inputs.reference)  # read again, since a build may take a while
        _require_free(inputs, named, {image.digest}, request)
        reference = inputs.reference.at(tag=inputs.reference.tag, digest=image.digest)
        publication = Publication(
            reference=str(reference),
            image=image,
            endpoint=request.name,
            validation=inputs.validation,
            forced=inputs.forced,
            choice=inputs.release.choice.words if inputs.release.choice else "",
            signed_by=signer,
            published_at=now(),
            user=user_name(),
        )
        before = next((one for one in ports.store.publications() if one.reference == str(reference)), None)
        changed = named != image.digest or not before or _states_more(publication, before)
        if request.dry_run:
            there = _present_layers(image, inputs.reference, ports)
        elif before and not changed:
            publication, there = before, tuple(layer.digest for layer in image.layers)
        else:
            there = _send(image, reference, ports, progress, so_far)
            document = bill.result()
            publication = publication.model_copy(update={"bill_of_materials": hashlib.sha256(document).hexdigest()})
            _attach(publication, document, inputs, ports, progress)
            ports.store.keep_publication(publication)
        recipe = images.store.containerfile(image.digest)
        return Published(
            publication=publication,
            release=inputs.snapshot.tag,
            there=there,
            bill_of_materials=len(bill.result()),
            command=run_line(reference, inputs.release.resources),
            containerfile=str(recipe) if recipe else None,
            dry_run=request.dry_run,
            changed=changed or request.dry_run,
        )


@dataclass(frozen=True)
class _PublishInputs:
    """The checked inputs of a publication: reference, snapshot, release, base image, key, reason to force."""

    reference: Reference
    snapshot: Snapshot
    release: Release
    base: str
    key: Path | None
    forced: str

    @property
    def validation(self) -> str | None:
        return self.release.validation.id if self.release.validation else None

    def plan(self, bento: Bento) -> ImagePlan:
        gpu = self.release.resources.gpu
        return ImagePlan(
            snapshot=self.snapshot,
            bento=bento,
            base=self.base,
            labels=labels_of(self.snapshot),
            gpu=gpu is not None and gpu != "none",
        )


def _possible(request: PublishRequest, ports: Ports) -> _PublishInputs:
    """Check everything that needs no registry, unless the default base has to be asked for."""
    endpoint = find(ports, request.name)
    release = endpoint.release(request.release or endpoint.traffic.stable)
    reference = reference_for(request, endpoint.name, release, ports)
    forced = forced_or_passed(endpoint, release, request, ports)
    snapshot = load_snapshot(release.tag, trust=False, ports=ports)
    return _inputs(request, release, snapshot, ports, reference=reference, forced=forced)


def _inputs(
    request: PublishRequest, release: Release, snapshot: Snapshot, ports: Ports, *, reference: Reference, forced: str
) -> _PublishInputs:
    ports.store.check()
    base = request.base or ports.images.base
    if base is None:
        _require_no_other_language(snapshot)
        base = base_before(snapshot, ports) or ports.images.default_base(snapshot.manifest.environment)
    key = Path(request.sign).expanduser() if request.sign else ports.images.key
    return _PublishInputs(reference, snapshot, release, as_source(base), key, forced)


def _require_no_other_language(snapshot: Snapshot) -> None:
    """Raise BaseUnfit if the model needs another language than Python, which the default base lacks.

    A translation needs none.
    """
    language = snapshot.manifest.provenance.language
    if language != "python" and snapshot.manifest.translation is None:
        raise BaseUnfit(
            f"{snapshot.tag} needs {language} and its packages, which the default base image lacks",
            f"name a base image that has them and Python {snapshot.manifest.environment.minor}: --base",
        )


def base_before(snapshot: Snapshot, ports: Ports) -> str | None:
    """Return the base of this store's last publication for the same Python, if it is pinned in a registry."""
    images = (one.image for one in ports.store.publications())
    minor = snapshot.manifest.environment.minor
    return next((one.base for one in images if minor_of(one.python) == minor and _is_pinned(one.base)), None)


def _is_pinned(base: str) -> bool:
    """Whether a base is named by registry and digest, and is no folder or file of this machine."""
    try:
        return Reference.parse(base).digest is not None
    except InvalidInput:
        return False


def reference_for(request: PublishRequest, endpoint: str, release: Release | None, ports: Ports) -> Reference:
    """Return the reference to publish to, with a release's version as its tag unless it has one (None: no tag).

    Raises
    ------
    InvalidInput
        The place is no reference, has a digest, or is missing.
    """
    published = ports.store.publications(endpoint=endpoint)
    place = destination_of(endpoint, request.to or ports.images.to, published)
    if not place:
        raise InvalidInput(
            f"{endpoint} has no place to be published to",
            f"write --to HOST/PATH, such as registry.example/team/{endpoint}, or publish_to in nbdeploy.yaml; the next "
            "time it is remembered",
        )
    reference = Reference.parse(place)
    if reference.digest:
        raise InvalidInput(
            f"'{reference}' has a digest, which is only known when the image is built", f"write {reference.name}"
        )
    return reference if reference.tag or release is None else reference.at(tag=release.version)


def _require_free(inputs: _PublishInputs, named: str | None, own: Iterable[str], request: PublishRequest) -> None:
    """Raise Refused if the tag names another image than this release's."""
    if named is None or named in own or request.overwrite:
        return
    raise Refused(
        f"{inputs.reference} names another image already: {named}",
        f"choose another tag, --to {inputs.reference.name}:TAG, or move the tag: --overwrite",
    )


def _digests_of(snapshot: Snapshot, ports: Ports) -> set[str]:
    """Return the digests of the images of a snapshot in this store and its publications."""
    known = [*ports.images.store.images(), *(one.image for one in ports.store.publications())]
    return {image.digest for image in known if image.snapshot_digest == snapshot.digest}


def _present_layers(image: Image, reference: Reference, ports: Ports) -> tuple[str, ...]:
    """Return the layers of an image that the latest images of the same repository have."""
    known = [Reference.parse(one.reference) for one in ports.store.publications()]
    latest = [one.at(digest=one.digest) for one in known if one.name == reference.name][:_LATEST]
    present = frozenset[str]().union(*(ports.images.registry.layers(one) for one in (reference, *latest)))
    return tuple(layer.digest for layer in image.layers if layer.digest in present)


def _states_more(publication: Publication, before: Publication) -> bool:
    """Whether a publication of the same image has another signer, validation, choice or reason to force than before."""
    stated = publication.model_copy(update={"signed_by": publication.signed_by or before.signed_by})
    fields = ("signed_by", "validation", "forced", "choice")
    return any(getattr(stated, name) != getattr(before, name) for name in fields)


def _send(image: Image, reference: Reference, ports: Ports, progress: Steps, so_far: _SoFar) -> tuple[str, ...]:
    """Send the image; return the layers that were there already."""
    registry = ports.images.registry
    progress(f"sending {len(image.layers)} layers, {size_in_words(image.size)}, as far as {reference.registry} has not")
    so_far.words = f"the image was made; {reference.registry} may have some of its layers by now, the tag comes last"
    tagged = reference.at(tag=reference.tag)
    there = registry.push(image, ports.images.store.folder, tagged, lambda words: progress(f"sending: {words}", False))
    so_far.words = (
        "the image is in the registry, without its publication, and perhaps without bill of materials and signature"
    )
    return tuple(layer.digest for layer in image.layers if layer.digest in there)


def _attach(publication: Publication, bill: bytes, inputs: _PublishInputs, ports: Ports, progress: Steps) -> None:
    """Attach the bill of materials; with a key, sign the image and attest bill, results of the gates, provenance."""
    registry, key = ports.images.registry, inputs.key
    exact = inputs.reference.at(digest=publication.image.digest)
    progress("attaching the bill of materials")
    registry.attach(exact, SBOM_TYPE, bill)
    if key is None:
        return
    progress("signing it")
    registry.sign(exact, key)
    for kind, predicate in _statements(publication, bill, inputs, ports):
        progress(f"signing it: attesting {kind}", False)
        registry.attest(exact, kind, predicate, key)


def _statements(
    publication: Publication, bill: bytes, inputs: _PublishInputs, ports: Ports
) -> Iterator[tuple[str, bytes]]:
    """The predicates that a signer attests, by type."""
    yield BILL_TYPE, bill
    past = ports.store.validations(endpoint=publication.endpoint)
    validation = next((one for one in past if one.id == publication.validation), None)
    if validation:
        yield TEST_RESULT_TYPE, json.dumps(results_of(validation, publication.forced)).encode()
    yield PROVENANCE_TYPE, json.dumps(provenance_of(inputs.snapshot, publication, inputs.release.choice)).encode()
