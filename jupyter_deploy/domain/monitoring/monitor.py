"""An endpoint in a range of time: its requests, the drift of a release, and the changes that were made. Pure.

All figures are of the counts by period that the watches keep, so a look at a year reads no record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Annotated

from pydantic import Field

from jupyter_deploy.domain.base import FilePath, Value, percent_in_words
from jupyter_deploy.domain.drift.drift import Drift, JointShift
from jupyter_deploy.domain.drift.report import drift_between
from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.evidence.record_pages import TimeBucket
from jupyter_deploy.domain.parsing import Moment
from jupyter_deploy.domain.release.endpoint import Endpoint, Revision
from jupyter_deploy.domain.requests import EndpointName, Request
from jupyter_deploy.domain.store_ports import Watched

from .performance import Performance
from .rollup import DAY, KEPT, MINUTE, buckets_of, clients_of, first_of, values_in

REPORT = "nbdeploy-report.html"
MOST_SPANS = 120
MOST_MARKERS = 50

_MINUTES = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720)
_DAYS = (1, 2, 7, 14, 28, 91, 364)
_LENGTHS = (*(minutes * MINUTE for minutes in _MINUTES), *(days * DAY for days in _DAYS))


class MonitorRequest(Request):
    """Show an endpoint in a range of time."""

    name: EndpointName
    since: Moment | None = Field(default=None, description="The range's begin: 1h, 7d or a moment (default: all).")
    until: Moment | None = Field(default=None, description="The range's end (default: now).")
    compare_since: Moment | None = Field(
        default=None, description="The begin of a second range that is shown next to it: 14d or a moment."
    )
    compare_until: Moment | None = Field(
        default=None, description="The end of the second range (default: it is as long as the first)."
    )
    release: str | None = Field(
        default=None,
        description="The release whose drift is shown (default: stable).",
        json_schema_extra={"completes": "release"},
    )


class ReportRequest(MonitorRequest):
    """Write a report of an endpoint: requests, latencies, answers, drift and alarms in a range of time."""

    since: Moment | None = Field(
        default="7d", validate_default=True, description="The range's begin: 24h, 30d or a moment."
    )
    file: Annotated[str, FilePath(written=True, default=REPORT)] = Field(
        default=REPORT, description="The page's file, NAME.html; an earlier report is replaced."
    )
    notebook: bool = Field(
        default=False, description="Write a notebook next to it, which draws the same figures anew when it runs."
    )


class Marker(Value):
    """A change of the endpoint; ``number`` names it in the charts."""

    number: int
    at: datetime
    revision: int
    words: str
    by: str = ""
    reason: str = ""


class Monitor(Value):
    """An endpoint in a range of time.

    Attributes
    ----------
    since, until
        The range; ``every``: seconds of a span of ``traffic``, the first of which begins at ``since``.
    requests, errors, refused
        Of clients, without the copies of shadows; ``p50_ms``, ``p95_ms``, ``p99_ms``: of their answers of status 200.
    clients
        The requests of clients to all releases together.
    drift
        Of one release, with the values of the range as ``now``; None: its snapshot is lost.
    values_since, values_until
        The periods whose values are compared: hours, or days if the range is longer ago; None: there are none.
    begun
        The first request or change of the endpoint, if the range would begin earlier: it begins then.
    compared
        The second range, in spans of the same length.
    joint
        The joint shift of the release's inputs on each past day that the range touches, by day.
    """

    endpoint: str
    release: str
    since: datetime
    until: datetime
    every: int
    requests: int
    errors: int
    refused: int
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    traffic: list[TimeBucket]
    clients: list[TimeBucket] = []
    markers: list[Marker]
    drift: Drift | None = None
    values_since: datetime | None = None
    values_until: datetime | None = None
    performance: Performance | None = None
    notes: list[str] = []
    begun: datetime | None = None
    compared: Monitor | None = None
    joint: list[JointShift] = []

    @property
    def per_second(self) -> float:
        """Requests a second, on average."""
        return self.requests / (self.until - self.since).total_seconds()


def spans_of(
    since: datetime, until: datetime, now: datetime, least: timedelta = timedelta(0)
) -> tuple[datetime, timedelta]:
    """Return the begin of the first span and the length of all: about ``MOST_SPANS``, and no finer than is kept.

    Parameters
    ----------
    least
        Spans are not shorter.

    Raises
    ------
    InvalidInput
        The range is empty.
    """
    if since >= until:
        raise InvalidInput(
            f"the range ends before it begins ({since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} UTC)",
            "give a later end, or an earlier begin",
        )
    needed = max((until - since).total_seconds() / MOST_SPANS, least.total_seconds())
    length = next((one for one in _LENGTHS if one >= max(_finest(since, now), needed)), DAY * ceil(needed / DAY))
    return datetime.fromtimestamp(since.timestamp() // length * length, UTC), timedelta(seconds=length)


def _finest(moment: datetime, now: datetime) -> int:
    """Return the seconds of the periods in which requests of this moment are counted."""
    age = (now - moment).total_seconds()
    return next((length for length, most in KEPT if age < most), DAY)


def _whole(until: datetime, now: datetime) -> datetime:
    """Return the end of the period in which a range ends, since the whole period counts."""
    length = _finest(until, now)
    return min(datetime.fromtimestamp(ceil(until.timestamp() / length) * length, UTC), now)


def releases_between(revisions: Sequence[Revision], since: datetime | None, until: datetime) -> set[str]:
    """Return the tags of the releases that had traffic in a range.

    Parameters
    ----------
    revisions
        Newest first; before the last of them its releases had traffic.
    """
    tags: set[str] = set()
    ends = [until, *(revision.at for revision in revisions)]
    for revision, end in zip(revisions, ends, strict=False):
        if revision.at < until and (since is None or end > since):
            tags.update(revision.state.traffic.tags())
    if revisions and (since is None or since < revisions[-1].at):
        tags.update(revisions[-1].state.traffic.tags())
    return tags


def monitor_of(
    endpoint: Endpoint,
    release: str,
    watches: Mapping[str, Watched],
    revisions: Sequence[Revision],
    *,
    since: datetime | None,
    until: datetime,
    now: datetime,
    least: timedelta = timedelta(0),
    made: datetime | None = None,
) -> Monitor:
    """Return the figures of a range.

    Parameters
    ----------
    release
        The tag of the release whose drift is shown.
    watches
        The watches by the release's tag; one may be missing.
    revisions
        The endpoint's revisions, newest first.
    since
        None: since the first request, or the last hour without one.
    least
        Spans are not shorter.
    made
        The endpoint's first change: a range that begins before it and before the first request is shortened, so that
        the minutes of a new endpoint are not a dot at the end of a day. None: no range is.

    Raises
    ------
    InvalidInput
        The range is empty.
    """
    firsts = [first for watched in watches.values() if (first := first_of(watched.rollup))]
    begin = since or min(firsts, default=until - timedelta(hours=1))
    first = min([made, *firsts]) if made else begin
    begun = first if begin < first < until else None
    begin = begun or begin
    start, every = spans_of(begin, until, now, least)
    until = _whole(until, now)
    traffic = [
        bucket for tag, watched in watches.items() for bucket in buckets_of(watched.rollup, tag, start, until, every)
    ]
    clients, total = clients_of([watched.rollup for watched in watches.values()], start, until, every)
    p50, p95, p99 = total.quantiles()
    watched = watches.get(release)
    found = values_in(watched.rollup, begin, until) if watched else None
    counts, values_since, values_until = found or ([], None, None)
    drift = drift_between(watched.state, counts, endpoint.name, release, since=begin, until=until) if watched else None
    return Monitor(
        endpoint=endpoint.name,
        release=release,
        since=start,
        until=until,
        every=int(every.total_seconds()),
        requests=round(total.requests),
        errors=round(total.errors),
        refused=round(total.refused),
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        traffic=traffic,
        clients=clients,
        markers=_markers(revisions, start, until),
        drift=drift,
        values_since=values_since,
        values_until=min(values_until, until) if values_until else None,
        notes=_notes(endpoint, release, drift),
        begun=begun,
        joint=[one for one in watched.joint if one.until > begin and one.since < until] if watched else [],
    )


def _notes(endpoint: Endpoint, release: str, drift: Drift | None) -> list[str]:
    """Return the reasons why a part is missing."""
    notes = []
    if endpoint.record == "off":
        notes.append(
            "Requests are not recorded (record: off), so there is no data here. "
            f"Run 'nbdeploy traffic {endpoint.name} --record meta' to record requests without their data."
        )
    elif endpoint.record_sample != 1:
        notes.append(f"Estimated: {percent_in_words(endpoint.record_sample)} of the requests are recorded.")
    if drift is None:
        notes.append(f"The store has lost the snapshot of {release}: deploy the model again to watch its drift.")
        return notes
    return notes + [f"{note[:1].upper()}{note[1:]}." for note in drift.notes]


def _markers(revisions: Sequence[Revision], since: datetime, until: datetime) -> list[Marker]:
    """Return the latest changes of the range, oldest first."""
    chosen = [revision for revision in revisions if since <= revision.at < until][:MOST_MARKERS]
    return [
        Marker(number=number, at=one.at, revision=one.revision, words=one.change, by=one.by, reason=one.reason)
        for number, one in enumerate(reversed(chosen), 1)
    ]


class MonitorReport(Value):
    """A written report; ``notebook`` is empty if none was asked for."""

    endpoint: str
    file: str
    notebook: str = ""
    monitor: Monitor
