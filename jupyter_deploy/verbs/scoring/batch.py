"""The verb ``batch``: a release answers the rows of files, once or by a schedule."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jupyter_deploy.domain.batch.ports import BatchJob, BatchRecording
from jupyter_deploy.domain.batch.requests import BatchRequest
from jupyter_deploy.domain.batch.results import Batch, BatchStatus, ShadowBatch
from jupyter_deploy.domain.batch.scoring import recording_of, require_pyarrow, shadow_sink
from jupyter_deploy.domain.batch.spec import BatchSpec, is_absolute
from jupyter_deploy.domain.errors import DeployError, InvalidInput
from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.release.change_words import difference_in_words
from jupyter_deploy.domain.release.endpoint import Endpoint, Release
from jupyter_deploy.domain.requests import Step
from jupyter_deploy.verbs.capture import load_release
from jupyter_deploy.verbs.change import change, find, keep, require_revision, target_of
from jupyter_deploy.verbs.interrupts import heard_once
from jupyter_deploy.verbs.release_secrets import require_schedulable
from jupyter_deploy.verbs.status import status_of_batch

from .batch_validation import BatchValidation, planned_validation

_MOST_WORKERS = 64


@heard_once()
def batch(request: BatchRequest, ports: Ports, report: Report) -> Batch | BatchStatus:
    """Score the files of a source; parts that the same release scored before, and have not changed, are left out.

    With a schedule, begin or change it; without a source, show it or end it. Validation notebooks judge the answers of
    a complete run; all that can be known to be wrong with them is, before the run.

    Raises
    ------
    UnknownEndpoint, UnknownRelease, Conflict
    Untrusted
        The release's snapshot has changed since its capture.
    InvalidInput, EnvironmentChanged, TargetError
        As ``BatchRunner.run`` and ``ClusterBatchRunner.run``.
    Refused
        The endpoint's target begins no such batches.
    """
    wanted = wanted_schedule(request)
    require_revision(find(ports, request.name), request.if_revision)
    if wanted is not None or request.source is None or request.sink is None:
        return _by_schedule(request, wanted, ports, report)
    return score(request, request.source, request.sink, ports, report)


def score(request: BatchRequest, source: str, sink: str, ports: Ports, report: Report) -> Batch:
    """Score the files of a source now."""
    endpoint = find(ports, request.name)
    release = endpoint.release(request.release or endpoint.traffic.stable)
    _require_runnable(request, endpoint, release)
    scoring = _Scoring(request, endpoint, source, ports, report)
    asked = BatchValidation.of(request, _absolute(sink), release, ports)
    figures = scoring.by(release, sink)
    complete = figures["state"] == "complete"
    by_shadows = [
        scoring.by_shadow(endpoint.release(tag), sink)
        for tag in (endpoint.traffic.shadows if request.role == "shadow" and complete else ())
    ]
    return Batch(
        endpoint=endpoint.name,
        release=release.tag,
        source=source,
        sink=sink,
        max_errors=request.max_errors,
        shadows=tuple(by_shadows),
        validation=asked.judge(ports, report) if asked and complete else None,
        **figures,
    )


def _require_runnable(request: BatchRequest, endpoint: Endpoint, release: Release) -> None:
    if request.run_on == "kubernetes" and endpoint.target != "kubernetes":
        raise InvalidInput(
            f"{endpoint.name} is on target {endpoint.target}, so no cluster has its releases",
            "leave --run-on out, or deploy it with --target kubernetes",
        )
    if request.run_on == "kubernetes":
        shadows = endpoint.traffic.shadows if request.role == "shadow" else ()
        for one in (release, *map(endpoint.release, shadows)):
            require_pyarrow(one)
    if request.run_on == "local" and request.pods > 1:
        raise InvalidInput(
            "--pods is of a cluster, and this batch runs on this machine",
            "add --run-on kubernetes; on one machine --workers is the number of processes",
        )


class _Scoring(NamedTuple):
    """The files of a request, which releases score one after another."""

    request: BatchRequest
    endpoint: Endpoint
    source: str
    ports: Ports
    report: Report

    def by(self, release: Release, sink: str) -> Mapping[str, Any]:
        """Score by one release; see ``BatchRunner.run`` and ``ClusterBatchRunner.run``."""
        request = self.request
        in_cluster = request.run_on == "kubernetes"
        here = 0 if in_cluster else min(_MOST_WORKERS, len(os.sched_getaffinity(0)))
        job = BatchJob(
            source=_absolute(self.source),
            sink=_absolute(sink),
            keep=request.keep,
            format=request.format,
            workers=request.workers or here,
            pods=request.pods,
            records=self._recording(release),
            shadow=self.endpoint.traffic.role_of(release.tag) == "shadow",
        )

        def progress(words: str) -> None:
            self.report(Step(number=1, total=1, title=f"scoring by {release.tag}: {words}"))

        if in_cluster:
            return self.ports.cluster_batches.run(release, job, progress, dry_run=request.dry_run)
        snapshot = load_release(release, self.ports)
        return self.ports.batches.run(snapshot, job, progress, dry_run=request.dry_run)

    def by_shadow(self, release: Release, sink: str) -> ShadowBatch:
        """Score by a shadow; the result names its fault, which is none of the batch, as with requests."""
        place = shadow_sink(sink, release)
        try:
            figures = self.by(release, place)
        except DeployError as error:
            return ShadowBatch(release=release.tag, sink=place, problem=error.message)
        problem = "" if figures["state"] == "complete" else "interrupted: the same command goes on"
        amounts = {name: figures[name] for name in ("rows", "refused")}
        return ShadowBatch(release=release.tag, sink=place, problem=problem, **amounts)

    def _recording(self, release: Release) -> BatchRecording | None:
        """How the answers are recorded: a cluster's records come from its pods, so those of this machine are none."""
        endpoint = self.endpoint
        if endpoint.target != self.request.run_on:
            return None
        return recording_of(endpoint, release, str(self.ports.home / "records" / endpoint.name / release.version))


def title(request: BatchRequest) -> str:
    """The title of a job."""
    return f"score {request.source} by {request.name}" if request.source else f"batches of {request.name}"


def wanted_schedule(request: BatchRequest) -> BatchSpec | None:
    """Return the schedule of a request; None: it has none.

    Raises
    ------
    InvalidInput
        Options are missing, or exclude each other.
    """
    given = {"--source": request.source, "--sink": request.sink, "--schedule": request.schedule}
    options = [option for option, value in given.items() if value is not None]
    if request.stop and options:
        raise InvalidInput(f"--stop takes no {options[0]}", f"leave {options[0]} out")
    if request.role == "shadow" and request.release:
        raise InvalidInput("--role shadow takes no --release: stable answers, and each shadow", "leave --release out")
    if options and not (request.source and request.sink):
        missing = "--sink" if request.source else "--source"
        raise InvalidInput(f"{missing} is missing", f"add {missing} with a path or a URL")
    if request.schedule is None:
        return None
    if request.run_on != "local":
        raise InvalidInput("--schedule takes no --run-on: runs begin on the endpoint's target", "leave --run-on out")
    for option, value in {"--release": request.release, "--dry-run": request.dry_run}.items():
        if value:
            raise InvalidInput(
                f"--schedule takes no {option}: each run uses the release that is stable then", f"leave {option} out"
            )
    fields = request.model_dump(include=set(BatchSpec.model_fields))
    return BatchSpec.model_validate(fields).within(Path.cwd()).checked()


def require_schedule(request: BatchRequest, target: str, ports: Ports) -> None:
    """Raise as ``batch`` does for a schedule that cannot begin, and make nothing."""
    wanted = wanted_schedule(request)
    if wanted is not None:
        target_of(ports, target).check_serving(wanted)
        planned_validation(request_of(request.name, wanted), wanted.sink, ports)


def request_of(name: str, spec: BatchSpec) -> BatchRequest:
    """Return the request of a run of a schedule."""
    return BatchRequest(name=name, **spec.model_dump(exclude={"schedule"}))


def _by_schedule(request: BatchRequest, wanted: BatchSpec | None, ports: Ports, report: Report) -> BatchStatus:
    before = find(ports, request.name)
    target = target_of(ports, before.target)
    if wanted is None and not request.stop:
        return status_of_batch(before, target.observe(before))
    if wanted is not None:
        target.check_serving(wanted)
        planned_validation(request_of(before.name, wanted), wanted.sink, ports)
        require_schedulable(before.serving(batch=wanted))
    elif before.batch is None:
        raise InvalidInput(f"{before.name} has no schedule", "nothing to stop")
    report(Step(number=1, total=1, title="starting the schedule" if wanted else "ending the schedule"))
    after = before
    if before.batch == wanted and before.running:
        keep(ports, before)
    else:
        after = before.serving(batch=wanted)
        change(ports, before, after, reason=request.reason, what=difference_in_words(before, after))
    return status_of_batch(after, target.observe(after))


def _absolute(place: str) -> str:
    return place if is_absolute(place) else str(Path(place).expanduser().absolute())
