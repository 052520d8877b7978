"""The objects of batches: a CronJob for an endpoint with a schedule, a Job for a run at once. Pure.

::

    CronJob nbd-batch-NAME ── at its moments ──▶ Job ── pods: the stable release's image, "batch --source … --sink …"
                                                          ├─ commits in the sink; result: the termination message
                                                          └─ records ─▶ container "shipper" ─▶ bucket of the records

The pod is a release's without a port: the same image by digest, resources, secrets and level ``restricted``. It also
has the variables of the Secret ``records_secret``, such as a key of the bucket, since it reads and writes buckets.
Several pods are those of an Indexed Job. With ``role`` shadow each shadow has a CronJob, or a Job, of its own.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

from jupyter_deploy.domain.batch.ports import BatchRecording
from jupyter_deploy.domain.batch.scoring import ScheduledScoring
from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.release.endpoint import Release
from jupyter_deploy.domain.secret_references import NAMES
from jupyter_deploy.serving.telemetry.recording import Recording

from . import names
from .overlay import merged
from .releases import (
    UPLOAD_SECONDS,
    UPLOADS,
    records_mount,
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
INDEXED = "Indexed"

_RETRIES = 4
"""Of failed pods, for each pod of the Job, with growing pauses. Each goes on with the partitions that are missing."""

GRACE_SECONDS = 60
"""Of a run that is ended: it commits what is whole."""

_KEPT_RUNS = 3
_KEPT_SECONDS = 24 * 3600


def require_in_cluster(source: str, sink: str) -> None:
    """Raise if pods cannot score these files.

    Raises
    ------
    InvalidInput
        A place is a path of this machine.
    """
    for option, place in (("source", source), ("sink", sink)):
        if "://" not in place or place.startswith("file:"):
            raise InvalidInput(
                f"the batch's {option} '{place}' is on this machine, and runs in a cluster's pods",
                "name a bucket: s3://…, gs://… or abfs://…",
            )


def cron_job(
    scoring: ScheduledScoring,
    settings: ClusterSettings,
    *,
    version: str,
    overlay: Mapping[str, Any],
    shipper: Json | None = None,
) -> Json:
    """The CronJob of a release of an endpoint's schedule, which has an image.

    Parameters
    ----------
    version
        Of the API: ``batch/v1``, or ``batch/v1beta1`` on servers before 1.21.
    overlay
        Merged into the pod's template: ``metadata`` and ``spec``.
    shipper
        The container that sends the records of the answers away; None: nothing is recorded.
    """
    release, spec, records = scoring.release, scoring.spec, scoring.records
    labels = names.labels(COMPONENT, release.endpoint)
    wanted = spec.model_dump() | {"shadow": scoring.shadow}
    arguments = _arguments(release, wanted, records if shipper else None)
    document = {
        "apiVersion": version,
        "kind": CRON,
        "metadata": {
            "name": cron_name(scoring),
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
                "spec": _job_spec(
                    _template(release, arguments, settings, shipper if records else None), spec.pods, overlay
                ),
            },
        },
    }
    return stamped(document)


def cron_name(scoring: ScheduledScoring) -> str:
    """The name of the CronJob."""
    release = scoring.release
    return names.batch_name(release.endpoint, shadow=release.version if scoring.shadow else "")


def job_at_once(
    release: Release,
    wanted: Mapping[str, Any],
    settings: ClusterSettings,
    *,
    overlay: Mapping[str, Any],
    records: BatchRecording | None = None,
    shipper: Json | None = None,
) -> Json:
    """The Job of a run at once; the same run has the same name.

    Parameters
    ----------
    wanted
        ``source``, ``sink``, ``keep``, ``format``, ``workers``, ``pods``, ``max_errors``, ``dry_run``, ``shadow``.
    overlay, shipper
        As for ``cron_job``.
    """
    if wanted.get("dry_run"):
        wanted = {**wanted, "pods": 1}
    arguments = _arguments(release, wanted, records if shipper else None)
    digest = hashlib.sha256(json.dumps([release.image, arguments]).encode()).hexdigest()[:8]
    labels = names.labels(COMPONENT, release.endpoint)
    template = _template(release, arguments, settings, shipper if records else None)
    spec = _job_spec(template, wanted["pods"], overlay) | {"ttlSecondsAfterFinished": _KEPT_SECONDS}
    return {
        "apiVersion": "batch/v1",
        "kind": JOB,
        "metadata": {
            "name": names.batch_name(release.endpoint, run=digest),
            "namespace": settings.namespace,
            "labels": labels,
            "annotations": {names.TAG: release.tag},
        },
        "spec": spec,
    }


def _arguments(release: Release, wanted: Mapping[str, Any], records: BatchRecording | None) -> list[str]:
    """The arguments of ``serving.batch.job``."""
    workers = wanted["workers"] or max(1, math.floor(release.resources.cpu or 1))
    found = ["batch", "--snapshot", f"{release.tag}@{release.digest}"]
    found += [part for name in ("source", "sink", "format") for part in (f"--{name}", str(wanted[name]))]
    found += [part for column in wanted["keep"] for part in ("--keep", column)]
    found += ["--workers", str(workers), "--max-errors", str(wanted["max_errors"])]
    found += ["--pods", str(wanted["pods"])] if wanted["pods"] > 1 else []
    if records is not None:
        mode = Recording(records.kept, records.sample, records.redact)
        found += ["--record", mode.header, "--role", records.role]
    elif wanted.get("shadow"):
        found += ["--role", "shadow"]
    return [*found, "--dry-run"] if wanted.get("dry_run") else found


def _job_spec(template: Json, pods: int, overlay: Mapping[str, Any]) -> Json:
    spec = {"backoffLimit": _RETRIES * pods, "template": merged(template, overlay)}
    if pods == 1:
        return spec  # servers without Indexed Jobs take it
    return spec | {"completionMode": INDEXED, "completions": pods, "parallelism": pods}


def probe() -> Json:
    """A Job of several pods, for a dry run: a server without Indexed Jobs leaves ``completionMode`` out."""
    pod = {"restartPolicy": "Never", "containers": [{"name": CONTAINER, "image": "none"}]}
    spec = _job_spec({"spec": pod}, 2, {})
    return {"apiVersion": "batch/v1", "kind": JOB, "metadata": {"name": names.batch_name("probe")}, "spec": spec}


def _template(release: Release, arguments: list[str], settings: ClusterSettings, shipper: Json | None) -> Json:
    variables = {"NBDEPLOY_ENDPOINT": release.endpoint, "HOME": "/tmp"}  # noqa: S108 - within the container
    mounts: list[Json] = [{"name": "tmp", "mountPath": "/tmp"}]  # noqa: S108 - within the container
    if shipper:
        mounts.append(records_mount(release))
        variables["NBDEPLOY_RECORDS"] = mounts[-1]["mountPath"]
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
        "volumeMounts": mounts,
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
            "terminationGracePeriodSeconds": GRACE_SECONDS + (UPLOAD_SECONDS if shipper else 0),
            # In this order they start: the second one awaits the records of the first.
            "containers": [container, *([shipper] if shipper else [])],
            "volumes": [
                {"name": "tmp", "emptyDir": {}},
                *([{"name": "records", "emptyDir": {}}, UPLOADS] if shipper else []),
            ],
        },
    }
