"""The request of the verb ``logs``: the records of an endpoint."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .base import FilePath
from .parsing import Conditions, Moment
from .requests import EndpointName, Request


class LogsRequest(Request):
    """Show the endpoint's records, oldest first."""

    name: EndpointName
    since: Moment | None = Field(
        default=None, description="Only records of the last 90s, 15m, 1h, 7d, … or since 2026-11-25T12:00."
    )
    until: Moment | None = Field(default=None, description="Only records before 1h, 7d, … ago or 2026-11-25T12:00.")
    role: Literal["stable", "canary", "shadow", "probe", "direct"] | None = Field(
        default=None,
        description="Only records of this role; probe: the start check; direct: not through the gateway.",
    )
    status: int | None = Field(default=None, description="Only this HTTP status.")
    request_id: tuple[str, ...] = Field(default=(), description="Only records of this x-request-id (repeatable).")
    release: str | None = Field(
        default=None, description="Only records of this release.", json_schema_extra={"completes": "release"}
    )
    text: str = Field(default="", description="Only records with this text in input, output or error.")
    where: Conditions = Field(
        default=(),
        description="Only requests with a row in which a column has one of these values, such as 'age: >=60' or "
        "'region: north, south' (repeatable: all of them).",
    )
    differs: bool = Field(default=False, description="Only requests that two releases answered differently.")
    alarmed: bool = Field(default=False, description="Only records behind a drift alarm, from the begin of the drift.")
    limit: int | None = Field(default=None, ge=1, description="Only the latest records, at most this many.")
    follow: bool = Field(default=False, description="Continue with new records until interrupted.")
    export: Annotated[str | None, FilePath(written=True)] = Field(
        default=None,
        description="Write them into a new file instead, one row for each instance: NAME.csv, NAME.parquet, or "
        "NAME.ipynb, a notebook that opens them as a data frame.",
    )
