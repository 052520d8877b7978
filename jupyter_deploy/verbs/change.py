"""Changes an endpoint: start the releases that gain traffic, write, route, and stop the unneeded releases."""

from __future__ import annotations

import contextlib
import difflib
import signal
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from jupyter_deploy.domain.base import now
from jupyter_deploy.domain.capture.signature import Signature
from jupyter_deploy.domain.errors import (
    CandidateUnhealthy,
    Conflict,
    SignatureMismatch,
    StartFailed,
    StoreError,
    TargetError,
    UnknownEndpoint,
    UnknownTarget,
    disk_faults,
)
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.release.endpoint import Endpoint, Release
from jupyter_deploy.domain.release.ports import Target
from jupyter_deploy.domain.results import Reconciled

from .release_secrets import require_schedulable


def find(ports: Ports, name: str) -> Endpoint:
    """Return the endpoint with that name.

    Raises
    ------
    UnknownEndpoint
        There is no such endpoint; the error lists the names.
    """
    endpoint = ports.store.endpoint(name)
    if endpoint is None:
        names = [e.name for e in ports.store.endpoints()]
        near = difflib.get_close_matches(name, names)
        hint = f"did you mean {' or '.join(near)}?" if near else f"the endpoints are: {', '.join(names)}"
        if not names:
            hint = "there are none yet: deploy a model first"
        raise UnknownEndpoint(f"there is no endpoint '{name}'", f"{_deletion_in_words(ports, name)}{hint}")
    return endpoint


def _deletion_in_words(ports: Ports, name: str) -> str:
    """Describe the deletion of a former endpoint, with the command that completes it; empty: there is none."""
    deletion = ports.store.deletion(name)
    if deletion is None:
        return ""
    if not deletion.complete:
        return f"its deletion is not complete: 'nbdeploy delete {name} --yes' completes it; "
    reason = f" ({deletion.reason})" if deletion.reason else ""
    return f"{deletion.by} deleted it on {deletion.at:%Y-%m-%d %H:%M} UTC{reason}; "


def moment(when: timedelta | datetime | None) -> datetime | None:
    """Return the moment; a duration means so long ago."""
    return now() - when if isinstance(when, timedelta) else when


def target_of(ports: Ports, name: str) -> Target:
    """Return the target with that name.

    Raises
    ------
    UnknownTarget
        There is no such target; the error lists the names.
    """
    if name not in ports.targets:
        raise UnknownTarget(f"there is no target '{name}'", f"the targets are: {', '.join(sorted(ports.targets))}")
    return ports.targets[name]


def change(ports: Ports, before: Endpoint | None, after: Endpoint, *, reason: str, what: str) -> str:
    """Bring an endpoint from one revision to the next; return its URL.

    The releases with traffic in the new revision start first and must be healthy. Then, while no other process can
    change this endpoint, the revision is written unless another process was faster, routed and confirmed, and the
    unneeded releases stop. A crash at any point leaves the old or the new revision in the store, and ``reconcile``
    makes the target equal to it.

    Raises
    ------
    Conflict
        Another process changed the endpoint meanwhile. The releases that this change started are stopped again.
    InvalidInput
        The revision has a schedule of batches whose runs cannot read a secret.
    TargetError
        A release could not be started, or the new routes are not in force.
    """
    require_schedulable(after)
    target = target_of(ports, after.target)
    lost = _lost(ports)
    needed = [after.release(tag) for tag in after.traffic.tags()]
    had = set(before.traffic.tags()) if before and before.running else set()
    optional = {tag for tag in after.traffic.shadows if tag in had}
    # A shadow that begins to answer clients gets its example first: a ready worker may hang at a request.
    answering = {after.traffic.stable, after.traffic.canary}
    proving = {tag for tag in had if tag in answering and before and tag in before.traffic.shadows}
    try:
        # The intent also prevents others from stopping a running release that this change needs.
        ports.store.intend(*needed)
        _start(target, needed, optional, proving)
        with ports.store.exclusive(after.name):
            _start(target, needed, optional, set())  # a concurrent stop may have ended one of them
            with uninterrupted():
                ports.store.save(after, based_on=before.revision if before else 0, reason=reason, change=what)
                url = _routed(ports, target, before, after)
            stop_unwanted(ports, after.name, before.releases if before else ())
    except BaseException:
        with contextlib.suppress(StoreError), disk_faults():  # the first failure is the one to report
            _fulfil(ports, after.name, needed, target)
        raise
    _fulfil(ports, after.name, needed, target)
    _bring_back(ports, lost)
    return url


def _fulfil(ports: Ports, name: str, needed: Iterable[Release], target: Target) -> None:
    """Give the intents up, and stop the releases that nothing else needs."""
    with ports.store.exclusive(name):
        try:
            ports.store.fulfil(*needed)
        finally:  # a full disk must not keep the refused releases running
            stop_unwanted(ports, name, needed, target)


def keep(ports: Ports, endpoint: Endpoint) -> str:
    """Start all releases of an unchanged endpoint, as after a reboot; return its URL.

    Raises
    ------
    TargetError
        A release that answers clients could not be started.
    """
    target = target_of(ports, endpoint.target)
    lost = [name for name in _lost(ports) if name != endpoint.name]
    releases = endpoint.releases_to_run(ports.keep_revisions)
    answering = {endpoint.traffic.stable, endpoint.traffic.canary}
    with ports.store.exclusive(endpoint.name):
        _start(target, releases, {release.tag for release in releases} - answering, set())
        url = target.route(endpoint)
    _bring_back(ports, lost)
    return url


def settle(endpoint: Endpoint, ports: Ports) -> Reconciled:
    """Make the running processes equal to the desired state. Only within ``store.exclusive``.

    Every release gets its example; a release with another answer than the notebook's is restarted. The result names
    the releases that cannot be started.

    Raises
    ------
    RouteNotConfirmed
    """
    target = target_of(ports, endpoint.target)
    seen = target.observe(endpoint)
    started: list[str] = []
    failed: dict[str, str] = {}
    for release in endpoint.releases_to_run(ports.keep_revisions):
        try:
            if target.start(release, renew=True):
                started.append(release.tag)
        except TargetError as error:
            failed[release.tag] = str(error)
    url = target.route(endpoint)
    stopped = stop_unwanted(ports, endpoint.name, endpoint.releases)
    return Reconciled(
        endpoint=endpoint.name,
        url=url if endpoint.running else None,
        moved_from=seen.url if endpoint.running and seen.url != url else None,
        started=started,
        stopped=[release.tag for release in stopped if seen.releases[release.tag].running],
        failed=failed,
    )


def _bring_back(ports: Ports, names: Sequence[str]) -> None:
    for name in names:
        with ports.store.exclusive(name), contextlib.suppress(TargetError):
            settle(find(ports, name), ports)
    if names:
        ports.capturer.sweep()


def _lost(ports: Ports) -> list[str]:
    """Return the endpoints that ran before a reboot: they start again, with warm releases, at the first change."""
    running = [e for e in ports.store.endpoints() if e.running and e.target in ports.targets]
    lost = {name for name in {e.target for e in running} if ports.targets[name].lost()}
    return [e.name for e in running if e.target in lost]


def stop_unwanted(ports: Ports, name: str, releases: Iterable[Release], target: Target | None = None) -> list[Release]:
    """Stop those of ``releases`` that the endpoint in the store does not need and no process is starting.

    ``target``: of an endpoint that the store does not have; None: any target of this user's own.

    Only within ``store.exclusive(name)``: else the endpoint may be stale when the release is stopped.
    """
    current = ports.store.endpoint(name)
    kept = {r.tag for r in current.releases_to_run(ports.keep_revisions)} if current else set()
    kept |= {r.tag for r in ports.store.intended() if r.endpoint == name}
    stopped = [release for release in releases if release.tag not in kept]
    own = [one for one in ports.targets.values() if one.shared is None]
    targets = [target_of(ports, current.target)] if current else [target] if target else own
    for release in stopped:
        for one in targets:
            one.stop(release)
    return stopped


def _start(target: Target, releases: Iterable[Release], optional: set[str], proving: set[str]) -> None:
    """Start the releases that do not run; a former shadow that does not start delays no change."""
    for release in releases:
        try:
            target.start(release, ask=release.tag in proving)
        except StartFailed as error:
            if release.tag in proving:
                raise CandidateUnhealthy(error.message, error.remedy, error.details) from error
            if release.tag not in optional:
                raise
        except TargetError:
            if release.tag not in optional:
                raise


def _routed(ports: Ports, target: Target, before: Endpoint | None, after: Endpoint) -> str:
    """Route the new revision; if that fails, return to the former state, as one more revision.

    Raises
    ------
    StoreError
        The former state could not be written either.
    """
    try:
        return target.route(after)
    except TargetError as error:
        back = after.rolled_back_to(before) if before and before.running else after.stopped()
        back = back.model_copy(update={"ramp": before.ramp if before else None})  # it continues as it was
        what = f"back to revision {before.revision}" if before and before.running else "stopped"
        reason = f"the routes of revision {after.revision} did not come into force"
        try:
            with disk_faults():
                ports.store.save(back, based_on=after.revision, reason=reason, change=what)
        except StoreError as unsaved:
            raise StoreError(
                f"revision {after.revision} is written and not in force, and the former state cannot be written",
                "free space on the disk or make it writable; then 'nbdeploy reconcile' puts the revision in force",
                f"{error}\n{unsaved}",
            ) from error
        with contextlib.suppress(TargetError):
            target.route(back)
        raise


def require_signature(ports: Ports, endpoint: Endpoint, tag: str, candidate: Signature | None) -> None:
    """Raise SignatureMismatch unless the candidate takes stable's inputs and returns stable's type of answers.

    ``tag``: of the candidate; ``candidate`` None: its signature is not known here.
    """
    stable = ports.store.signature(endpoint.traffic.stable)
    if stable is None or candidate is None or endpoint.traffic.stable == tag:
        return
    mismatches = stable.mismatches(candidate)
    if mismatches:
        raise SignatureMismatch(
            f"{tag} cannot follow {endpoint.traffic.stable}, since clients of {endpoint.name} would notice",
            "deploy it under another name, or make it take and return what stable does",
            details="\n".join(f"  {line}" for line in mismatches),
        )


def require_revision(endpoint: Endpoint, revision: int | None) -> None:
    """Raise Conflict unless the endpoint is at that revision (None: any)."""
    if revision is not None and endpoint.revision != revision:
        raise Conflict(
            f"{endpoint.name} is at revision {endpoint.revision}, not {revision}",
            f"read 'nbdeploy describe {endpoint.name}' and decide again",
        )


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Defer Ctrl-C and SIGTERM until the block has ended: a revision is written and routed together."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pending: list[Any] = []
    previous = {
        number: signal.signal(number, lambda *received: pending.append(received))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)  # None: not set from Python
        if pending:
            signal.raise_signal(pending[0][0])
