"""The exporter's objects, and those by which Prometheus' operator and Grafana find it. Pure.

::

    ServiceMonitor ── Service nbdeploy-exporter ── pod: exporter ◀── files ── drift ◀── records ── bucket
    PrometheusRule: the alerts                     ConfigMap nbdeploy-dashboard: Grafana's sidecar loads it

An administrator applies them. There is one pod, so that each value is there once; it may read ConfigMaps and addresses.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jupyter_deploy.container_images.normalization import VENV
from jupyter_deploy.targets.kubernetes import names
from jupyter_deploy.targets.kubernetes.overlay import merged
from jupyter_deploy.targets.kubernetes.releases import restricted_container, restricted_pod
from jupyter_deploy.targets.kubernetes.settings import ClusterSettings

from .exporter import PORT

Json = dict[str, Any]

_RBAC = "rbac.authorization.k8s.io"
_OPERATOR = "monitoring.coreos.com/v1"
_JOB = "app.kubernetes.io/part-of"
"""The label of the Service whose value is the job, as the alerts name it."""

_HOME = "/data"
"""Of both programs: the exporter reads what the other one writes."""

_MEMORY, _DATABASE_MEMORY = "768Mi", "256MB"

RULES, DASHBOARD = "nbdeploy.rules.yml", "grafana/nbdeploy.json"
"""The files of ``init --monitoring`` that become objects."""

_WORDS = {
    "NbdeployGatewayDown": {
        "summary": "The exporter at {{ $labels.instance }} does not answer",
        "action": "Run 'kubectl get pods', and 'nbdeploy list', which says whether the gateway answers",
    }
}
"""By alert, what is another thing in a cluster."""


def monitoring_objects(
    settings: ClusterSettings,
    image: str,
    files: Mapping[str, str],
    records_to: str | None,
    overlay: Mapping[str, Any] | None = None,
) -> list[Json]:
    """The objects, in the order in which they are applied.

    Parameters
    ----------
    image
        That of the program that uploads records, which has the exporter too.
    files
        The texts of ``RULES`` and ``DASHBOARD``.
    records_to
        The bucket in which drift is found; None: records stay in the pods, and there are no metrics of drift.
    overlay
        Merged into the pod's template: ``metadata`` and ``spec``.
    """
    import yaml

    role = {"apiGroup": _RBAC, "kind": "Role", "name": names.EXPORTER}
    account = {"kind": "ServiceAccount", "name": names.EXPORTER, "namespace": settings.namespace}
    look = ["get", "list"]
    rules = [
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": look},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": look},
    ]
    port = {"name": "metrics", "port": PORT, "targetPort": "metrics", "protocol": "TCP"}
    endpoint = {"port": "metrics", "path": "/metrics", "interval": "15s", "honorLabels": True}
    dashboard = {"labels": {_JOB: "nbdeploy", "grafana_dashboard": "1"}, "name": "nbdeploy-dashboard"}
    of_us = {"matchLabels": names.labels("exporter")}
    template = {
        "metadata": {"labels": names.labels("exporter")},
        "spec": _pod(settings, image, records_to),
    }
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _metadata(settings)},
        {"apiVersion": f"{_RBAC}/v1", "kind": "Role", "metadata": _metadata(settings), "rules": rules},
        {
            "apiVersion": f"{_RBAC}/v1",
            "kind": "RoleBinding",
            "metadata": _metadata(settings),
            "roleRef": role,
            "subjects": [account],
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": _metadata(settings),
            "spec": {"selector": names.labels("exporter"), "ports": [port]},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": _metadata(settings),
            "spec": {
                "replicas": 1,
                "revisionHistoryLimit": 1,
                "selector": of_us,
                "template": merged(template, overlay or {}),
            },
        },
        {
            "apiVersion": _OPERATOR,
            "kind": "ServiceMonitor",
            "metadata": _metadata(settings),
            "spec": {"jobLabel": _JOB, "selector": {"matchLabels": _labels()}, "endpoints": [endpoint]},
        },
        {
            "apiVersion": _OPERATOR,
            "kind": "PrometheusRule",
            "metadata": _metadata(settings),
            "spec": {"groups": [_in_cluster(group) for group in yaml.safe_load(files[RULES])["groups"]]},
        },
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"namespace": settings.namespace, **dashboard},
            "data": {"nbdeploy.json": files[DASHBOARD]},
        },
    ]


def _labels() -> dict[str, str]:
    # Not labelled as nbdeploy's own: 'down' leaves the administrator's objects.
    return {_JOB: "nbdeploy", names.COMPONENT: "exporter"}


def _metadata(settings: ClusterSettings) -> Json:
    return {"name": names.EXPORTER, "namespace": settings.namespace, "labels": _labels()}


def _in_cluster(group: Json) -> Json:
    """A group of alerts, in whose words the exporter stands for the gateway."""
    rules = [
        rule | {"annotations": rule.get("annotations", {}) | _WORDS.get(rule["alert"], {})} for rule in group["rules"]
    ]
    return group | {"rules": rules}


def _pod(settings: ClusterSettings, image: str, records_to: str | None) -> Json:
    probe = {"httpGet": {"path": "/livez", "port": "metrics", "scheme": "HTTP"}, "timeoutSeconds": 5}
    exporter = _container("exporter", "jupyter_deploy.targets.kubernetes.metrics.exporter", image) | {
        "env": _env({"NBDEPLOY_NAMESPACE": settings.namespace}),
        "ports": [{"name": "metrics", "containerPort": PORT, "protocol": "TCP"}],
        "resources": {"requests": {"cpu": "10m", "memory": "96Mi"}, "limits": {"memory": "384Mi"}},
        "readinessProbe": probe | {"periodSeconds": 5},
        "livenessProbe": probe | {"periodSeconds": 10, "failureThreshold": 6},
    }
    return {
        "serviceAccountName": names.EXPORTER,
        "enableServiceLinks": False,
        "securityContext": restricted_pod(),
        "containers": [exporter, *([_drift_watcher(settings, image, records_to)] if records_to else [])],
        "volumes": [{"name": "tmp", "emptyDir": {}}, {"name": "data", "emptyDir": {}}],
    }


def _drift_watcher(settings: ClusterSettings, image: str, records_to: str) -> Json:
    variables = {
        "NBDEPLOY_KUBERNETES": json.dumps({"namespace": settings.namespace}),
        "NBDEPLOY_RECORDS_TO": records_to,
        "NBDEPLOY_RECORDS_MEMORY": _DATABASE_MEMORY,
        "BENTOML_HOME": f"{_HOME}/bentoml",
    }
    container = _container("drift", "jupyter_deploy.faces.drift_watcher", image) | {
        "env": _env(variables),
        "resources": {"requests": {"cpu": "10m", "memory": "128Mi"}, "limits": {"memory": _MEMORY}},
    }
    if settings.records_secret:
        container["envFrom"] = [{"secretRef": {"name": settings.records_secret}}]
    return container


def _container(name: str, module: str, image: str) -> Json:
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": [f"/{VENV}/bin/python", "-P", "-m", module],
        "securityContext": restricted_container(),
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}, {"name": "data", "mountPath": _HOME}],  # noqa: S108
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def _env(variables: Mapping[str, str]) -> list[Json]:
    own = {"NBDEPLOY_HOME": _HOME, "HOME": "/tmp"}  # noqa: S108 - within the container
    return [{"name": name, "value": value} for name, value in (own | dict(variables)).items()]
