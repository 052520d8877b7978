"""What an administrator applies once a namespace: rights of users and of the gateway, and the gateway's Secret. Pure.

Nothing is cluster-wide. Users neither read Secrets nor execute programs in pods.
"""

from __future__ import annotations

import secrets
from typing import Any

from . import names
from .gateway.objects import gateway_rules
from .settings import ClusterSettings

Json = dict[str, Any]

USERS = "nbdeploy-user"
"""The Role of people who deploy."""

_VERSION = "rbac.authorization.k8s.io/v1"
_LOOK = ["get", "list", "watch"]
_CHANGE = [*_LOOK, "create", "update", "patch", "delete"]

_KEY_BYTES = 32


def rights(settings: ClusterSettings, *, write_secrets: bool = False, token: bool = True) -> list[Json]:
    """The objects of an administrator, in the order in which they are applied.

    Parameters
    ----------
    write_secrets
        Users may also create, patch and delete Secrets; they can never read one.
    token
        The gateway's Secret has a token that clients must carry.
    """
    return [
        _account(settings, names.GATEWAY),
        _role(settings, names.GATEWAY, gateway_rules()),
        _binding(settings, names.GATEWAY, names.GATEWAY),
        _role(settings, USERS, user_rules(write_secrets=write_secrets)),
        # A ramp's driver changes endpoints as a user does.
        _account(settings, names.RAMP),
        _binding(settings, names.RAMP, USERS),
        _secret(settings, token=token),
    ]


def user_rules(*, write_secrets: bool = False) -> list[Json]:
    """The rules of the Role of people who deploy."""
    rules = [
        _rule("apps", ["deployments"], _CHANGE),
        _rule("apps", ["deployments/scale"], ["get", "patch"]),
        _rule("batch", ["jobs", "cronjobs"], _CHANGE),
        _rule("", ["configmaps", "services"], _CHANGE),
        _rule("", ["serviceaccounts"], ["get"]),
        _rule("networking.k8s.io", ["networkpolicies"], _CHANGE),
        _rule("policy", ["poddisruptionbudgets"], _CHANGE),
        _rule("autoscaling", ["horizontalpodautoscalers"], _CHANGE),
        _rule("keda.sh", ["scaledobjects"], _CHANGE),
        _rule("coordination.k8s.io", ["leases"], ["get", "list", "delete"]),
        _rule("", ["pods", "pods/log", "events"], _LOOK),
        _rule("metrics.k8s.io", ["pods"], ["get", "list"]),
    ]
    return [*rules, _rule("", ["secrets"], ["create", "patch", "delete"])] if write_secrets else rules


def _rule(group: str, resources: list[str], verbs: list[str]) -> Json:
    return {"apiGroups": [group], "resources": resources, "verbs": verbs}


def _role(settings: ClusterSettings, name: str, rules: list[Json]) -> Json:
    return {"apiVersion": _VERSION, "kind": "Role", "metadata": _metadata(settings, name), "rules": rules}


def _account(settings: ClusterSettings, name: str) -> Json:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _metadata(settings, name)}


def _binding(settings: ClusterSettings, account: str, role: str) -> Json:
    subject = {"kind": "ServiceAccount", "name": account, "namespace": settings.namespace}
    return {
        "apiVersion": _VERSION,
        "kind": "RoleBinding",
        "metadata": _metadata(settings, account),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role},
        "subjects": [subject],
    }


def _secret(settings: ClusterSettings, *, token: bool) -> Json:
    """The Secret with new values; immutable, since other values would cut off the pods that run."""
    data = {name: secrets.token_hex(_KEY_BYTES) for name in ("key", "salt", *(["token"] if token else []))}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": _metadata(settings, settings.secret),
        "immutable": True,
        "stringData": data,
    }


def _metadata(settings: ClusterSettings, name: str) -> Json:
    # Not labelled as nbdeploy's own: 'down' leaves the administrator's objects.
    return {"name": name, "namespace": settings.namespace, "labels": {"app.kubernetes.io/part-of": "nbdeploy"}}
