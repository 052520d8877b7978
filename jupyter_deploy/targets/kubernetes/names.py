"""Names and labels of objects in Kubernetes. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

GATEWAY = "nbdeploy-gateway"
"""Deployment, Service, PodDisruptionBudget, ServiceAccount and Role of the gateway."""

RAMP = "nbdeploy-ramp"
"""The ServiceAccount and RoleBinding of ramps' drivers."""

EXPORTER = "nbdeploy-exporter"
"""Deployment, Service, ServiceAccount and Role of the program that has the metrics of all releases."""

FIELD_MANAGER = "nbdeploy"

MANAGED_BY = "app.kubernetes.io/managed-by"
COMPONENT = "app.kubernetes.io/component"
ENDPOINT = "nbdeploy.io/endpoint"
VERSION = "nbdeploy.io/version"
SPEC = "nbdeploy.io/spec"
"""Annotation with a hash of an object as nbdeploy made it: whether it has to be applied again."""

MADE_BY = "nbdeploy.io/version-of-nbdeploy"
"""Annotation of the gateway with the version of nbdeploy that made it."""

TAG = "nbdeploy.io/tag"
"""Annotation with a release's tag."""

LOOK = "nbdeploy.io/look"
"""Annotation of a ramp's Job with the latest look of the driver, as JSON."""

SELECTOR = f"{MANAGED_BY}=nbdeploy"

PORT = 8080
"""The port of a release's container and of its Service."""

_MOST = 52  # a Deployment's pods append up to 11 characters


def release_name(endpoint: str, tag: str) -> str:
    """The name of a release's objects, such as ``nbd-churn-6a0929ea2e65``: a DNS label."""
    return _label(f"nbd-{endpoint}-{tag.partition(':')[2] or tag}", f"{endpoint} {tag}", _MOST)


def endpoint_name(endpoint: str) -> str:
    """The name of an endpoint's ConfigMap."""
    return _label(f"nbdeploy-endpoint-{endpoint}", endpoint, 63)


def ramp_name(endpoint: str) -> str:
    """The name of the Job that drives an endpoint's ramp."""
    return _label(f"nbd-ramp-{endpoint}", endpoint, _MOST)


def batch_name(endpoint: str, *, run: str = "", shadow: str = "") -> str:
    """The name of the CronJob of an endpoint's batches.

    ``run``: that of the Job of a run at once, by its digest; ``shadow``: that of the CronJob of this version.
    """
    part = f"-run-{run}" if run else f"-shadow-{shadow}" if shadow else ""
    return _label(f"nbd-batch-{endpoint}{part}", f"{endpoint} {run or shadow}", _MOST)


def labels(component: str, endpoint: str = "", tag: str = "") -> dict[str, str]:
    """The labels of an object of a component: release, gateway, endpoint, ramp, batch or exporter."""
    named = {ENDPOINT: _value(endpoint), VERSION: _value(tag.partition(":")[2])}
    return {MANAGED_BY: "nbdeploy", COMPONENT: component} | {name: value for name, value in named.items() if value}


def identity(found: Mapping[str, str]) -> tuple[str, str]:
    """The endpoint and the version in an object's labels."""
    return found.get(ENDPOINT, ""), found.get(VERSION, "")


def selector(component: str, endpoint: str = "", tag: str = "") -> str:
    """The label selector of these objects."""
    return ",".join(f"{name}={value}" for name, value in labels(component, endpoint, tag).items())


def _value(text: str) -> str:
    """A label's value: at most 63 characters, alphanumeric at both ends."""
    return (
        text
        if not text or re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?", text)
        else _label(text, text, 63)
    )


def _label(text: str, whole: str, most: int) -> str:
    """The text as a DNS label; if it has to change, a hash of ``whole`` keeps it unique."""
    plain = re.sub(r"[^a-z0-9-]", "-", text.lower()).strip("-")
    if plain == text and len(plain) <= most:
        return plain
    digest = hashlib.sha256(whole.encode()).hexdigest()[:8]
    return f"{plain[: most - 9].rstrip('-')}-{digest}"
