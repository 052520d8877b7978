"""The objects of the target as documents, for people and for Git: ``domain.manifests.Manifester``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from jupyter_deploy.domain.errors import InvalidInput, Refused
from jupyter_deploy.domain.manifests import ObjectChange
from jupyter_deploy.domain.release.endpoint import Endpoint, Release

from . import names
from .api import Api
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
        """The objects of the releases with traffic."""
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
        return [document for one in releases for document in self._objects(one, _VERSIONS, image)]

    def differences(self, target: str, releases: Iterable[Release]) -> Mapping[str, Sequence[ObjectChange]]:
        """What starts of these releases would change in the cluster, by endpoint."""
        if target != "kubernetes" or self._all.kubernetes is None:
            return {}
        versions = {kind: self._api.version_of(kind) for kind in MAY_LACK}
        image = self._shipper_image() or _UNPUBLISHED
        wanted = {
            names.release_name(one.endpoint, one.tag): (one, self._objects(one, versions, image))
            for one in planned(releases, _UNPUBLISHED)
        }
        return differences(self._api, self._settings, wanted) if wanted else {}

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
