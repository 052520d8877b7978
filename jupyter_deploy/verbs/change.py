"""The one way in which an endpoint changes: start what gains traffic, write, route, stop what has had its time."""

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
from jupyter_deploy.domain.capture.artifacts import Snapshot
from jupyter_deploy.domain.capture.findings import is_news
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
from jupyter_deploy.domain.ports import Ports, Target
from jupyter_deploy.domain.release.endpoint import Endpoint, Release, Traffic
from jupyter_deploy.domain.release.resources import Resources
from jupyter_deploy.domain.results import Reconciled
from jupyter_deploy.domain.validation.validation import words_of


def find(ports: Ports, name: str) -> Endpoint:
    """The endpoint of that name.

    Raises
    ------
    UnknownEndpoint
        With the names that there are.
    """
    endpoint = ports.store.endpoint(name)
    if endpoint is None:
        names = [e.name for e in ports.store.endpoints()]
        near = difflib.get_close_matches(name, names)
        hint = f"did you mean {' or '.join(near)}?" if near else f"the endpoints are: {', '.join(names)}"
        if not names:
            hint = "there are none yet: deploy a model first"
        raise UnknownEndpoint(f"there is no endpoint '{name}'", hint)
    return endpoint


def moment(given: timedelta | datetime | None) -> datetime | None:
    """The moment that is meant by a duration: so long ago."""
    return now() - given if isinstance(given, timedelta) else given


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

    What has traffic in the new revision is started first and must be healthy; then, while no other process can change
    this endpoint, the revision is written, if nobody else was faster, routed and confirmed, and what
    nobody needs any more is stopped. A crash at any point leaves the old or the new revision in the store,
    and ``reconcile`` makes the target equal to it.

    Raises
    ------
    Conflict
        The endpoint was changed meanwhile. What was started for this change is stopped again.
    TargetError
        A release could not be started, or the new routes are not in force.
    """
    target = target_of(ports, after.target)
    lost = _lost(ports)
    needed = [after.release(tag) for tag in after.traffic.tags()]
    had = set(before.traffic.tags()) if before and before.running else set()
    optional = {tag for tag in after.traffic.shadows if tag in had}
    # Who begins to answer clients must show that it still does: a ready worker may hang when it is asked.
    answering = {after.traffic.stable, after.traffic.canary}
    asked = {tag for tag in had if tag in answering and before and tag in before.traffic.shadows}
    try:
        # The intent also tells others not to stop a release that runs already and that this change relies on.
        ports.store.intend(*needed)
        _start(target, needed, optional, asked)
        with ports.store.exclusive(after.name):
            _start(target, needed, optional, set())  # a stop that was under way may have ended one of them meanwhile
            with uninterrupted():
                ports.store.save(after, based_on=before.revision if before else 0, reason=reason, change=what)
                url = _routed(ports, target, before, after)
            stop_unwanted(ports, after.name, before.releases if before else ())
    except BaseException:
        with contextlib.suppress(StoreError), disk_faults():  # what failed first is what is to be said
            _fulfil(ports, after.name, needed)
        raise
    _fulfil(ports, after.name, needed)
    _bring_back(ports, lost)
    return url


def _fulfil(ports: Ports, name: str, needed: Iterable[Release]) -> None:
    """Give the intents up, and stop what is not wanted without them."""
    with ports.store.exclusive(name):
        try:
            ports.store.fulfil(*needed)
        finally:  # a full disk must not keep running what it has just refused
            stop_unwanted(ports, name, needed)


def keep(ports: Ports, endpoint: Endpoint) -> str:
    """The endpoint as it is, with all that it needs running, as after a reboot; returns its URL.

    Raises
    ------
    TargetError
        A release that clients are answered by could not be started.
    """
    target = target_of(ports, endpoint.target)
    lost = [name for name in _lost(ports) if name != endpoint.name]
    releases = endpoint.wanted(ports.keep_revisions)
    answering = {endpoint.traffic.stable, endpoint.traffic.canary}
    with ports.store.exclusive(endpoint.name):
        _start(target, releases, {release.tag for release in releases} - answering, set())
        url = target.route(endpoint)
    _bring_back(ports, lost)
    return url


def settle(endpoint: Endpoint, ports: Ports) -> Reconciled:
    """Make what runs equal to what is wanted. Only within ``store.exclusive``.

    Every release is asked its example; one that does not answer as the notebook did is started anew. What
    cannot be started is said in the result.

    Raises
    ------
    RouteNotConfirmed
    """
    target = target_of(ports, endpoint.target)
    seen = target.observe(endpoint).releases
    started: list[str] = []
    failed: dict[str, str] = {}
    for release in endpoint.wanted(ports.keep_revisions):
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
        started=started,
        stopped=[release.tag for release in stopped if seen[release.tag].running],
        failed=failed,
    )


def _bring_back(ports: Ports, names: Sequence[str]) -> None:
    for name in names:
        with ports.store.exclusive(name), contextlib.suppress(TargetError):
            settle(find(ports, name), ports)
    if names:
        ports.capturer.sweep()


def _lost(ports: Ports) -> list[str]:
    """The endpoints that ran before a reboot: they come back, with what is kept warm, with the first that changes."""
    running = [e for e in ports.store.endpoints() if e.running and e.target in ports.targets]
    lost = {name for name in {e.target for e in running} if ports.targets[name].lost()}
    return [e.name for e in running if e.target in lost]


def stop_unwanted(ports: Ports, name: str, releases: Iterable[Release]) -> list[Release]:
    """Stop those of ``releases`` that the endpoint, as the store has it now, does not want and nobody is starting.

    Only within ``store.exclusive(name)``: else what is read may be stale when the release is stopped.
    """
    current = ports.store.endpoint(name)
    kept = {r.tag for r in current.wanted(ports.keep_revisions)} if current else set()
    kept |= {r.tag for r in ports.store.intended() if r.endpoint == name}
    stopped = [release for release in releases if release.tag not in kept]
    targets = [target_of(ports, current.target)] if current else list(ports.targets.values())
    for release in stopped:
        for target in targets:
            target.stop(release)
    return stopped


def _start(target: Target, releases: Iterable[Release], optional: set[str], asked: set[str]) -> None:
    """Start what does not run; a shadow that was there before and does not come up stands in nobody's way."""
    for release in releases:
        try:
            target.start(release, ask=release.tag in asked)
        except StartFailed as error:
            if release.tag in asked:
                raise CandidateUnhealthy(error.message, error.remedy, error.details) from error
            if release.tag not in optional:
                raise
        except TargetError:
            if release.tag not in optional:
                raise


def _routed(ports: Ports, target: Target, before: Endpoint | None, after: Endpoint) -> str:
    """Route the new revision; if that fails, the endpoint goes back to what it was, as one more revision.

    Raises
    ------
    StoreError
        The way back could not be written either.
    """
    try:
        return target.route(after)
    except TargetError as error:
        back = after.rolled_back_to(before) if before and before.running else after.stopped()
        what = f"back to revision {before.revision}" if before and before.running else "stopped"
        reason = f"the routes of revision {after.revision} did not come into force"
        try:
            with disk_faults():
                ports.store.save(back, based_on=after.revision, reason=reason, change=what)
        except StoreError as unsaved:
            raise StoreError(
                f"revision {after.revision} is written and not in force, and the way back cannot be written",
                "make room on the disk or make it writable; then 'nbdeploy reconcile' puts what is written in force",
                f"{error}\n{unsaved}",
            ) from error
        with contextlib.suppress(TargetError):
            target.route(back)
        raise


def require_signature(ports: Ports, endpoint: Endpoint, candidate: Snapshot | None) -> None:
    """Raise SignatureMismatch unless the candidate takes what stable takes and answers what stable answers."""
    stable = ports.store.remembered(endpoint.traffic.stable)
    if stable is None or candidate is None or stable.tag == candidate.tag:
        return
    found = stable.manifest.signature.mismatches(candidate.manifest.signature)
    if found:
        raise SignatureMismatch(
            f"{candidate.tag} cannot follow {stable.tag}, since clients of {endpoint.name} would notice",
            "deploy it under another name, or make it take and return what stable does",
            details="\n".join(f"  {line}" for line in found),
        )


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
    recorded = before.recorded if before else "full"
    if recorded != after.recorded:
        parts.append(f"records: {recorded} → {after.recorded}")
    parts += _redacted_in_words(before, after)
    parts += _resources_in_words(before, after)
    parts += _images_in_words(before, after)
    parts += _findings_in_words(before, after)
    asked = [validations_in_words(endpoint) for endpoint in (before, after)]
    if asked[0] != asked[1]:
        parts.append(f"validations: {asked[0]} → {asked[1]}")
    if before and not before.running:
        parts.append("running again")
    return "; ".join(parts) or "no change of traffic"


def _redacted_in_words(before: Endpoint | None, after: Endpoint) -> list[str]:
    known = {release.tag: release.redact for release in before.releases} if before else {}
    return [
        f"{release.tag}: {', '.join(release.redact) or 'nothing'} redacted"
        for release in after.releases
        if release.redact != known.get(release.tag, ())
    ]


def validations_in_words(endpoint: Endpoint | None) -> str:
    """What an endpoint asks of its releases, in short; of none: nothing."""
    return words_of(endpoint.validations if endpoint else ())


def _resources_in_words(before: Endpoint | None, after: Endpoint) -> list[str]:
    """What releases may use from now on: those that are there already, and new ones with a limit."""
    known = {release.tag: release.resources for release in before.releases} if before else {}
    return [
        f"{release.tag}: {release.resources.words or 'any resources'}"
        for release in after.releases
        if release.resources != known.get(release.tag, Resources())
    ]


def _images_in_words(before: Endpoint | None, after: Endpoint) -> list[str]:
    """What releases run from that are not as they were."""
    known = {release.tag: release.image for release in before.releases} if before else {}
    return [
        f"{release.tag}: runs from {release.image or 'its bento'}"
        for release in after.releases
        if release.image != known.get(release.tag)
    ]


def _findings_in_words(before: Endpoint | None, after: Endpoint) -> list[str]:
    """What was waived for the first time, and what is found only now of a release that was there."""
    known = {release.tag: release.findings for release in before.releases} if before else {}
    parts = []
    for release in after.releases:
        news = [f for f in release.findings if is_news([f], known.get(release.tag, ()))]
        waivers = dict.fromkeys(f.check for f in news if f.waived is not None)
        found = dict.fromkeys(f.check for f in news if f.waived is None and release.tag in known)
        parts += [f"{release.tag}: {check} waived" for check in waivers]
        parts += [f"{release.tag}: {check} found" for check in found]
    return parts


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Put off Ctrl-C and a polite kill until the block has ended: between writing and routing is no place to stop."""
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
