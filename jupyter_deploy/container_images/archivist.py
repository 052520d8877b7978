"""The archivist's image: a base with a Python, its distributions, and the packages of nbdeploy that it imports.

It runs next to a release or a gateway in a pod, and uploads their records (``records/archivist.py``). The same image
has the programs that drive a ramp in a cluster (``faces/ramp_driver.py``), and that find drift for its metrics
(``faces/drift_watcher.py``), which import hardly more distributions.
"""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from jupyter_deploy import __version__
from jupyter_deploy.domain.bucket import EXTRAS
from jupyter_deploy.domain.capture.artifacts import Environment
from jupyter_deploy.domain.errors import ToolMissing, disk_faults
from jupyter_deploy.domain.images.images import Image
from jupyter_deploy.domain.images.ports import Progress
from jupyter_deploy.environments.environment import closure, interpreter

from . import dependencies
from .archive import Entry
from .base_image import Base, base_source, fetch_base, require
from .bytecode import compiled, compiler
from .gateway import tool_image
from .layout import CONFIG_TYPE, MANIFEST_TYPE, ImageFolder
from .normalization import VENV
from .oci_documents import STOP, USER, Layer, as_json, configuration, kept_layer, manifest_of
from .parts import variables

_FORMAT = 1
_TITLE = "nbdeploy's archivist"
_IMPORTED = (
    *("cronsim", "duckdb", "fsspec", "msgspec", "numpy"),
    *("platformdirs", "psutil", "pydantic", "pyyaml", "urllib3"),
)
_CLIENTS = {"s3": "s3fs", "gcs": "gcsfs", "azure": "adlfs"}
"""What an extra of nbdeploy installs."""
_PACKAGES = (
    *("comparison", "container_images/gateway_program", "domain", "drift_detection", "records", "serving", "store"),
    *("system", "targets/envoy", "targets/kubernetes", "verbs", "wiring"),
)
_MODULES = (
    *("__init__", "container_images/__init__", "container_images/normalization", "faces/__init__"),
    *("faces/drift_watcher", "faces/ramp_driver", "settings", "targets/__init__", "targets/registry"),
)
_ENTRY_POINTS = """\
[nbdeploy.targets]
kubernetes = jupyter_deploy.targets.kubernetes.target:KubernetesTarget

[nbdeploy.target_settings]
kubernetes = jupyter_deploy.targets.kubernetes.settings:KubernetesSettings
"""
"""A pod has no other target."""


class ArchivistBuilder:
    """The ArchivistImages port.

    Parameters
    ----------
    store
        The image store.
    """

    def __init__(self, store: ImageFolder) -> None:
        self._store = store

    def build(self, base: str, bucket: str, progress: Progress) -> Image:
        """Build the image, with the client of the bucket's scheme."""
        environment = _environment(bucket)
        source = base_source(base, environment)
        require(source, self._store, environment)
        with disk_faults(), self._store.writing() as writing:
            progress(f"base image {source.name}")
            below = fetch_base(source, self._store, writing, environment)
            by = compiler(environment)
            requirements = dependencies.requirements_for(environment, below, compiled_by=by.version)
            installed = dependencies.layer_of(requirements, below, by, writing, progress)
            code_files = sources(environment.minor)
            made_of = [_FORMAT, by.version, [[entry.name, _text(entry)] for entry in code_files]]
            code = kept_layer(
                writing,
                made_of,
                lambda: [*code_files, *compiled(code_files, by, writing.making / "bytecode", writing.lock)],
            )
            layers = [
                Layer("dependencies", f"{installed.count} distributions", installed.layer),
                Layer("code", _TITLE, code),
            ]
            config = writing.put(as_json(_config(below, layers)), CONFIG_TYPE)
            manifest = manifest_of(below, layers, config, "daemonless")
            digest = writing.put(as_json(manifest), MANIFEST_TYPE)["digest"]
        return tool_image(below, manifest, digest, environment)


def _environment(bucket: str) -> Environment:
    """The image's distributions, in the versions that are installed here."""
    extra = EXTRAS[bucket.partition("://")[0]]
    names = [*_IMPORTED, *([_CLIENTS[extra]] if extra else [])]
    try:
        for name in names:
            metadata.version(name)
    except metadata.PackageNotFoundError as error:
        raise ToolMissing(
            f"the archivist's image needs {error.name}, which is not installed here",
            f"pip install 'nbdeploy[{extra}]'",
        ) from error
    return interpreter().model_copy(update={"distributions": closure(names)})


def sources(minor: str) -> list[Entry]:
    """The files of nbdeploy that the programs import, in the image."""
    root = Path(sys.modules["jupyter_deploy"].__file__ or "").parent
    files = [root / f"{name}.py" for name in _MODULES]
    files += [file for name in _PACKAGES for file in sorted((root / name).rglob("*.py"))]
    metadata_of_nbdeploy = f"Metadata-Version: 2.1\nName: nbdeploy\nVersion: {__version__}\n"
    site = f"{VENV}/lib/python{minor}/site-packages"
    return [
        Entry(f"{site}/nbdeploy-{__version__}.dist-info/METADATA", metadata_of_nbdeploy.encode()),
        Entry(f"{site}/nbdeploy-{__version__}.dist-info/entry_points.txt", _ENTRY_POINTS.encode()),
        *(Entry(f"{site}/jupyter_deploy/{file.relative_to(root)}", file) for file in files),
    ]


def _text(entry: Entry) -> str:
    return entry.source.read_text("utf-8") if isinstance(entry.source, Path) else str(entry.source)


def _config(base: Base, layers: list[Layer]) -> dict[str, Any]:
    containers = {
        "User": USER,
        "Env": [f"{name}={value}" for name, value in variables(base).items()],
        "Entrypoint": [f"/{VENV}/bin/python", "-P", "-m", "jupyter_deploy.records.archivist"],
        "WorkingDir": "/",
        "Labels": {"org.opencontainers.image.title": _TITLE},
        "StopSignal": STOP,
    }
    return configuration(base, [(layer.packed, f"{layer.kind}: {layer.title}") for layer in layers], containers)
