"""The gateway's objects: ConfigMap, Service, PodDisruptionBudget, Deployment. Pure.

::

    clients ── Service nbdeploy-gateway ──┬─ pod: container "envoy" ── TCP, with the key ── pods of releases
                                          │       container "agent" ── watches the API, writes Envoy's documents
                                          └─ pod …

The containers share a folder in memory. Only the agent has an account of the API. An administrator applies the account,
its rights and the Secret (``rbac``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from jupyter_deploy.container_images.gateway_program import pod
from jupyter_deploy.domain.images.images import GATEWAY_FOLDER
from jupyter_deploy.targets.kubernetes import names
from jupyter_deploy.targets.kubernetes.overlay import merged
from jupyter_deploy.targets.kubernetes.releases import UPLOADS, restricted_container, restricted_pod
from jupyter_deploy.targets.kubernetes.settings import ClusterSettings

from .configuration import gateway_files

Json = dict[str, Any]

_AGENT_PORT = 8781
_CONFIGURATION = "nbdeploy.io/configuration"
"""Annotation of pods with a hash of the ConfigMap, so that other settings make new pods."""

_LEDGER_BYTES = 64 * 1024**2
"""The length of a log in a pod whose ledger stays there; a pod keeps two of each."""

_MORE_SECONDS = 10  # after the drain: the end of Envoy and agent


def gateway_objects(
    settings: ClusterSettings,
    *,
    image: str,
    pdb: str,
    shipper: Json | None = None,
    overlay: Mapping[str, Any] | None = None,
) -> list[Json]:
    """The gateway's objects, in the order in which they are applied.

    Parameters
    ----------
    image
        The gateway's image, by digest.
    pdb
        Version of the API of PodDisruptionBudgets, such as ``policy/v1``; empty: the server has none.
    shipper
        The container that sends the ledger away; None: it stays in the pods, and ends with them.
    overlay
        Merged into the pods' template: ``metadata`` and ``spec``.
    """
    files = gateway_files(settings)
    digest = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()[:16]
    objects = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _metadata(settings), "data": files},
        _service(settings),
    ]
    if pdb and settings.gateway_replicas > 1:
        spec = {"maxUnavailable": 1, "selector": {"matchLabels": names.labels("gateway")}}
        kind = "PodDisruptionBudget"
        objects.append({"apiVersion": pdb, "kind": kind, "metadata": _metadata(settings), "spec": spec})
    template = {
        "metadata": {"labels": names.labels("gateway"), "annotations": {_CONFIGURATION: digest}},
        "spec": _pod(settings, image, shipper),
    }
    return [*objects, _deployment(settings, merged(template, overlay or {}))]


def gateway_rules() -> list[Json]:
    """The rules of the agent's Role."""
    return [
        {"apiGroups": [""], "resources": ["configmaps", "endpoints"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["get", "list", "watch"]},
        {
            "apiGroups": ["coordination.k8s.io"],
            "resources": ["leases"],
            "verbs": ["get", "list", "watch", "create", "patch", "delete"],
        },
        {"apiGroups": ["apps"], "resources": ["deployments/scale"], "verbs": ["get", "patch"]},
    ]


def _metadata(settings: ClusterSettings) -> Json:
    return {"name": names.GATEWAY, "namespace": settings.namespace, "labels": names.labels("gateway")}


def _service(settings: ClusterSettings) -> Json:
    port = {"name": "http", "port": settings.port, "targetPort": "http", "protocol": "TCP"}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(settings),
        "spec": {"type": settings.service_type, "selector": names.labels("gateway"), "ports": [port]},
    }


def _deployment(settings: ClusterSettings, template: Json) -> Json:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(settings),
        "spec": {
            "replicas": settings.gateway_replicas,
            "revisionHistoryLimit": 1,
            "selector": {"matchLabels": names.labels("gateway")},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": template,
        },
    }


def _pod(settings: ClusterSettings, image: str, shipper: Json | None) -> Json:
    return {
        "serviceAccountName": names.GATEWAY,
        "automountServiceAccountToken": False,  # the agent mounts it, Envoy does not
        "enableServiceLinks": False,
        "securityContext": restricted_pod(),
        "terminationGracePeriodSeconds": settings.drain_delay + settings.drain_seconds + _MORE_SECONDS,
        "containers": [
            _envoy(settings, image),
            _agent(settings, image, ledger_bytes=0 if shipper else _LEDGER_BYTES),
            *([shipper] if shipper else []),
        ],
        "volumes": [*_volumes(settings), *([UPLOADS] if shipper else [])],
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": names.labels("gateway")},
            }
        ],
    }


def _envoy(settings: ClusterSettings, image: str) -> Json:
    mounts = [_mount("run", pod.RUN), _mount("tmp", "/tmp"), _mount("ledger", pod.LEDGER)]
    return {
        **_container("envoy", image, "run"),
        "env": [{"name": "NBDEPLOY_DRAIN_DELAY", "value": str(settings.drain_delay)}],
        "ports": [{"name": "http", "containerPort": settings.port, "protocol": "TCP"}],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "1536Mi"}},
        "volumeMounts": [
            *mounts,
            _mount("configuration", pod.CONFIGURATION, read_only=True),
            _mount("secret", pod.SECRET, read_only=True),
        ],
    }


def _agent(settings: ClusterSettings, image: str, ledger_bytes: int) -> Json:
    fields = {"NBDEPLOY_POD": "metadata.name", "NBDEPLOY_POD_UID": "metadata.uid"}
    variables = {
        "NBDEPLOY_NAMESPACE": settings.namespace,
        "NBDEPLOY_AGENT_PORT": str(_AGENT_PORT),
        "NBDEPLOY_LEDGER_BYTES": str(ledger_bytes),
    }
    probe = {"port": "probes", "scheme": "HTTP"}
    mounts = [
        _mount("run", pod.RUN),
        _mount("tmp", "/tmp"),
        _mount("ledger", pod.LEDGER),  # another Envoy checks refused documents, which name its files
        _mount("configuration", pod.CONFIGURATION, read_only=True),
        _mount("secret", pod.SECRET, read_only=True),
        _mount("account", pod.ACCOUNT, read_only=True),
    ]
    return {
        **_container("agent", image, "agent"),
        "env": [
            *({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in fields.items()),
            *({"name": name, "value": value} for name, value in variables.items()),
        ],
        "ports": [{"name": "probes", "containerPort": _AGENT_PORT, "protocol": "TCP"}],
        "resources": {"requests": {"cpu": "10m", "memory": "48Mi"}, "limits": {"memory": "384Mi"}},
        "readinessProbe": {
            "httpGet": {"path": "/readyz", **probe},
            "periodSeconds": 1,
            "timeoutSeconds": 5,
            "failureThreshold": 3,
        },
        "livenessProbe": {
            "httpGet": {"path": "/livez", **probe},
            "periodSeconds": 10,
            "timeoutSeconds": 5,
            "failureThreshold": 3,
        },
        "volumeMounts": mounts,
    }


def _container(name: str, image: str, program: str) -> Json:
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": [f"/{GATEWAY_FOLDER}/python", "-IS", f"/{GATEWAY_FOLDER}/start.py", program],
        "securityContext": restricted_container(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def _mount(name: str, path: str, *, read_only: bool = False) -> Json:
    return {"name": name, "mountPath": path, **({"readOnly": True} if read_only else {})}


def _volumes(settings: ClusterSettings) -> list[Json]:
    account = [
        {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
    ]
    return [
        {"name": "run", "emptyDir": {"medium": "Memory", "sizeLimit": "128Mi"}},
        {"name": "tmp", "emptyDir": {}},
        {"name": "ledger", "emptyDir": {}},
        {"name": "configuration", "configMap": {"name": names.GATEWAY}},
        {"name": "secret", "secret": {"secretName": settings.secret, "defaultMode": 0o444}},
        {"name": "account", "projected": {"sources": account}},
    ]
