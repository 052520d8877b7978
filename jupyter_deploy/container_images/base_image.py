"""The base image: fetched into the store, inspected once, and compared with the notebook's platform."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_deploy.domain.capture.artifacts import Environment
from jupyter_deploy.domain.errors import BaseUnfit, InvalidInput, ToolMissing
from jupyter_deploy.domain.images.images import Reference, as_source
from jupyter_deploy.environments.installer import without_credentials
from jupyter_deploy.system.digests import sha256

from .base_inspection import Python, inspect_layers
from .base_packages import Package
from .layout import BASE_DIGEST, BASE_KEY, BASE_NAME, Descriptor, ImageFolder, Writing
from .programs import run
from .short_names import candidates, user_file

_TAIL = 5
_DOCKER = "docker://"
_ARCHIVES = ("oci-archive:", "docker-archive:")

# Python's names of processors, and containers' names.
_PROCESSORS = {"x86_64": "amd64", "aarch64": "arm64", "ppc64le": "ppc64le", "s390x": "s390x", "riscv64": "riscv64"}


@dataclass(frozen=True)
class BaseSource:
    """The source of a base image.

    Attributes
    ----------
    source
        skopeo's name of it.
    name
        Its name for people.
    key
        Changes with its content.
    pinned
        The digest in its name; None: it is a file of this machine.
    """

    location: str
    name: str
    key: str
    pinned: str | None


@dataclass(frozen=True)
class Base:
    """A base in the store.

    Attributes
    ----------
    digest
        The digest in the manifests of images on it: the one in its name, else that of its manifest.
    held
        The digest of its manifest, by which the store holds it.
    pinned
        Whether name and digest identify it in a registry; else it was a file.
    manifest, config
        Its documents.
    python
        Its interpreter of the captured minor version.
    glibc
        Version of its C library, such as (2, 36).
    """

    name: str
    digest: str
    held: str
    pinned: bool
    manifest: dict[str, Any]
    config: dict[str, Any]
    python: Python
    glibc: tuple[int, int]


def platform_of(environment: Environment) -> tuple[str, str]:
    """Operating system and processor in containers' terms. Raises InvalidInput if containers have no such platform."""
    system, _, processor = environment.platform.partition("-")
    if system == "linux" and processor in _PROCESSORS:
        return system, _PROCESSORS[processor]
    raise InvalidInput(
        f"the notebook ran on {environment.platform}, and images are for Linux",
        "run the notebook on Linux, as in a container, and deploy the model from there",
    )


def base_source(base: str, environment: Environment) -> BaseSource:
    """The source that a setting names, without fetching it.

    Raises
    ------
    BaseUnfit
        It is no image, the file is missing, or an image in a registry is not pinned by a digest.
    """
    if base.startswith(_DOCKER):
        reference = Reference.parse(base.removeprefix(_DOCKER))
        if not reference.digest:
            raise _unpinned(reference, environment)
        pinned = f"{_DOCKER}{reference.at(digest=reference.digest)}"
        return BaseSource(pinned, reference.name, sha256(pinned.encode()), reference.digest)
    if base.startswith("oci:"):
        folder, _, tag = base.removeprefix("oci:").partition(":")
        return BaseSource(base, base, sha256(_digest_in(Path(folder), tag, base).encode()), None)
    if base.startswith(_ARCHIVES):
        path = Path(base.partition(":")[2].partition(":")[0])
        try:
            about = path.stat()
        except OSError as error:
            raise BaseUnfit(f"the base image {base} is not there: {error.strerror}", "mend the setting") from error
        return BaseSource(base, base, sha256(f"{base} {about.st_size} {about.st_mtime_ns}".encode()), None)
    raise BaseUnfit(
        f"'{base}' is no base image",
        "write docker://HOST/PATH@sha256:…, oci:/FOLDER:TAG, oci-archive:/FILE or docker-archive:/FILE",
    )


def default_base(environment: Environment) -> str:
    """Return the default base, pinned by the digest that its tag has now: the official small image of the Python.

    Container tools' configuration resolves its short name ``python:X.Y-slim``.

    Raises
    ------
    InvalidInput
        No registry of the configuration has it, or none answers; or there is no configuration.
    ToolMissing
    """
    tag = f"{environment.minor}-slim"
    failures = []
    for candidate in candidates("python", tag):
        try:
            return as_source(f"{candidate.rpartition(':')[0]}@{_digest_of(f'{_DOCKER}{candidate}', environment)}")
        except BaseUnfit as error:
            failures.append(
                f"{candidate}: {error.details.strip().splitlines()[-1] if error.details else error.message}"
            )
    reason = "none of its registries has it" if failures else "no registry is configured for short names"
    raise InvalidInput(
        f"the image has no base image: python:{tag} cannot be reached, since {reason}",
        f"write one of two lines: 'base_image: HOST/PATH@sha256:…' into nbdeploy.yaml (an image with Python "
        f"{environment.minor}), or 'unqualified-search-registries = [\"HOST\"]' into {user_file()}; for JupyterLab, "
        "NBDEPLOY_BASE_IMAGE in its server's environment",
        "\n".join(failures),
    )


def require(source: BaseSource, store: ImageFolder, environment: Environment) -> None:
    """Raise, before slow work, if a base is unfit, without fetching it. Raises ToolMissing, BaseUnfit."""
    if _held(source, store) is None and source.location.startswith(_DOCKER):
        ended = _skopeo(
            ["inspect", "--config", *_plain(source.location, "--tls-verify=false"), source.location], environment
        )
        _require_processor(json.loads(ended), source, environment)


def fetch_base(source: BaseSource, store: ImageFolder, writing: Writing, environment: Environment) -> Base:
    """Fetch the base into the store unless it is there, and check that the notebook's model can run on it.

    Raises
    ------
    ToolMissing
        skopeo is not installed.
    BaseUnfit
        It cannot be fetched, is for another processor, or has another Python or C library.
    """
    entry = _held(source, store)
    if entry is None:
        layout = writing.making / "base"
        command = ["copy", *_plain(source.location, "--src-tls-verify=false"), source.location, f"oci:{layout}:base"]
        _skopeo(command, environment, writing.lock)
        descriptor = writing.adopt(layout)
        shutil.rmtree(layout)
        names = {BASE_KEY: source.key, BASE_NAME: source.name, BASE_DIGEST: source.pinned or descriptor["digest"]}
        writing.enter(descriptor, names)
        entry = descriptor | {"annotations": names}
    manifest = store.manifest(entry["digest"])
    config = json.loads(store.blob(manifest["config"]["digest"]).read_bytes())
    _require_processor(config, source, environment)
    key = entry["digest"].removeprefix("sha256:")
    inspection = writing.kept("bases", key)
    if inspection is None or "packages" not in inspection:
        layers = [(layer["mediaType"], store.blob(layer["digest"])) for layer in manifest["layers"]]
        inspection = {"digest": entry["digest"], "size": entry["size"], **inspect_layers(layers)._asdict()}
        writing.keep("bases", key, inspection)
    return Base(
        name=source.name,
        digest=entry["annotations"][BASE_DIGEST],
        held=entry["digest"],
        pinned=source.pinned is not None,
        manifest=manifest,
        config=config,
        python=_python(inspection["pythons"], source, environment),
        glibc=_glibc(inspection["glibc"], source),
    )


def base_packages(base: str, store: ImageFolder) -> list[Package]:
    """Return the packages of an image's base, which the store inspected when it built the image.

    Parameters
    ----------
    base
        As in ``Image.base``, with the digest; a base that is not there has no known packages.
    """
    digest = base.rpartition("@")[2]
    held = (one for one in store.entries() if one.get("annotations", {}).get(BASE_DIGEST) == digest)
    notes = (store.kept("bases", one["digest"].removeprefix("sha256:")) for one in held)
    inspection = next((note for note in notes if note), {})
    return [Package(*fields) for fields in inspection.get("packages", ())]


def _held(source: BaseSource, store: ImageFolder) -> Descriptor | None:
    """The base's entry in the store's index, if all its blobs are there."""
    for entry in store.entries():
        if entry.get("annotations", {}).get(BASE_KEY) == source.key:
            manifest = store.manifest(entry["digest"])
            if all(
                store.blob(descriptor["digest"]).exists() for descriptor in (manifest["config"], *manifest["layers"])
            ):
                return entry
    return None


def _require_processor(config: dict[str, Any], source: BaseSource, environment: Environment) -> None:
    needed, actual = platform_of(environment), (config.get("os"), config.get("architecture"))
    if needed != actual:
        raise BaseUnfit(
            f"the base image {source.name} is for {actual[0]}/{actual[1]}, and the notebook ran on {'/'.join(needed)}",
            f"set base_image to one for {'/'.join(needed)}",
        )


def _python(pythons: list[list[str]], source: BaseSource, environment: Environment) -> Python:
    minor = environment.minor
    installed = [Python(path, version) for path, version in pythons]
    fitting = [python for python in installed if python.minor == minor]
    if fitting:
        return fitting[0]
    there = f"has Python {', '.join(one.version for one in installed)}" if installed else "has no Python"
    raise BaseUnfit(
        f"the base image {source.name} {there}, and the notebook ran on Python {environment.python}",
        f"set base_image to one with Python {minor}: Debian bookworm has 3.11, Ubuntu noble 3.12, Debian trixie 3.13",
    )


def _glibc(version: list[int] | None, source: BaseSource) -> tuple[int, int]:
    if version:
        return version[0], version[1]
    raise BaseUnfit(
        f"the base image {source.name} has another C library than glibc, which the notebook's libraries are built for",
        "set base_image to one of a distribution with glibc, such as Debian or Ubuntu",
    )


def _digest_in(folder: Path, tag: str, base: str) -> str:
    remedy = "mend the setting: oci:/FOLDER:TAG names an image in a folder in OCI's image layout"
    try:
        entries = json.loads((folder / "index.json").read_bytes())["manifests"]
    except (OSError, ValueError, KeyError) as error:
        raise BaseUnfit(f"the base image {base} is not there: {folder} is no image layout", remedy) from error
    names = {str(entry.get("annotations", {}).get("org.opencontainers.image.ref.name", "")): entry for entry in entries}
    entry = names.get(tag) if tag else entries[0] if len(entries) == 1 else None
    if entry is None:
        there = ", ".join(sorted(filter(None, names))) or "none with a tag"
        raise BaseUnfit(f"the base image {base} is not there: {folder} has {there}", remedy)
    return str(entry["digest"])


def _unpinned(reference: Reference, environment: Environment) -> BaseUnfit:
    try:
        now = f", which is now {_digest_of(f'{_DOCKER}{reference}', environment)}"
    except (BaseUnfit, ToolMissing):
        now = ""
    return BaseUnfit(
        f"the base image {reference} is not pinned by its digest{now}: it could be another one tomorrow",
        f"set base_image to {_DOCKER}{reference.name}@sha256:…",
    )


def _digest_of(source: str, environment: Environment) -> str:
    """Return the digest that a tag has now. Raises BaseUnfit, ToolMissing."""
    command = ["inspect", "--no-tags", "--format", "{{.Digest}}", *_plain(source, "--tls-verify=false"), source]
    return _skopeo(command, environment).strip()


def _plain(source: str, option: str) -> list[str]:
    """The option that allows a registry of this machine to work without TLS."""
    return [option] if re.match(r"docker://(localhost|127\.\d+\.\d+\.\d+|\[::1\])[:/]", source) else []


def _skopeo(arguments: list[str], environment: Environment, lock: int | None = None) -> str:
    """Run skopeo for the notebook's platform and return its output."""
    system, processor = platform_of(environment)
    platform = ["--override-os", system, "--override-arch", processor]
    held = () if lock is None else (lock,)
    ended = run("skopeo", [*platform, *arguments], {"LC_ALL": "C.UTF-8"}, held=held)
    if ended.code == 0:
        return ended.output.decode(errors="replace")
    details = "\n".join(without_credentials(ended.complaints).strip().splitlines()[-_TAIL:])
    source = next(argument for argument in arguments if ":/" in argument)
    if "no image found in" in details:
        raise BaseUnfit(
            f"the base image {source} is not there for {system}/{processor}, on which the notebook ran",
            f"set base_image to one for {system}/{processor}",
            details,
        )
    raise BaseUnfit(
        f"the base image {source} cannot be fetched",
        "does 'skopeo inspect' show it? For a registry: is it reachable, do you have to log in ('skopeo login')?",
        details,
    )
