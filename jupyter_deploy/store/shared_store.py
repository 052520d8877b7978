"""The store with the endpoints of shared targets, which their clusters have: for these, SQLite is a cache."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from typing_extensions import override

from jupyter_deploy.domain.base import now
from jupyter_deploy.domain.capture.signature import Signature
from jupyter_deploy.domain.deletion import Deletion
from jupyter_deploy.domain.errors import Conflict, DeployError, InvalidInput
from jupyter_deploy.domain.ramp.status import Look
from jupyter_deploy.domain.release.endpoint import Endpoint, Revision
from jupyter_deploy.domain.release.ports import SharedEndpoints

from .store import SqliteStore

if TYPE_CHECKING:
    from jupyter_deploy.domain.drift.sketch import ReferenceSketch

_FRESH_SECONDS = 0.5
_AWAY_SECONDS = 10.0
"""After a target did not answer, reads use the cache for so long without asking again."""

_log = logging.getLogger(__name__)


class SharedStore(SqliteStore):
    """``SqliteStore`` in front of shared targets.

    A read first brings the cache up to date. While a target is away, reads show the cache, and changes are refused. An
    endpoint of this user's own store hides one of the same name on a shared target.

    Parameters
    ----------
    shared
        Returns the endpoints of each shared target, by its name.
    """

    def __init__(self, home: Path, user: str, shared: Callable[[], Mapping[str, SharedEndpoints]]) -> None:
        super().__init__(home, user)
        self._shared = shared
        self._next_read = 0.0
        self._away = False
        self._lock = threading.RLock()

    @override
    def endpoints(self) -> list[Endpoint]:
        self._refresh()
        return super().endpoints()

    @override
    def revisions(self) -> dict[str, int]:
        self._refresh()
        return super().revisions()

    @override
    def endpoint(self, name: str) -> Endpoint | None:
        self._refresh()
        return super().endpoint(name)

    @override
    def changed(self) -> dict[str, datetime]:
        self._refresh()
        return super().changed()

    @override
    def history(self, name: str, limit: int | None = None) -> list[Revision]:
        self._refresh()
        return super().history(name, limit)

    @override
    def signature(self, tag: str) -> Signature | None:
        known = super().signature(tag)
        if known is not None:
            return known
        self._refresh()
        found = (target.signature(tag) for target in self._shared().values())
        return next((signature for signature in found if signature is not None), None)

    @override
    def sketch(self, tag: str) -> ReferenceSketch | None:
        if self.remembered(tag) is not None:
            return super().sketch(tag)
        self._refresh()
        found = (target.sketch(tag) for target in self._shared().values())
        return next((sketch for sketch in found if sketch is not None), None)

    @override
    def ramp_look(self, name: str) -> Look | None:
        target = self._target_of(name)
        if target is None:
            return super().ramp_look(name)
        if self._away:
            return None
        try:
            return target.look(name)
        except DeployError:  # a look is only shown
            return None

    @override
    def keep_ramp_look(self, name: str, look: Look) -> None:
        target = self._target_of(name)
        if target is None:
            super().keep_ramp_look(name, look)
        else:
            target.keep_look(name, look)

    @override
    def save(self, endpoint: Endpoint, *, based_on: int, reason: str, change: str) -> None:
        target = self._shared().get(endpoint.target)
        if target is None:
            super().save(endpoint, based_on=based_on, reason=reason, change=change)
            return
        if any(one.model_dump_json() != one.without_secrets.model_dump_json() for one in endpoint.validations):
            raise InvalidInput(
                f"a validation of {endpoint.name} has a secret parameter, which all users of the target would read",
                "let the notebook read it from its environment, and leave it out of the parameters",
            )
        revision = Revision(
            endpoint=endpoint.name,
            revision=endpoint.revision,
            at=now(),
            by=self._user,
            reason=reason,
            change=change,
            state=endpoint,
        )
        with self._lock:
            self._next_read = 0.0
            signatures, sketches = self._signatures(endpoint), self._sketches(endpoint)
            target.write(revision, based_on=based_on, signatures=signatures, sketches=sketches)
            self._refresh()

    @override
    def delete(self, endpoint: Endpoint, *, reason: str, keep_records: bool) -> Deletion:
        target = self._shared().get(endpoint.target)
        if target is None:
            return super().delete(endpoint, reason=reason, keep_records=keep_records)
        with self._lock:
            self._next_read = 0.0
            self._refresh(strict=True)
            present = super().endpoint(endpoint.name)
            mine = (endpoint.revision, endpoint.revision + 1) if endpoint.running else (endpoint.revision,)
            if present is None or present.revision not in mine:
                raise Conflict(f"{endpoint.name} was changed meanwhile", "delete again if it still applies")
            deletion = super().delete(endpoint, reason=reason, keep_records=keep_records)
            # Last: if this process is killed before, the endpoint is still there, and can be deleted again.
            target.remove(endpoint.name)
            self._next_read = 0.0
        return deletion

    def _target_of(self, name: str) -> SharedEndpoints | None:
        """The shared target of an endpoint, by the cache; None: it is this user's own."""
        endpoint = super().endpoint(name)
        return self._shared().get(endpoint.target) if endpoint else None

    def _signatures(self, endpoint: Endpoint) -> dict[str, Signature]:
        """The signatures of the releases whose snapshots this user has, by tag."""
        found = {release.tag: super(SharedStore, self).signature(release.tag) for release in endpoint.releases}
        return {tag: signature for tag, signature in found.items() if signature is not None}

    def _sketches(self, endpoint: Endpoint) -> dict[str, ReferenceSketch]:
        found = {release.tag: super(SharedStore, self).sketch(release.tag) for release in endpoint.releases}
        return {tag: sketch for tag, sketch in found.items() if sketch is not None}

    def _refresh(self, *, strict: bool = False) -> None:
        """Bring the cache up to date; ``strict``: raise if a target is away."""
        with self._lock:
            if time.monotonic() < self._next_read:
                return
            self._next_read = time.monotonic() + _FRESH_SECONDS
            self._away = False
            for name, target in self._shared().items():
                try:
                    self.adopt(name, target.histories())
                except DeployError as error:
                    if strict:
                        raise
                    self._next_read = time.monotonic() + _AWAY_SECONDS
                    self._away = True
                    _log.warning(
                        "the endpoints of target %s are shown as they were last known: %s", name, error.message
                    )
