"""The container that takes records out of a pod: the archivist, on the volumes of a release or of a gateway. Pure.

::

    release ── writes ──▶ volume "records", volume "feedback" ──┐
    Envoy   ── writes ──▶ volume "ledger" ──────────────────────┴─▶ container "shipper" ── uploads ──▶ bucket

A Job's pod ends when all of its containers have: there the container ends by itself, after the batch.

It has the pod's user, and the variables of the Secret ``records_secret``, such as a key of
the bucket. A pod whose platform gives its account an identity needs no Secret.
"""

from __future__ import annotations

from typing import Any

from jupyter_deploy.domain.release.endpoint import Release

from .releases import DATA, UPLOADS, restricted_container
from .settings import ClusterSettings

Json = dict[str, Any]

CONTAINER = "shipper"
_CLOSE_SECONDS, _LOOK_SECONDS = 15, 3
"""A segment is closed at this age, and uploaded at the next look: within 30 seconds."""

_ADMIN = "/run/nbdeploy/admin.sock"
_MEMORY, _DATABASE_MEMORY = "384Mi", "128MB"


def shipper(
    release: Release | None, settings: ClusterSettings, records_to: str | None, image: str, *, job: bool = False
) -> Json | None:
    """The container for a release's pod, or, without a release, for the gateway's; None: records stay in the pod.

    ``job``: for the pod of a release's batch.
    """
    if not records_to:
        return None
    arguments = [DATA, "--to", records_to, "--spool", "--max-bytes", str(settings.spool_bytes)]
    arguments += ["--close-after", str(_CLOSE_SECONDS), "--every", str(_LOOK_SECONDS)]
    mounts = [{"name": UPLOADS["name"], "mountPath": f"{DATA}/bucket"}, {"name": "tmp", "mountPath": "/tmp"}]  # noqa: S108
    if release is None:
        arguments += ["--admin", _ADMIN]
        mounts += [{"name": "ledger", "mountPath": f"{DATA}/ledger"}, {"name": "run", "mountPath": "/run/nbdeploy"}]
    else:
        # The folder above that of the release, in which removed records are counted.
        mounts.append({"name": "records", "mountPath": f"{DATA}/records/{release.endpoint}"})
        if job:
            arguments += ["--for-job", f"{settings.start_timeout:g}"]
        else:
            mounts.append({"name": "feedback", "mountPath": f"{DATA}/feedback/{release.endpoint}"})
    container: Json = {
        "name": CONTAINER,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": arguments,
        "env": [{"name": "NBDEPLOY_RECORDS_MEMORY", "value": _DATABASE_MEMORY}, {"name": "HOME", "value": "/tmp"}],  # noqa: S108
        "resources": {"requests": {"cpu": "10m", "memory": "96Mi"}, "limits": {"memory": _MEMORY}},
        "securityContext": restricted_container(),
        "volumeMounts": mounts,
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    if settings.records_secret:
        container["envFrom"] = [{"secretRef": {"name": settings.records_secret}}]
    return container


def image_in(deployment: Json | None) -> str:
    """The image of the container in a Deployment; empty: it has none."""
    containers = deployment["spec"]["template"]["spec"]["containers"] if deployment else []
    return next((str(one["image"]) for one in containers if one["name"] == CONTAINER), "")
