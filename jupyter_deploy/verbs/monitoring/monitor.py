"""An endpoint in a range of time: the figures of JupyterLab's Monitor and of reports."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from jupyter_deploy.domain.base import now
from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.monitoring.confidence import expected_of
from jupyter_deploy.domain.monitoring.monitor import Monitor, MonitorRequest, monitor_of, releases_between, spans_of
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.release.endpoint import Release
from jupyter_deploy.domain.store_ports import Watched
from jupyter_deploy.verbs.change import find, moment

from .training import may_answer_probabilities, training_of

MOST_REVISIONS = 200
"""Revisions that are read; a range of long ago has no marks of earlier ones."""


def monitored(request: MonitorRequest, ports: Ports) -> Monitor:
    """Return the figures of a range of time but the performance, which is read from the records.

    Raises
    ------
    InvalidInput
        A range is empty, or that to compare with has no begin.
    """
    return _monitored(request, ports, _watches)


def performance_of(request: MonitorRequest, ports: Ports) -> Monitor:
    """Return a range with its performance and no other figure: no watch is read.

    Raises
    ------
    InvalidInput
        See ``monitored``.
    """
    if request.since is None:
        revisions = ports.store.history(request.name, MOST_REVISIONS)
        begin = min([now() - timedelta(hours=1), *(one.at for one in revisions)])
        request = request.model_copy(update={"since": begin})
    return with_performance(_monitored(request, ports, lambda _, __: {}), ports)


def _monitored(
    request: MonitorRequest, ports: Ports, watches_of: Callable[[Sequence[Release], Ports], dict[str, Watched]]
) -> Monitor:
    endpoint = find(ports, request.name)
    release = endpoint.release(request.release or endpoint.traffic.stable)
    at = now()
    since, until = moment(request.since), min(moment(request.until) or at, at)
    other = moment(request.compare_since)
    if other is None and request.compare_until is not None:
        raise InvalidInput("the second range has an end and no begin", "give compare_since too")
    revisions = ports.store.history(endpoint.name, MOST_REVISIONS)
    tags = releases_between(revisions, since, until) | {release.tag}
    if other is not None:
        tags |= releases_between(revisions, other, at)
    watches = watches_of([one for one in endpoint.releases if one.tag in tags], ports)

    def figures(
        since: datetime | None, until: datetime, least: timedelta = timedelta(0), made: datetime | None = None
    ) -> Monitor:
        return monitor_of(
            endpoint, release.tag, watches, revisions, since=since, until=until, now=at, least=least, made=made
        )

    if other is None:
        # Two ranges keep their lengths, and performance alone does not know the first request.
        whole = 0 < len(revisions) < MOST_REVISIONS and bool(watches)
        return figures(since, until, made=revisions[-1].at if whole else None)
    first = figures(since, until)
    end = min(moment(request.compare_until) or other + (until - (since or first.since)), at)
    _, every = spans_of(other, end, at, timedelta(seconds=first.every))
    if every.total_seconds() > first.every:  # spans of one length, so that both ranges have the same axis
        first = figures(since, until, every)
    return first.model_copy(update={"compared": figures(other, end, every)})


def with_performance(monitor: Monitor, ports: Ports) -> Monitor:
    """Return the figures with the performance: by ground truth, also by declared segments, and estimated."""
    endpoint = find(ports, monitor.endpoint)
    segments = endpoint.comparison.segments
    every = timedelta(seconds=monitor.every)
    found = ports.truth.performance(
        monitor.endpoint, since=monitor.since, until=monitor.until, every=every, segments=segments
    )
    tags = [release.tag for release in endpoint.releases if may_answer_probabilities(release.tag, ports)]
    if tags:  # else no outputs are read
        confidence = ports.truth.confidence(
            monitor.endpoint, tags, since=monitor.since, until=monitor.until, every=every
        )
        found = found.model_copy(update={"expected": expected_of(confidence)})
    other = monitor.compared and with_performance(monitor.compared, ports)
    return monitor.model_copy(update={"performance": found, "compared": other})


def _watches(releases: Sequence[Release], ports: Ports) -> dict[str, Watched]:
    """Return the watch over each release whose signature the store or its target knows."""
    found = {}
    for release in releases:
        training = training_of(release.tag, ports)
        if training is not None:
            found[release.tag] = ports.drift.watched(release, *training)
    return found
