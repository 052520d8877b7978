"""The ports for container images; see the package."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_deploy.domain.images.cran import is_address
from jupyter_deploy.settings import Settings

if TYPE_CHECKING:
    from jupyter_deploy.domain.capture.artifacts import Environment, Snapshot
    from jupyter_deploy.domain.images.compose_ports import ComposeFolders, Composer, Composing, GatewayImages
    from jupyter_deploy.domain.images.images import Builder as BuilderKind
    from jupyter_deploy.domain.images.images import Image
    from jupyter_deploy.domain.images.ports import (
        ArchivistImages,
        Containers,
        Engines,
        ImageBuilder,
        ImageContents,
        ImageStore,
        Registry,
    )
    from jupyter_deploy.targets.local.settings import LocalSettings


class ImageParts:
    """``domain.images.ports.Imaging``."""

    def __init__(self, settings: Settings, folder: Path, working: Path, local: Callable[[], LocalSettings]) -> None:
        self.composing: Composing = _Composing(folder, local)
        self._store = folder
        self.base = settings.base_image
        self.to = settings.publish_to
        self.key = working / settings.sign_key.expanduser() if settings.sign_key else None
        self._mirror = _from(working, settings.cran_mirror)
        self.verify_key = working / settings.verify_key.expanduser() if settings.verify_key else None

    def builder(self, kind: BuilderKind) -> ImageBuilder:
        from jupyter_deploy.container_images.cran_mirror import CranMirror
        from jupyter_deploy.container_images.engine_builder import EngineBuilder
        from jupyter_deploy.container_images.layer_builder import DaemonlessBuilder
        from jupyter_deploy.container_images.layout import ImageFolder

        store = ImageFolder(self._store)
        mirror = CranMirror(self._mirror) if self._mirror else None
        return EngineBuilder(store, mirror) if kind == "engine" else DaemonlessBuilder(store, mirror)

    def default_base(self, environment: Environment) -> str:
        from jupyter_deploy.container_images.base_image import default_base

        return default_base(environment)

    @cached_property
    def store(self) -> ImageStore:
        from jupyter_deploy.container_images.layout import ImageFolder

        return ImageFolder(self._store)

    @cached_property
    def contents(self) -> ImageContents:
        from jupyter_deploy.container_images.contents import LayerContents

        return LayerContents()

    @cached_property
    def registry(self) -> Registry:
        from jupyter_deploy.container_images.attachments import Registries

        return Registries()

    def bill_of_materials(self, snapshot: Snapshot, image: Image) -> bytes:
        from jupyter_deploy.container_images.layout import ImageFolder
        from jupyter_deploy.container_images.r_layer import image_packages
        from jupyter_deploy.container_images.r_library import recorded_sources
        from jupyter_deploy.container_images.sbom import bill_of_materials

        store = ImageFolder(self._store)
        return bill_of_materials(snapshot, image, image_packages(image, store), recorded_sources(image, store))

    @cached_property
    def archivists(self) -> ArchivistImages:
        from jupyter_deploy.container_images.archivist import ArchivistBuilder
        from jupyter_deploy.container_images.layout import ImageFolder

        return ArchivistBuilder(ImageFolder(self._store))

    @cached_property
    def containers(self) -> Containers:
        from jupyter_deploy.container_images.running_containers import EngineContainers

        return EngineContainers()

    @cached_property
    def engines(self) -> Engines:
        from jupyter_deploy.container_images.engine_storage import EngineStorage

        return EngineStorage(self._store, self.registry)


def _from(working: Path, mirror: str | None) -> str | None:
    """A mirror; a folder is relative to the working folder."""
    if mirror is None or is_address(mirror):
        return mirror
    return str(working / Path(mirror).expanduser())


class _Composing:
    """``domain.images.compose_ports.Composing``."""

    def __init__(self, store: Path, local: Callable[[], LocalSettings]) -> None:
        self._store, self._local = store, local

    @cached_property
    def gateways(self) -> GatewayImages:
        from jupyter_deploy.container_images.gateway import GatewayBuilder
        from jupyter_deploy.container_images.layout import ImageFolder
        from jupyter_deploy.targets.local.gateway.gateway import envoy_binary

        return GatewayBuilder(ImageFolder(self._store), lambda: envoy_binary(self._local()))

    @cached_property
    def composer(self) -> Composer:
        from jupyter_deploy.targets.local.compose.composer import LocalComposer

        return LocalComposer(self._local())

    @cached_property
    def folders(self) -> ComposeFolders:
        from jupyter_deploy.targets.local.compose.folder import ProjectFolders

        return ProjectFolders()
