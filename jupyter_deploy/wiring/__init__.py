"""The implementation of each port, chosen by the settings: the only package that imports all others."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_deploy.domain.release.processes import passed_on
from jupyter_deploy.settings import OF_THE_USER, S, Settings, load_settings
from jupyter_deploy.targets.registry import InstalledTargets, target_settings

from .programs import archivist_command, ramp_variables

if TYPE_CHECKING:
    from jupyter_deploy.domain.batch.ports import BatchRunner, ClusterBatchRunner
    from jupyter_deploy.domain.capture.ports import Capturer, Finder, RNotebooks
    from jupyter_deploy.domain.evidence.ground_truth import GroundTruth
    from jupyter_deploy.domain.explanation import ModelAnswers
    from jupyter_deploy.domain.export import Exporter
    from jupyter_deploy.domain.health import Examiner, Part
    from jupyter_deploy.domain.images.images import Reference
    from jupyter_deploy.domain.images.ports import Imaging
    from jupyter_deploy.domain.jobs import Jobs
    from jupyter_deploy.domain.manifests import Manifester
    from jupyter_deploy.domain.model_search.ports import ModelSearch
    from jupyter_deploy.domain.model_selection.ports import Measurer, ScoreIntervals
    from jupyter_deploy.domain.ports import Builder, Client, Environments, MonitorReports, NotebookRunner, Ports
    from jupyter_deploy.domain.release.document_requests import Documents
    from jupyter_deploy.domain.release.endpoint import Release
    from jupyter_deploy.domain.release.ports import SharedEndpoints, Target
    from jupyter_deploy.domain.store_ports import DriftLog, InferenceLog, RecordCounts, Store
    from jupyter_deploy.domain.stream.ports import StreamBrokers
    from jupyter_deploy.domain.user_session import Boot, Notifier
    from jupyter_deploy.domain.validation.ports import Judge, ModelServers, Project, Reports, ValidationRunner
    from jupyter_deploy.domain.validation.scaffold_ports import Starter
    from jupyter_deploy.domain.validation.validation import ValidationSpec
    from jupyter_deploy.records.shipping import BucketOfHome
    from jupyter_deploy.system.notifications import Destinations
    from jupyter_deploy.system.secret_store import SecretStore
    from jupyter_deploy.targets.local.settings import LocalSettings


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
        self.cost = settings.cost

    @cached_property
    def capturer(self) -> Capturer:
        from jupyter_deploy.capture.capturer import ModelCapturer

        return ModelCapturer(self._bentoml_home, self._settings.tolerance, self._settings.replay_timeout, self.secrets)

    @cached_property
    def finder(self) -> Finder:
        from jupyter_deploy.capture.candidates import NotebookFinder

        return NotebookFinder()

    @cached_property
    def environments(self) -> Environments:
        from jupyter_deploy.artifacts.isolated import VirtualEnvironments

        return VirtualEnvironments(self.home / "environments")

    @cached_property
    def builder(self) -> Builder:
        from jupyter_deploy.artifacts.bento import BentoBuilder

        return BentoBuilder(self._bentoml_home)

    @cached_property
    def notebooks(self) -> NotebookRunner:
        from jupyter_deploy.notebooks.papermill import PapermillRunner

        return PapermillRunner()

    @cached_property
    def r_notebooks(self) -> RNotebooks:
        from jupyter_deploy.capture.r.notebooks import RNotebooks

        return RNotebooks(self._settings.tolerance)

    @cached_property
    def store(self) -> Store:
        from jupyter_deploy.domain.base import user_name
        from jupyter_deploy.store.shared_store import SharedStore

        return SharedStore(self.home, user_name(), lambda: self._shared)

    @cached_property
    def _bucket(self) -> BucketOfHome:
        from jupyter_deploy.records.shipping import BucketOfHome

        return BucketOfHome(self.home, self._settings.records_to)

    @cached_property
    def log(self) -> InferenceLog:
        from jupyter_deploy.comparison.record_log import RecordLog

        return RecordLog(self.home, bucket=self._bucket)

    @cached_property
    def record_counts(self) -> RecordCounts:
        from jupyter_deploy.records.counts import FileCounts

        return FileCounts(self.home)

    @cached_property
    def drift(self) -> DriftLog:
        from jupyter_deploy.drift_detection.drift_log import WatchedDrift

        return WatchedDrift(self.home, self._bucket)

    @cached_property
    def batches(self) -> BatchRunner:
        from jupyter_deploy.batch_scoring.runner import WorkerBatches

        return WorkerBatches(self.secrets)

    @cached_property
    def cluster_batches(self) -> ClusterBatchRunner:
        from jupyter_deploy.targets.kubernetes.batch_runs import JobBatches
        from jupyter_deploy.targets.kubernetes.settings import KubernetesSettings

        return JobBatches(self._settings_for(KubernetesSettings))

    @cached_property
    def streams(self) -> StreamBrokers:
        from jupyter_deploy.streaming.brokers import Brokers

        return Brokers()

    @cached_property
    def model_answers(self) -> ModelAnswers:
        from jupyter_deploy.batch_scoring.model_answers import ProcessAnswers

        return ProcessAnswers(self.secrets)

    @cached_property
    def measurer(self) -> Measurer:
        from jupyter_deploy.model_selection.measurement import ProcessMeasurer

        return ProcessMeasurer(self.secrets)

    @cached_property
    def model_search(self) -> ModelSearch:
        from jupyter_deploy.model_search.search import TableSearch

        return TableSearch()

    @cached_property
    def score_intervals(self) -> ScoreIntervals:
        from jupyter_deploy.model_selection.scores import MaxTIntervals

        return MaxTIntervals()

    @cached_property
    def truth(self) -> GroundTruth:
        from jupyter_deploy.records.ground_truth import RecordedGroundTruth

        return RecordedGroundTruth(self.home, self._bucket)

    @cached_property
    def client(self) -> Client:
        from jupyter_deploy.targets.local.gateway.gateway import own_socket
        from jupyter_deploy.targets.local.http_client import HttpClient
        from jupyter_deploy.targets.local.runtime import locate

        settings = self._local
        return HttpClient(settings.public_url, lambda: own_socket(locate(settings)))

    @cached_property
    def notifier(self) -> Notifier:
        from jupyter_deploy.system.notifications import UserNotifier

        return UserNotifier(self.home, self._destinations)

    @property
    def _destinations(self) -> Destinations:
        from jupyter_deploy.system.notifications import Destinations

        return Destinations(**{name: getattr(self._settings, name) for name in OF_THE_USER})

    @cached_property
    def validations(self) -> ValidationRunner:
        from jupyter_deploy.validation.runner import PapermillValidationRunner

        return PapermillValidationRunner()

    @cached_property
    def project(self) -> Project:
        from jupyter_deploy.validation.project import FolderProject

        return FolderProject()

    @cached_property
    def specs(self) -> tuple[ValidationSpec, ...]:
        """The validations of ``nbdeploy.yaml``, with absolute paths."""
        return tuple(spec.within(self._folder) for spec in self._settings.validate)

    @property
    def redact(self) -> tuple[str, ...]:
        return self._settings.redact

    @property
    def secret_references(self) -> dict[str, str]:
        return self._settings.secrets

    @cached_property
    def secrets(self) -> SecretStore:
        from jupyter_deploy.system.secret_store import SecretStore

        return SecretStore(self._settings.home)

    @cached_property
    def servers(self) -> ModelServers:
        from jupyter_deploy.validation.model_servers import SnapshotServers

        return SnapshotServers(self._local.start_timeout, self.secrets)

    @cached_property
    def judge(self) -> Judge:
        from jupyter_deploy.validation.judge import Statistician

        return Statistician()

    @cached_property
    def monitor_reports(self) -> MonitorReports:
        from jupyter_deploy.validation.reports.monitor_report import MonitorFiles

        return MonitorFiles()

    @cached_property
    def reports(self) -> Reports:
        from jupyter_deploy.validation.reports import ValidationReports

        return ValidationReports(self.home)

    @cached_property
    def starter(self) -> Starter:
        from jupyter_deploy.validation.scaffold import ProjectStarter

        return ProjectStarter()

    @cached_property
    def examiners(self) -> dict[Part, Examiner]:
        from jupyter_deploy.records.health import RecordsExaminer
        from jupyter_deploy.system.host_health import HostExaminer
        from jupyter_deploy.targets.local.health import LocalExaminer

        folders = (self.home, self._bentoml_home)
        return {
            "machine": HostExaminer(folders),
            "programs": LocalExaminer(lambda: self._local),
            "records": RecordsExaminer(self.home),
        }

    @cached_property
    def documents(self) -> Documents:
        from jupyter_deploy.system.endpoint_documents import YamlDocuments

        return YamlDocuments()

    @cached_property
    def manifester(self) -> Manifester:
        from jupyter_deploy.targets.kubernetes.manifests import ClusterManifests
        from jupyter_deploy.targets.kubernetes.settings import KubernetesSettings

        return ClusterManifests(self._settings_for(KubernetesSettings))

    @cached_property
    def jobs(self) -> Jobs:
        from jupyter_deploy.store.jobs import SqliteJobs

        return SqliteJobs(self.home)

    @cached_property
    def images(self) -> Imaging:
        from .images import ImageParts

        return ImageParts(self._settings, self.home / "images", self._folder, lambda: self._local)

    @cached_property
    def exporter(self) -> Exporter:
        from jupyter_deploy.artifacts.onnx_export.exporter import OnnxExporter

        return OnnxExporter()

    @cached_property
    def boot(self) -> Boot:
        from jupyter_deploy.targets.local.systemd import SystemdUnit

        # Others may read the unit, and the address of a webhook is a secret.
        secrets = {f"NBDEPLOY_{name.upper()}" for name in OF_THE_USER}
        variables = {name: value for name, value in self._variables().items() if name not in secrets}
        return SystemdUnit(self.home, variables)

    @cached_property
    def _local(self) -> LocalSettings:
        from jupyter_deploy.targets.local.settings import LocalSettings

        return self._settings_for(LocalSettings)

    @cached_property
    def targets(self) -> Mapping[str, Target]:
        """Every installed target, by its entry point's name."""
        return InstalledTargets(lambda target: target(self._settings_for(target.settings_class)))

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
            archivist=archivist_command(self._settings, self.home),
            archivist_variables=self._destinations.variables(),
            endpoint_program=self._endpoint_program,
            stream_worker=(sys.executable, "-P", "-m", "jupyter_deploy.streaming.worker"),
            ramp_variables=ramp_variables(self._settings),
            records_to=self._settings.records_to,
            load_image=self._load_image,
            publish_gateway=self._publish_gateway,
            publish_archivist=self._publish_archivist if self._settings.records_to else None,
        )

    def _publish_gateway(self, release: Release) -> str:
        from jupyter_deploy.verbs.images.gateway_image import publish_gateway

        return publish_gateway(release, self)

    def _publish_archivist(self, release: Release) -> str:
        from jupyter_deploy.verbs.images.gateway_image import publish_archivist

        return publish_archivist(release, self._settings.records_to or "", self)

    def _endpoint_program(self, program: str, endpoint: str) -> tuple[tuple[str, ...], dict[str, str]]:
        """The command line and the environment of an endpoint's program, which has the settings of this process."""
        command = (sys.executable, "-P", "-m", f"jupyter_deploy.faces.{program}", endpoint)
        return command, passed_on(os.environ) | self._variables()

    def _load_image(self, engine: str, reference: Reference) -> None:
        self.images.engines.load(engine, reference)  # made when an image is moved

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
