"""The builder that needs no engine and no rights: it writes layers, configuration and manifest itself."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_deploy.adapters.digesting import sha256
from jupyter_deploy.adapters.snapshots import MANIFEST
from jupyter_deploy.domain.artifacts import Snapshot
from jupyter_deploy.domain.base import size_in_words
from jupyter_deploy.domain.errors import ImageNotBuilt, disk_faults
from jupyter_deploy.domain.image_ports import ImagePlan, Told
from jupyter_deploy.domain.images import BENTO_FOLDER, SNAPSHOT_FOLDER, Image, LayerKind

from . import dependencies
from .archive import Entry, Packed, entries_of, write_layer
from .base import Base, bring, named, require
from .compiling import Compiler, compiled, compiler
from .dependencies import VENV
from .layout import (
    BASE_DIGEST,
    BASE_NAME,
    BUILDER,
    CONFIG_TYPE,
    GZIP_TYPE,
    LAYER_KIND,
    LAYER_TYPE,
    MANIFEST_TYPE,
    PYTHON,
    TITLE,
    ImageFolder,
    Writing,
)

HOME = "opt/nbdeploy/bentoml"
PORT = 8080

_FORMAT = 1
_LARGE = 1 << 20  # bytes from which on a model's file is a layer of its own
# What BentoML makes in its home when it is asked for anything; in a container it may not be able to.
_FOLDERS = ("envs", "tmp")

_USER = "65532:65532"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# BentoML notes when it wrote a description: that is when the snapshot was captured, or the digest would change.
_WRITTEN = re.compile(rb"(creation_time: )'[^'\n]*'")


@dataclass(frozen=True)
class _Layer:
    kind: LayerKind
    title: str
    packed: Packed
    compressed: bool = True

    @property
    def descriptor(self) -> dict[str, Any]:
        return {
            "mediaType": GZIP_TYPE if self.compressed else LAYER_TYPE,
            "digest": self.packed.digest,
            "size": self.packed.size,
            "annotations": {LAYER_KIND: self.kind, TITLE: self.title},
        }


class DaemonlessBuilder:
    """The ImageBuilder port, from files alone.

    Parameters
    ----------
    store
        Where images are kept.
    """

    def __init__(self, store: ImageFolder) -> None:
        self._store = store

    def check(self, plan: ImagePlan) -> None:
        environment = plan.snapshot.manifest.environment
        asked = named(plan.base, environment)
        dependencies.check(plan)
        require(asked, self._store, environment)

    def build(self, plan: ImagePlan, told: Told) -> Image:
        environment = plan.snapshot.manifest.environment
        asked = named(plan.base, environment)
        with disk_faults(), self._store.writing() as writing:
            told(f"base image {asked.name}")
            base = bring(asked, self._store, writing, environment)
            by = compiler(environment)
            installed = dependencies.layer_of(plan, base, by, writing, told)
            layers = [
                _Layer("dependencies", f"{installed.count} distributions, compiled by {by.version}", installed.layer),
                *_own(plan, by, writing, told),
            ]
            config = _config(plan, base, layers)
            manifest = _manifest(base, layers, writing.put(_json(config), CONFIG_TYPE))
            descriptor = writing.put(_json(manifest), MANIFEST_TYPE)
            writing.enter(descriptor, {BASE_NAME: base.name})
        image = self._store.image(descriptor["digest"])
        if image is None:
            raise ImageNotBuilt(f"image {descriptor['digest']} is not in {self._store.folder}", "build it again")
        return image


def _own(plan: ImagePlan, by: Compiler, writing: Writing, told: Told) -> Iterator[_Layer]:
    """The model's large files, the serving code, and all else: what changes most often comes last."""
    serving, rest = _bento(plan)
    small, large = _model(plan.snapshot)
    for entry, digest in large:
        title = entry.name.removeprefix(f"{SNAPSHOT_FOLDER}/")
        packed = _kept(writing, [_FORMAT, entry.name, digest], lambda entry=entry: [entry], compressed=False)  # type: ignore[misc]
        told(f"{title}: {size_in_words(packed.size)}")
        yield _Layer("model", title, packed, compressed=False)
    # In a snapshot there is only what was captured, and no bytecode.
    for title, sources, more in (("serving code", serving, []), ("bento", rest, small)):
        packed = _compiled_layer(sources, more, by, writing)
        told(f"{title}: {size_in_words(packed.size)}")
        yield _Layer("code", title, packed)


def _compiled_layer(sources: list[Entry], more: list[Entry], by: Compiler, writing: Writing) -> Packed:
    def entries() -> list[Entry]:
        return [*sources, *more, *compiled(sources, by, writing.making / "bytecode", writing.lock)]

    packed = _kept(writing, [_FORMAT, by.version, _contents(sources), _contents(more)], entries, compressed=True)
    shutil.rmtree(writing.making / "bytecode", ignore_errors=True)
    return packed


def _contents(entries: list[Entry]) -> list[list[str]]:
    """What decides over the bytes of a layer of small files."""
    found = []
    for entry in entries:
        content = entry.source.read_bytes() if isinstance(entry.source, Path) else entry.source
        told = sha256(content) if isinstance(content, bytes) else str(content)
        found.append([entry.name, told, str(entry.executable)])
    return sorted(found)


def _kept(writing: Writing, made_of: list[Any], entries: Callable[[], list[Entry]], *, compressed: bool) -> Packed:
    """A layer, written if it is not there: a large file that did not change is not read again."""
    key = sha256(json.dumps(made_of).encode())
    kept = writing.kept("layers", key)
    if kept:
        return Packed(kept["digest"], kept["diff_id"], kept["size"])
    file = writing.making / "layer"
    packed = write_layer(entries(), file, compressed=compressed)
    writing.take(file, packed.digest)
    writing.keep("layers", key, {"digest": packed.digest, "diff_id": packed.diff_id, "size": packed.size})
    return packed


def _bento(plan: ImagePlan) -> tuple[list[Entry], list[Entry]]:
    """The serving code in a bento, and the rest of it; what describes other ways to an image stays behind."""
    path = Path(plan.bento.path)
    captured = _captured(plan.snapshot)
    serving, rest = [], _placed("bentos", path, BENTO_FOLDER)
    for entry in entries_of(path, BENTO_FOLDER):
        inside = entry.name.removeprefix(f"{BENTO_FOLDER}/")
        if inside.startswith("env/") or "__pycache__" in inside or not isinstance(entry.source, Path):
            continue
        one = Entry(entry.name, entry.source)
        if inside.startswith("src/serving/"):
            serving.append(one)
        elif inside == "bento.yaml":
            rest.append(Entry(entry.name, _WRITTEN.sub(captured, entry.source.read_bytes())))
        else:
            rest.append(one)
    return serving, rest


def _model(snapshot: Snapshot) -> tuple[list[Entry], list[tuple[Entry, str]]]:
    """A snapshot's small files, and the large ones with their SHA-256, in the order of their names."""
    path = Path(snapshot.path)
    described = _WRITTEN.sub(_captured(snapshot), (path / "model.yaml").read_bytes())
    small = [
        *(Entry(f"{HOME}/{folder}", None) for folder in _FOLDERS),
        *_placed("models", path, SNAPSHOT_FOLDER),
        Entry(f"{SNAPSHOT_FOLDER}/model.yaml", described),
        Entry(f"{SNAPSHOT_FOLDER}/{MANIFEST}", path / MANIFEST),
    ]
    large = []
    for file, digest in sorted(snapshot.manifest.files.items()):
        entry = Entry(f"{SNAPSHOT_FOLDER}/{file}", path / file)
        if (path / file).stat().st_size >= _LARGE:
            large.append((entry, digest))
        else:
            small.append(entry)
    return small, large


def _placed(store: str, path: Path, at: str) -> list[Entry]:
    """How BentoML finds a folder by its tag: in its home there is a link to where the files are.

    They have the same place in every image: else a new version would make each layer another one.
    """
    name, version = path.parent.name, path.name
    return [
        Entry(f"{HOME}/{store}/{name}/{version}", f"/{at}"),
        Entry(f"{HOME}/{store}/{name}/latest", version.encode()),
    ]


def _captured(snapshot: Snapshot) -> bytes:
    return rb"\g<1>'" + snapshot.manifest.provenance.captured_at.isoformat().encode() + b"'"


def _config(plan: ImagePlan, base: Base, layers: list[_Layer]) -> dict[str, Any]:
    """The image's configuration; nothing in it is of today."""
    bento = Path(plan.bento.path)
    program = f"/{HOME}/bentos/{bento.parent.name}/{bento.name}/src/serving/container.py"
    inherited = dict(one.partition("=")[::2] for one in base.config.get("config", {}).get("Env") or ())
    environment = inherited | {
        "PATH": f"/{VENV}/bin:{inherited.get('PATH', _PATH)}",
        "BENTOML_HOME": f"/{HOME}",
        "BENTOML_DO_NOT_TRACK": "true",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
    }
    created = plan.snapshot.manifest.provenance.captured_at.isoformat()
    history = [{"created": created, "created_by": f"nbdeploy: {one.kind}: {one.title}"} for one in layers]
    return {
        "created": created,
        "architecture": base.config["architecture"],
        "os": base.config["os"],
        **{key: base.config[key] for key in ("variant",) if key in base.config},
        "config": {
            "User": _USER,
            "ExposedPorts": {f"{PORT}/tcp": {}},
            "Env": [f"{name}={value}" for name, value in environment.items()],
            "Entrypoint": [f"/{VENV}/bin/python", "-P", program],
            "WorkingDir": "/",
            "Labels": dict(sorted(plan.labels.items())),
            "StopSignal": "SIGTERM",
        },
        "rootfs": {
            "type": "layers",
            "diff_ids": [*base.config["rootfs"]["diff_ids"], *(one.packed.diff_id for one in layers)],
        },
        "history": [*(base.config.get("history") or ({} for _ in base.manifest["layers"])), *history],
    }


def _manifest(base: Base, layers: list[_Layer], config: Mapping[str, Any]) -> dict[str, Any]:
    below = [
        {key: one[key] for key in ("mediaType", "digest", "size")}
        | {"annotations": {LAYER_KIND: "base", TITLE: "base image"}}
        for one in base.manifest["layers"]
    ]
    return {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": dict(config),
        "layers": [*below, *(one.descriptor for one in layers)],
        "annotations": {BASE_DIGEST: base.digest, BUILDER: "daemonless", PYTHON: base.python.version},
    }


def _json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
