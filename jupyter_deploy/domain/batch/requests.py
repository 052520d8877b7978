"""The request of the verb ``batch``; see ``domain.requests``."""

from __future__ import annotations

import warnings
from typing import Literal

from pydantic import Field

from jupyter_deploy.domain.requests import EndpointName, IfRevision, Reason, Request

from .spec import SCHEDULE, SINK, SOURCE, Format, Gates, Keep, MaxErrors, Notebooks, Pods, Role, Workers

# pydantic warns of a field with the name of a deprecated method.
warnings.filterwarnings("ignore", 'Field name "validate" in "BatchRequest" shadows', UserWarning)


class BatchRequest(Request):
    """Answer the rows of files by a release, once or with --schedule again and again.

    Without --source and --sink, show the schedule with its runs. A schedule is of the endpoint: each run uses the
    release that is stable then, and a program of its own, which outlives notebook and shell, begins it. A moment that
    comes while a run goes on is left out; after moments at which the machine was off, one run makes up for all. In a
    cluster a CronJob begins the runs.

    For example: nbdeploy batch churn --source 'data/day=*/*.parquet' --sink scores --schedule "0 3 * * *".
    Details: docs/how-to/score-a-table-every-night.md.
    """

    name: EndpointName
    source: str | None = Field(default=None, description=SOURCE)
    sink: str | None = Field(default=None, description=SINK)
    schedule: str | None = Field(default=None, description=SCHEDULE)
    release: str | None = Field(
        default=None, description="The release (default: stable).", json_schema_extra={"completes": "release"}
    )
    role: Role = "stable"
    keep: Keep = ()
    format: Format = "parquet"
    workers: Workers = None
    pods: Pods = 1
    max_errors: MaxErrors = "0"
    validate: Notebooks = ()  # type: ignore[assignment]
    gate: Gates = ()
    run_on: Literal["local", "kubernetes"] = Field(
        default="local",
        description="kubernetes: a Job of the release's image, on the endpoint's cluster; buckets only.",
    )
    dry_run: bool = Field(default=False, description="Show what would be scored, and write nothing.")
    stop: bool = Field(default=False, description="Remove the schedule; the answers stay.")
    if_revision: IfRevision = None
    reason: Reason = ""
