"""The verb ``down``: every process stops."""

from __future__ import annotations

import contextlib

from jupyter_deploy.domain.down import DownRequest
from jupyter_deploy.domain.errors import StoreError
from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.requests import Step
from jupyter_deploy.domain.results import Stopped

from .change import target_of


def down(request: DownRequest, ports: Ports, report: Report) -> Stopped:
    """Stop every process. The desired state stays, and ``reconcile`` starts the processes again."""
    own = [name for name, target in ports.targets.items() if target.shared is None and target.on]
    names = own if request.target is None else [request.target]
    if request.target is not None and request.target not in own:
        return _emptied(request.target, ports, report)
    for number, name in enumerate(names, start=1):
        report(Step(number=number, total=len(names), title=f"stopping the processes on target {name}"))
        target_of(ports, name).down()  # before the store is read: a full disk must not keep processes running
    endpoints: list[Endpoint] = []
    with contextlib.suppress(StoreError):  # nothing runs any more, as requested; all other verbs report a faulty store
        endpoints = [endpoint for endpoint in ports.store.endpoints() if endpoint.target in names]
        for release in ports.store.abandoned():
            ports.store.fulfil(release)
    stopped = [r.tag for endpoint in endpoints for r in endpoint.releases_to_run(ports.keep_revisions)]
    return Stopped(endpoints=[e.name for e in endpoints], releases=stopped, scope="everything")


def _emptied(name: str, ports: Ports, report: Report) -> Stopped:
    """Remove everything from a target that several users share."""
    target = target_of(ports, name)
    endpoints: list[Endpoint] = []
    with contextlib.suppress(StoreError):  # afterwards nobody knows them
        endpoints = [endpoint for endpoint in ports.store.endpoints() if endpoint.target == name]
    report(Step(number=1, total=1, title=f"removing everything from target {name}"))
    target.down()
    tags = [release.tag for endpoint in endpoints for release in endpoint.releases]
    return Stopped(endpoints=[endpoint.name for endpoint in endpoints], releases=tags, scope="target")
