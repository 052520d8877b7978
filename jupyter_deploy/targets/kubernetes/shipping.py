"""The container that takes records out of a pod: the archivist, on the volumes of a release or of a gateway. Pure.

::

    release ── writes ──▶ volume "records", volume "feedback" ──┐
    Envoy   ── writes ──▶ volume "ledger" ──────────────────────┴─▶ container "shipper" ── uploads ──▶ bucket

It has the image ``shipper_image``, the pod's user, and the variables of the Secret ``records_secret``, such as a key of
the bucket. A pod whose platform gives its account an identity needs no Secret.
"""

from __future__ import annotations

from typing import Any

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.release.endpoint import Release

from .releases import DATA, UPLOADS, restricted_container
from .settings import ClusterSettings

Json = dict[str, Any]

CONTAINER = "shipper"
VOLUME = UPLOADS

_CLOSE_SECONDS, _LOOK_SECONDS = 15, 3
"""A segment is closed at this age, and uploaded at the next look: within 30 seconds."""

_ADMIN = "/run/nbdeploy/admin.sock"
_MEMORY, _DATABASE_MEMORY = "384Mi", "128MB"


def shipper(release: Release | None, settings: ClusterSettings, records_to: str | None) -> Json | None:
    """The container for a release's pod, or, without a release, for the gateway's; None: records stay in the pod.

    Raises
    ------
    InvalidInput
        Records are to leave the pod, and the settings name no image for that.
    """
    if not records_to:
        return None
    if not settings.shipper_image:
        raise InvalidInput(
            "records_to is set, and no image of the program that uploads records from pods",
            "set NBDEPLOY_KUBERNETES__SHIPPER_IMAGE to one by digest, or unset NBDEPLOY_RECORDS_TO",
        )
    arguments = [DATA, "--to", records_to, "--spool", "--max-bytes", str(settings.spool_bytes)]
    arguments += ["--close-after", str(_CLOSE_SECONDS), "--every", str(_LOOK_SECONDS)]
    mounts = [{"name": VOLUME, "mountPath": f"{DATA}/bucket"}, {"name": "tmp", "mountPath": "/tmp"}]  # noqa: S108
    if release is None:
        arguments += ["--admin", _ADMIN]
        mounts += [{"name": "ledger", "mountPath": f"{DATA}/ledger"}, {"name": "run", "mountPath": "/run/nbdeploy"}]
    else:
        # The folder above that of the release, in which removed records are counted.
        mounts.append({"name": "records", "mountPath": f"{DATA}/records/{release.endpoint}"})
        mounts.append({"name": "feedback", "mountPath": f"{DATA}/feedback/{release.endpoint}"})
    container: Json = {
        "name": CONTAINER,
        "image": settings.shipper_image,
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


def volumes(records_to: str | None) -> list[Json]:
    """The volume that the container needs in addition to the pod's own."""
    return [{"name": VOLUME, "emptyDir": {}}] if records_to else []
