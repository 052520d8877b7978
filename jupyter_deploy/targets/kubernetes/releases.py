"""The objects of a release: Deployment, headless Service, NetworkPolicy, PodDisruptionBudget, autoscaler. Pure.

::

    gateway's pods ── TCP 8080, with the gateway's key ── pods of Deployment nbd-NAME-VERSION
                                                          ├─ container "release": the published image, by digest
                                                          └─ container "shipper": with records_to

A pod needs no right at all: it runs under PodSecurity's level ``restricted`` with any user id, its root file system is
read-only, and it has no account's token.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from jupyter_deploy.domain.release.endpoint import Release
from jupyter_deploy.domain.release.resources import Resources
from jupyter_deploy.domain.secret_references import NAMES, parse_reference

from . import names
from .autoscaling import autoscaler, bounds, is_scaled, requested_cpu
from .overlay import merged
from .settings import ClusterSettings

Json = dict[str, Any]

CONTAINER = "release"

KEY_FOLDER = "/etc/nbdeploy/secret"
DATA = "/data"
UPLOAD_SECONDS = 10
"""For the shipper's last upload."""

MAY_LACK = ("PodDisruptionBudget", "HorizontalPodAutoscaler", "ScaledObject")
"""The kinds of a release's objects that a server may lack, or have in an old version only."""

UPLOADS: Json = {"name": "uploads", "emptyDir": {}}
"""The volume in which the shipper lists what it has uploaded."""


def release_objects(
    release: Release,
    settings: ClusterSettings,
    *,
    versions: Mapping[str, str],
    shipper: Json | None = None,
    overlay: Mapping[str, Any] | None = None,
) -> list[Json]:
    """The objects of a release, in the order in which they are applied.

    Parameters
    ----------
    versions
        By kind of ``MAY_LACK``, the version of the API, such as ``policy/v1``; empty: the server has none.
    shipper
        The container that sends records away; None: records stay in the pod, and end with it.
    overlay
        Merged into the pod's template: ``metadata`` and ``spec``.
    """
    objects = [_service(release, settings), _network_policy(release, settings)]
    if (budget := versions.get("PodDisruptionBudget")) and bounds(release, settings)[1] > 1:
        objects.append(_disruption_budget(release, settings, budget))
    scaler = autoscaler(release, settings, _metadata(release, settings), versions)
    objects += [scaler] if scaler else []
    objects.append(_deployment(release, settings, shipper, overlay or {}))
    return [stamped(one) for one in objects]


def stamped(document: Json) -> Json:
    """The object with a hash of itself as an annotation, by which a later start sees whether it is as wanted."""
    digest = hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:16]
    metadata = document["metadata"]
    annotations = metadata.get("annotations", {}) | {names.SPEC: digest}
    return document | {"metadata": metadata | {"annotations": annotations}}


def stamp_of(document: Json | None) -> str:
    """The hash in an object; empty: it has none."""
    annotations = ((document or {}).get("metadata") or {}).get("annotations") or {}
    return str(annotations.get(names.SPEC, ""))


def restricted_container() -> Json:
    """The security context of a container for PodSecurity's level ``restricted``."""
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }


def restricted_pod() -> Json:
    """The security context of a pod: any user id but root's."""
    return {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}


def _metadata(release: Release, settings: ClusterSettings) -> Json:
    return {
        "name": names.release_name(release.endpoint, release.tag),
        "namespace": settings.namespace,
        "labels": names.labels("release", release.endpoint, release.tag),
        "annotations": {names.TAG: release.tag},
    }


def _selector(release: Release) -> dict[str, str]:
    return names.labels("release", release.endpoint, release.tag)


def _service(release: Release, settings: ClusterSettings) -> Json:
    port = {"name": "http", "port": names.PORT, "targetPort": "http", "protocol": "TCP"}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(release, settings),
        "spec": {"clusterIP": "None", "selector": _selector(release), "ports": [port]},
    }


def _network_policy(release: Release, settings: ClusterSettings) -> Json:
    peers = [{"podSelector": {"matchLabels": names.labels(one)}} for one in ("gateway", "exporter")]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": _metadata(release, settings),
        "spec": {
            "podSelector": {"matchLabels": _selector(release)},
            "policyTypes": ["Ingress"],
            "ingress": [{"from": peers, "ports": [{"port": "http", "protocol": "TCP"}]}],
        },
    }


def _disruption_budget(release: Release, settings: ClusterSettings, version: str) -> Json:
    return {
        "apiVersion": version,
        "kind": "PodDisruptionBudget",
        "metadata": _metadata(release, settings),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": _selector(release)}},
    }


def _deployment(release: Release, settings: ClusterSettings, shipper: Json | None, overlay: Mapping[str, Any]) -> Json:
    least, most = bounds(release, settings)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(release, settings),
        "spec": {
            **({"replicas": most} if least == most else {}),
            "revisionHistoryLimit": 1,
            "selector": {"matchLabels": _selector(release)},
            # The former pods answer until the new ones are ready.
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": merged(_template(release, settings, shipper), overlay),
        },
    }


def _template(release: Release, settings: ClusterSettings, shipper: Json | None) -> Json:
    mounts = [
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - within the container
        {"name": "key", "mountPath": KEY_FOLDER, "readOnly": True},
        records_mount(release),
        feedback_mount(release),
    ]
    container = {
        "name": CONTAINER,
        "image": release.image,
        "imagePullPolicy": "IfNotPresent",
        "args": ["--tcp"],
        "env": [
            *({"name": name, "value": value} for name, value in _environment(release, settings).items()),
            *secret_variables(release),
        ],
        "ports": [{"name": "http", "containerPort": names.PORT, "protocol": "TCP"}],
        "resources": resources_of(release.resources, scaled=is_scaled(release, settings)),
        "securityContext": restricted_container(),
        "volumeMounts": mounts,
        "readinessProbe": _probe("/readyz", period=1, failures=3),
        # A start may take as long as it is allowed; a pod that answers no more is restarted.
        "startupProbe": _probe("/livez", period=1, failures=max(30, int(settings.start_timeout))),
        "livenessProbe": _probe("/livez", period=10, failures=6),
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    secret = {"secretName": settings.secret, "items": [{"key": "key", "path": "key"}], "defaultMode": 0o444}
    volumes = [
        {"name": "tmp", "emptyDir": {}},
        {"name": "key", "secret": secret},
        {"name": "records", "emptyDir": {}},
        {"name": "feedback", "emptyDir": {}},
        *([UPLOADS] if shipper else []),
    ]
    return {
        "metadata": {
            "labels": names.labels("release", release.endpoint, release.tag),
            "annotations": {names.TAG: release.tag},
        },
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": restricted_pod(),
            "terminationGracePeriodSeconds": settings.termination_seconds + (UPLOAD_SECONDS if shipper else 0),
            "containers": [container, *([shipper] if shipper else [])],
            "volumes": volumes,
            "topologySpreadConstraints": [
                {
                    "maxSkew": 1,
                    "topologyKey": "kubernetes.io/hostname",
                    "whenUnsatisfiable": "ScheduleAnyway",
                    "labelSelector": {"matchLabels": _selector(release)},
                }
            ],
        },
    }


def secret_variables(release: Release) -> Iterator[Json]:
    """Variables whose values the kubelet reads from Secrets of the namespace at a pod's start."""
    for variable, text in release.secrets.items():
        secret, _, key = parse_reference(text).place.partition("/")
        yield {"name": variable, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def records_mount(release: Release) -> Json:
    """The folder of records; in a volume of its own, since only a volume's folders are writable for any user."""
    folder = f"{DATA}/records/{release.endpoint}/{release.version}"
    return {"name": "records", "mountPath": folder, "subPath": release.version}


def feedback_mount(release: Release) -> Json:
    """The folder of feedback; see ``records_mount``."""
    return {"name": "feedback", "mountPath": f"{DATA}/feedback/{release.endpoint}"}


def _environment(release: Release, settings: ClusterSettings) -> dict[str, str]:
    resources = release.resources
    variables = {
        "PORT": str(names.PORT),
        "NBDEPLOY_ENDPOINT": release.endpoint,
        "NBDEPLOY_RECORDS": records_mount(release)["mountPath"],
        "NBDEPLOY_FEEDBACK": feedback_mount(release)["mountPath"],
        "NBDEPLOY_GRACE_SECONDS": str(settings.drain_seconds),
        "NBDEPLOY_DRAIN_DELAY": str(settings.drain_delay),
        "NBDEPLOY_SEGMENT_BYTES": str(settings.segment_bytes),
        "NBDEPLOY_GATEWAY_KEY_FILE": f"{KEY_FOLDER}/key",
    }
    if release.redact:
        variables["NBDEPLOY_REDACT"] = ",".join(release.redact)
    if release.secrets:
        variables[NAMES] = ",".join(release.secrets)
    if resources.gpu == "none":
        variables["CUDA_VISIBLE_DEVICES"] = "-1"
    variables |= resources.in_container
    if is_scaled(release, settings) and resources.cpu and not resources.threads:
        # Without a limit of processors a pod would have a thread for each one of its node.
        variables["NBDEPLOY_THREADS"] = str(resources.threads_on(math.ceil(resources.cpu)))
    return variables


def resources_of(resources: Resources, *, scaled: bool) -> Json:
    """Requests equal to the limits: a node has what its pods were promised.

    Under an autoscaler processors are requested only: a limit would hide from it how much the load needs, and would
    slow the start of further pods.
    """
    amounts: dict[str, str] = {}
    if resources.cpu and not scaled:
        amounts["cpu"] = f"{round(resources.cpu * 1000)}m"
    if resources.memory:
        amounts["memory"] = str(resources.memory)
    if resources.gpu not in (None, "none"):
        amounts["nvidia.com/gpu"] = str(len(str(resources.gpu).split(",")))
    requests = amounts | ({"cpu": f"{round(requested_cpu(resources) * 1000)}m"} if scaled else {})
    return {name: found for name, found in (("requests", requests), ("limits", dict(amounts))) if found}


def _probe(path: str, *, period: int, failures: int) -> Json:
    return {
        "httpGet": {"path": path, "port": "http", "scheme": "HTTP"},
        "periodSeconds": period,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
    }
