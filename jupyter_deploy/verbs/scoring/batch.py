"""The verb ``batch``: a release answers the rows of files."""

from __future__ import annotations

import os
import re
from pathlib import Path

from jupyter_deploy.domain.batch import Batch, BatchJob, BatchRequest
from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.requests import Step
from jupyter_deploy.verbs.capture import load_release
from jupyter_deploy.verbs.change import find
from jupyter_deploy.verbs.interrupts import heard_once

_MOST_WORKERS = 64
_URL = re.compile(r"[a-z][a-z0-9+.-]*://")


@heard_once()
def batch(request: BatchRequest, ports: Ports, report: Report) -> Batch:
    """Score the files of a source; parts that the same release scored before, and have not changed, are left out.

    Raises
    ------
    UnknownEndpoint, UnknownRelease
    Untrusted
        The release's snapshot has changed since its capture.
    InvalidInput, EnvironmentChanged, TargetError
        As ``BatchRunner.run``.
    """
    endpoint = find(ports, request.name)
    release = endpoint.release(request.release or endpoint.traffic.stable)
    snapshot = load_release(release, ports)
    job = BatchJob(
        source=_absolute(request.source),
        sink=_absolute(request.sink),
        keep=request.keep,
        format=request.format,
        workers=request.workers or min(_MOST_WORKERS, len(os.sched_getaffinity(0))),
    )

    def progress(words: str) -> None:
        report(Step(number=1, total=1, title=f"scoring by {release.tag}: {words}"))

    figures = ports.batches.run(snapshot, job, progress, dry_run=request.dry_run)
    return Batch(
        endpoint=endpoint.name,
        release=release.tag,
        source=request.source,
        sink=request.sink,
        max_errors=request.max_errors,
        **figures,
    )


def title(request: BatchRequest) -> str:
    """The title of a job."""
    return f"score {request.source} by {request.name}"


def _absolute(place: str) -> str:
    return place if _URL.match(place) else str(Path(place).expanduser().absolute())
