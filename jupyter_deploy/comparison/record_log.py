"""The InferenceLog port: records, pages, time series, purge, and the comparison of a candidate with stable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from jupyter_deploy.domain.capture.artifacts import checked_name
from jupyter_deploy.domain.evidence.agreement import Rule
from jupyter_deploy.domain.evidence.inference import Comparison, Record
from jupyter_deploy.domain.evidence.record_pages import (
    EVERY_RECORD,
    Pair,
    RecordFilter,
    RecordOrder,
    RecordPage,
    TimeSeries,
)
from jupyter_deploy.domain.evidence.sequential import LEVEL
from jupyter_deploy.domain.ramp.evidence import StepCounts
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.results import Purged
from jupyter_deploy.records import deletion, export, pages, purge, time_series
from jupyter_deploy.records.bucket import Bucket
from jupyter_deploy.records.bucket_purge import delete_everywhere, purge_everywhere
from jupyter_deploy.records.follow import RecordFollower, follow
from jupyter_deploy.records.shipping import BucketOfHome

from .comparison import compare
from .ramp_steps import count_steps


class RecordLog:
    """The log of inferences in ``<home>/records`` and ``<home>/ledger``.

    Parameters
    ----------
    home
        The folder that ``NBDEPLOY_HOME`` names.
    poll_seconds
        The interval at which ``follow`` looks for new records.
    bucket
        Its new files are read first by every method, which raises StoreError if it cannot be reached.
    """

    def __init__(self, home: Path, *, poll_seconds: float = 0.2, bucket: BucketOfHome | None = None) -> None:
        self._home = home
        self._poll_seconds = poll_seconds
        self._bucket = bucket or BucketOfHome(home, None)

    def records(
        self,
        endpoint: str,
        record_filter: RecordFilter = EVERY_RECORD,
        *,
        limit: int | None = None,
    ) -> list[Record]:
        """Return matching records by time, oldest first; with ``limit`` only the last ones.

        Raises InvalidInput (a negative limit, an impossible name), StoreError.
        """
        self._bucket.refresh(endpoint)
        return pages.read(self._home, endpoint, record_filter, limit=limit)

    def follow(self, endpoint: str, record_filter: RecordFilter = EVERY_RECORD) -> Iterator[Record]:
        """Yield records written after this call, for ever.

        Raises InvalidInput (an impossible name), StoreError.
        """
        self._bucket.refresh(endpoint)
        # The position is taken now, not at the first iteration: no record is missed in between.
        tail = RecordFollower(self._home, endpoint)
        refresh = partial(self._bucket.refresh, endpoint)
        return follow(tail, refresh, record_filter, every=self._poll_seconds)

    def page(
        self,
        endpoint: str,
        record_filter: RecordFilter,
        *,
        before: str | None,
        limit: int,
        order: RecordOrder = "newest",
    ) -> RecordPage:
        """See ``pages.page``."""
        self._bucket.refresh(endpoint)
        return pages.page(self._home, endpoint, record_filter, before=before, limit=limit, order=order)

    def pair(self, endpoint: str, key: str) -> Pair:
        """See ``pages.pair``."""
        self._bucket.refresh(endpoint)
        return pages.pair(self._home, endpoint, key)

    def export(
        self,
        endpoint: str,
        record_filter: RecordFilter,
        path: Path,
        *,
        columns: Mapping[str, str],
        answer: str,
    ) -> int:
        """See ``export.export``."""
        self._bucket.refresh(endpoint)
        kind: export.Format = "parquet" if path.suffix == ".parquet" else "csv"
        return export.export(self._home, endpoint, record_filter, path, kind, columns=columns, answer=answer)

    def time_series(self, endpoint: str, *, since: datetime, until: datetime, every: timedelta) -> TimeSeries:
        """See ``time_series.read``."""
        self._bucket.refresh(endpoint)
        return time_series.read(self._home, endpoint, since=since, until=until, every=every)

    def purge(self, endpoint: str, *, before: datetime | None, request_ids: Sequence[str], dry_run: bool) -> Purged:
        """Delete records before a moment, of these requests (none: of all), or both.

        Raises InvalidInput (an impossible name), TargetError (a process does not close a file), StoreError.
        """
        selection = purge.PurgeSelection(checked_name(endpoint), before, request_ids)
        if self._bucket.url:
            return purge_everywhere(self._home, Bucket(self._bucket.url), selection, dry_run=dry_run)
        return purge.count(self._home, selection) if dry_run else purge.purge(self._home, selection)

    def size(self, endpoint: str) -> int:
        """Return the bytes of an endpoint's records and feedback. Raises InvalidInput (an impossible name)."""
        return deletion.size(self._home, checked_name(endpoint))

    def delete(self, endpoint: str) -> None:
        """See ``deletion.delete``. Raises InvalidInput (an impossible name) too."""
        if self._bucket.url:
            delete_everywhere(self._home, Bucket(self._bucket.url), checked_name(endpoint))
        else:
            deletion.delete(self._home, checked_name(endpoint))

    def compare(
        self,
        endpoint: Endpoint,
        candidate: str,
        *,
        since: datetime | None,
        overflowed: int,
        rule: Rule,
        segments: Sequence[str] = (),
        level: float = LEVEL,
        until: datetime | None = None,
    ) -> Comparison:
        """See ``comparison.compare``; without ``segments`` those of the endpoint."""
        self._bucket.refresh(endpoint.name)
        return compare(
            self._home,
            endpoint,
            candidate,
            since=since,
            overflowed=overflowed,
            rule=rule,
            segments=segments,
            level=level,
            until=until,
        )

    def ramp_steps(self, endpoint: Endpoint, *, until: datetime | None = None) -> tuple[StepCounts, ...]:
        """See ``ramp_steps.count_steps``."""
        self._bucket.refresh(endpoint.name)
        return count_steps(self._home, endpoint, until)
