"""Batches in the cluster: the CronJob follows the endpoint, its runs are read from Jobs, and a Job runs at once."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from jupyter_deploy.domain.base import now
from jupyter_deploy.domain.batch.ports import BatchJob
from jupyter_deploy.domain.batch.results import BatchRun, BatchState
from jupyter_deploy.domain.batch.schedule import count_due, next_due
from jupyter_deploy.domain.batch.scoring import scheduled_scorings
from jupyter_deploy.domain.batch.spec import BatchSpec, allows
from jupyter_deploy.domain.errors import Conflict, InvalidInput, Refused, TargetError
from jupyter_deploy.domain.release.endpoint import Endpoint, Release

from . import batch_pods, names, uploading
from .api import Api, Json, Unanswered
from .batches import COMPONENT, CRON, GRACE_SECONDS, INDEXED, JOB, cron_job, job_at_once, probe, require_in_cluster
from .overlay import read_overlay
from .releases import UPLOAD_SECONDS, stamp_of
from .settings import ClusterSettings, KubernetesSettings

_SCHEDULED_FOR = "batch.kubernetes.io/cronjob-scheduled-timestamp"  # of servers from 1.32
_POLL_SECONDS = 1.0
_CONTROLLER_SECONDS = 10  # until a deleted Job's pods are deleted too


def check(spec: BatchSpec, api: Api, records_to: str | None) -> None:
    """See ``Target.check_serving``."""
    require_in_cluster(spec.source, spec.sink)
    if spec.validate:
        raise Refused(
            "the pods of a cluster's schedule have no notebooks, so --validate cannot judge its runs",
            "leave --validate out, or run the batch from here: --run-on kubernetes --validate NOTEBOOK",
        )
    if spec.role == "shadow" and records_to is None:
        raise Refused(
            "the records of this cluster's releases stay in their pods, so --role shadow has nothing to compare",
            "name a bucket for them: NBDEPLOY_RECORDS_TO; or leave --role shadow out",
        )
    if not api.serves(CRON):
        raise Refused("this cluster has no CronJobs", "run the batch once: nbdeploy batch NAME --run-on kubernetes")
    if spec.pods > 1:
        _require_indexed(api)
    api.list_(CRON, names.selector(COMPONENT))  # or this user may not read them: said before a revision is written


def _require_indexed(api: Api) -> None:
    """Raise Refused unless the server has Indexed Jobs, by a dry run."""
    if api.create(probe(), dry_run=True)["spec"].get("completionMode") != INDEXED:
        raise Refused("this cluster has no Indexed Jobs, which Kubernetes has from 1.22 on", "leave --pods out")


def wanted_crons(endpoint: Endpoint, api: Api, settings: KubernetesSettings) -> list[Json]:
    """The CronJobs that the endpoint's revision has."""
    cluster = settings.kubernetes or ClusterSettings()
    scorings = scheduled_scorings(endpoint) if endpoint.running else []
    return [
        cron_job(
            one,
            cluster,
            version=api.version_of(CRON),
            overlay=read_overlay(cluster),
            shipper=uploading.container(one.release, one.release, settings, api, job=True),
        )
        for one in scorings
    ]


def keep(
    endpoint: Endpoint, api: Api, wanted: Callable[[Endpoint], list[Json]], newest: Callable[[], Endpoint | None]
) -> None:
    """Make the CronJobs those of the endpoint's revision, and delete others.

    Another user may change the endpoint meanwhile and be faster: so the call repeats itself for that revision.

    Parameters
    ----------
    wanted
        Returns the CronJobs of a revision.
    newest
        Reads the endpoint's newest state; None: it is gone.
    """
    if not api.serves(CRON):
        return
    current: Endpoint | None = endpoint
    while current is not None:
        done, documents = current, {one["metadata"]["name"]: one for one in wanted(current)}
        present = {one["metadata"]["name"]: one for one in api.list_(CRON, names.selector(COMPONENT, current.name))}
        if not documents and not present:
            return
        for name in present.keys() - documents.keys():
            api.delete(CRON, name)  # with its Jobs: their pods commit what is whole
        for name, document in documents.items():
            if stamp_of(present.get(name)) != stamp_of(document):
                api.apply(document)
        current = newest()
        if current is not None and current.revision <= done.revision:
            return


def delete(api: Api, endpoint: str = "") -> None:
    """Delete the CronJobs and Jobs of an endpoint's batches, or of all; their pods commit what is whole."""
    selector = names.selector(COMPONENT, endpoint)
    for kind in (CRON, JOB):  # a CronJob would begin another Job
        for one in api.list_(kind, selector) if api.serves(kind) else ():
            api.delete(kind, one["metadata"]["name"])


def states(endpoints: Iterable[Endpoint], api: Api) -> dict[str, BatchState]:
    """The state of each endpoint's schedule, by its name; shadows have runs of their own."""
    scheduled = [one for one in endpoints if one.batch is not None]
    if not scheduled:
        return {}
    lists = {kind: api.list_(kind, names.selector(COMPONENT)) for kind in (CRON, JOB, "Pod") if api.serves(kind)}
    crons = {one["metadata"]["name"]: one for one in lists.get(CRON, ())}
    jobs: dict[str, list[Json]] = defaultdict(list)
    for job in lists[JOB]:
        for owner in job["metadata"].get("ownerReferences") or ():
            jobs[owner["name"]].append(job)
    last = batch_pods.by_job(lists["Pod"])
    found = {}
    for endpoint in scheduled:
        name = names.batch_name(endpoint.name)
        cron, schedule = crons.get(name), endpoint.batch.schedule if endpoint.batch else ""
        shadows = [names.batch_name(endpoint.name, shadow=shadow.version) for shadow in _shadows(endpoint)]
        begun = [(job, owner == name) for owner in (name, *shadows) for job in jobs[owner]]
        made = [(run_of(job, last.get(job["metadata"]["name"], ()), schedule), stable) for job, stable in begun]
        running = cron is not None and not cron["spec"].get("suspend")
        due = next_due(schedule, datetime.now(UTC)) if running else None
        # Newest first; of one moment stable's first.
        made.sort(key=lambda one: (one[0].due.replace(second=0, microsecond=0), one[1], one[0].began), reverse=True)
        runs = [run if stable else run.of_shadow for run, stable in made]
        found[endpoint.name] = BatchState(running=running, due=due, runs=tuple(runs))
    return found


def run_of(job: Json, found: Sequence[Json], schedule: str) -> BatchRun:
    """A run by its Job and the last pod of each of the Job's indexes."""
    metadata, status = job["metadata"], job.get("status") or {}
    created = _moment(metadata["creationTimestamp"])
    due = _moment((metadata.get("annotations") or {}).get(_SCHEDULED_FOR) or metadata["creationTimestamp"])
    ended, failed = _end(job)
    result = batch_pods.result_of(found)
    problem = str(result.get("problem") or ("" if result.get("state") == "complete" else batch_pods.reason(found)))
    arguments = job["spec"]["template"]["spec"]["containers"][0].get("args") or []
    most = arguments[arguments.index("--max-errors") + 1] if "--max-errors" in arguments else "0"
    rows, refused = int(result.get("rows") or 0), int(result.get("refused") or 0)
    too_many = not allows(most, refused, rows)
    if failed and not problem and not too_many:
        problem = failed
    return BatchRun(
        due=due,
        began=_moment(status["startTime"]) if status.get("startTime") else created,
        ended=ended,
        release=str(result.get("release") or (metadata.get("annotations") or {}).get(names.TAG, "")),
        rows=rows,
        refused=refused,
        too_many_refused=too_many,
        problem=problem if failed or ended is None else "",
        overlapped=count_due(schedule, due, ended) if ended else 0,
    )


class JobBatches:
    """``domain.batch.ports.ClusterBatchRunner``: a Job of the release's image."""

    def __init__(self, settings: KubernetesSettings) -> None:
        self._settings = settings

    def run(
        self,
        release: Release,
        job: BatchJob,
        report: Callable[[str], None],
        *,
        dry_run: bool = False,
    ) -> dict[str, Any]:
        """See ``ClusterBatchRunner.run``."""
        require_in_cluster(job.source, job.sink)
        if release.image is None:
            raise InvalidInput(
                f"{release.tag} has no image, and a cluster runs images only",
                f"publish it: nbdeploy publish {release.endpoint}",
            )
        cluster = self._settings.kubernetes or ClusterSettings()
        api = Api(cluster)
        # The caller judges the refused rows; a Job that failed for them would try again.
        wanted = job.model_dump() | {"max_errors": "100%", "dry_run": dry_run}
        shipper = None
        if job.records and not dry_run:
            shipper = uploading.container(release, release, self._settings, api, job=True)
        if job.pods > 1 and not dry_run:
            _require_indexed(api)
        document = job_at_once(
            release, wanted, cluster, overlay=read_overlay(cluster), records=job.records, shipper=shipper
        )
        name = document["metadata"]["name"]
        try:
            _begin(api, document, report)
            return self._wait(api, release, name, report)
        except KeyboardInterrupt:
            ends = "its pod commits what is whole" if job.pods == 1 else "its pods keep the partitions that are whole"
            report(f"ending the Job: {ends}")
            return {"partitions": 0} | _ended_now(api, name) | {"state": "interrupted"}

    def _wait(self, api: Api, release: Release, name: str, report: Callable[[str], None]) -> dict[str, Any]:
        shown = ""
        while True:
            try:
                job = api.get(JOB, name)
                found = batch_pods.by_job(api.list_("Pod", f"job-name={name}")).get(name, [])
            except Unanswered:  # the Job goes on
                report("waiting for the cluster's API")
                time.sleep(_POLL_SECONDS)
                continue
            if job is None:
                raise TargetError(f"the Job {name} was deleted while it ran", "the same command goes on")
            ended, failed = _end(job)
            result = batch_pods.result_of(found)
            if ended is not None and result.get("state", "scored") != "scored":
                return batch_pods.figures(result)
            if result.get("final"):
                api.delete(JOB, name)  # another try would fail too
                raise InvalidInput(str(result["problem"]), "see 'nbdeploy batch --help' for sources")
            if ended is not None:
                raise TargetError(
                    f"{release.tag} did not score the files: {result.get('problem') or failed or 'its pod is gone'}",
                    "finished partitions are kept: the same command goes on",
                    batch_pods.log_of(api, found),
                )
            if (words := batch_pods.progress(api, found, job["spec"].get("parallelism", 1))) != shown:
                report(shown := words)
            time.sleep(_POLL_SECONDS)


def _shadows(endpoint: Endpoint) -> list[Release]:
    return [one.release for one in scheduled_scorings(endpoint) if one.shadow]


def _ended_now(api: Api, name: str) -> dict[str, Any]:
    """End a Job and wait for its pod; return the figures that the pod wrote, as far as they were seen."""
    api.delete(JOB, name)
    figures: dict[str, Any] = {}
    deadline = time.monotonic() + GRACE_SECONDS + UPLOAD_SECONDS + _CONTROLLER_SECONDS
    while time.monotonic() < deadline and (found := api.list_("Pod", f"job-name={name}")):
        figures = batch_pods.interrupted(batch_pods.by_job(found).get(name, [])) or figures
        time.sleep(_POLL_SECONDS / 10)
    return figures


def _begin(api: Api, document: Json, report: Callable[[str], None]) -> None:
    """Create the Job, or go on with the same one that runs already."""
    name = document["metadata"]["name"]
    present = api.get(JOB, name)
    if present is not None and (_end(present)[0] is not None or present["metadata"].get("deletionTimestamp")):
        api.delete(JOB, name)
        while api.get(JOB, name) is not None:
            time.sleep(_POLL_SECONDS)
        present = None
    if present is not None:
        report(f"the Job {name} runs already")
        return
    with suppress(Conflict):  # another process was faster with the same one
        api.create(document)


def _end(job: Json) -> tuple[datetime | None, str]:
    """When a Job ended, and why it failed; None: it runs; empty: it did not fail."""
    status = job.get("status") or {}
    for one in status.get("conditions") or ():
        if one["status"] == "True" and one["type"] in ("Complete", "Failed"):
            moment = status.get("completionTime") or one.get("lastTransitionTime")
            ended = _moment(moment) if moment else now()
            return ended, (one.get("message") or "it failed") if one["type"] == "Failed" else ""
    return None, ""


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
