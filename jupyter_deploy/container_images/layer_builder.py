"""The daemonless builder: it writes layers, configuration and manifest itself, without engine or privileges."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from jupyter_deploy.domain.base import size_in_words
from jupyter_deploy.domain.errors import ImageNotBuilt, disk_faults
from jupyter_deploy.domain.images.images import Image
from jupyter_deploy.domain.images.ports import ImagePlan, Progress
from jupyter_deploy.system.digests import sha256

from . import dependencies, r_layer
from .archive import Entry, Packed
from .base_image import Base, base_source, fetch_base, require
from .bytecode import Compiler, compiled, compiler
from .cran_mirror import CranMirror
from .layout import CONFIG_TYPE, ImageFolder, Writing
from .oci_documents import STOP, USER, Layer, as_json, configuration, enter, kept_layer
from .parts import PORT, entry_point, parts_of, release_variables, title_of

_FORMAT = 1


class DaemonlessBuilder:
    """The ImageBuilder port, from files alone.

    Parameters
    ----------
    store
        The image store.
    mirror
        Has the sources of packages of R that the base's distribution lacks.
    """

    def __init__(self, store: ImageFolder, mirror: CranMirror | None = None) -> None:
        self._store = store
        self._mirror = mirror

    def check(self, plan: ImagePlan) -> None:
        environment = plan.snapshot.manifest.environment
        source = base_source(plan.base, environment)
        dependencies.check(plan)
        r_layer.check(plan)
        compiler(environment)
        require(source, self._store, environment)

    def build(self, plan: ImagePlan, progress: Progress) -> Image:
        environment = plan.snapshot.manifest.environment
        source = base_source(plan.base, environment)
        with disk_faults(), self._store.writing() as writing:
            progress(f"base image {source.name}")
            base = fetch_base(source, self._store, writing, environment)
            by = compiler(environment)
            requirements = dependencies.requirements_for(environment, base, compiled_by=by.version, gpu=plan.gpu)
            # Before slower work: it may refuse the base.
            packages = r_layer.r_packages(plan, base, self._store, writing, progress, mirror=self._mirror)
            system = [_system(packages, writing, progress)] if packages else []
            installed = dependencies.layer_of(requirements, base, by, writing, progress)
            layers = [
                *system,
                Layer("dependencies", f"{installed.count} distributions, compiled by {by.version}", installed.layer),
                *_own(plan, by, writing, progress),
            ]
            config = writing.put(as_json(_config(plan, base, layers)), CONFIG_TYPE)
            digest = enter(writing, base, layers, config, "daemonless")
        image = self._store.image(digest)
        if image is None:
            raise ImageNotBuilt(f"image {digest} is not in {self._store.folder}", "build it again")
        return image


def _system(packages: r_layer.RPackages, writing: Writing, progress: Progress) -> Layer:
    """The layer with R."""
    packed = kept_layer(writing, packages.made_of, lambda: packages.entries)
    packages.remove()
    progress(f"{packages.title}: {size_in_words(packed.size)}")
    return Layer("system", packages.title, packed)


def _own(plan: ImagePlan, by: Compiler, writing: Writing, progress: Progress) -> Iterator[Layer]:
    """The layers of the model's large files, the serving code and the rest; the most volatile come last."""
    parts = parts_of(plan)
    for entry, digest in parts.large:
        title = title_of(entry)
        packed = kept_layer(writing, [_FORMAT, entry.name, digest], partial(list, [entry]), compressed=False)
        progress(f"{title}: {size_in_words(packed.size)}")
        yield Layer("model", title, packed, compressed=False)
    for title, sources, more in (("serving code", parts.serving, ()), ("bento", parts.bento, parts.small)):
        packed = _compiled_layer(sources, more, by, writing)
        progress(f"{title}: {size_in_words(packed.size)}")
        yield Layer("code", title, packed)


def _compiled_layer(sources: Sequence[Entry], more: Sequence[Entry], by: Compiler, writing: Writing) -> Packed:
    def entries() -> list[Entry]:
        return [*sources, *more, *compiled(sources, by, writing.making / "bytecode", writing.lock)]

    packed = kept_layer(writing, [_FORMAT, by.version, _contents(sources), _contents(more)], entries, compressed=True)
    shutil.rmtree(writing.making / "bytecode", ignore_errors=True)
    return packed


def _contents(entries: Sequence[Entry]) -> list[list[str]]:
    """The inputs of a layer of small files."""
    contents = []
    for entry in entries:
        content = entry.source.read_bytes() if isinstance(entry.source, Path) else entry.source
        identity = sha256(content) if isinstance(content, bytes) else str(content)
        contents.append([entry.name, identity, str(entry.executable)])
    return sorted(contents)


def _config(plan: ImagePlan, base: Base, layers: Sequence[Layer]) -> dict[str, Any]:
    containers = {
        "User": USER,
        "ExposedPorts": {f"{PORT}/tcp": {}},
        "Env": [f"{name}={value}" for name, value in release_variables(plan, base).items()],
        "Entrypoint": entry_point(plan),
        "WorkingDir": "/",
        "Labels": dict(sorted(plan.labels.items())),
        "StopSignal": STOP,
    }
    titled = [(layer.packed, f"{layer.kind}: {layer.title}") for layer in layers]
    return configuration(base, titled, containers)
