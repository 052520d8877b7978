"""An image's bill of materials: CycloneDX 1.6 in JSON, the same for the same image."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from email.utils import parseaddr
from importlib import metadata

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.contact import OrganizationalContact, OrganizationalEntity
from cyclonedx.model.license import License
from cyclonedx.model.tool import Tool
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.utils import canonicalize_name

from jupyter_deploy.domain.capture.artifacts import Manifest, Snapshot, minor_of
from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.images.images import Image, Reference
from jupyter_deploy.environments.r_lock import r_lock

from .base_packages import Package

_LONGEST_NAME = 100
"""Characters of a licence's name; some distributions put a whole licence into that field."""


_PYTHON = "Python Software Foundation"
_INDEX = "Python Package Index"
"""The supplier of a distribution whose author is not known here."""

_R = "The R Foundation"
_CRAN = "Comprehensive R Archive Network"


def bill_of_materials(
    snapshot: Snapshot, image: Image, packages: Sequence[Package] = (), sources: Mapping[str, tuple[str, str]] = {}
) -> bytes:
    """The document for an image of a snapshot, with the minimum elements of NTIA for each component.

    It lists the locked distributions, the Python, R and its locked packages, the model with its files, the base image
    by its digest, and the ``packages`` of the image's distribution. ``sources`` (name -> version, SHA-256) are the
    packages of R that were built from source. Authors, licences and hashes of distributions are
    included if the same version is installed here. The supplier of the model is the person who captured it. It is
    independent of time and machine.
    """
    manifest = snapshot.manifest
    user = manifest.provenance.user
    root = Component(
        type=ComponentType.CONTAINER,
        bom_ref="image",
        name=manifest.name,
        version=_version(snapshot),
        supplier=_supplier(user),
        purl=PackageURL("oci", name=manifest.name, version=image.digest),
        hashes=_sha256(image.digest),
    )
    base, model, captured = _base(image.base, packages), _model(snapshot), _snapshot(snapshot)
    parts = [
        base,
        _interpreter(image.python, packages),
        captured,
        model,
        *_of_r(snapshot, sources),
        *(_distribution(name, version) for name, version in manifest.environment.in_image.distributions.items()),
    ]
    installed = [_package(package) for package in packages]
    bom = Bom(
        serial_number=uuid.uuid5(uuid.NAMESPACE_URL, image.digest),
        metadata=BomMetaData(
            component=root,
            timestamp=manifest.provenance.captured_at,
            authors=[OrganizationalContact(name=user)],
            tools=[Tool(name="nbdeploy", version=metadata.version("nbdeploy"))],
        ),
        components=[*parts, *installed],
    )
    bom.register_dependency(root, parts)
    bom.register_dependency(base, installed)
    for one in (model, captured):
        bom.register_dependency(one, one.components)
    return f"{JsonV1Dot6(bom).output_as_string(indent=2)}\n".encode()


def _supplier(name: str) -> OrganizationalEntity:
    return OrganizationalEntity(name=name)


def _interpreter(version: str, packages: Iterable[Package]) -> Component:
    """The base's Python, of its distribution if that has a package of it."""
    package = f"python{minor_of(version)}"
    return Component(
        type=ComponentType.PLATFORM,
        bom_ref="python",
        name="python",
        version=version,
        supplier=_supplier(next((one.maintainer for one in packages if one.name == package), "") or _PYTHON),
        purl=PackageURL("generic", name="python", version=version),
        cpe=f"cpe:2.3:a:python:python:{version}:*:*:*:*:*:*:*",
    )


def _of_r(snapshot: Snapshot, sources: Mapping[str, tuple[str, str]]) -> Iterator[Component]:
    """R, the packages of its lock, and others that these need from source, if the model needs it."""
    lock = r_lock(snapshot)
    if lock is None:
        return
    yield Component(
        type=ComponentType.PLATFORM,
        bom_ref="r",
        name="r",
        version=lock.version,
        supplier=_supplier(_R),
        purl=PackageURL("generic", name="r", version=lock.version),
        cpe=f"cpe:2.3:a:r-project:r:{lock.version}:*:*:*:*:*:*:*",
    )
    further = {name: version for name, (version, _) in sources.items()}
    for name, version in sorted({**further, **lock.packages}.items()):
        purl = PackageURL("cran", name=name, version=version)
        yield Component(
            type=ComponentType.LIBRARY,
            bom_ref=str(purl),
            name=name,
            version=version,
            supplier=_supplier(_CRAN),
            purl=purl,
            hashes=_sha256(sources[name][1]) if name in sources else (),
        )


def _package(package: Package) -> Component:
    about = {"arch": package.architecture, "distro": package.distribution}
    purl = PackageURL(
        "deb",
        namespace=package.distribution.partition("-")[0],
        name=package.name,
        version=package.version,
        qualifiers={name: value for name, value in about.items() if value},
    )
    return Component(
        type=ComponentType.LIBRARY,
        bom_ref=str(purl),
        name=package.name,
        version=package.version,
        supplier=_supplier(package.maintainer or package.distribution),
        purl=purl,
    )


def _version(snapshot: Snapshot) -> str:
    return snapshot.tag.partition(":")[2]


def _base(base: str, packages: Sequence[Package]) -> Component:
    where, _, digest = base.removeprefix("docker://").rpartition("@")
    try:
        name = Reference.parse(where).name
    except InvalidInput:  # a folder or a file, whose path stays private
        name = "base image"
    return Component(
        type=ComponentType.CONTAINER,
        bom_ref="base",
        name=name,
        version=digest or None,
        supplier=_supplier(packages[0].distribution if packages else name.rpartition("/")[0] or "unknown"),
        purl=PackageURL("oci", name=name.rpartition("/")[2].replace(" ", "-"), version=digest or None),
        hashes=_sha256(digest),
    )


def _snapshot(snapshot: Snapshot) -> Component:
    """The captured files without the model: sources, data files; ``snapshot.json`` has their SHA-256."""
    manifest = snapshot.manifest
    others = {path: digest for path, digest in manifest.files.items() if path not in manifest.formats}
    return Component(
        type=ComponentType.DATA,
        bom_ref="snapshot",
        name=snapshot.tag,
        version=_version(snapshot),
        supplier=_supplier(manifest.provenance.user),
        purl=_own_purl(snapshot, "snapshot"),
        description="What nbdeploy captured from a notebook",
        hashes=_sha256(snapshot.digest),
        components=_files("snapshot", others, snapshot),
    )


def _model(snapshot: Snapshot) -> Component:
    manifest = snapshot.manifest
    return Component(
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref="model",
        name=manifest.name,
        version=_version(snapshot),
        supplier=_supplier(manifest.provenance.user),
        purl=_own_purl(snapshot, "model"),
        description=manifest.kind,
        components=_files("model", _of_model(manifest), snapshot),
    )


def _of_model(manifest: Manifest) -> dict[str, str]:
    return {path: digest for path, digest in manifest.files.items() if path in manifest.formats}


def _own_purl(snapshot: Snapshot, kind: str) -> PackageURL:
    return PackageURL("generic", namespace=kind, name=snapshot.manifest.name, version=_version(snapshot))


def _files(whose: str, files: Mapping[str, str], snapshot: Snapshot) -> list[Component]:
    return [
        Component(
            type=ComponentType.FILE,
            bom_ref=f"{whose}/{path}",
            name=path,
            version=_version(snapshot),
            supplier=_supplier(snapshot.manifest.provenance.user),
            hashes=_sha256(digest),
        )
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
        supplier=_supplier(_author(installed) or _INDEX),
        purl=purl,
        hashes=_archive(installed) if installed else (),
        licenses=_licences(installed) if installed else (),
    )


def _author(installed: metadata.Distribution | None) -> str:
    """The author or maintainer in its metadata; empty: it names none."""
    if installed is None:
        return ""
    for field in ("Author", "Maintainer", "Author-email", "Maintainer-email"):
        text = next(iter(installed.metadata.get_all(field) or ()), "")
        name = parseaddr(text)[0] if field.endswith("email") else text
        if name.strip() not in ("", "UNKNOWN"):
            return " ".join(name.split())[:_LONGEST_NAME]
    return ""


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
