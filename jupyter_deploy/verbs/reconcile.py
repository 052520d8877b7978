"""The verb ``reconcile``: the running processes and routes become those of the store."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

from jupyter_deploy.domain.errors import DeployError
from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.requests import ReconcileRequest, Step
from jupyter_deploy.domain.results import AtBoot, Reconciled

from .change import find, settle, stop_unwanted


def reconcile(request: ReconcileRequest, ports: Ports, report: Report) -> list[Reconciled] | AtBoot:
    """Start the missing processes, stop the superfluous ones, and put all routes in force again."""
    if request.at_boot:
        return ports.boot.switch(on=request.at_boot == "on")
    return reconcile_all(ports, report)


def reconcile_all(ports: Ports, report: Report) -> list[Reconciled]:
    """Reconcile all endpoints, each within its lock, as many at once as there are processors."""
    names = [endpoint.name for endpoint in ports.store.endpoints()]

    def settled(name: str) -> Reconciled:
        with ports.store.exclusive(name):
            endpoint = find(ports, name)
            try:
                return settle(endpoint, ports)
            except DeployError as error:
                target = ports.targets.get(endpoint.target)
                if target is None or not target.needs_image:
                    raise
                failed = {endpoint.traffic.stable: error.message}  # its cluster is off here, or away
                return Reconciled(endpoint=name, url=None, moved_from=None, started=[], stopped=[], failed=failed)

    results = []
    with ThreadPoolExecutor(os.cpu_count() or 1, "nbdeploy-reconcile") as threads:
        for number, (name, result) in enumerate(zip(names, threads.map(settled, names), strict=True), start=1):
            report(Step(number=number, total=len(names), title=f"{name} is reconciled"))
            results.append(result)
    for release in ports.store.abandoned():
        with ports.store.exclusive(release.endpoint):
            stop_unwanted(ports, release.endpoint, [release])
            ports.store.fulfil(release)
    ports.capturer.sweep()
    return results
