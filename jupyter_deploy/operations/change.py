"""The one way in which an endpoint changes: start what gains traffic, write, route, stop what has had its time."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jupyter_deploy.domain.endpoint import Endpoint, Release, Traffic
from jupyter_deploy.domain.errors import Conflict, TargetError, UnknownEndpoint, UnknownTarget
from jupyter_deploy.domain.ports import Ports, Target


def find(ports: Ports, name: str) -> Endpoint:
    """The endpoint of that name.

    Raises
    ------
    UnknownEndpoint
        With the names that there are.
    """
    endpoint = ports.store.endpoint(name)
    if endpoint is None:
        names = ", ".join(e.name for e in ports.store.endpoints())
        hint = f"the endpoints are: {names}" if names else "there are none yet: deploy a model first"
        raise UnknownEndpoint(f"there is no endpoint '{name}'", hint)
    return endpoint


def target_of(ports: Ports, name: str) -> Target:
    """The target of that name.

    Raises
    ------
    UnknownTarget
        With the names that there are.
    """
    if name not in ports.targets:
        raise UnknownTarget(f"there is no target '{name}'", f"the targets are: {', '.join(sorted(ports.targets))}")
    return ports.targets[name]


def change(ports: Ports, before: Endpoint | None, after: Endpoint, *, reason: str, what: str) -> str:
    """Bring an endpoint from one revision to the next; returns its URL.

    What gains traffic is started first and must be healthy; then the new revision is written, if nobody else
    was faster; then it is routed and confirmed; then what nobody needs any more is stopped. A crash at any point
    leaves the old or the new revision in the store, and ``reconcile`` makes the target equal to it.

    Raises
    ------
    Conflict
        The endpoint was changed meanwhile. What was started for this change is stopped again.
    TargetError
        A release could not be started, or the new routes are not in force.
    """
    target = target_of(ports, after.target)
    started = _start(ports, target, before, after)
    try:
        with uninterrupted():
            ports.store.save(after, based_on=before.revision if before else 0, reason=reason, change=what)
            for release in started:
                ports.store.fulfil(release)
            started = []
            url = target.route(after)
    except BaseException:
        _undo(ports, target, after.name, started)
        raise
    wanted = {r.tag for r in after.wanted(ports.keep_revisions)}
    for release in before.wanted(ports.keep_revisions) if before else ():
        if release.tag not in wanted:
            target.stop(release)
    return url


def _start(ports: Ports, target: Target, before: Endpoint | None, after: Endpoint) -> list[Release]:
    """Start what the new revision needs and does not run; returns what was begun, for the case that it ends badly."""
    seen = target.observe(after).releases
    had = set(before.traffic.tags()) if before and before.running else set()
    begun: list[Release] = []
    try:
        for tag in after.traffic.tags():
            health = seen.get(tag)
            if health and health.healthy:
                continue
            release = after.release(tag)
            ports.store.intend(release)
            begun.append(release)
            try:
                target.start(release)
            except TargetError:
                # A shadow that was there before and does not come up must not stand in the way of this change.
                if after.traffic.role_of(tag) != "shadow" or tag not in had:
                    raise
    except BaseException:
        _undo(ports, target, after.name, begun)
        raise
    return begun


def _undo(ports: Ports, target: Target, name: str, begun: list[Release]) -> None:
    """Stop what was begun for a change that did not happen, unless the endpoint as it stands needs it."""
    current = ports.store.endpoint(name)
    needed = {r.tag for r in current.wanted(ports.keep_revisions)} if current else set()
    for release in begun:
        if release.tag not in needed:
            target.stop(release)
        ports.store.fulfil(release)


def require_revision(endpoint: Endpoint, revision: int | None) -> None:
    """Raise Conflict unless the endpoint is at that revision (None: any)."""
    if revision is not None and endpoint.revision != revision:
        raise Conflict(
            f"{endpoint.name} is at revision {endpoint.revision}, not {revision}",
            f"look at 'nbdeploy describe {endpoint.name}' and decide again",
        )


def roles_in_words(traffic: Traffic | None) -> dict[str, str]:
    """Tag -> ``stable 80 %``, ``canary 20 %``, ``shadow 100 %``."""
    if traffic is None:
        return {}
    return {tag: f"{traffic.role_of(tag)} {traffic.percent_of(tag):g} %" for tag in traffic.tags()}


def difference_in_words(before: Endpoint | None, after: Endpoint) -> str:
    """What a change does, release by release; goes to the history."""
    old, new = roles_in_words(before.traffic if before else None), roles_in_words(after.traffic)
    parts = [
        f"{tag}: {old.get(tag, 'no traffic')} → {new.get(tag, 'no traffic')}"
        for tag in dict.fromkeys([*new, *old])
        if old.get(tag) != new.get(tag)
    ]
    if before and not before.running:
        parts.append("running again")
    return "; ".join(parts) or "no change of traffic"


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Put off Ctrl-C until the block has ended: between writing and routing there is no good place to stop."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pending: list[Any] = []
    previous = signal.signal(signal.SIGINT, lambda number, frame: pending.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
        if pending and callable(previous):
            previous(*pending[0])
