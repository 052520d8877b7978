"""The comparison of a candidate in sentences, in bounded time: a preview does not wait for a million records."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from pathlib import Path
from time import monotonic

from jupyter_deploy.domain.errors import DeployError
from jupyter_deploy.domain.evidence.inference import Comparison
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.release.traffic import Role
from jupyter_deploy.domain.requests import CompareRequest
from jupyter_deploy.verbs.compare import compared

from .documents import RoleEvidence

SECONDS = 2.0
"""That a preview waits; a million records take less."""

_LATE_SECONDS = 30.0
"""For so long what came too late for one preview is good enough for the next."""

_Key = tuple[Path, str, str, str, Role]

_lock = threading.Lock()
_under_way: dict[_Key, tuple[float, Future[Comparison]]] = {}


def evidence_of(
    endpoint: Endpoint, candidate: str, ports: Ports, *, seconds: float = SECONDS
) -> tuple[RoleEvidence, ...]:
    """Compare a candidate with the endpoint's stable release, in at most ``seconds``.

    The present role comes first. A canary that was a shadow of the same stable release has the evidence of that too.
    """
    role = endpoint.traffic.role_of(candidate)
    key = (ports.home, endpoint.name, endpoint.traffic.stable, candidate, role)
    future = _asked(key, endpoint, ports)
    try:
        found = future.result(seconds)
    except TimeoutError:
        words = f"Comparing {candidate} with stable takes longer than {seconds:g} s: open the comparison."
        return (RoleEvidence(role=role, verdict="", reason=words),)
    except DeployError as error:
        return (RoleEvidence(role=role, verdict="", reason=f"Not compared with stable: {error.message}."),)
    finally:
        with _lock:
            if future.done():
                _under_way.pop(key, None)
    earlier = [
        RoleEvidence(role=phase.role, verdict=phase.verdict, reason=_sentence(phase.reason))
        for phase in reversed(found.phases[:-1])
    ]
    return (RoleEvidence(role=role, verdict=found.verdict, reason=_sentence(found.reason)), *earlier)


def _sentence(reason: str) -> str:
    begins_with_tag = ":" in reason.partition(" ")[0]
    return reason if begins_with_tag else reason[:1].upper() + reason[1:]


def _asked(key: _Key, endpoint: Endpoint, ports: Ports) -> Future[Comparison]:
    """The comparison that is under way, or a new one: those that nobody waits for any more do not pile up."""
    with _lock:
        begun, future = _under_way.get(key, (0.0, Future()))
        if key in _under_way and not (future.done() and monotonic() - begun > _LATE_SECONDS):
            return future
        future = Future()
        _under_way[key] = (monotonic(), future)
    # A daemon: who only looked must not keep the process from ending.
    threading.Thread(
        target=_compare, args=(endpoint, key[3], ports, future), name="nbdeploy-compare", daemon=True
    ).start()
    return future


def _compare(endpoint: Endpoint, candidate: str, ports: Ports, future: Future[Comparison]) -> None:
    try:
        future.set_result(compared(endpoint, candidate, ports, CompareRequest(name=endpoint.name)))
    except BaseException as error:  # noqa: BLE001 - raised where it is waited for
        future.set_exception(error)
