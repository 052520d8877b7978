"""stop, down, reconcile: what runs, made equal to what is wanted."""

from __future__ import annotations

from jupyter_deploy.domain.endpoint import Release
from jupyter_deploy.domain.errors import TargetError
from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.requests import DownRequest, ReconcileRequest, Step, StopRequest
from jupyter_deploy.domain.results import Reconciled, Stopped

from .change import find, target_of, uninterrupted


def stop(request: StopRequest, ports: Ports, report: Report) -> Stopped:
    """Stop one endpoint; its records and history stay, a rollback brings it back."""
    before = find(ports, request.name)
    target = target_of(ports, before.target)
    after = before.stopped() if before.running else before
    report(Step(number=1, total=1, title=f"stopping {before.name}"))
    with uninterrupted():
        if before.running:
            ports.store.save(after, based_on=before.revision, reason=request.reason, change="stopped")
        target.route(after)
    for release in before.releases:
        target.stop(release)
    return Stopped(endpoints=[before.name], releases=[r.tag for r in before.releases], scope="endpoint")


def down(request: DownRequest, ports: Ports, report: Report) -> Stopped:  # noqa: ARG001 - one shape
    """Stop every process. What is wanted stays as it is: ``reconcile`` brings it back."""
    endpoints = ports.store.endpoints()
    for number, (name, target) in enumerate(ports.targets.items(), start=1):
        report(Step(number=number, total=len(ports.targets), title=f"stopping what runs on target {name}"))
        target.down()
    for release in ports.store.abandoned():
        ports.store.fulfil(release)
    stopped = [r.tag for endpoint in endpoints for r in endpoint.wanted(ports.keep_revisions)]
    return Stopped(endpoints=[e.name for e in endpoints], releases=stopped, scope="everything")


def reconcile(request: ReconcileRequest, ports: Ports, report: Report) -> list[Reconciled]:  # noqa: ARG001 - one shape
    """Start what should run and does not, stop what runs and should not, put all routes in force again."""
    endpoints = ports.store.endpoints()
    abandoned = ports.store.abandoned()
    results = []
    for number, endpoint in enumerate(endpoints, start=1):
        report(Step(number=number, total=len(endpoints), title=f"reconciling {endpoint.name}"))
        target = target_of(ports, endpoint.target)
        seen = target.observe(endpoint).releases
        wanted = endpoint.wanted(ports.keep_revisions)
        tags = {r.tag for r in wanted}
        started: list[str] = []
        failed: dict[str, str] = {}
        for release in wanted:
            health = seen.get(release.tag)
            if health and health.healthy:
                continue
            try:
                target.start(release)
                started.append(release.tag)
            except TargetError as error:
                failed[release.tag] = str(error)
        orphans = [r for r in endpoint.releases if r.tag not in tags]
        stopped = [r.tag for r in orphans if (h := seen.get(r.tag)) and h.running]
        url = target.route(endpoint)
        for release in orphans:
            target.stop(release)
        results.append(
            Reconciled(
                endpoint=endpoint.name,
                url=url if endpoint.running else None,
                started=started,
                stopped=stopped,
                failed=failed,
            )
        )
    wanted_tags = {r.tag for endpoint in endpoints for r in endpoint.wanted(ports.keep_revisions)}
    _clear(ports, [release for release in abandoned if release.tag not in wanted_tags])
    for release in abandoned:
        ports.store.fulfil(release)
    return results


def _clear(ports: Ports, abandoned: list[Release]) -> None:
    """Stop what a deploy had started when it was killed."""
    for release in abandoned:
        for target in ports.targets.values():
            target.stop(release)
        ports.store.fulfil(release)
