"""Ports to stored data, as Protocols; see ``ports``."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from .capture.artifacts import Snapshot
    from .capture.signature import Signature
    from .deletion import Deletion
    from .drift.drift import Drift, JointShift
    from .drift.sketch import ReferenceSketch
    from .drift.watch import WatchState
    from .evidence.agreement import Rule
    from .evidence.inference import Comparison, Record
    from .evidence.record_pages import Pair, RecordFilter, RecordOrder, RecordPage, Refusal, TimeSeries
    from .images.images import Publication
    from .monitoring.rollup import Rollup
    from .ramp.evidence import StepCounts
    from .ramp.status import Look
    from .release.endpoint import Endpoint, Release, Revision
    from .results import Purged
    from .validation.validation import Validation


class Store(Protocol):
    """Endpoints, their history, and the snapshots of this user's captures. All methods raise StoreError."""

    def check(self) -> None:
        """Raise, before slow work, if the store is not writable. Create nothing."""

    def endpoints(self) -> list[Endpoint]: ...

    def revisions(self) -> dict[str, int]:
        """Return each endpoint's revision by name; fast, for frequent calls."""

    def endpoint(self, name: str) -> Endpoint | None: ...

    def save(self, endpoint: Endpoint, *, based_on: int, reason: str, change: str) -> None:
        """Write a new revision. Raises Conflict if the endpoint is no longer at ``based_on`` (0: must be new)."""

    def history(self, name: str, limit: int | None = None) -> list[Revision]:
        """Return revisions, newest first; with ``limit`` only the latest."""

    def changed(self) -> dict[str, datetime]:
        """Return the time of each endpoint's current revision."""

    def remember(self, snapshot: Snapshot) -> None:
        """Store a snapshot that this user captured or trusts."""

    def remembered(self, tag: str) -> Snapshot | None: ...

    def signature(self, tag: str) -> Signature | None:
        """Return the signature of a remembered snapshot, or of a release that another user of a target deployed."""

    def sketch(self, tag: str) -> ReferenceSketch | None:
        """Return the sketch of a release's training table, as ``signature`` does; None: it is not known here."""

    def intend(self, *releases: Release) -> None:
        """Note that this process will start releases that no endpoint has yet.

        Raises Conflict if the endpoint's deletion is not complete.
        """

    def fulfil(self, *releases: Release) -> None:
        """Note that the starts ended, with or without success; also for a process that ended."""

    def intended(self) -> list[Release]:
        """Return releases that *other* live processes will start or rely on, which must not be stopped."""

    def abandoned(self) -> list[Release]:
        """Return intended releases whose process ended."""

    def keep_validation(self, validation: Validation) -> None:
        """Store a validation, or replace it."""

    def validations(
        self, *, endpoint: str | None = None, ids: Collection[str] | None = None, limit: int | None = None
    ) -> list[Validation]:
        """Return validations, newest first, of one endpoint or of all, optionally of these ids only.

        An unreadable validation is skipped with a warning.
        """

    def begin_attempts(self, evidence: Mapping[str, str]) -> dict[str, int]:
        """Note an attempt at each gate, by its key, with the digest of its evidence; return the attempts' numbers.

        A number counts the attempts since the gate's last pass. Evidence that was judged before keeps its number.
        Attempts outlive the endpoint and its validations.
        """

    def pass_attempts(self, evidence: Mapping[str, str]) -> None:
        """Note that the attempts with this evidence passed: the next one with other evidence is the first."""

    def keep_publication(self, publication: Publication) -> None:
        """Store a published image; it replaces one with the same reference."""

    def publications(self, *, endpoint: str | None = None) -> list[Publication]:
        """Return publications, newest first, of one endpoint or of all."""

    def ramp_look(self, name: str) -> Look | None:
        """Return the latest look at the endpoint's ramp; None: there was none."""

    def keep_ramp_look(self, name: str, look: Look) -> None:
        """Replace the latest look."""

    def deletion_of(self, endpoint: Endpoint) -> Deletion:
        """Return the note that ``delete`` would store."""

    def delete(self, endpoint: Endpoint, *, reason: str, keep_records: bool) -> Deletion:
        """Forget an endpoint, its revisions and validations, and store a note of it, in one transaction.

        Until the note is complete, ``intend`` refuses releases of this name. Raises Conflict (another process changed
        the endpoint, or deploys to it).
        """

    def deletion(self, name: str) -> Deletion | None:
        """Return the note of the last deletion of this name."""

    def deletions(self) -> list[Deletion]: ...

    def keep_deletion(self, deletion: Deletion) -> None:
        """Replace a note."""

    def forget(self, tag: str) -> None:
        """Trust a snapshot no longer: its files are removed."""

    def exclusive(self, name: str) -> AbstractContextManager[None]:
        """Hold the lock of an endpoint: no other process changes, routes or stops any part of it."""


class RecordCounts(Protocol):
    """Counts of an endpoint's records that need no database, or seldom one."""

    def removed(self, endpoint: str) -> int:
        """Count the records that were ever purged or cleared."""

    def refusals(self, endpoint: str, *, since: datetime) -> list[Refusal]:
        """Return the refused requests since a moment by release, status and reason, the most frequent first."""


class InferenceLog(Protocol):
    def records(
        self,
        endpoint: str,
        record_filter: RecordFilter = ...,
        *,
        limit: int | None = None,
    ) -> list[Record]:
        """Return matching records by time, oldest first; with ``limit`` only the last ones."""

    def follow(self, endpoint: str, record_filter: RecordFilter = ...) -> Iterator[Record]:
        """Yield new records as they are written, without end, by the filter's role, status and requests alone."""

    def page(
        self,
        endpoint: str,
        record_filter: RecordFilter,
        *,
        before: str | None,
        limit: int,
        order: RecordOrder = "newest",
    ) -> RecordPage:
        """Return a page of records after the key in an order (None: the first page).

        New records do not shift the pages. Raises InvalidInput (an invalid key), UnknownRecord (the key's record has no
        place in the order any more).
        """

    def pair(self, endpoint: str, key: str) -> Pair:
        """Return a record with all answers to its request. Raises InvalidInput (an invalid key), UnknownRecord."""

    def export(
        self,
        endpoint: str,
        record_filter: RecordFilter,
        path: Path,
        *,
        columns: Mapping[str, str],
        answer: str,
    ) -> int:
        """Write matching records into a new file, ``.csv`` or ``.parquet``; return its rows, one for each instance.

        ``columns``: the fields of an instance with their JSON types; ``answer``: the type of an answer. Raises
        InvalidInput (the file exists or cannot be written).
        """

    def time_series(self, endpoint: str, *, since: datetime, until: datetime, every: timedelta) -> TimeSeries:
        """Return the requests to each release in time buckets of this length, without empty ones, and the refusals."""

    def purge(self, endpoint: str, *, before: datetime | None, request_ids: Sequence[str], dry_run: bool) -> Purged:
        """Delete records before a moment, of these requests (none: of all), or both.

        Raises TargetError if a process does not close its file; nothing was deleted then.
        """

    def size(self, endpoint: str) -> int:
        """Return the bytes of an endpoint's records and feedback."""

    def delete(self, endpoint: str) -> None:
        """Delete an endpoint's records, feedback and ledger lines, also damaged files; none is no error.

        Its releases must have ended. Raises TargetError (the gateway does not close its log), StoreError.
        """

    def compare(
        self,
        endpoint: Endpoint,
        candidate: str,
        *,
        since: datetime | None,
        overflowed: int,
        rule: Rule,
        segments: Sequence[str] = (),
        level: float = 0.95,
        until: datetime | None = None,
    ) -> Comparison:
        """Compare the candidate with stable, by the records and the proxy's ledger.

        ``segments``: declarations for this look only; none: the endpoint's. ``level``: of the figures' intervals.
        ``until``: later requests do not count; None: all do.
        """

    def ramp_steps(self, endpoint: Endpoint, *, until: datetime | None = None) -> tuple[StepCounts, ...]:
        """Return the counts of each step of the endpoint's ramp that has begun, the current one last."""


class Watched(NamedTuple):
    """A watch over a release, its counts by period, and the joint shift of its past days."""

    state: WatchState
    rollup: Rollup
    joint: tuple[JointShift, ...] = ()


class DriftLog(Protocol):
    """The watches over the drift of releases."""

    def prepare(self, release: Release, snapshot: Snapshot) -> None:
        """Begin the watch over a release, if there is none yet. Raises StoreError."""

    def look(self, release: Release, snapshot: Snapshot, *, since: datetime | None = None) -> Drift:
        """Read the new records, and return the drift since the watch began, or among the records since a moment.

        Raises StoreError.
        """

    def watched(self, release: Release, snapshot: Snapshot) -> Watched:
        """Read the new records, and return the watch with its counts by period. Raises StoreError."""

    def joint_shift(self, release: Release, *, since: datetime, until: datetime) -> JointShift | None:
        """Compare the inputs of a range with the first recorded ones; None: too few of either. Raises StoreError."""
