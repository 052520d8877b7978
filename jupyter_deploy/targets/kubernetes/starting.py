"""Starts and ends of releases: their objects are applied, and their pods are awaited."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from jupyter_deploy.domain.errors import StartFailed, TargetError
from jupyter_deploy.domain.release.endpoint import Release

from . import autoscaling, names, pods
from .api import Api, Json, Unanswered
from .releases import CONTAINER, stamp_of
from .settings import ClusterSettings

PARTS = (*autoscaling.KINDS, "PodDisruptionBudget", "NetworkPolicy", "Service", "Deployment")
"""The kinds of a release's objects."""

_POLL_SECONDS = 0.25
_PAUSES = (0, 1, 2, 4, 8)
"""Seconds before each try to return to what was there."""


class Starting:
    """The objects and pods of releases in one namespace."""

    def __init__(self, api: Api, cluster: ClusterSettings) -> None:
        self._api, self._cluster = api, cluster

    def start(
        self,
        release: Release,
        wanted: Sequence[Json],
        *,
        gateway: Callable[[], None],
        stop: Callable[[], None],
        ask: bool,
        renew: bool,
    ) -> bool:
        """See ``Target.start``.

        Parameters
        ----------
        wanted
            The release's objects, the Deployment last.
        gateway
            Makes the gateway if there is none.
        stop
            Ends a release that was not there before, if it does not start.
        """
        name = names.release_name(release.endpoint, release.tag)
        present = self._api.get("Deployment", name)
        same = present is not None and stamp_of(present) == stamp_of(wanted[-1])
        if same and present and self._stays(release, present, ask=ask):
            return False
        if same and renew:
            self._api.delete("Deployment", name)
        gateway()
        scalers = self._scalers(name)
        try:
            self._apply(release, wanted)
            self._wait_ready(release, name)
        except BaseException:  # also on Ctrl-C, no half-started release stays
            back = partial(self._take_back, name, present, scalers) if present and is_up(present) else stop
            _again_and_again(back)  # the first failure is the one to report
            raise
        return True

    def delete(self, name: str) -> None:
        """Delete a release's objects; its pods complete their requests."""
        for kind in PARTS:
            if self._api.serves(kind):
                self._api.delete(kind, name)

    def _stays(self, release: Release, present: Json, *, ask: bool) -> bool:
        """Whether a Deployment with the wanted objects needs nothing; an idle one starts only to be asked."""
        replicas = present["spec"].get("replicas", 1)
        if replicas == 0 and release.resources.idles:
            return not ask
        wanted = autoscaling.scaled_to(release, self._cluster, replicas)
        return replicas == wanted and (rolled_out(present) if ask else is_up(present))

    def _apply(self, release: Release, wanted: Sequence[Json]) -> None:
        """Apply the objects, all but the number of pods, which an autoscaler and the gateway change too."""
        name, kinds = names.release_name(release.endpoint, release.tag), {one["kind"] for one in wanted}
        for document in wanted:
            applied = self._api.apply(without_replicas(document))
        for kind in autoscaling.KINDS:
            if kind not in kinds and self._api.serves(kind):
                self._api.delete(kind, name)
        replicas = applied["spec"].get("replicas", 1)
        if (start := autoscaling.scaled_to(release, self._cluster, replicas)) != replicas:
            self._api.scale(name, start)

    def _scalers(self, name: str) -> dict[str, Json | None]:
        return {kind: self._api.get(kind, name) for kind in autoscaling.KINDS if self._api.serves(kind)}

    def _wait_ready(self, release: Release, name: str) -> None:
        """Wait until all new pods are ready; raise StartFailed, with the reason, as soon as they cannot be."""
        timeout = self._cluster.start_timeout
        deadline = time.monotonic() + timeout
        while True:
            try:
                deployment = self._api.get("Deployment", name)
                found = self._api.list_("Pod", names.selector("release", release.endpoint, release.tag))
            except Unanswered:  # the pods start meanwhile
                if time.monotonic() > deadline:
                    raise
                time.sleep(_POLL_SECONDS)
                continue
            if deployment is None:
                raise StartFailed(f"{release.tag} was removed from the cluster while it started", "deploy it again")
            if rolled_out(deployment):
                return
            for pod in found:
                if (why := pods.fatal(pod)) and not pods.ending(pod):
                    raise self._failed(release, pod, why)
            if time.monotonic() > deadline:
                words = pods.in_words(found, deployment["spec"].get("replicas", 1)) or "its pods are not replaced yet"
                raise StartFailed(
                    f"{release.tag} is not ready after {timeout:g} s: {words}",
                    "give it more time: NBDEPLOY_KUBERNETES__START_TIMEOUT; 'kubectl describe pod' shows the events",
                    self._api.logs_of(found, CONTAINER, most=4000),
                )
            time.sleep(_POLL_SECONDS)

    def _failed(self, release: Release, pod: Json, why: str) -> StartFailed:
        name = pod["metadata"]["name"]
        log = self._api.logs(name, CONTAINER, most=4000) or self._api.logs(name, CONTAINER, most=4000, previous=True)
        return StartFailed(f"{release.tag} does not start: {why}", "correct it and deploy again", log)

    def _take_back(self, name: str, former: Json, scalers: dict[str, Json | None]) -> None:
        """Return to the objects of before a failed start."""
        for kind, scaler in scalers.items():
            if scaler is None:
                self._api.delete(kind, name)
            else:
                self._api.apply(_as_applied(scaler))
        # By apply, as the start does: the fields of another kind of change would conflict with the next start.
        self._api.apply(without_replicas(_as_applied(former)))
        self._api.scale(name, former["spec"].get("replicas", 1))


def _again_and_again(change: Callable[[], None]) -> None:
    """Make a change as soon as the cluster lets it happen."""
    for pause in _PAUSES:
        time.sleep(pause)
        with suppress(TargetError):
            change()
            return


def without_replicas(document: Json) -> Json:
    """A Deployment without its number of pods; any other object as it is."""
    if document["kind"] != "Deployment":
        return document
    return document | {"spec": {key: value for key, value in document["spec"].items() if key != "replicas"}}


def _as_applied(present: Json) -> Json:
    """An object that the API has returned, as it is applied."""
    had = present["metadata"]
    kept = {key: value for key, value in had.get("annotations", {}).items() if key in (names.SPEC, names.TAG)}
    metadata = {"name": had["name"], "namespace": had["namespace"], "labels": had["labels"], "annotations": kept}
    head = {"apiVersion": present["apiVersion"], "kind": present["kind"]}
    return head | {"metadata": metadata, "spec": present["spec"]}


def is_up(deployment: Json) -> bool:
    """Whether pods of the newest template answer, if there shall be any."""
    wanted, status = deployment["spec"].get("replicas", 1), deployment.get("status", {})
    observed = status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
    updated = status.get("updatedReplicas", 0) >= min(1, wanted)
    return bool(observed and updated and status.get("availableReplicas", 0) >= min(1, wanted))


def rolled_out(deployment: Json) -> bool:
    """Whether all pods are of the newest template and ready."""
    status, wanted = deployment.get("status", {}), deployment["spec"].get("replicas", 1)
    return bool(
        status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
        and status.get("updatedReplicas", 0) >= wanted
        and status.get("availableReplicas", 0) >= wanted
        and status.get("replicas", 0) <= status.get("updatedReplicas", 0)
    )
