"""The health of many releases at once, from the supervisor's programs and each release's readiness."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from jupyter_deploy.domain.release.ports import ReleaseHealth
from jupyter_deploy.domain.release.processes import IDLE
from jupyter_deploy.targets.local.supervisor.supervisord import Programs

from .workers import Workers

PARALLEL = 32
"""Releases that are asked at once: one that hangs occupies a thread for a second."""


def health_of(
    workers: Mapping[tuple[str, str], Workers], programs: Programs | None, survivors: Iterable[str]
) -> dict[tuple[str, str], ReleaseHealth]:
    """The health of each release, queried in parallel.

    ``programs`` None: there is no supervisor, and ``survivors`` are the releases' processes that run without it.
    """
    reachable = [key for key, one in workers.items() if one.reachable(programs) and not one.idle(programs)]
    ready: dict[tuple[str, str], bool] = {}
    if reachable:
        with ThreadPoolExecutor(min(len(reachable), PARALLEL), "nbdeploy-health") as pool:
            ready = dict(zip(reachable, pool.map(lambda key: workers[key].ready(), reachable), strict=True))
    health = {}
    for key, one in workers.items():
        if one.idle(programs):
            running, healthy, detail = True, True, IDLE
        elif programs is None and ready.get(key):
            running, healthy, detail = True, True, "runs without a supervisor"
        elif programs is None and any(name.partition("@")[0] == one.program for name in survivors):
            running, healthy, detail = True, False, "its runtime directory was removed: run 'nbdeploy reconcile'"
        else:
            states = (programs or {}).get(one.program, ())
            running, healthy, detail = one.health(states, ready=ready.get(key, False))
        enforced = one.limits() if running else ()
        health[key] = ReleaseHealth(running=running, healthy=healthy, detail=detail, limits=enforced)
    return health
