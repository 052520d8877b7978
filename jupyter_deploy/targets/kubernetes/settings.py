"""The settings of the target ``kubernetes``: one field, a model, so that ``NBDEPLOY_KUBERNETES__NAME`` sets a part."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from jupyter_deploy.domain.base import Value
from jupyter_deploy.domain.images.images import Reference
from jupyter_deploy.domain.release.host_names import HostNames
from jupyter_deploy.domain.release.ports import TargetSettings
from jupyter_deploy.domain.release.resources import MOST_REPLICAS

ServiceType = Literal["ClusterIP", "NodePort", "LoadBalancer"]

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class ClusterSettings(Value):
    """The namespace in which releases and their gateway run, and how they run there; all users share these."""

    namespace: str = Field(default="nbdeploy", description="The namespace of all objects; it must exist.")
    context: str | None = Field(default=None, description="Context of the kubeconfig (default: its current one).")
    kubeconfig: Path | None = Field(
        default=None, description="Path of the kubeconfig (default: KUBECONFIG, ~/.kube/config, or the pod's account)."
    )
    gateway_image: str | None = Field(
        default=None, description="Image of the gateway by digest (default: a deploy publishes one next to its image)."
    )
    gateway_replicas: int = Field(default=2, ge=1, le=50, description="Pods of the gateway.")
    replicas: int = Field(
        default=1, ge=1, le=MOST_REPLICAS, description="Pods of a release whose resources name no replicas."
    )
    prometheus: str | None = Field(
        default=None,
        description="URL of the Prometheus that scrapes the releases; with KEDA, replicas follow waiting requests.",
    )
    service_type: ServiceType = Field(default="ClusterIP", description="Type of the gateway's Service.")
    url: str | None = Field(
        default=None, description="The gateway's URL for clients (default: the address of its Service)."
    )
    hosts: HostNames = Field(
        default=(), description="Host names, separated by commas, by which clients may call the gateway."
    )
    port: int = Field(default=8780, ge=1024, le=65535, description="Port of the gateway's Service and pods.")
    secret: str = Field(
        default="nbdeploy-gateway",
        description="The Secret with the gateway's key, salt and, if clients need it, token.",
    )
    token_file: Path | None = Field(
        default=None,
        description="A file with the line `x-nbdeploy-token: …`, which your requests carry if clients need the token.",
    )
    overlay: Path | None = Field(
        default=None,
        description="A YAML file that is merged into pods: nodeSelector, tolerations, labels, annotations.",
    )
    drain_delay: int = Field(
        default=5, ge=0, le=300, description="Seconds in which an ending pod still answers, until no gateway calls it."
    )
    drain_seconds: int = Field(
        default=30, ge=1, le=3600, description="Seconds that an ending pod has for its requests in progress."
    )
    start_timeout: float = Field(default=300.0, gt=0, description="Seconds for the start of a release, with its pull.")
    confirm_timeout: float = Field(default=15.0, gt=0, description="Seconds for a gateway to confirm new routes.")
    predict_timeout: float = Field(default=60.0, gt=0, description="Seconds that a prediction may take.")
    shadow_timeout: float = Field(default=30.0, gt=0, description="Seconds that a shadow may take to answer.")
    request_timeout: float = Field(default=120.0, gt=0, description="Seconds in which a request must have arrived.")
    shipper_image: str | None = Field(
        default=None,
        description="Image of the programs that upload records from pods and drive ramps, by digest; see records_to.",
    )
    records_secret: str | None = Field(
        default=None, description="A Secret whose keys are variables of these programs, such as AWS_ACCESS_KEY_ID."
    )
    notify_secret: str | None = Field(
        default=None, description="A Secret whose keys are variables of ramps' drivers, such as NBDEPLOY_NOTIFY."
    )
    spool_bytes: int = Field(
        default=1024**3,
        ge=1024**2,
        description="Records that a pod keeps while the bucket is away; beyond, the oldest go.",
    )
    segment_bytes: int = Field(default=8 * 1024**2, ge=1024, description="A file of records is closed at this size.")

    @field_validator("namespace", "secret")
    @classmethod
    def _is_label(cls, value: str) -> str:
        if not _LABEL.fullmatch(value):
            raise ValueError(f"'{value}' is no name in Kubernetes: write up to 63 of a-z, 0-9 and '-'")
        return value

    @field_validator("gateway_image", "shipper_image")
    @classmethod
    def _is_exact(cls, value: str | None) -> str | None:
        if value is not None and Reference.parse(value).digest is None:
            raise ValueError(f"'{value}' has no digest: write HOST/PATH@sha256:…")
        return value

    @field_validator("url", "prometheus")
    @classmethod
    def _is_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("write a URL, such as https://models.example.org")
        return value.rstrip("/")

    @property
    def termination_seconds(self) -> int:
        """The grace period of a release's pod."""
        return self.drain_delay + self.drain_seconds + 5


class KubernetesSettings(TargetSettings):
    """Settings of the target ``kubernetes``; without any, the target is off and calls no cluster."""

    kubernetes: ClusterSettings | None = Field(
        default=None,
        description="The cluster's namespace and more, such as `NBDEPLOY_KUBERNETES__NAMESPACE=models`: "
        "see docs/kubernetes.md. Without any, the target is off.",
    )
