"""The verb ``purge``: records are deleted."""

from __future__ import annotations

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.requests import PurgeRequest, Step
from jupyter_deploy.domain.results import Purged

from .change import find, moment


def purge(request: PurgeRequest, ports: Ports, report: Report) -> Purged:
    """Delete records by age, by request, or by both."""
    endpoint = find(ports, request.name)
    if request.before is None and not request.request_id:
        raise InvalidInput(
            "the purge names no records",
            f"write, for example, 'nbdeploy purge {endpoint.name} --before 30d'; with --dry-run it only counts",
        )
    report(Step(number=1, total=1, title=f"purging records of {endpoint.name}"))
    return ports.log.purge(
        endpoint.name, before=moment(request.before), request_ids=request.request_id, dry_run=request.dry_run
    )
