"""The records behind an endpoint's drift alarms."""

from __future__ import annotations

from jupyter_deploy.domain.evidence.record_pages import RecordRange
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.release.endpoint import Endpoint

from .training import training_of


def ranges_of_alarms(endpoint: Endpoint, ports: Ports) -> tuple[RecordRange, ...]:
    """Return the records behind each drift alarm: of its release, from the begin of the drift to the alarm.

    A release is not watched if neither the store nor its target knows its signature.

    Raises
    ------
    StoreError
        A watch cannot be read.
    """
    ranges = []
    for release in endpoint.releases:
        watched = training_of(release.tag, ports)
        if watched is not None:
            alarms = ports.drift.look(release, *watched).alarms
            ranges += [RecordRange(release.tag, alarm.since, alarm.until) for alarm in alarms]
    return tuple(ranges)
