"""The records behind an endpoint's drift alarms."""

from __future__ import annotations

from jupyter_deploy.domain.evidence.record_pages import RecordRange
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.release.endpoint import Endpoint


def ranges_of_alarms(endpoint: Endpoint, ports: Ports) -> tuple[RecordRange, ...]:
    """Return the records behind each drift alarm: of its release, from the begin of the drift to the alarm.

    A release whose snapshot the store has lost is not watched.

    Raises
    ------
    StoreError
        A watch cannot be read.
    """
    ranges = []
    for release in endpoint.releases:
        snapshot = ports.store.remembered(release.tag)
        if snapshot is not None:
            own = snapshot.model_copy(update={"path": release.snapshot_path})
            alarms = ports.drift.look(release, own).alarms
            ranges += [RecordRange(release.tag, alarm.since, alarm.until) for alarm in alarms]
    return tuple(ranges)
