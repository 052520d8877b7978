"""An endpoint in a range of time: the figures of JupyterLab's Monitor and of reports."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from jupyter_deploy.domain.base import now
from jupyter_deploy.domain.monitoring.monitor import Monitor, MonitorRequest, monitor_of, releases_between
from jupyter_deploy.domain.monitoring.performance import Period
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.release.endpoint import Release
from jupyter_deploy.domain.store_ports import Watched
from jupyter_deploy.verbs.change import find, moment

MOST_REVISIONS = 200
"""Revisions that are read; a range of long ago has no marks of earlier ones."""


def monitored(request: MonitorRequest, ports: Ports) -> Monitor:
    """Return the figures of a range of time but the performance, which is read from the records.

    Raises
    ------
    InvalidInput
        The range is empty.
    """
    endpoint = find(ports, request.name)
    release = endpoint.release(request.release or endpoint.traffic.stable)
    at = now()
    since, until = moment(request.since), min(moment(request.until) or at, at)
    revisions = ports.store.history(endpoint.name, MOST_REVISIONS)
    tags = releases_between(revisions, since, until) | {release.tag}
    watches = _watches([one for one in endpoint.releases if one.tag in tags], ports)
    return monitor_of(endpoint, release.tag, watches, revisions, since=since, until=until, now=at)


def performance_of(monitor: Monitor, ports: Ports) -> list[Period]:
    """Return the performance of each release in the spans of a range; empty: there is no ground truth."""
    every = timedelta(seconds=monitor.every)
    return ports.truth.periods(monitor.endpoint, since=monitor.since, until=monitor.until, every=every)


def _watches(releases: Sequence[Release], ports: Ports) -> dict[str, Watched]:
    """Return the watch over each release whose snapshot the store has."""
    found = {}
    for release in releases:
        snapshot = ports.store.remembered(release.tag)
        if snapshot is not None:
            own = snapshot.model_copy(update={"path": release.snapshot_path})
            found[release.tag] = ports.drift.watched(release, own)
    return found
