"""The objects of batches: a CronJob for an endpoint with a schedule, a Job for a run at once. Pure.

::

    CronJob nbd-batch-NAME ── at its moments ──▶ Job ── pod: the stable release's image, "batch --source … --sink …"
                                                          └─ commits in the sink; result: the termination message

The pod is a release's without a port: the same image by digest, resources, secrets and level ``restricted``. It also
has the variables of the Secret ``records_secret``, such as a key of the bucket, since it reads and writes buckets.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

from jupyter_deploy.domain.batch.spec import BatchSpec
from jupyter_deploy.domain.errors import InvalidInput, Refused
from jupyter_deploy.domain.release.endpoint import Release
from jupyter_deploy.domain.secret_references import NAMES

from . import names
from .overlay import merged
from .releases import (
    resources_of,
    restricted_container,
    restricted_pod,
    secret_variables,
    stamped,
)
from .settings import ClusterSettings

Json = dict[str, Any]

CRON, JOB = "CronJob", "Job"
COMPONENT = "batch"
CONTAINER = "batch"

_RETRIES = 4
"""Of a failed pod, with growing pauses. Each goes on with the partitions that are missing."""

GRACE_SECONDS = 60
"""Of a run that is ended: it commits what is whole."""

_KEPT_RUNS = 3
_KEPT_SECONDS = 24 * 3600


def require_in_cluster(source: str, sink: str, *, role: str = "stable") -> None:
    """Raise if pods cannot score these files.

    Raises
    ------
    InvalidInput
        A place is a path of this machine.
    Refused
        Shadows shall answer too.
    """
    for option, place in (("source", source), ("sink", sink)):
        if "://" not in place or place.startswith("file:"):
            raise InvalidInput(
                f"the batch's {option} '{place}' is on this machine, and runs in a cluster's pods",
                "name a bucket: s3://…, gs://… or abfs://…",
            )
    if role == "shadow":
        raise Refused(
            "a cluster records no batches, so --role shadow has nothing to compare there",
            "leave --role shadow out; shadows of HTTP requests are compared in a cluster too",
        )


def cron_job(
    release: Release, spec: BatchSpec, settings: ClusterSettings, version: str, overlay: Mapping[str, Any]
) -> Json:
    """The CronJob of an endpoint's schedule.

    Parameters
    ----------
    release
        The stable one, with an image.
    version
        Of the API: ``batch/v1``, or ``batch/v1beta1`` on servers before 1.21.
    overlay
        Merged into the pod's template: ``metadata`` and ``spec``.
    """
    labels = names.labels(COMPONENT, release.endpoint)
    document = {
        "apiVersion": version,
        "kind": CRON,
        "metadata": {
            "name": names.batch_name(release.endpoint),
            "namespace": settings.namespace,
            "labels": labels,
            "annotations": {names.TAG: release.tag},
        },
        "spec": {
            "schedule": spec.schedule,
            # A moment that comes during a run is left out: the next one reads what has come.
            "concurrencyPolicy": "Forbid",
            "successfulJobsHistoryLimit": _KEPT_RUNS,
            "failedJobsHistoryLimit": _KEPT_RUNS,
            "jobTemplate": {
                "metadata": {"labels": labels, "annotations": {names.TAG: release.tag}},
                "spec": _job_spec(release, _arguments(release, spec.model_dump()), settings, overlay),
            },
        },
    }
    return stamped(document)


def job_at_once(
    release: Release, wanted: Mapping[str, Any], settings: ClusterSettings, overlay: Mapping[str, Any]
) -> Json:
    """The Job of a run at once; the same run has the same name.

    Parameters
    ----------
    wanted
        ``source``, ``sink``, ``keep``, ``format``, ``workers``, ``max_errors``, ``dry_run``.
    """
    arguments = _arguments(release, wanted)
    digest = hashlib.sha256(json.dumps([release.image, arguments]).encode()).hexdigest()[:8]
    labels = names.labels(COMPONENT, release.endpoint)
    spec = _job_spec(release, arguments, settings, overlay) | {"ttlSecondsAfterFinished": _KEPT_SECONDS}
    return {
        "apiVersion": "batch/v1",
        "kind": JOB,
        "metadata": {
            "name": names.batch_name(release.endpoint, digest),
            "namespace": settings.namespace,
            "labels": labels,
            "annotations": {names.TAG: release.tag},
        },
        "spec": spec,
    }


def _arguments(release: Release, wanted: Mapping[str, Any]) -> list[str]:
    """The arguments of ``serving.batch.job``."""
    workers = wanted["workers"] or max(1, math.floor(release.resources.cpu or 1))
    found = ["batch", "--snapshot", f"{release.tag}@{release.digest}"]
    found += [part for name in ("source", "sink", "format") for part in (f"--{name}", str(wanted[name]))]
    found += [part for column in wanted["keep"] for part in ("--keep", column)]
    found += ["--workers", str(workers), "--max-errors", str(wanted["max_errors"])]
    return [*found, "--dry-run"] if wanted.get("dry_run") else found


def _job_spec(release: Release, arguments: list[str], settings: ClusterSettings, overlay: Mapping[str, Any]) -> Json:
    return {
        "backoffLimit": _RETRIES,
        "template": merged(_template(release, arguments, settings), overlay),
    }


def _template(release: Release, arguments: list[str], settings: ClusterSettings) -> Json:
    variables = {"NBDEPLOY_ENDPOINT": release.endpoint, "HOME": "/tmp"}  # noqa: S108 - within the container
    if release.redact:
        variables["NBDEPLOY_REDACT"] = ",".join(release.redact)
    if release.secrets:
        variables[NAMES] = ",".join(release.secrets)
    if release.resources.gpu == "none":
        variables["CUDA_VISIBLE_DEVICES"] = "-1"
    # All pods of a Job have it: one that follows a killed pod goes on with the same run.
    run = {"name": "NBDEPLOY_RUN", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['controller-uid']"}}}
    container: Json = {
        "name": CONTAINER,
        "image": release.image,
        "imagePullPolicy": "IfNotPresent",
        "args": arguments,
        "env": [
            *({"name": name, "value": value} for name, value in variables.items()),
            *secret_variables(release),
            run,
        ],
        "resources": resources_of(release.resources, scaled=False),
        "securityContext": restricted_container(),
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - within the container
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    if settings.records_secret:
        container["envFrom"] = [{"secretRef": {"name": settings.records_secret}}]
    return {
        "metadata": {
            "labels": names.labels(COMPONENT, release.endpoint),
            "annotations": {names.TAG: release.tag},
        },
        "spec": {
            "restartPolicy": "Never",  # a failed pod stays, with its log and its reason
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": restricted_pod(),
            "terminationGracePeriodSeconds": GRACE_SECONDS,
            "containers": [container],
            "volumes": [{"name": "tmp", "emptyDir": {}}],
        },
    }
