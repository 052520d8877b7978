"""The objects of the target as documents, for people and for Git: ``domain.manifests.Manifester``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jupyter_deploy.domain.errors import InvalidInput, Refused
from jupyter_deploy.domain.release.endpoint import Endpoint

from .overlay import read_overlay
from .rbac import rights
from .releases import release_objects
from .settings import ClusterSettings, KubernetesSettings

_VERSIONS = {
    "PodDisruptionBudget": "policy/v1",
    "HorizontalPodAutoscaler": "autoscaling/v2",
    "ScaledObject": "keda.sh/v1alpha1",
}


class ClusterManifests:
    """``domain.manifests.Manifester``."""

    def __init__(self, settings: KubernetesSettings) -> None:
        self._settings = settings.kubernetes or ClusterSettings()

    def rights(self, *, write_secrets: bool, token: bool) -> Sequence[dict[str, Any]]:
        """The objects of an administrator."""
        return rights(self._settings, write_secrets=write_secrets, token=token)

    def workloads(self, endpoint: Endpoint) -> Sequence[dict[str, Any]]:
        """The objects of the releases with traffic."""
        if endpoint.target != "kubernetes":
            raise InvalidInput(
                f"{endpoint.name} is on target {endpoint.target}", "name an endpoint of the target kubernetes"
            )
        releases = [endpoint.release(tag) for tag in endpoint.traffic.tags()]
        unpublished = [one.tag for one in releases if one.image is None]
        if unpublished:
            raise Refused(f"not published yet: {', '.join(unpublished)}", f"nbdeploy publish {endpoint.name}")
        overlay = read_overlay(self._settings)
        return [
            document
            for one in releases
            for document in release_objects(one, self._settings, versions=_VERSIONS, overlay=overlay)
        ]
