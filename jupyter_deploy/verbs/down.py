"""The verb ``down``: every process stops."""

from __future__ import annotations

import contextlib

from jupyter_deploy.domain.errors import StoreError
from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.requests import DownRequest, Step
from jupyter_deploy.domain.results import Stopped


def down(request: DownRequest, ports: Ports, report: Report) -> Stopped:
    """Stop every process. The desired state stays, and ``reconcile`` starts the processes again."""
    for number, (name, target) in enumerate(ports.targets.items(), start=1):
        report(Step(number=number, total=len(ports.targets), title=f"stopping the processes on target {name}"))
        target.down()  # before the store is read: a full disk must not keep processes running
    endpoints: list[Endpoint] = []
    with contextlib.suppress(StoreError):  # nothing runs any more, as requested; all other verbs report a faulty store
        endpoints = ports.store.endpoints()
        for release in ports.store.abandoned():
            ports.store.fulfil(release)
    stopped = [r.tag for endpoint in endpoints for r in endpoint.releases_to_run(ports.keep_revisions)]
    return Stopped(endpoints=[e.name for e in endpoints], releases=stopped, scope="everything")
