"""The objects of the target as documents, for people and for Git: ``domain.manifests.Manifester``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from jupyter_deploy.domain.batch.scoring import ScheduledScoring, scheduled_scorings
from jupyter_deploy.domain.errors import InvalidInput, Refused
from jupyter_deploy.domain.manifests import ObjectChange
from jupyter_deploy.domain.release.endpoint import Endpoint, Release

from . import names
from .api import Api
from .batches import cron_job
from .differences import differences, planned
from .exposure import exposure
from .metrics.objects import monitoring_objects
from .overlay import read_overlay
from .rbac import rights
from .releases import MAY_LACK, release_objects
from .settings import ClusterSettings, KubernetesSettings
from .shipping import image_in, shipper

_VERSIONS = {
    "PodDisruptionBudget": "policy/v1",
    "HorizontalPodAutoscaler": "autoscaling/v2",
    "ScaledObject": "keda.sh/v1alpha1",
    "CronJob": "batch/v1",
}
"""Those of new servers: documents are for Git, and need no cluster."""

_UNPUBLISHED = "published-by-the-deploy"
"""Stands for an image in a plan."""

Json = dict[str, Any]


class ClusterManifests:
    """``domain.manifests.Manifester``."""

    def __init__(self, settings: KubernetesSettings) -> None:
        self._all = settings
        self._settings = settings.kubernetes or ClusterSettings()

    def rights(self, *, write_secrets: bool, token: bool) -> Sequence[Json]:
        """The objects of an administrator."""
        return rights(self._settings, write_secrets=write_secrets, token=token)

    def exposure(self, *, gateway: str | None, tls: str | None, ingress_class: str | None) -> Json:
        """The Ingress, or the HTTPRoute of a Gateway, before the gateway."""
        return exposure(self._settings, gateway=gateway, tls=tls, ingress_class=ingress_class)

    def monitoring(self, files: Mapping[str, str]) -> Sequence[Json]:
        """The exporter of metrics, and what Prometheus and Grafana read."""
        image = self._settings.shipper_image or image_in(self._api.get("Deployment", names.GATEWAY))
        if not image:
            raise Refused(
                "the exporter has no image: it is in that of the program that uploads records",
                "deploy once with NBDEPLOY_RECORDS_TO, or name it: NBDEPLOY_KUBERNETES__SHIPPER_IMAGE",
            )
        overlay = read_overlay(self._settings)
        return monitoring_objects(self._settings, image, files, self._all.records_to, overlay)

    def workloads(self, endpoint: Endpoint) -> Sequence[Json]:
        """The objects of the releases with traffic, and of the batches by schedule."""
        if endpoint.target != "kubernetes":
            raise InvalidInput(
                f"{endpoint.name} is on target {endpoint.target}", "name an endpoint of the target kubernetes"
            )
        releases = [endpoint.release(tag) for tag in endpoint.traffic.tags()]
        unpublished = [one.tag for one in releases if one.image is None]
        if unpublished:
            raise Refused(f"not published yet: {', '.join(unpublished)}", f"nbdeploy publish {endpoint.name}")
        image = self._shipper_image()
        if self._all.records_to and not image:
            raise Refused(
                "the program that uploads records is not published yet",
                "deploy once to this cluster, or name its image: NBDEPLOY_KUBERNETES__SHIPPER_IMAGE",
            )
        objects = [document for one in releases for document in self._objects(one, _VERSIONS, image)]
        return objects + [self._cron_job(one, _VERSIONS["CronJob"], image) for one in scheduled_scorings(endpoint)]

    def differences(
        self, target: str, releases: Iterable[Release], batches: Mapping[str, Sequence[ScheduledScoring]]
    ) -> Mapping[str, Sequence[ObjectChange]]:
        """What starts of these releases and these schedules would change in the cluster, by endpoint."""
        if target != "kubernetes" or self._all.kubernetes is None:
            return {}
        versions = {kind: self._api.version_of(kind) for kind in MAY_LACK}
        image = self._shipper_image() or _UNPUBLISHED
        wanted = {
            names.release_name(one.endpoint, one.tag): (one, self._objects(one, versions, image))
            for one in planned(releases, _UNPUBLISHED)
        }
        crons: dict[str, list[Json]] = {}
        version = self._api.version_of("CronJob")
        for name, scorings in batches.items() if version else ():
            published = zip(scorings, planned((one.release for one in scorings), _UNPUBLISHED), strict=True)
            crons[name] = [self._cron_job(one._replace(release=release), version, image) for one, release in published]
        return differences(self._api, self._settings, wanted, crons)

    @cached_property
    def _api(self) -> Api:
        return Api(self._settings)

    def _shipper_image(self) -> str:
        """The image of the program that uploads records; empty: it is not published, or records stay in the pods."""
        if not self._all.records_to:
            return ""
        return self._settings.shipper_image or image_in(self._api.get("Deployment", names.GATEWAY))

    def _objects(self, release: Release, versions: Mapping[str, str], image: str) -> list[Json]:
        return release_objects(
            release,
            self._settings,
            versions=versions,
            shipper=shipper(release, self._settings, self._all.records_to, image),
            overlay=read_overlay(self._settings),
        )

    def _cron_job(self, scoring: ScheduledScoring, version: str, image: str) -> Json:
        return cron_job(
            scoring,
            self._settings,
            version=version,
            overlay=read_overlay(self._settings),
            shipper=shipper(scoring.release, self._settings, self._all.records_to, image, job=True),
        )
