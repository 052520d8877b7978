"""The verb ``verify``: evidence about an image in a registry."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.images.images import (
    BENTO_FOLDER,
    SNAPSHOT_DIGEST_LABEL,
    SNAPSHOT_FOLDER,
    Image,
    Reference,
)
from jupyter_deploy.domain.images.published import Evidence, Verified, published_at, verdict_of
from jupyter_deploy.domain.images.requests import VerifyRequest
from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.validation.validated import in_short
from jupyter_deploy.verbs.steps import Steps

from .verify_attestations import of_attestations

_SHOWN = 3  # files that differ are named


def verify(request: VerifyRequest, ports: Ports, report: Report) -> Verified:
    """Pull an image into this machine's store, unless it is there, and examine it; none of its code runs.

    Raises
    ------
    InvalidInput
        The text is no reference, or there is no such image.
    ToolMissing, RegistryError, StoreError
        See ``domain.errors``.
    """
    reference = Reference.parse(request.image)
    if reference.tag is None and reference.digest is None:
        raise InvalidInput(
            f"{reference} names no image: its tag or digest is missing",
            f"write {reference}:TAG or {reference}@sha256:…",
        )
    key = Path(request.key).expanduser() if request.key else None
    if key and not key.is_file():
        raise InvalidInput(f"there is no key {key}", "name the signer's public key, a file such as cosign.pub")
    images = ports.images
    progress = Steps(report, total=3)
    progress(f"asking {reference.registry}")
    named = images.registry.digest(reference.at(tag=reference.tag)) if reference.tag else None
    digest = reference.digest or named
    if digest is None or images.registry.digest(reference.at(digest=digest)) is None:
        raise InvalidInput(f"there is no image {reference}", "look for a spelling mistake in path, tag and digest")
    exact = reference.at(digest=digest)
    evidence = [_of_signature(exact, key, ports), _of_digest(reference, exact, named, ports)]
    evidence += of_attestations(exact, key, ports)

    title = f"bringing {exact}"
    progress(title)
    image = images.store.image(digest)
    if image is None:
        images.registry.pull(exact, images.store.folder, lambda words: progress(f"{title}: {words}", False))
        image = images.store.image(digest)
    progress("examining it")
    if image is None:
        sentence = f"{reference.name}@{digest} was not made by nbdeploy: no snapshot is named in it"
        evidence.append(Evidence(subject="snapshot", verdict="fail", sentence=sentence))
    else:
        evidence += [*_of_content(image, ports), _of_validation(image, ports)]
    return Verified(
        reference=str(reference.at(tag=reference.tag, digest=digest)),
        snapshot=image.snapshot if image else None,
        labels=image.labels if image else {},
        evidence=tuple(evidence),
        verdict=verdict_of(evidence),
    )


def _of_signature(exact: Reference, key: Path | None, ports: Ports) -> Evidence:
    if key is None:
        return Evidence(
            subject="signature", verdict="inconclusive", sentence="signatures were not verified: --key names no key"
        )
    if ports.images.registry.verify(exact, key):
        return Evidence(subject="signature", verdict="pass", sentence=f"signed by the owner of {key.name}")
    return Evidence(subject="signature", verdict="fail", sentence=f"NOT signed by the owner of {key.name}")


def _of_digest(reference: Reference, exact: Reference, named: str | None, ports: Ports) -> Evidence:
    """Compare the digest with this store's publications."""
    digest = exact.digest
    if reference.digest and reference.tag and named != digest:
        sentence = f"the tag {reference.tag} names {named or 'nothing'}, not {digest}"
        return Evidence(subject="digest", verdict="fail", sentence=sentence)
    publications = ports.store.publications()
    published = published_at(reference, publications)
    if published not in (None, digest):
        sentence = f"the tag {reference.tag} names {digest}, but this store published {published} there"
        return Evidence(subject="digest", verdict="fail", sentence=sentence)
    known = next((one for one in publications if Reference.parse(one.reference).digest == digest), None)
    if known:
        sentence = f"published by {known.user} on {known.published_at:%Y-%m-%d %H:%M} UTC, by this store's record"
        return Evidence(subject="digest", verdict="pass", sentence=sentence)
    return Evidence(subject="digest", verdict="inconclusive", sentence="this store did not publish it")


def _of_content(image: Image, ports: Ports) -> list[Evidence]:
    """Compare the snapshot that labels, bento and model name, and the model's files with their digests."""
    manifest, service = f"/{SNAPSHOT_FOLDER}/snapshot.json", f"/{BENTO_FOLDER}/src/service.py"
    store = ports.images.store.folder
    files = ports.images.contents.read(store, image.digest, (manifest, service))
    if manifest not in files or service not in files:
        sentence = f"there is no snapshot in it, though its label names {image.snapshot}"
        return [Evidence(subject="snapshot", verdict="fail", sentence=sentence)]
    digest = f"sha256:{hashlib.sha256(files[manifest]).hexdigest()}"
    others = [
        what
        for what, is_same in (
            (f"the label {SNAPSHOT_DIGEST_LABEL}", image.snapshot_digest == digest),
            ("its bento", digest.encode() in files[service]),
        )
        if not is_same
    ]
    sentence = f"label, bento and model name the snapshot {image.snapshot}, {digest}"
    if others:
        name = "names" if len(others) == 1 else "name"
        sentence = f"the model in it is the snapshot {digest}, but {' and '.join(others)} {name} another"
    evidence = [Evidence(subject="snapshot", verdict="fail" if others else "pass", sentence=sentence)]
    return [*evidence, _of_model(image, _files(files[manifest]), ports)]


def _of_model(image: Image, expected: Mapping[str, str], ports: Ports) -> Evidence:
    paths = {f"/{SNAPSHOT_FOLDER}/{name}": digest for name, digest in expected.items()}
    digests = ports.images.contents.sha256(ports.images.store.folder, image.digest, paths)
    wrong = [path for path, digest in paths.items() if digests.get(path) != digest]
    if not expected or wrong:
        more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        names = ", ".join(path.removeprefix(f"/{SNAPSHOT_FOLDER}/") for path in wrong[:_SHOWN])
        sentence = f"other files than the captured ones: {names}{more}" if wrong else "its snapshot.json names no files"
        return Evidence(subject="model", verdict="fail", sentence=sentence)
    return Evidence(
        subject="model", verdict="pass", sentence=f"all {len(expected)} files of the model are the captured ones"
    )


def _files(manifest: bytes) -> dict[str, str]:
    """The files that a snapshot names, by their paths in it, with their SHA-256; of any version of the format."""
    try:
        files = json.loads(manifest)["files"]
        return {str(name): str(digest) for name, digest in files.items()}
    except (ValueError, LookupError, TypeError, AttributeError):
        return {}


def _of_validation(image: Image, ports: Ports) -> Evidence:
    """What this store knows of the snapshot in an image."""

    def evidence(verdict: str, sentence: str) -> Evidence:
        return Evidence.model_validate({"subject": "validation", "verdict": verdict, "sentence": sentence})

    tag = image.snapshot
    known = ports.store.remembered(tag)
    if known is None:
        return evidence("inconclusive", f"this store knows no {tag}, so its validation is not known here")
    if known.digest != image.snapshot_digest:
        return evidence("fail", f"the {tag} that this store captured is {known.digest}, not {image.snapshot_digest}")
    forced = next((one.forced for one in ports.store.publications() if one.image.digest == image.digest), "")
    if forced:
        return evidence("fail", f"published although gates did not hold: {forced}")
    past = [one for one in ports.store.validations() if one.snapshot == tag]
    if not past:
        return evidence("inconclusive", f"{tag} was captured by this store, and never validated")
    words = in_short(past[0], ()).words
    return evidence(past[0].verdict, f"{words} ({past[0].at:%Y-%m-%d %H:%M} UTC)")
