"""Releases as Deployments of one namespace, behind a gateway. See docs/architecture/21-kubernetes.md."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path

from jupyter_deploy import __version__
from jupyter_deploy.domain.batch.spec import BatchSpec
from jupyter_deploy.domain.errors import DeployError, InvalidInput, Refused, RouteNotConfirmed, TargetError
from jupyter_deploy.domain.release.endpoint import Endpoint, Release
from jupyter_deploy.domain.release.ports import Observation, ReleaseHealth, TargetSettings
from jupyter_deploy.domain.release.resources import Resources
from jupyter_deploy.domain.release.status import Usage
from jupyter_deploy.domain.stream.spec import StreamSpec

from . import autoscaling, batch_runs, names, pods, ramp_drivers, uploading
from .api import Api, Json
from .endpoint_maps import EndpointMaps
from .gateway.configuration import configuration
from .gateway.confirmation import wait_in_force
from .gateway.objects import gateway_objects
from .observing import gateway_is_up, limits_of, observed
from .overlay import read_overlay
from .releases import CONTAINER, MAY_LACK, release_objects, stamp_of, stamped
from .settings import ClusterSettings, KubernetesSettings
from .shipping import image_in
from .starting import PARTS, Starting

_POLL_SECONDS = 0.25
_MOST_CPUS = 1024


class KubernetesTarget:
    """``domain.release.ports.Target`` in one namespace of a cluster."""

    settings_class: type[TargetSettings] = KubernetesSettings
    needs_image = True

    def __init__(self, settings: KubernetesSettings) -> None:
        self._settings = settings

    @property
    def on(self) -> bool:
        """Whether a setting names a namespace, a cluster or anything else of it."""
        return self._settings.kubernetes is not None

    @property
    def shared(self) -> EndpointMaps | None:
        """The namespace's endpoints; None: the target is off."""
        return self._maps if self._settings.kubernetes else None

    @property
    def header_file(self) -> Path | None:
        """The file of the setting ``token_file``."""
        chosen = self._settings.kubernetes.token_file if self._settings.kubernetes else None
        return chosen.expanduser().absolute() if chosen else None

    def check(self, resources: Resources | None = None, platform: str | None = None) -> None:
        """Raise if the cluster cannot be reached, or this user may not read the namespace's objects."""
        read_overlay(self._cluster)
        if resources is not None:
            resources.pods(self._cluster.replicas)
        if resources is not None and (resources.cpu or 0) > _MOST_CPUS:
            raise InvalidInput(f"no node has cpu={resources.cpu:g}", f"write {_MOST_CPUS} or less")
        if platform is not None and not platform.startswith("linux/"):
            raise InvalidInput(f"the image is for {platform}", "publish one for Linux")
        self._api.list_("Deployment", names.selector("gateway"))

    def check_ramp(self, endpoint: Endpoint) -> None:
        """Raise unless a Job can drive a ramp of the endpoint, with evidence."""
        ramp_drivers.check(endpoint, self._api, self._settings.records_to)

    def check_serving(self, way: StreamSpec | BatchSpec) -> None:
        """See ``Target.check_serving``."""
        if isinstance(way, BatchSpec):
            batch_runs.check(way, self._api, self._settings.records_to)
            return
        raise Refused(
            "a cluster runs no worker of a stream", "deploy the endpoint to the target local, or send it HTTP requests"
        )

    def start(self, release: Release, *, ask: bool = False, renew: bool = False) -> bool:
        """Run a release until its pods are ready: they are once they reproduce the notebook's predictions."""
        if release.image is None:
            raise InvalidInput(
                f"{release.tag} has no image, and a cluster runs images only",
                f"deploy it again with --target kubernetes, or publish it: nbdeploy publish {release.endpoint}",
            )
        return self._starting.start(
            release,
            self._objects(release),
            gateway=lambda: self._require_gateway(release),
            stop=lambda: self.stop(release),
            ask=ask,
            renew=renew,
        )

    def stop(self, release: Release) -> None:
        """Delete the release's objects; its pods complete their requests. The last one takes the gateway along."""
        if not self._settings.kubernetes:
            return
        self._starting.delete(names.release_name(release.endpoint, release.tag))
        if not self._api.list_("Deployment", names.selector("release")):
            self._stop_gateway()

    def route(self, endpoint: Endpoint) -> str:
        """Put the endpoint's traffic in force; returns when every ready pod of the gateway has confirmed it."""
        cluster = self._cluster
        if endpoint.running:
            self._require_gateway(endpoint.release(endpoint.traffic.stable))
            self._wait_gateway()
        half = configuration(endpoint, cluster)
        former, digest = self._maps.route(endpoint, half), half["data"]["hash"]
        # A call that was killed may have written these routes, and not waited for their confirmation.
        if endpoint.running and (former is not None or self._maps.routed(endpoint.name)[1] == digest):
            try:
                wait_in_force(self._api, endpoint.name, digest, cluster.confirm_timeout)
            except RouteNotConfirmed:
                if former is not None:
                    self._maps.put_back(endpoint, former)
                raise
        newest = partial(self._maps.endpoint, endpoint.name)
        crons = partial(batch_runs.wanted_crons, api=self._api, settings=self._settings)
        batch_runs.keep(endpoint, self._api, crons, newest)
        ramp_drivers.keep_running(endpoint, self._api, lambda: self._ramp_driver(endpoint), newest)
        return self._url(endpoint.name)

    def observe(self, endpoint: Endpoint) -> Observation:
        """The endpoint's state; starts nothing."""
        return self.observe_all([endpoint])[endpoint.name]

    def observe_all(self, endpoints: Sequence[Endpoint]) -> dict[str, Observation]:
        """The state of several endpoints, by a handful of lists."""
        if not endpoints:
            return {}
        try:
            return observed(endpoints, self._api, self._base_url(), self._maps.routes(), self._limits)
        except DeployError as error:
            lost = ReleaseHealth(running=False, healthy=False, detail=error.message)
            return {
                one.name: Observation(url="", gateway=False, releases={r.tag: lost for r in one.releases})
                for one in endpoints
            }

    def limits(self, release: Release) -> tuple[str, ...]:
        """How the release's resources are enforced."""
        if not self._settings.kubernetes:
            return ()
        present = self._api.get("Deployment", names.release_name(release.endpoint, release.tag))
        return self._limits(release) if present else ()

    def _limits(self, release: Release) -> tuple[str, ...]:
        scaled = autoscaling.is_scaled(release, self._cluster)
        return (
            *autoscaling.in_words(release, self._cluster, self._versions),
            *limits_of(release.resources, scaled=scaled),
        )

    def usage(self, releases: Sequence[Release]) -> dict[str, Usage]:
        """None: the metrics API gives no processor time since the start."""
        return {}

    def output(self, release: Release, most: int) -> str:
        """The end of the logs of the release's pods, one pod after the other."""
        if not self._settings.kubernetes:
            return ""
        return self._api.logs_of(self._pods(release), CONTAINER, most=most)

    def lost(self) -> bool:
        """Never: a cluster starts its pods itself."""
        return False

    def forget(self, endpoint: str, tags: Sequence[str]) -> None:
        """Remove what a deleted endpoint left."""
        if not self._settings.kubernetes:
            return
        self._api.delete(ramp_drivers.KIND, names.ramp_name(endpoint))
        batch_runs.delete(self._api, endpoint)
        for tag in tags:
            self._starting.delete(names.release_name(endpoint, tag))
        self._maps.remove(endpoint)

    def down(self) -> None:
        """Delete every object of nbdeploy in the namespace, but those of its administrator."""
        batch_runs.delete(self._api)
        for one in self._api.list_(ramp_drivers.KIND, names.SELECTOR):  # first, or a driver would start the rest again
            self._api.delete(ramp_drivers.KIND, one["metadata"]["name"])
        self._stop_gateway()
        for kind in (*PARTS, "ConfigMap", "Lease"):
            if self._api.serves(kind):
                for one in self._api.list_(kind, names.SELECTOR):
                    self._api.delete(kind, one["metadata"]["name"])

    @property
    def _cluster(self) -> ClusterSettings:
        if self._settings.kubernetes is None:
            raise InvalidInput(
                "the target kubernetes is not set up here",
                "name the namespace: NBDEPLOY_KUBERNETES__NAMESPACE=models, or 'kubernetes: {namespace: models}' in "
                "nbdeploy.yaml; see docs/kubernetes.md",
            )
        return self._settings.kubernetes

    @cached_property
    def _api(self) -> Api:
        return Api(self._cluster)

    @property
    def _versions(self) -> dict[str, str]:
        return {kind: self._api.version_of(kind) for kind in MAY_LACK}

    @cached_property
    def _starting(self) -> Starting:
        return Starting(self._api, self._cluster)

    @cached_property
    def _maps(self) -> EndpointMaps:
        return EndpointMaps(lambda: self._api, "kubernetes")

    def _objects(self, release: Release) -> list[Json]:
        return release_objects(
            release,
            self._cluster,
            versions=self._versions,
            shipper=uploading.container(release, release, self._settings, self._api),
            overlay=read_overlay(self._cluster),
        )

    def _pods(self, release: Release) -> list[Json]:
        return self._api.list_("Pod", names.selector("release", release.endpoint, release.tag))

    def _require_gateway(self, release: Release) -> None:
        """Apply the gateway's objects that are missing or were made with other settings."""
        cluster = self._cluster
        image = cluster.gateway_image or self._present_image() or self._published_gateway(release)
        budget = self._api.version_of("PodDisruptionBudget")
        uploads = uploading.container(None, release, self._settings, self._api)
        overlay = read_overlay(cluster)
        for made in gateway_objects(cluster, image=image, pdb=budget, shipper=uploads, overlay=overlay):
            if made["kind"] == "Deployment":
                made["metadata"].setdefault("annotations", {})[names.MADE_BY] = __version__
            document = stamped(made)
            present = self._api.get(document["kind"], document["metadata"]["name"])
            if stamp_of(present) != stamp_of(document):
                self._api.apply(document)

    def _wait_gateway(self) -> None:
        """Wait until a pod of the gateway is ready, such as at the first deploy; raise TargetError with the reason."""
        deadline = time.monotonic() + self._cluster.start_timeout
        while not gateway_is_up(self._api.get("Deployment", names.GATEWAY)):
            found = self._api.list_("Pod", names.selector("gateway"))
            why = next(filter(None, (pods.fatal(pod) for pod in found if not pods.ending(pod))), "")
            if why or time.monotonic() > deadline:
                raise TargetError(
                    f"the gateway does not start: {why or pods.in_words(found, self._cluster.gateway_replicas)}",
                    f"kubectl -n {self._cluster.namespace} describe pods --selector {names.selector('gateway')}",
                )
            time.sleep(_POLL_SECONDS)

    def _present_image(self) -> str:
        """The image of the gateway that runs, if this version of nbdeploy made it; empty: there is none."""
        present = uploading.present_gateway(self._api)
        return str(present["spec"]["template"]["spec"]["containers"][0]["image"]) if present else ""

    def _ramp_driver(self, endpoint: Endpoint) -> Json:
        image = ramp_drivers.image_for(self._cluster, image_in(uploading.present_gateway(self._api)))
        overlay = read_overlay(self._cluster)
        return ramp_drivers.driver_job(endpoint.name, self._cluster, image, self._settings.ramp_variables, overlay)

    def _published_gateway(self, release: Release) -> str:
        if self._settings.publish_gateway is None:
            raise InvalidInput(
                "the gateway has no image", "name one: NBDEPLOY_KUBERNETES__GATEWAY_IMAGE=HOST/PATH@sha256:…"
            )
        return self._settings.publish_gateway(release)

    def _stop_gateway(self) -> None:
        """Delete the gateway's pods; its Service stays with its address until ``down``."""
        self._api.delete("Deployment", names.GATEWAY)

    def _url(self, endpoint: str) -> str:
        return f"{self._base_url()}/{endpoint}"

    def _base_url(self) -> str:
        cluster = self._cluster
        if cluster.url:
            return cluster.url
        service = self._api.get("Service", names.GATEWAY) or {}
        address = service.get("spec", {}).get("clusterIP")
        ingress = (service.get("status", {}).get("loadBalancer") or {}).get("ingress") or [{}]
        outside = ingress[0].get("hostname") or ingress[0].get("ip")
        host = outside or address or f"{names.GATEWAY}.{cluster.namespace}"
        return f"http://{f'[{host}]' if ':' in host else host}:{cluster.port}"
