"""An image's bill of materials: CycloneDX 1.6 in JSON, the same for the same image."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from importlib import metadata

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import License
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.utils import canonicalize_name

from jupyter_deploy.domain.capture.artifacts import Manifest, Snapshot
from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.images.images import Image, Reference

_LONGEST_NAME = 100
"""Characters of a licence's name; some distributions put a whole licence into that field."""


def bill_of_materials(snapshot: Snapshot, image: Image) -> bytes:
    """The document for an image of a snapshot.

    It lists the locked distributions, the Python, the model with its files and the base image by its digest, without
    the base image's own packages. Licences and hashes of distributions are included if the same version is installed
    here. It is independent of time and machine.
    """
    manifest = snapshot.manifest
    root = Component(
        type=ComponentType.CONTAINER,
        bom_ref="image",
        name=manifest.name,
        version=_version(snapshot),
        hashes=_sha256(image.digest),
    )
    parts = [
        _base(image.base),
        Component(
            type=ComponentType.PLATFORM,
            bom_ref="python",
            name="python",
            version=image.python,
            purl=PackageURL("generic", name="python", version=image.python),
        ),
        _snapshot(snapshot),
        _model(snapshot),
        *(_distribution(name, version) for name, version in manifest.environment.distributions.items()),
    ]
    bom = Bom(
        serial_number=uuid.uuid5(uuid.NAMESPACE_URL, image.digest),
        metadata=BomMetaData(component=root, timestamp=manifest.provenance.captured_at),
        components=parts,
    )
    bom.register_dependency(root, parts)
    return f"{JsonV1Dot6(bom).output_as_string(indent=2)}\n".encode()


def _version(snapshot: Snapshot) -> str:
    return snapshot.tag.partition(":")[2]


def _base(base: str) -> Component:
    where, _, digest = base.removeprefix("docker://").rpartition("@")
    try:
        name = Reference.parse(where).name
    except InvalidInput:  # a folder or a file, whose path stays private
        name = "base image"
    return Component(
        type=ComponentType.CONTAINER, bom_ref="base", name=name, version=digest or None, hashes=_sha256(digest)
    )


def _snapshot(snapshot: Snapshot) -> Component:
    """The captured files without the model: sources, data files; ``snapshot.json`` has their SHA-256."""
    manifest = snapshot.manifest
    others = {path: digest for path, digest in manifest.files.items() if path not in manifest.formats}
    return Component(
        type=ComponentType.DATA,
        bom_ref="snapshot",
        name=snapshot.tag,
        description="What nbdeploy captured from a notebook",
        hashes=_sha256(snapshot.digest),
        components=_files("snapshot", others),
    )


def _model(snapshot: Snapshot) -> Component:
    manifest = snapshot.manifest
    return Component(
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref="model",
        name=manifest.name,
        version=_version(snapshot),
        description=manifest.kind,
        components=_files("model", _of_model(manifest)),
    )


def _of_model(manifest: Manifest) -> dict[str, str]:
    return {path: digest for path, digest in manifest.files.items() if path in manifest.formats}


def _files(whose: str, files: Mapping[str, str]) -> list[Component]:
    return [
        Component(type=ComponentType.FILE, bom_ref=f"{whose}/{path}", name=path, hashes=_sha256(digest))
        for path, digest in files.items()
    ]


def _distribution(name: str, version: str) -> Component:
    purl = PackageURL("pypi", name=canonicalize_name(name), version=version)
    try:
        installed = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        installed = None
    if installed and installed.version != version:
        installed = None
    return Component(
        type=ComponentType.LIBRARY,
        bom_ref=str(purl),
        name=name,
        version=version,
        purl=purl,
        hashes=_archive(installed) if installed else (),
        licenses=_licences(installed) if installed else (),
    )


def _archive(installed: metadata.Distribution) -> list[HashType]:
    """The hash of the installed archive, if the installer recorded it (PEP 610)."""
    noted = json.loads(installed.read_text("direct_url.json") or "{}").get("archive_info", {})
    return _sha256(noted.get("hashes", {}).get("sha256", ""))


def _licences(installed: metadata.Distribution) -> list[License]:
    """The licences in its metadata: an expression, else the field, else the classifiers."""
    about = installed.metadata
    fields = [*(about.get_all("License-Expression") or []), *(about.get_all("License") or []), ""]
    declared = fields[0].strip()
    if declared not in ("", "UNKNOWN") and "\n" not in declared and len(declared) <= _LONGEST_NAME:
        names: Iterable[str] = [declared]
    else:
        classifiers = about.get_all("Classifier") or []
        names = {classifier.rpartition(" :: ")[2] for classifier in classifiers if classifier.startswith("License :: ")}
    return [LicenseFactory().make_from_string(name) for name in sorted(names)]


def _sha256(digest: str) -> list[HashType]:
    """The hash of ``sha256:…`` or of bare hexadecimal digits; empty for an empty text."""
    content = digest.removeprefix("sha256:")
    return [HashType(alg=HashAlgorithm.SHA_256, content=content)] if content else []
