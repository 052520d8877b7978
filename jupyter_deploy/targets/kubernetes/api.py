"""The API of one namespace: a thin client for plain documents, with nbdeploy's errors.

``connection`` sends the requests.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any
from urllib.parse import quote, urlencode

from jupyter_deploy.domain.errors import Conflict, InvalidInput, TargetError

from .connection import Connection, connect
from .names import FIELD_MANAGER
from .settings import ClusterSettings

Json = dict[str, Any]

_GROUPS: dict[str, tuple[str, ...]] = {
    "ConfigMap": ("v1",),
    "Service": ("v1",),
    "ServiceAccount": ("v1",),
    "Secret": ("v1",),
    "Pod": ("v1",),
    "Endpoints": ("v1",),
    "EndpointSlice": ("discovery.k8s.io/v1", "discovery.k8s.io/v1beta1"),
    "Deployment": ("apps/v1",),
    "Job": ("batch/v1",),
    "CronJob": ("batch/v1", "batch/v1beta1"),
    "Lease": ("coordination.k8s.io/v1",),
    "NetworkPolicy": ("networking.k8s.io/v1",),
    "Role": ("rbac.authorization.k8s.io/v1",),
    "RoleBinding": ("rbac.authorization.k8s.io/v1",),
    "PodDisruptionBudget": ("policy/v1", "policy/v1beta1"),
    "HorizontalPodAutoscaler": ("autoscaling/v2", "autoscaling/v2beta2"),
    "ScaledObject": ("keda.sh/v1alpha1",),
}
"""Kinds, and the versions of their API that nbdeploy can write, the newest first."""

_PLURALS = {"NetworkPolicy": "networkpolicies", "Endpoints": "endpoints"}

_CONNECT_SECONDS = 2.0
_READ_SECONDS, _WRITE_SECONDS = 10.0, 30.0  # a webhook may take as long
_RETRIES, _MOST_CONNECTS = 2, 1
"""Of a read. A cluster that is away delays each command that lists endpoints, so few connections are tried."""

_SILENT_SECONDS = 10.0
"""An API that takes requests and does not answer, as without its etcd, is not asked again for so long."""

_RIGHTS_SECONDS = 20.0
"""An API server that begins to answer refuses everything to all but administrators until it has read the Roles."""

_NO_LOG = re.compile(r"(unable to retrieve container logs for|failed to try resolving symlinks in path) [^\n]*\n?")
"""What a node answers in place of the log of a container that it removes, with status 200."""


class Unanswered(TargetError):
    """The API does not answer; it may do so later."""

    code = "target_unanswered"


class Api:
    """Requests to one namespace.

    Parameters
    ----------
    settings
        Names the kubeconfig, its context and the namespace.
    """

    def __init__(self, settings: ClusterSettings) -> None:
        self.namespace = settings.namespace
        self._settings = settings
        self._served: dict[str, bool] = {}
        self._silent: tuple[float, Unanswered] | None = None
        self._lost: float | None = None  # when the API last did not answer

    def get(self, kind: str, name: str) -> Json | None:
        """The object; None: there is none."""
        return self._request("GET", kind, name, missing=True)

    def list_(self, kind: str, selector: str = "") -> list[Json]:
        """The objects with these labels."""
        query = {"labelSelector": selector} if selector else {}
        found = self._request("GET", kind, query=query) or {}
        items: list[Json] = found.get("items") or []
        return items

    def apply(self, document: Json, *, dry_run: bool = False) -> Json:
        """Apply an object by the server; fields that others own are never taken.

        Raises
        ------
        Conflict
            Somebody else owns a field of the object with another value.
        """
        query = {"fieldManager": FIELD_MANAGER} | ({"dryRun": "All"} if dry_run else {})
        return self._write("PATCH", document, query, "application/apply-patch+yaml")

    def create(self, document: Json, *, dry_run: bool = False) -> Json:
        """Create an object; return it as the server has it. Raises Conflict: it is there already."""
        return self._write("POST", document, {"fieldManager": FIELD_MANAGER} | ({"dryRun": "All"} if dry_run else {}))

    def replace(self, document: Json) -> Json:
        """Replace an object. Raises Conflict: its ``resourceVersion`` is no longer that of the document."""
        return self._write("PUT", document, {"fieldManager": FIELD_MANAGER})

    def annotate(self, kind: str, name: str, annotations: Mapping[str, str]) -> bool:
        """Set annotations of an object; whether it is there."""
        body = {"metadata": {"annotations": dict(annotations)}}
        query, form = {"fieldManager": FIELD_MANAGER}, "application/merge-patch+json"
        return self._request("PATCH", kind, name, query=query, body=body, form=form, missing=True) is not None

    def delete(self, kind: str, name: str) -> bool:
        """Delete an object with all that belongs to it; whether it was there."""
        return self._request("DELETE", kind, name, body={"propagationPolicy": "Background"}, missing=True) is not None

    def scale(self, name: str, replicas: int) -> None:
        """Set the number of a Deployment's pods, and own no field of it."""
        change = {"spec": {"replicas": replicas}}
        self._request("PATCH", "Deployment", f"{name}/scale", body=change, form="application/merge-patch+json")

    def logs(self, pod: str, container: str, *, most: int, previous: bool = False) -> str:
        """The last ``most`` bytes of a container's log; empty: there is none."""
        query = {"container": container, "tailLines": "2000"} | ({"previous": "true"} if previous else {})
        response = self._send("GET", f"{self._path('Pod', pod)}/log?{urlencode(query)}")
        data: bytes = response.data or b""
        text = data[-most:].decode(errors="replace") if response.status == 200 else ""
        return "" if _NO_LOG.fullmatch(text) else text

    def logs_of(self, pods: Sequence[Json], container: str, *, most: int) -> str:
        """The ends of the logs of several pods, one pod after the other."""
        texts = [
            f"{pod['metadata']['name']}:\n{text}" if len(pods) > 1 else text
            for pod in pods
            if (text := self.logs(pod["metadata"]["name"], container, most=max(1, most // len(pods))))
        ]
        return "\n".join(texts)[-most:]

    def serves(self, kind: str) -> bool:
        """Whether the server has this kind in a version that nbdeploy can write."""
        return bool(self.version_of(kind))

    def version_of(self, kind: str) -> str:
        """The newest version of a kind's API that the server has, such as ``policy/v1``; empty: none."""
        versions = _GROUPS[kind]
        if versions == ("v1",):
            return "v1"
        return next((version for version in versions if self._has(version, kind)), "")

    def _has(self, version: str, kind: str) -> bool:
        key = f"{version} {kind}"
        if key not in self._served:
            response = self._send("GET", f"/apis/{version}")
            if response.status not in (200, 403, 404) or (response.status == 403 and self._has_come_back):
                raise self._error(response, "get", version, "")
            resources = json.loads(response.data).get("resources", ()) if response.status == 200 else ()
            self._served[key] = any(one["kind"] == kind for one in resources)
        return self._served[key]

    def _write(self, method: str, document: Json, query: Mapping[str, str], form: str = "application/json") -> Json:
        kind, name = document["kind"], document["metadata"]["name"]
        version = document["apiVersion"]
        written = self._request(
            method, kind, "" if method == "POST" else name, query=query, body=document, form=form, version=version
        )
        return written or {}

    def _request(
        self,
        method: str,
        kind: str,
        name: str = "",
        *,
        query: Mapping[str, str] | None = None,
        body: Json | None = None,
        form: str = "application/json",
        version: str = "",
        missing: bool = False,
    ) -> Json | None:
        path = self._path(kind, name, version)
        response = self._send(method, f"{path}?{urlencode(query)}" if query else path, body, form)
        if response.status == 404 and missing and self._names_object(response):
            return None
        if not 200 <= response.status < 300:
            raise self._error(response, _VERBS[method], kind, name or _name_of(body))
        try:
            answer: Json = json.loads(response.data)
        except ValueError as error:  # such as the page of a proxy
            raise TargetError(
                f"{self._connection.host} answers without JSON: it is not the API of a Kubernetes",
                "check the context: kubectl config current-context; NBDEPLOY_KUBERNETES__CONTEXT names another one",
            ) from error
        return answer

    @staticmethod
    def _names_object(response: Any) -> bool:
        """Whether a 404 is of an object, not of a namespace or of a kind."""
        kind = _status(response).get("details", {}).get("kind", "")
        return kind not in ("", "namespaces")

    def _path(self, kind: str, name: str = "", version: str = "") -> str:
        chosen = version or self.version_of(kind) or _GROUPS[kind][0]
        base = f"/api/{chosen}" if "/" not in chosen else f"/apis/{chosen}"
        plural = _PLURALS.get(kind, f"{kind.lower()}s")
        return f"{base}/namespaces/{quote(self.namespace)}/{plural}{f'/{quote(name)}' if name else ''}"

    def _send(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        form: str = "application/json",
    ) -> Any:
        import urllib3

        from .retries import Retries

        if self._silent and time.monotonic() < self._silent[0]:
            raise self._silent[1]
        connection = self._connection
        headers = {"accept": "application/json"} | ({"content-type": form} if body is not None else {})
        headers |= {"user-agent": "nbdeploy"}
        connection.authorize(headers, path, method)
        reads = method == "GET"
        try:
            return connection.pool.request(
                method,
                f"{connection.host}{path}",
                body=None if body is None else json.dumps(body),
                headers=headers,
                timeout=urllib3.Timeout(connect=_CONNECT_SECONDS, read=_READ_SECONDS if reads else _WRITE_SECONDS),
                retries=Retries(
                    total=_RETRIES if reads else 0, connect=_MOST_CONNECTS, backoff_factor=0.2, raise_on_status=False
                ),
            )
        except urllib3.exceptions.HTTPError as error:
            unanswered = Unanswered(
                f"the Kubernetes API at {connection.host} does not answer: {_reason(error)}",
                "check the cluster and the context: kubectl --namespace "
                f"{self.namespace} get pods; NBDEPLOY_KUBERNETES__CONTEXT names another context",
            )
            if isinstance(getattr(error, "reason", error), urllib3.exceptions.ReadTimeoutError):
                self._silent = time.monotonic() + _SILENT_SECONDS, unanswered
            self._lost = time.monotonic()
            raise unanswered from error

    @property
    def _has_come_back(self) -> bool:
        return self._lost is not None and time.monotonic() < self._lost + _RIGHTS_SECONDS

    @cached_property
    def _connection(self) -> Connection:
        return connect(self._settings)

    def _error(self, response: Any, verb: str, kind: str, name: str) -> TargetError | Conflict | InvalidInput:
        status = _status(response)
        message = status.get("message") or f"status {response.status}"
        subject = f"{kind} {name}".strip()
        match response.status:
            case 409:
                return Conflict(
                    f"{subject} was changed by somebody else: {message}", "look at the present state and repeat"
                )
            case 401:
                return TargetError(
                    "the Kubernetes API does not know this user",
                    "log in to the cluster again, as kubectl does",
                    message,
                )
            case 403:
                return self._forbidden(f"{verb} {subject}", message)
            case 404:
                return TargetError(
                    f"{subject} cannot be written or read: {message}",
                    f"the namespace {self.namespace} must exist: kubectl create namespace {self.namespace}",
                )
            case 400 | 413 | 422:
                return TargetError(f"Kubernetes refuses {subject}: {message}", "correct the setting that it names")
            case _:
                return TargetError(
                    f"Kubernetes cannot {verb} {subject}: {message}", "repeat the command; the cluster may be busy"
                )

    def _forbidden(self, what: str, message: str) -> TargetError:
        if self._has_come_back:
            words = f"the Kubernetes API at {self._connection.host} has just come back and does not know rights yet"
            return Unanswered(words, "repeat the command", message)
        return TargetError(
            f"this user may not {what} in namespace {self.namespace}",
            "let an administrator apply the Role that 'nbdeploy manifests --rbac' prints, and bind it",
            message,
        )


_VERBS = {"GET": "read", "PATCH": "apply", "POST": "create", "PUT": "change", "DELETE": "delete"}


def _name_of(body: Json | None) -> str:
    return str(((body or {}).get("metadata") or {}).get("name", ""))


def _status(response: Any) -> Json:
    try:
        status = json.loads(response.data)
    except ValueError:
        return {"message": response.data[:500].decode(errors="replace")}
    return status if isinstance(status, dict) else {}


def _reason(error: Exception) -> str:
    inner = getattr(error, "reason", None) or error
    return " ".join(str(inner).rpartition(": ")[2].split()) or type(inner).__name__
