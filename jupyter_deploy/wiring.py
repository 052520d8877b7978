"""The implementation of each port, chosen by the settings: the only file that imports all packages."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from .domain.release.processes import passed_on
from .settings import S, Settings, load_settings
from .targets.registry import installed_targets, target_settings

if TYPE_CHECKING:
    from .domain.batch import BatchRunner
    from .domain.capture.artifacts import Environment, Snapshot
    from .domain.evidence.ground_truth import GroundTruth
    from .domain.health import Examiner
    from .domain.images.compose_ports import ComposeFolders, Composer, Composing, GatewayImages
    from .domain.images.images import Builder as BuilderKind
    from .domain.images.images import Image, Reference
    from .domain.images.ports import (
        ArchivistImages,
        Containers,
        Engines,
        ImageBuilder,
        ImageContents,
        ImageStore,
        Imaging,
        Registry,
    )
    from .domain.jobs import Jobs
    from .domain.manifests import Manifester
    from .domain.ports import (
        Boot,
        Builder,
        Capturer,
        Client,
        Environments,
        Finder,
        NotebookRunner,
        Notifier,
        Ports,
    )
    from .domain.release.document_requests import Documents
    from .domain.release.endpoint import Release
    from .domain.release.ports import SharedEndpoints, Target
    from .domain.store_ports import DriftLog, InferenceLog, RecordCounts, Store
    from .domain.validation.ports import Judge, ModelServers, Project, Reports, ValidationRunner
    from .domain.validation.scaffold_ports import Starter
    from .domain.validation.validation import ValidationSpec
    from .records.shipping import BucketOfHome
    from .targets.local.settings import LocalSettings


class Wiring:
    """Settings -> ports.

    Each port is made, and its module imported, when it is first needed: observation needs neither BentoML nor DuckDB.

    Parameters
    ----------
    folder
        The base of relative paths of validation notebooks in the settings (default: the working directory).
    """

    def __init__(self, settings: Settings | None = None, *, folder: Path | None = None) -> None:
        self.settings = settings or load_settings()
        self._folder = (folder or Path()).absolute()

    @cached_property
    def ports(self) -> Ports:
        """All ports, for the verbs."""
        return _Parts(self.settings, self._folder)


class _Parts:
    """``domain.ports.Ports``."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._settings = settings
        self._folder = folder
        self.home = settings.home.expanduser().absolute()
        self._bentoml_home = settings.bentoml_home.expanduser().absolute()
        self.keep_revisions = settings.keep_revisions
        self.starts_spares = settings.standby
        self.resources = settings.resources

    @cached_property
    def capturer(self) -> Capturer:
        from .capture.capturer import ModelCapturer

        return ModelCapturer(self._bentoml_home, self._settings.tolerance, self._settings.replay_timeout)

    @cached_property
    def finder(self) -> Finder:
        from .capture.candidates import NotebookFinder

        return NotebookFinder()

    @cached_property
    def environments(self) -> Environments:
        from .artifacts.isolated import VirtualEnvironments

        return VirtualEnvironments(self.home / "environments")

    @cached_property
    def builder(self) -> Builder:
        from .artifacts.bento import BentoBuilder

        return BentoBuilder(self._bentoml_home)

    @cached_property
    def notebooks(self) -> NotebookRunner:
        from .notebooks.papermill import PapermillRunner

        return PapermillRunner()

    @cached_property
    def store(self) -> Store:
        from .domain.base import user_name
        from .store.shared_store import SharedStore

        return SharedStore(self.home, user_name(), lambda: self._shared)

    @cached_property
    def _bucket(self) -> BucketOfHome:
        from .records.shipping import BucketOfHome

        return BucketOfHome(self.home, self._settings.records_to)

    @cached_property
    def log(self) -> InferenceLog:
        from .comparison.record_log import RecordLog

        return RecordLog(self.home, bucket=self._bucket)

    @cached_property
    def record_counts(self) -> RecordCounts:
        from .records.counts import FileCounts

        return FileCounts(self.home)

    @cached_property
    def drift(self) -> DriftLog:
        from .drift_detection.drift_log import WatchedDrift

        return WatchedDrift(self.home, self._bucket)

    @cached_property
    def batches(self) -> BatchRunner:
        from .batch_scoring.runner import WorkerBatches

        return WorkerBatches()

    @cached_property
    def truth(self) -> GroundTruth:
        from .records.ground_truth import RecordedGroundTruth

        return RecordedGroundTruth(self.home, self._bucket)

    @cached_property
    def client(self) -> Client:
        from .targets.local.gateway.gateway import own_socket
        from .targets.local.gateway.token import token, token_file
        from .targets.local.http_client import HttpClient
        from .targets.local.runtime import locate

        settings = self._local
        return HttpClient(
            token_file(self.home), partial(token, self.home), settings.public_url, lambda: own_socket(locate(settings))
        )

    @cached_property
    def notifier(self) -> Notifier:
        from .system.notifications import UserNotifier

        return UserNotifier(self._settings.notify)

    @cached_property
    def validations(self) -> ValidationRunner:
        from .validation.runner import PapermillValidationRunner

        return PapermillValidationRunner()

    @cached_property
    def project(self) -> Project:
        from .validation.project import FolderProject

        return FolderProject()

    @cached_property
    def specs(self) -> tuple[ValidationSpec, ...]:
        """The validations of ``nbdeploy.yaml``, with absolute paths."""
        return tuple(spec.within(self._folder) for spec in self._settings.validate)

    @property
    def redact(self) -> tuple[str, ...]:
        return self._settings.redact

    @cached_property
    def servers(self) -> ModelServers:
        from .validation.model_servers import SnapshotServers

        return SnapshotServers(self._local.start_timeout)

    @cached_property
    def judge(self) -> Judge:
        from .validation.judge import Statistician

        return Statistician()

    @cached_property
    def reports(self) -> Reports:
        from .validation.reports import ValidationReports

        return ValidationReports(self.home)

    @cached_property
    def starter(self) -> Starter:
        from .validation.scaffold import ProjectStarter

        return ProjectStarter()

    @cached_property
    def examiners(self) -> tuple[Examiner, ...]:
        from .records.health import RecordsExaminer
        from .system.host_health import HostExaminer
        from .targets.local.health import LocalExaminer

        folders = (self.home, self._bentoml_home)
        return (HostExaminer(folders), LocalExaminer(lambda: self._local), RecordsExaminer(self.home))

    @cached_property
    def documents(self) -> Documents:
        from .system.endpoint_documents import YamlDocuments

        return YamlDocuments()

    @cached_property
    def manifester(self) -> Manifester:
        from .targets.kubernetes.manifests import ClusterManifests
        from .targets.kubernetes.settings import KubernetesSettings

        return ClusterManifests(self._settings_for(KubernetesSettings))

    @cached_property
    def jobs(self) -> Jobs:
        from .store.jobs import SqliteJobs

        return SqliteJobs(self.home)

    @cached_property
    def images(self) -> Imaging:
        return _Imaging(self._settings, self.home / "images", self._folder, lambda: self._local)

    @cached_property
    def boot(self) -> Boot:
        from .targets.local.systemd import SystemdUnit

        # Others may read the unit, and the address of a webhook is a secret.
        variables = {name: value for name, value in self._variables().items() if name != "NBDEPLOY_NOTIFY"}
        return SystemdUnit(self.home, variables)

    @cached_property
    def _local(self) -> LocalSettings:
        from .targets.local.settings import LocalSettings

        return self._settings_for(LocalSettings)

    @cached_property
    def targets(self) -> dict[str, Target]:
        """Every installed target, by its entry point's name."""
        return {name: target(self._settings_for(target.settings_class)) for name, target in installed_targets().items()}

    @cached_property
    def _shared(self) -> dict[str, SharedEndpoints]:
        """The endpoints of the targets that several users share, by the target's name; loads no target without any."""
        on = [
            name
            for name, declared in target_settings().items()
            if name != "local" and self._settings_for(declared).changed()
        ]
        found = {name: self.targets[name].shared for name in on}
        return {name: shared for name, shared in found.items() if shared is not None}

    def _settings_for(self, declared: type[S]) -> S:
        return self._settings.for_target(
            declared,
            archivist=self._archivist(),
            ramp_driver=self._ramp_driver,
            records_to=self._settings.records_to,
            load_image=self._load_image,
            publish_gateway=self._publish_gateway,
            publish_archivist=self._publish_archivist if self._settings.records_to else None,
        )

    def _publish_gateway(self, release: Release) -> str:
        from .verbs.images.gateway_image import publish_gateway

        return publish_gateway(release, self)

    def _publish_archivist(self, release: Release) -> str:
        from .verbs.images.gateway_image import publish_archivist

        return publish_archivist(release, self._settings.records_to or "", self)

    def _ramp_driver(self, endpoint: str) -> tuple[tuple[str, ...], dict[str, str]]:
        """The command line and the environment of an endpoint's driver, which has the settings of this process."""
        command = (sys.executable, "-P", "-m", "jupyter_deploy.faces.ramp_driver", endpoint)
        return command, passed_on(os.environ) | self._variables()

    def _load_image(self, engine: str, reference: Reference) -> None:
        self.images.engines.load(engine, reference)  # made when an image is moved

    def _archivist(self) -> tuple[str, ...]:
        """The command line of the archivist, which compacts and expires records while releases run."""
        age = self._settings.records_max_age
        command = [sys.executable, "-P", "-m", "jupyter_deploy.records.archivist", str(self.home)]
        command += ["--max-bytes", str(self._settings.records_max_bytes)]
        command += ["--watcher", "jupyter_deploy.drift_detection.watcher"]
        command += ["--max-seconds", str(age.total_seconds())] if age else []
        return (*command, *(["--to", self._settings.records_to] if self._settings.records_to else []))

    def _variables(self) -> dict[str, str]:
        """The settings that differ from their defaults, as variables for a start without shell and folder."""
        settings = self._settings
        made = settings.model_dump(mode="json", include=settings.model_fields_set, by_alias=False)
        for declared in target_settings().values():
            made |= self._settings_for(declared).changed()
        if settings.records_max_age:
            made["records_max_age"] = f"{settings.records_max_age.total_seconds():.3f}s"
        variables = {
            f"NBDEPLOY_{name.upper()}": value if isinstance(value, str) else json.dumps(value)
            for name, value in made.items()
            if name not in ("home", "bentoml_home", "validate") and value not in (None, [])
        }
        return variables | {"NBDEPLOY_HOME": str(self.home), "BENTOML_HOME": str(self._bentoml_home)}


class _Imaging:
    """``domain.images.ports.Imaging``."""

    def __init__(self, settings: Settings, folder: Path, working: Path, local: Callable[[], LocalSettings]) -> None:
        self.composing: Composing = _Composing(folder, local)
        self._store = folder
        self.base = settings.base_image
        self.to = settings.publish_to
        self.key = working / settings.sign_key.expanduser() if settings.sign_key else None
        self.verify_key = working / settings.verify_key.expanduser() if settings.verify_key else None

    def builder(self, kind: BuilderKind) -> ImageBuilder:
        from .container_images.engine_builder import EngineBuilder
        from .container_images.layer_builder import DaemonlessBuilder
        from .container_images.layout import ImageFolder

        store = ImageFolder(self._store)
        return EngineBuilder(store) if kind == "engine" else DaemonlessBuilder(store)

    def default_base(self, environment: Environment) -> str:
        from .container_images.base_image import default_base

        return default_base(environment)

    @cached_property
    def store(self) -> ImageStore:
        from .container_images.layout import ImageFolder

        return ImageFolder(self._store)

    @cached_property
    def contents(self) -> ImageContents:
        from .container_images.contents import LayerContents

        return LayerContents()

    @cached_property
    def registry(self) -> Registry:
        from .container_images.attachments import Registries

        return Registries()

    def bill_of_materials(self, snapshot: Snapshot, image: Image) -> bytes:
        from .container_images.base_image import base_packages
        from .container_images.layout import ImageFolder
        from .container_images.sbom import bill_of_materials

        return bill_of_materials(snapshot, image, base_packages(image.base, ImageFolder(self._store)))

    @cached_property
    def archivists(self) -> ArchivistImages:
        from .container_images.archivist import ArchivistBuilder
        from .container_images.layout import ImageFolder

        return ArchivistBuilder(ImageFolder(self._store))

    @cached_property
    def containers(self) -> Containers:
        from .container_images.running_containers import EngineContainers

        return EngineContainers()

    @cached_property
    def engines(self) -> Engines:
        from .container_images.engine_storage import EngineStorage

        return EngineStorage(self._store, self.registry)


class _Composing:
    """``domain.images.compose_ports.Composing``."""

    def __init__(self, store: Path, local: Callable[[], LocalSettings]) -> None:
        self._store, self._local = store, local

    @cached_property
    def gateways(self) -> GatewayImages:
        from .container_images.gateway import GatewayBuilder
        from .container_images.layout import ImageFolder
        from .targets.local.gateway.gateway import envoy_binary

        return GatewayBuilder(ImageFolder(self._store), lambda: envoy_binary(self._local()))

    @cached_property
    def composer(self) -> Composer:
        from .targets.local.compose.composer import LocalComposer

        return LocalComposer(self._local())

    @cached_property
    def folders(self) -> ComposeFolders:
        from .targets.local.compose.folder import ProjectFolders

        return ProjectFolders()
