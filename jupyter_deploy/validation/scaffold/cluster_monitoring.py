"""The file of ``init --monitoring`` for the Prometheus Operator and Grafana in a cluster. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

Json = Mapping[str, Any]

_RELEASES = {"app.kubernetes.io/managed-by": "nbdeploy", "app.kubernetes.io/component": "release"}
"""The labels of the releases' Services and pods."""

_OF_PODS = ("NbdeployErrors", "NbdeploySlow", "NbdeployQueue", "NbdeployRecordsLost")
"""Alerts whose metrics the pods of releases have; the others are of the exporter, which a cluster lacks."""

_POD_DOWN = {
    "alert": "NbdeployReleaseDown",
    "expr": 'up{job="nbdeploy"} == 0',
    "for": "2m",
    "labels": {"severity": "critical"},
    "annotations": {
        "summary": "A pod of {{ $labels.release }} of {{ $labels.endpoint }} does not answer",
        "action": "Run 'nbdeploy describe {{ $labels.endpoint }}'",
    },
}

_HEAD = """\
# Grafana's dashboard, and what the Prometheus Operator needs to scrape the releases and to watch them:
#   kubectl apply --namespace NAMESPACE --filename kubernetes.yaml
# NAMESPACE is that of the releases. Change what differs in your cluster: the labels by which your Prometheus chooses
# ServiceMonitors and PrometheusRules (often 'release: NAME'), that by which Grafana's sidecar chooses dashboards, and
# the namespace of Prometheus in the NetworkPolicy.
"""


def cluster_monitoring(rules: str, dashboard: str) -> str:
    """Return the documents as YAML.

    Parameters
    ----------
    rules
        The file of alert rules of one machine; those that a cluster has metrics for are taken.
    dashboard
        Grafana's dashboard as JSON.
    """
    documents = (_config_map(dashboard), _service_monitor(), _rule(yaml.safe_load(rules)), _network_policy())
    return _HEAD + yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False, width=10_000)


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks."""


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None),
)


def _object(version: str, kind: str, name: str, labels: Json, **content: Any) -> Json:
    metadata = {"name": name, "labels": {"app.kubernetes.io/part-of": "nbdeploy", **labels}}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **content}


def _config_map(dashboard: str) -> Json:
    return _object(
        "v1", "ConfigMap", "nbdeploy-dashboard", {"grafana_dashboard": "1"}, data={"nbdeploy.json": dashboard}
    )


def _service_monitor() -> Json:
    meta = "__meta_kubernetes_service"
    endpoint = {
        "port": "http",
        "path": "/metrics",
        "interval": "15s",
        "honorLabels": True,  # a metric that names its endpoint and release keeps them
        "relabelings": [
            {"sourceLabels": [f"{meta}_label_nbdeploy_io_endpoint"], "targetLabel": "endpoint"},
            {"sourceLabels": [f"{meta}_annotation_nbdeploy_io_tag"], "targetLabel": "release"},
        ],
    }
    spec = {
        "selector": {"matchLabels": _RELEASES},
        "jobLabel": "app.kubernetes.io/managed-by",
        "endpoints": [endpoint],
    }
    return _object("monitoring.coreos.com/v1", "ServiceMonitor", "nbdeploy-releases", {}, spec=spec)


def _rule(rules: Json) -> Json:
    (group,) = rules["groups"]
    chosen = [_POD_DOWN, *(rule for rule in group["rules"] if rule["alert"] in _OF_PODS)]
    spec = {"groups": [{"name": group["name"], "rules": chosen}]}
    return _object("monitoring.coreos.com/v1", "PrometheusRule", "nbdeploy", {}, spec=spec)


def _network_policy() -> Json:
    """Let Prometheus reach the pods, which only the gateway may reach otherwise."""
    prometheus = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}},
        "podSelector": {"matchLabels": {"app.kubernetes.io/name": "prometheus"}},
    }
    spec = {
        "podSelector": {"matchLabels": _RELEASES},
        "policyTypes": ["Ingress"],
        "ingress": [{"from": [prometheus], "ports": [{"port": "http", "protocol": "TCP"}]}],
    }
    return _object("networking.k8s.io/v1", "NetworkPolicy", "nbdeploy-metrics", {}, spec=spec)
