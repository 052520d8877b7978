"""stop, down, reconcile: what runs, made equal to what is wanted."""

from __future__ import annotations

import contextlib

from jupyter_deploy.domain.errors import StoreError
from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.requests import DownRequest, ReconcileRequest, Step, StopRequest
from jupyter_deploy.domain.results import AtBoot, Reconciled, Stopped

from .change import find, require_revision, settle, stop_unwanted, target_of, uninterrupted


def stop(request: StopRequest, ports: Ports, report: Report) -> Stopped:
    """Stop one endpoint; its records and history stay, a rollback brings it back."""
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


def down(request: DownRequest, ports: Ports, report: Report) -> Stopped:  # noqa: ARG001 - one shape
    """Stop every process. What is wanted stays as it is: ``reconcile`` brings it back."""
    for number, (name, target) in enumerate(ports.targets.items(), start=1):
        report(Step(number=number, total=len(ports.targets), title=f"stopping what runs on target {name}"))
        target.down()  # before the store is read: a full disk must not keep processes running
    endpoints: list[Endpoint] = []
    with contextlib.suppress(StoreError):  # nothing runs any more, as was asked for; all other verbs speak of the store
        endpoints = ports.store.endpoints()
        for release in ports.store.abandoned():
            ports.store.fulfil(release)
    stopped = [r.tag for endpoint in endpoints for r in endpoint.wanted(ports.keep_revisions)]
    return Stopped(endpoints=[e.name for e in endpoints], releases=stopped, scope="everything")


def reconcile(request: ReconcileRequest, ports: Ports, report: Report) -> list[Reconciled] | AtBoot:
    """Start what should run and does not, stop what runs and should not, put all routes in force again."""
    if request.at_boot:
        return ports.boot.switch(on=request.at_boot == "on")
    return brought_back(ports, report)


def brought_back(ports: Ports, report: Report) -> list[Reconciled]:
    """Reconcile now, each endpoint within its lock."""
    names = [endpoint.name for endpoint in ports.store.endpoints()]
    results = []
    for number, name in enumerate(names, start=1):
        report(Step(number=number, total=len(names), title=f"reconciling {name}"))
        with ports.store.exclusive(name):
            results.append(settle(find(ports, name), ports))
    for release in ports.store.abandoned():
        with ports.store.exclusive(release.endpoint):
            stop_unwanted(ports, release.endpoint, [release])
            ports.store.fulfil(release)
    ports.capturer.sweep()
    return results
