"""Ports of the state on disk, as Protocols; see ``ports``."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Protocol

from .capture.artifacts import Snapshot
from .evidence.agreement import Rule
from .evidence.inference import Comparison, Record
from .evidence.record_pages import Pair, RecordPage, Span, Wanted
from .images.images import Publication
from .release.endpoint import Endpoint, Release, Revision
from .results import Purged
from .validation.validation import Validation


class Store(Protocol):
    """Endpoints, their history, and the snapshots of this user's own captures. All methods raise StoreError."""

    def check(self) -> None:
        """Raise, before slow work, if the store is not writable. Creates nothing."""

    def endpoints(self) -> list[Endpoint]: ...

    def revisions(self) -> dict[str, int]:
        """Return each endpoint's revision by name; fast, for frequent polls."""

    def endpoint(self, name: str) -> Endpoint | None: ...

    def save(self, endpoint: Endpoint, *, based_on: int, reason: str, change: str) -> None:
        """Write a new revision. Raises Conflict when the endpoint is no longer at ``based_on`` (0: must be new)."""

    def history(self, name: str, limit: int | None = None) -> list[Revision]:
        """Return the revisions, newest first; with ``limit`` only the latest."""

    def changed(self) -> dict[str, datetime]:
        """Return the time of each endpoint's current revision."""

    def remember(self, snapshot: Snapshot) -> None:
        """Note that this store captured a snapshot, or that its user trusts it."""

    def remembered(self, tag: str) -> Snapshot | None: ...

    def intend(self, *releases: Release) -> None:
        """Note that this process will start releases that no endpoint has yet."""

    def fulfil(self, *releases: Release) -> None:
        """Note that the starts have ended, with or without success; also for a process that has ended."""

    def intended(self) -> list[Release]:
        """Return releases that *other* live processes start or rely on: they must not be stopped now."""

    def abandoned(self) -> list[Release]:
        """Return intended releases whose process has ended."""

    def keep_validation(self, validation: Validation) -> None:
        """Write a validation, or replace it."""

    def validations(
        self, *, endpoint: str | None = None, ids: Collection[str] | None = None, limit: int | None = None
    ) -> list[Validation]:
        """Return validations, newest first: of one endpoint or of all, all or only these ids.

        An unreadable validation is skipped with a warning.
        """

    def keep_publication(self, publication: Publication) -> None:
        """Note an image in a registry; one with the same reference is replaced."""

    def publications(self, *, endpoint: str | None = None) -> list[Publication]:
        """Return publications, newest first, of one endpoint or of all."""

    def exclusive(self, name: str) -> AbstractContextManager[None]:
        """Within, no other process changes, routes or stops this endpoint."""


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
        """Return records, oldest first, of these requests (none: of all); with ``limit`` only the latest."""

    def follow(
        self,
        endpoint: str,
        *,
        role: str | None = None,
        status: int | None = None,
        request_ids: Collection[str] = (),
    ) -> Iterator[Record]:
        """Yield new records as they are written, without end."""

    def page(self, endpoint: str, wanted: Wanted, *, before: str | None, limit: int) -> RecordPage:
        """Return a page of records before this key (None: the latest), newest first.

        New records shift no page. Raises InvalidInput (the key is invalid).
        """

    def pair(self, endpoint: str, key: str) -> Pair:
        """Return a record with all answers to its request. Raises InvalidInput (the key is invalid), UnknownRecord."""

    def spans(self, endpoint: str, *, since: datetime, until: datetime, every: timedelta) -> list[Span]:
        """Return each release's counts in spans of this length, by time; none for spans without answers."""

    def removed(self, endpoint: str) -> int:
        """Return the number of records that were ever purged or removed by retention."""

    def purge(self, endpoint: str, *, before: datetime | None, request_ids: Sequence[str], dry_run: bool) -> Purged:
        """Remove the records before a moment, of these requests (none: of all), or both.

        Raises TargetError if a process does not release its files: nothing is removed then.
        """

    def compare(
        self, endpoint: Endpoint, candidate: str, *, since: datetime | None, overflowed: int, rule: Rule
    ) -> Comparison:
        """Compare the candidate with stable, from the records and the proxy's ledger."""
