"""The verb ``stop``: one endpoint stops."""

from __future__ import annotations

from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.requests import Step, StopRequest
from jupyter_deploy.domain.results import Stopped

from .change import find, require_revision, stop_unwanted, target_of, uninterrupted


def stop(request: StopRequest, ports: Ports, report: Report) -> Stopped:
    """Stop one endpoint; its records and history stay, and a rollback starts it again."""
    with ports.store.exclusive(find(ports, request.name).name):
        before = find(ports, request.name)
        require_revision(before, request.if_revision)
        target = target_of(ports, before.target)
        after = before.stopped() if before.running else before
        report(Step(number=1, total=1, title=f"stopping {before.name}"))
        with uninterrupted():
            if before.running:
                ports.store.save(after, based_on=before.revision, reason=request.reason, change="stopped")
            target.route(after)
        stopped = stop_unwanted(ports, before.name, before.releases)
    return Stopped(endpoints=[before.name], releases=[r.tag for r in stopped], scope="endpoint")
