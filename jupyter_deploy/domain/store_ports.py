"""What the operations need of what is kept on disk, as Protocols; see ``ports``."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Protocol

from .capture.artifacts import Snapshot
from .evidence.agreement import Rule
from .evidence.inference import Comparison, Record
from .evidence.record_pages import Pair, RecordFilter, RecordPage, TimeBucket
from .images.images import Publication
from .release.endpoint import Endpoint, Release, Revision
from .results import Purged
from .validation.validation import Validation


class Store(Protocol):
    """Endpoints, their history, and which snapshots this user's own captures made. All raise StoreError."""

    def check(self) -> None:
        """Raise, before slow work, if nothing could be written. Makes nothing."""

    def endpoints(self) -> list[Endpoint]: ...

    def revisions(self) -> dict[str, int]:
        """Each endpoint's name with its revision; quick, for those who look often."""

    def endpoint(self, name: str) -> Endpoint | None: ...

    def save(self, endpoint: Endpoint, *, based_on: int, reason: str, change: str) -> None:
        """Write a new revision. Raises Conflict when the endpoint is no longer at ``based_on`` (0: must be new)."""

    def history(self, name: str, limit: int | None = None) -> list[Revision]:
        """Newest first; with ``limit`` the latest so many."""

    def changed(self) -> dict[str, datetime]:
        """When each endpoint came to its present revision."""

    def remember(self, snapshot: Snapshot) -> None:
        """Note that this store captured, or was told to trust, a snapshot."""

    def remembered(self, tag: str) -> Snapshot | None: ...

    def intend(self, *releases: Release) -> None:
        """Note that this process is about to start releases that no endpoint has yet."""

    def fulfil(self, *releases: Release) -> None:
        """The starts have ended, one way or the other; also said for a process that has gone."""

    def intended(self) -> list[Release]:
        """Releases that *other* living processes are about to start or to rely on: not to be stopped now."""

    def abandoned(self) -> list[Release]:
        """Intended releases whose process has gone."""

    def keep_validation(self, validation: Validation) -> None:
        """Write it, or write it anew."""

    def validations(
        self, *, endpoint: str | None = None, ids: Collection[str] | None = None, limit: int | None = None
    ) -> list[Validation]:
        """Newest first, of one endpoint or of all, all or those of these ids.

        One that cannot be read is passed over, and that is said.
        """

    def keep_publication(self, publication: Publication) -> None:
        """Remember an image that is in a registry; one with the same reference is written anew."""

    def publications(self, *, endpoint: str | None = None) -> list[Publication]:
        """Newest first, of one endpoint or of all."""

    def exclusive(self, name: str) -> AbstractContextManager[None]:
        """Within, no other process changes, routes or stops anything of this endpoint."""


class InferenceLog(Protocol):
    def records(
        self,
        endpoint: str,
        *,
        since: datetime | None = None,
        role: str | None = None,
        status: int | None = None,
        request_ids: Collection[str] = (),
        limit: int | None = None,
    ) -> list[Record]:
        """Records by time, oldest first, of these requests (none: of all); with ``limit`` the last so many."""

    def follow(
        self,
        endpoint: str,
        *,
        role: str | None = None,
        status: int | None = None,
        request_ids: Collection[str] = (),
    ) -> Iterator[Record]:
        """New records as they are written, for ever."""

    def page(self, endpoint: str, wanted: RecordFilter, *, before: str | None, limit: int) -> RecordPage:
        """So many records before that of this key (None: the newest), newest first.

        What is recorded meanwhile shifts no page. Raises InvalidInput (no key).
        """

    def pair(self, endpoint: str, key: str) -> Pair:
        """One record with all answers to its request. Raises InvalidInput (no key), UnknownRecord."""

    def time_series(self, endpoint: str, *, since: datetime, until: datetime, every: timedelta) -> list[TimeBucket]:
        """What each release answered in spans of this length, by time; none for those in which it answered nothing."""

    def removed(self, endpoint: str) -> int:
        """How many records were purged or cleared away, ever."""

    def purge(self, endpoint: str, *, before: datetime | None, request_ids: Sequence[str], dry_run: bool) -> Purged:
        """Take out what was recorded before a moment, of these requests (none: of all), or both.

        Raises TargetError when somebody does not let go of what he writes: nothing was taken out then.
        """

    def compare(
        self, endpoint: Endpoint, candidate: str, *, since: datetime | None, overflowed: int, rule: Rule
    ) -> Comparison:
        """The candidate against stable, from the records and the proxy's ledger."""
