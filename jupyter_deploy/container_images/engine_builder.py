"""The builder that uses a container engine and a Containerfile."""

from __future__ import annotations

import json
import os
import platform
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jupyter_deploy.domain.capture.artifacts import Environment
from jupyter_deploy.domain.errors import EnvironmentNotBuilt, ImageNotBuilt, InvalidInput, disk_faults
from jupyter_deploy.domain.images.images import Image, LayerKind
from jupyter_deploy.domain.images.ports import ImagePlan, Progress
from jupyter_deploy.system.digests import sha256

from . import container_engines, dependencies, normalization, r_layer
from . import containerfile as text
from .archive import Packed, compress, unpack, write_tree
from .base_image import Base, base_source, fetch_base, platform_of, require
from .cran_mirror import CranMirror
from .dependencies import NOT_INSTALLED, Requirements
from .glibc import require_wheels_run
from .layout import CONFIG_TYPE, ImageFolder, Writing
from .oci_documents import BEGINNING, STOP, USER, Layer, as_json, enter, kept_layer
from .package_indexes import Indexes, indexes
from .parts import PORT, Parts, entry_point, parts_of, release_variables, title_of
from .wheels import wheels_of, write_wheels

_FORMAT = "engine 1"
_TIDY = Path(normalization.__file__)


class EngineBuilder:
    """The ImageBuilder port, by buildah, podman or docker.

    The image has the same files in the same order as the daemonless builder's; the store keeps the Containerfile.

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
        _require_own_processor(environment)
        dependencies.check(plan)
        r_layer.check(plan)
        indexes()
        container_engines.find()
        require(source, self._store, environment)

    def build(self, plan: ImagePlan, progress: Progress) -> Image:
        environment = plan.snapshot.manifest.environment
        source = base_source(plan.base, environment)
        _require_own_processor(environment)
        sources = indexes()
        name = container_engines.find()
        with disk_faults(), self._store.writing() as writing:
            progress(f"base image {source.name}")
            base = fetch_base(source, self._store, writing, environment)
            requirements = dependencies.requirements_for(
                environment, base, compiled_by=base.python.version, gpu=plan.gpu
            )
            packages = r_layer.r_packages(plan, base, self._store, writing, progress, mirror=self._mirror)
            parts = parts_of(plan)
            recipe = _recipe(plan, base, requirements, parts, sources, system=packages.title if packages else "")
            # A name of its own: the engine of a killed nbdeploy must not see the next one's files.
            context, built = writing.making / f"context-{os.getpid()}", writing.making / "built"
            texts = _write_context(context, recipe, requirements, parts, sources, packages=packages, lock=writing.lock)
            require_wheels_run(context / text.TOOLS / "wheels", base)
            engine = container_engines.Engine(name, lambda line: _tell(name, line, progress))
            secrets = container_engines.Secrets((text.SETTINGS, sources.settings), sources.files, sources.hidden)
            kept_as = f"localhost/nbdeploy/{plan.snapshot.tag.partition(':')[0]}"
            engine.build(context, self._store.folder, base, secrets, name=kept_as, into=built)
            progress("packing")
            kinds = [*_kinds(recipe.system, requirements, parts, base)]
            digest = _enter(built, base, kinds, writing, settled=engine.fixes_times)
            writing.describe(digest, texts)
        image = self._store.image(digest)
        if image is None:
            raise ImageNotBuilt(f"image {digest} is not in {self._store.folder}", "build it again")
        return image


def _require_own_processor(environment: Environment) -> None:
    """Raise InvalidInput for another processor than this machine's, whose programs cannot run in a build."""
    here = f"linux-{platform.machine()}"
    if platform_of(environment) and environment.platform != here:
        raise InvalidInput(
            f"the notebook ran on {environment.platform}, and an engine here builds for {here}",
            "publish it on such a machine, or leave out --builder: the daemonless builder runs no program of the image",
        )


def _tell(engine: str, line: str, progress: Progress) -> None:
    words = container_engines.in_words(line)
    if words:
        progress(f"{engine}: {words}")


def _recipe(
    plan: ImagePlan, base: Base, requirements: Requirements, parts: Parts, sources: Indexes, *, system: str
) -> text.Recipe:
    return text.Recipe(
        tag=plan.snapshot.tag,
        base=container_engines.base_reference(base),
        origin=f"Python {base.python.version}, {base.name}@{base.digest}",
        python=base.python.path,
        system=system,
        count=len(requirements.versions),
        no_index=sources.no_index,
        refreshed=[distribution.name for distribution in requirements.local],
        large=[title_of(entry) for entry, _ in parts.large],
        variables=release_variables(plan, base),
        command=entry_point(plan),
        user=USER,
        port=PORT,
        stop=STOP,
        labels=plan.labels,
    )


def _write_context(
    context: Path,
    recipe: text.Recipe,
    requirements: Requirements,
    parts: Parts,
    sources: Indexes,
    *,
    packages: r_layer.RPackages | None,
    lock: int,
) -> Mapping[str, str]:
    """Write the build's context; returns its texts for people.

    Raises
    ------
    ImageNotBuilt
        The wheel of a distribution that exists only here cannot be built.
    """
    from uv import find_uv_bin  # only isolated releases and images need it

    context.mkdir()
    tidy = _TIDY.read_text("utf-8")
    texts = {
        "Containerfile": text.containerfile(recipe),
        text.REQUIREMENTS: text.requirements(requirements.versions, sha256(f"{requirements.key} {tidy}".encode())),
        text.TIDY: tidy,
    }
    for name, content in texts.items():
        (context / name).write_text(content, "utf-8")
    trees = [(text.SERVING, parts.serving), (text.BENTO, [*parts.bento, *parts.small])]
    trees += [(text.of_model(number), [entry]) for number, (entry, _) in enumerate(parts.large, 1)]
    trees += [(text.SYSTEM, packages.entries)] if packages else []
    for name, entries in trees:
        write_tree(entries, context / name)
    if packages:
        packages.remove()
    normalization.settle(context)
    wheels = context / text.TOOLS / "wheels"
    wheels.mkdir(parents=True)
    shutil.copy(find_uv_bin(), context / text.TOOLS / "uv")
    try:
        write_wheels(requirements.local, wheels, lock)
    except EnvironmentNotBuilt as error:
        raise ImageNotBuilt(NOT_INSTALLED, error.remedy, error.details) from error
    # Last: these wheels are hard links to the user's own, which a build must not overwrite.
    for wheel in wheels_of(sources.folders, requirements.versions):
        _link(wheel, wheels / wheel.name)
    return texts


def _link(source: Path, target: Path) -> None:
    """Link a file into another folder, or copy it."""
    try:
        os.link(source, target)
    except FileExistsError:  # the first of several folders counts
        return
    except OSError:
        shutil.copyfile(source, target)


def _kinds(system: str, requirements: Requirements, parts: Parts, base: Base) -> Iterator[tuple[LayerKind, str]]:
    """Kinds and titles of the layers above the base, in the Containerfile's order."""
    if system:
        yield "system", system
    yield "dependencies", f"{len(requirements.versions)} distributions, compiled by {base.python.version}"
    for entry, _ in parts.large:
        yield "model", title_of(entry)
    yield "code", "serving code"
    yield "code", "bento"


def _enter(built: Path, base: Base, kinds: Sequence[tuple[LayerKind, str]], writing: Writing, *, settled: bool) -> str:
    """Take an engine's image into the store; returns its digest.

    Configuration and layers keep their content; unless ``settled``, their times are fixed. The layers are compressed
    like those of other images, the base's are those of its registry, and the manifest has each layer's kind.
    """
    made = ImageFolder(built)
    manifest = made.manifest(made.entries()[0]["digest"])
    content = made.blob(manifest["config"]["digest"]).read_bytes()
    below = list(base.config["rootfs"]["diff_ids"])
    diff_ids: list[str] = json.loads(content)["rootfs"]["diff_ids"]
    above = diff_ids[len(below) :]
    if diff_ids[: len(below)] != below or len(above) != len(kinds):
        raise ImageNotBuilt(
            f"the engine made {len(above)} layers on the base, and the Containerfile makes {len(kinds)}",
            "does it keep layers apart ('--squash' and '--layers' in its settings)? Without --builder none is needed",
        )
    layers = []
    for (kind, title), diff_id in zip(kinds, above, strict=True):
        compressed = kind != "model"
        pack = _packed if settled else _settled
        layers.append(Layer(kind, title, pack(made.blob(diff_id), diff_id, writing, compressed=compressed), compressed))
    if not settled:
        content = as_json(_of_1970(json.loads(content), [*below, *(layer.packed.diff_id for layer in layers)]))
    shutil.rmtree(built)
    return enter(writing, base, layers, writing.put(content, CONFIG_TYPE), "engine")


def _of_1970(config: dict[str, Any], diff_ids: list[str]) -> dict[str, Any]:
    """A configuration with other layers, and all times at the beginning of 1970."""
    history = [{**entry, "created": BEGINNING} for entry in config.get("history", ())]
    return {**config, "created": BEGINNING, "history": history, "rootfs": {"type": "layers", "diff_ids": diff_ids}}


def _settled(tar: Path, diff_id: str, writing: Writing, *, compressed: bool) -> Packed:
    """A layer repacked like the daemonless builder's, with fixed times."""
    folder = writing.making / "unpacked"
    made_of = [_FORMAT, "settled", diff_id, compressed]
    packed = kept_layer(writing, made_of, lambda: unpack(tar, folder), compressed=compressed)
    shutil.rmtree(folder, ignore_errors=True)
    return packed


def _packed(tar: Path, diff_id: str, writing: Writing, *, compressed: bool) -> Packed:
    """A layer in the store, compressed unless it is cached."""
    key = sha256(json.dumps([_FORMAT, diff_id, compressed]).encode())
    kept = writing.kept("layers", key)
    if kept:
        return Packed(**kept)
    file = writing.making / "layer"
    packed = compress(tar, file) if compressed else Packed(diff_id, diff_id, tar.stat().st_size)
    if packed.diff_id != diff_id:
        raise ImageNotBuilt(f"the engine's layer {diff_id} is another one: {packed.diff_id}", "build it again")
    writing.take(file if compressed else tar, packed.digest)
    writing.keep("layers", key, asdict(packed))
    return packed
