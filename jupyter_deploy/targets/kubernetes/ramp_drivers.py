"""The Jobs that drive ramps, one for each endpoint with a ramp in progress.

::

    route ──▶ Job nbd-ramp-NAME ── pod: python -m jupyter_deploy.faces.ramp_driver NAME
                 ▲ look (annotation)      ├─ reads the records from the bucket
                 └────────────────────────┴─ writes revisions and routes with the account nbdeploy-ramp

A ramp ends, and so does its Job. All state is in the endpoint's revision: a pod that was killed, or whose node died,
has a successor that goes on.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from jupyter_deploy.container_images.normalization import VENV
from jupyter_deploy.domain.errors import Conflict, InvalidInput, Refused
from jupyter_deploy.domain.release.endpoint import Endpoint

from . import names, pods
from .api import Api, Json
from .overlay import merged
from .releases import restricted_container, restricted_pod, stamp_of, stamped
from .settings import ClusterSettings

KIND = "Job"

_CONTAINER = "driver"
_DRIVES = "NBDEPLOY_DRIVES"
"""The variable of a driver with the name of its endpoint."""

_AUTHOR = "nbdeploy-ramp"
"""Of the revisions that a driver writes."""

_OVERLAY = "nbdeploy.io/overlay"
"""Annotation of the pod with the overlay, which the pod mounts as a file."""

_MEMORY, _DATABASE_MEMORY = "1Gi", "384MB"
_GRACE_SECONDS = 60
_MOST_RESTARTS = 1_000_000
_KEPT_SECONDS = 600  # an ended Job, where the server removes them


def check(endpoint: Endpoint, api: Api, records_to: str | None) -> None:
    """See ``Target.check_ramp``."""
    name = endpoint.name
    by_hand = f"or change the share yourself: nbdeploy traffic {name} --canary TAG=5"
    if records_to is None:
        raise Refused(
            f"a ramp of {name} has no evidence, since the records of its releases stay in their pods",
            f"name a bucket for them, and deploy again: NBDEPLOY_RECORDS_TO; {by_hand}",
        )
    if api.get("ServiceAccount", names.RAMP) is None:
        raise Refused(
            f"the namespace {api.namespace} has no account {names.RAMP}, with which ramps are driven",
            "let an administrator apply 'nbdeploy manifests --rbac -o yaml' again",
        )
    api.list_(KIND, names.selector("ramp"))  # or this user may not read Jobs: said before a revision is written


def keep_running(endpoint: Endpoint, api: Api, job: Callable[[], Json], newest: Callable[[], Endpoint | None]) -> None:
    """Start the driver of the endpoint's ramp, or end it with the ramp.

    A driver leaves its own Job alone: it exits by itself. While one user's routes come into force, another one may
    change the endpoint, and find a Job that this call then deletes: so the call repeats itself for that revision.

    Parameters
    ----------
    newest
        Reads the endpoint's newest state; None: it is gone.
    """
    if os.environ.get(_DRIVES) == endpoint.name:
        return
    current: Endpoint | None = endpoint
    while current is not None and current.ramp is not None:
        done = current
        _keep_running(done, api, job)
        current = newest()
        if current is not None and current.revision <= done.revision:
            return


def _keep_running(endpoint: Endpoint, api: Api, job: Callable[[], Json]) -> None:
    name = names.ramp_name(endpoint.name)
    present = api.get(KIND, name)
    if not _in_progress(endpoint):
        if present is not None:
            api.delete(KIND, name)
        return
    wanted = stamped(job())
    if present is not None:
        if stamp_of(present) == stamp_of(wanted) and not _ended(present):
            return
        api.delete(KIND, name)  # a Job's template cannot be changed
    with suppress(Conflict):  # another process was faster
        api.create(wanted)


def driver_job(
    endpoint: str,
    settings: ClusterSettings,
    image: str,
    variables: Mapping[str, str],
    overlay: Mapping[str, Any],
) -> Json:
    """The Job that drives an endpoint's ramp.

    Parameters
    ----------
    image
        That of the program that uploads records, which has the driver too.
    variables
        The settings of the core (``TargetSettings.ramp_variables``).
    overlay
        Merged into the pod, and into those of releases that the driver starts.
    """
    metadata = {
        "name": names.ramp_name(endpoint),
        "namespace": settings.namespace,
        "labels": names.labels("ramp", endpoint),
    }
    return {
        "apiVersion": "batch/v1",
        "kind": KIND,
        "metadata": metadata,
        "spec": {
            "backoffLimit": _MOST_RESTARTS,
            "ttlSecondsAfterFinished": _KEPT_SECONDS,
            "template": merged(_template(endpoint, settings, image, variables, overlay), overlay),
        },
    }


def undriven(endpoint: Endpoint, jobs: Sequence[Json], found: Sequence[Json]) -> str:
    """Why nothing drives the endpoint's ramp, in words; empty: a pod of ``found`` does, or there is none to drive."""
    if not _in_progress(endpoint):
        return ""
    job = next((one for one in jobs if one["metadata"]["name"] == names.ramp_name(endpoint.name)), None)
    if job is None or _ended(job):
        return f"its driver was removed; 'nbdeploy reconcile {endpoint.name}' starts it"
    labels = names.identity(names.labels("ramp", endpoint.name))
    own = [pod for pod in found if names.identity(pod["metadata"]["labels"]) == labels]
    if any(map(pods.ready, own)):
        return ""
    return next(filter(None, map(pods.reason, own)), "its driver is starting")


def image_for(settings: ClusterSettings, present: str) -> str:
    """The image of drivers: the setting's, else that of the gateway's pods. Raises InvalidInput: neither is there."""
    if image := settings.shipper_image or present:
        return image
    raise InvalidInput(
        "no image has the driver of ramps: the gateway's pods upload no records",
        "deploy once with NBDEPLOY_RECORDS_TO, or name one: NBDEPLOY_KUBERNETES__SHIPPER_IMAGE=HOST/PATH@sha256:…",
    )


def _in_progress(endpoint: Endpoint) -> bool:
    return endpoint.running and endpoint.ramp is not None and not endpoint.ramp.ended


def _ended(job: Json) -> bool:
    conditions = (job.get("status") or {}).get("conditions") or []
    return any(one["type"] in ("Complete", "Failed") and one["status"] == "True" for one in conditions)


def _template(
    endpoint: str,
    settings: ClusterSettings,
    image: str,
    variables: Mapping[str, str],
    overlay: Mapping[str, Any],
) -> Json:
    file = "/etc/nbdeploy/overlay.json"
    chosen = settings.model_dump(
        mode="json", exclude_unset=True, exclude={"context", "kubeconfig", "overlay", "token_file"}
    )
    cluster = chosen | {"namespace": settings.namespace} | ({"overlay": file} if overlay else {})
    environment = {
        **variables,
        "NBDEPLOY_KUBERNETES": json.dumps(cluster, sort_keys=True),
        "NBDEPLOY_HOME": "/data",
        "BENTOML_HOME": "/data/bentoml",
        "NBDEPLOY_RECORDS_MEMORY": _DATABASE_MEMORY,
        "HOME": "/tmp",  # noqa: S108 - within the container
        "LOGNAME": _AUTHOR,
        _DRIVES: endpoint,
    }
    container: Json = {
        "name": _CONTAINER,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": [f"/{VENV}/bin/python", "-P", "-m", "jupyter_deploy.faces.ramp_driver", endpoint],
        "env": [{"name": name, "value": value} for name, value in environment.items()],
        "resources": {"requests": {"cpu": "50m", "memory": "192Mi"}, "limits": {"memory": _MEMORY}},
        "securityContext": restricted_container(),
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}, {"name": "data", "mountPath": "/data"}],  # noqa: S108
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    secrets = [name for name in (settings.records_secret, settings.notify_secret) if name]
    if secrets:
        container["envFrom"] = [{"secretRef": {"name": name}} for name in secrets]
    volumes: list[Json] = [{"name": "tmp", "emptyDir": {}}, {"name": "data", "emptyDir": {}}]
    annotations = {}
    if overlay:
        annotations[_OVERLAY] = json.dumps(overlay, sort_keys=True)
        item = {"path": "overlay.json", "fieldRef": {"fieldPath": f"metadata.annotations['{_OVERLAY}']"}}
        volumes.append({"name": "overlay", "downwardAPI": {"items": [item]}})
        container["volumeMounts"].append({"name": "overlay", "mountPath": "/etc/nbdeploy", "readOnly": True})
    return {
        "metadata": {"labels": names.labels("ramp", endpoint), "annotations": annotations},
        "spec": {
            "restartPolicy": "OnFailure",
            "serviceAccountName": names.RAMP,
            "enableServiceLinks": False,
            "securityContext": restricted_pod(),
            "terminationGracePeriodSeconds": _GRACE_SECONDS,
            "containers": [container],
            "volumes": volumes,
        },
    }
