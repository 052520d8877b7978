"""The verb ``doctor``: the health of nbdeploy's own parts, and repairs that lose nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from typing import get_args

from jupyter_deploy.domain.errors import DeployError, StoreError
from jupyter_deploy.domain.health import Diagnosis, DoctorRequest, HealthCheck, Part, sorted_checks
from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.release.status import EndpointStatus
from jupyter_deploy.domain.requests import ListRequest, Step

from .reconcile import reconcile_all
from .status import list_


def doctor(request: DoctorRequest, ports: Ports, report: Report) -> Diagnosis:
    """Check the parts; with ``mend`` restart what should run, and check again."""
    report(Step(number=1, total=3 if request.mend else 1, title="checking"))
    parts = request.part or get_args(Part)
    found = _examined(parts, ports, mend=False)
    if not request.mend or all(check.state == "ok" for check in found.checks):
        return found
    report(Step(number=2, total=3, title="mending"))
    with contextlib.suppress(DeployError):  # the second look shows what is still broken
        reconcile_all(ports, lambda _: None)
    report(Step(number=3, total=3, title="checking again"))
    return _examined(parts, ports, mend=True).after(found)


def _examined(parts: Collection[Part], ports: Ports, *, mend: bool) -> Diagnosis:
    checks = [check for part, examiner in ports.examiners.items() if part in parts for check in examiner(mend=mend)]
    checks += _store(ports) if "store" in parts else ()
    checks += _endpoints(ports) if "endpoints" in parts else ()
    return Diagnosis(checks=sorted_checks(checks))


def _store(ports: Ports) -> Iterator[HealthCheck]:
    try:
        count = len(ports.store.endpoints())  # the first read checks the whole file
        ports.store.check()
        deletions = [deletion for deletion in ports.store.deletions() if not deletion.complete]
        abandoned = ports.store.abandoned()
    except StoreError as error:
        yield HealthCheck(part="store", state="error", message=error.message, remedy=error.remedy)
        return
    yield HealthCheck(part="store", state="ok", message=f"{count} endpoint{'s' * (count != 1)}")
    for deletion in deletions:
        name = deletion.endpoint
        message, remedy = "its deletion is not complete", f"'nbdeploy delete {name} --yes' completes it"
        yield HealthCheck(part=f"endpoint {name}", state="warning", message=message, remedy=remedy)
    for release in abandoned:
        message = f"the start of {release.tag} was interrupted"
        remedy = "'nbdeploy doctor --mend' removes its processes"
        yield HealthCheck(part=f"start of {release.tag}", state="warning", message=message, remedy=remedy)


def _endpoints(ports: Ports) -> Iterator[HealthCheck]:
    try:
        statuses = list_(ListRequest(), ports, lambda _: None)
    except DeployError as error:  # a damaged store has a check of its own
        if not isinstance(error, StoreError):
            yield HealthCheck(part="endpoints", state="error", message=error.message, remedy=error.remedy)
        return
    for status in statuses:
        if status.running:
            yield _endpoint(status)


def _endpoint(status: EndpointStatus) -> HealthCheck:
    part = f"endpoint {status.name}"
    ill = [release for release in status.releases if not release.healthy and release.role != "idle"]
    if not ill:
        count = len(status.releases)
        return HealthCheck(part=part, state="ok", message=f"{count} release{'s' * (count != 1)}, healthy")
    answering = any(release.role in ("stable", "canary") for release in ill)
    words = "; ".join(f"{one.role} {one.words}: {one.detail or 'not healthy'}" for one in ill)
    remedy = "'nbdeploy doctor --mend' restarts it; its log is in the folder logs of NBDEPLOY_HOME"
    return HealthCheck(part=part, state="error" if answering else "warning", message=words, remedy=remedy)
