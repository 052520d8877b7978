"""Delete records for good: by age, by request ids, or both; from records, feedback and ledger.

Open files are closed first (the workers close their segments, the gateway's logs are rotated), then everything is
compacted, and then each Parquet file with selected lines is rewritten to a temporary file and renamed into place. A
kill leaves each file old or new; the next purge does the rest.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from jupyter_deploy.domain.errors import StoreError, TargetError
from jupyter_deploy.domain.results import Purged
from jupyter_deploy.system.filesystem import remove_folder

from . import ledger, rotation, segments
from .compaction import (
    FEEDBACK_FORMAT,
    LEDGER_FORMAT,
    RECORD_FORMAT,
    LineFormat,
    compact_endpoint,
    compact_feedback,
    compact_ledger,
    replace_with,
)
from .records import AT, VALID, database, fetch_rows, in_utc, lines_of, quoted
from .records import segments as files_of
from .segments import LEDGER, Segment

_CLOSE_SECONDS = 15.0
"""A worker checks once a second for a request to close its segment."""

_ENDPOINT = re.compile(rb'"endpoint":\s*"([^"]*)"')

FLUSH_SECONDS = 0.3
"""The gateway writes its log five times a second."""


@dataclass(frozen=True)
class PurgeSelection:
    """The lines to purge: an endpoint's lines before a moment and of these requests; all given conditions must hold.

    ``named``: an unreadable line is selected only if it names the endpoint.
    """

    endpoint: str
    before: datetime | None = None
    request_ids: Sequence[str] = ()
    named: bool = False

    def condition(self, records: str | None = None) -> str:
        """Return the SQL condition of a selected line.

        ``records``, for feedback: SQL for the endpoint's records. Feedback is purged with the record of its request,
        however late it arrived.
        """
        conditions = [f"endpoint = {quoted(self.endpoint)}"]
        if self.before is not None:
            moment = f"TIMESTAMP_NS {quoted(in_utc(self.before).isoformat(' '))}"
            going = f"SELECT request_id FROM {records} WHERE {VALID} GROUP BY request_id HAVING max({AT}) < {moment}"
            conditions.append(f"({AT} < {moment}{f' OR request_id IN ({going})' if records else ''})")
        if self.request_ids:
            conditions.append(f"request_id IN ({', '.join(map(quoted, self.request_ids))})")
        return " AND ".join(conditions)

    def matches_unreadable(self, line: bytes, last: datetime, *, shared: bool) -> bool:
        """Return whether an unreadable line is selected: by an id in it, or by its segment's last record.

        ``shared``: the file has lines of other endpoints; a line that names another endpoint is kept.
        """
        named = _ENDPOINT.search(line)
        others = named is not None and named[1] != self.endpoint.encode()
        if (self.named and named is None) or ((self.named or shared) and others):
            return False
        if self.before is not None and last >= self.before.astimezone(UTC):
            return False
        ids = [json.dumps(request_id).encode()[1:-1] for request_id in self.request_ids]
        return not ids or any(request_id in line for request_id in ids)


def count(home: Path, selection: PurgeSelection) -> Purged:
    """Count the lines that a purge would delete now."""
    guard, folder = segments.data_folder(home, selection.endpoint), home / LEDGER
    feedback_folder = segments.feedback_folder(home, selection.endpoint)
    with segments.reading(guard), segments.reading(feedback_folder), segments.reading(folder):
        paths = files_of(home, selection.endpoint)
        posts = [segment.path for segment in segments.readable(feedback_folder)]
        logs = [*ledger.files(home, "edge"), *ledger.files(home, "shadow")]
        with database(guard, feedback_folder, folder) as connection:
            query = "SELECT count(*) FROM {} WHERE {}"
            recorded = lines_of(paths, RECORD_FORMAT.columns)
            ((records,),) = fetch_rows(connection, query.format(recorded, selection.condition()))
            posted = query.format(lines_of(posts, FEEDBACK_FORMAT.columns), selection.condition(recorded))
            ((feedback,),) = fetch_rows(connection, posted)
            ((lines,),) = fetch_rows(
                connection, query.format(lines_of(logs, LEDGER_FORMAT.columns), selection.condition())
            )
        unreadable = sum(
            len(_split(segment, selection, shared=folder_read == folder)[1])
            for folder_read in (*segments.release_folders(home, selection.endpoint), feedback_folder, folder)
            for segment in segments.segments_in(folder_read)
            if segment.form == "rejected"
        )
    return Purged(
        endpoint=selection.endpoint,
        records=records,
        feedback=feedback,
        ledger_lines=lines,
        unreadable=unreadable,
        dry_run=True,
    )


def purge(home: Path, selection: PurgeSelection) -> Purged:
    """Delete the selected lines.

    Raises
    ------
    TargetError
        A worker or the gateway does not close a file; nothing was deleted.
    StoreError
        The disk is full, a file cannot be read, or a newer version wrote one; completed steps are kept.
    """
    guard, logs = segments.data_folder(home, selection.endpoint), home / LEDGER
    folders = segments.release_folders(home, selection.endpoint)
    feedback_folder = segments.feedback_folder(home, selection.endpoint)
    with segments.maintenance_lock(home):
        for folder in (*folders, feedback_folder, logs):
            segments.readable(folder)  # fails on a newer version's files before anything is changed
        _close([*folders, feedback_folder])
        time.sleep(FLUSH_SECONDS)
        if not rotation.rotate(home):
            raise TargetError("the gateway does not close its log; nothing was purged", "try again")
        name = selection.endpoint
        failures = [*compact_endpoint(home, name), *compact_feedback(home, name), *compact_ledger(home)]
        if failures:
            raise StoreError("not everything can be purged", "repair the files and purge again", "\n".join(failures))
        # Feedback first: the records determine which feedback to purge, also after a kill in between.
        recorded = lines_of(files_of(home, name), RECORD_FORMAT.columns)
        feedback = purge_folder(feedback_folder, feedback_folder, FEEDBACK_FORMAT, selection.condition(recorded), guard)
        records = sum(purge_folder(folder, guard, RECORD_FORMAT, selection.condition()) for folder in folders)
        lines = purge_folder(logs, logs, LEDGER_FORMAT, selection.condition())
        remove_folder(segments.drift_folder(home, name))  # a watch has ids of requests; it is made again
        unreadable = sum(purge_rejected(folder, guard, selection, shared=False) for folder in folders)
        unreadable += purge_rejected(feedback_folder, feedback_folder, selection, shared=False)
        unreadable += purge_rejected(logs, logs, selection, shared=True)
    return Purged(endpoint=name, records=records, feedback=feedback, ledger_lines=lines, unreadable=unreadable)


def _close(folders: list[Path]) -> None:
    open_segments = segments.close_open(folders, _CLOSE_SECONDS)
    if open_segments:
        names = "\n".join(f"  {segment.path}" for segment in open_segments)
        raise TargetError(
            "a worker does not close its segment; nothing was purged",
            "restart it with 'nbdeploy down' and 'nbdeploy reconcile', then purge again",
            names,
        )


def purge_folder(folder: Path, guard: Path, line_format: LineFormat, condition: str, *also: Path) -> int:
    """Delete the lines that meet the SQL ``condition``; ``also`` are folders that the condition reads."""
    files = {str(s.path): s for s in segments.segments_in(folder) if s.form == "parquet"}
    if not files:
        return 0
    with database(folder, *also) as connection:
        counts = fetch_rows(
            connection,
            f"SELECT filename, count(*), count(*) FILTER ({condition}), "
            f"(max({AT}) FILTER ({condition}))::TIMESTAMP "
            f"FROM {lines_of([s.path for s in files.values()], line_format.columns)} "
            "GROUP BY filename ORDER BY filename",
        )
        for name, total, count, until in counts:
            if count:
                path = files[name].path
                segments.note_removal(guard, path, segments.inode(path), count, until.replace(tzinfo=UTC).isoformat())
                _purge_file(connection, files[name], guard, line_format, condition, stays=count < total)
    return sum(count for _, _, count, _ in counts)


def _purge_file(
    connection: duckdb.DuckDBPyConnection,
    segment: Segment,
    guard: Path,
    line_format: LineFormat,
    condition: str,
    *,
    stays: bool,
) -> None:
    # Rejected lines have their own rule, and count only if their Parquet file exists, even an empty one.
    if stays or segment.sibling("rejected").exists():
        replace_with(
            f"SELECT {', '.join(line_format.columns)} FROM {lines_of([segment.path], line_format.columns)} "
            f"WHERE NOT coalesce({condition}, false) ORDER BY {AT}",
            segment.path,
            connection,
        )
        before = segment.path.stat()
        os.utime(segments.temporary(segment.path), ns=(before.st_atime_ns, before.st_mtime_ns))
        segments.put_in_place(guard, segment.path)
    else:
        with segments.swapping(guard):
            segment.path.unlink()


def purge_rejected(folder: Path, guard: Path, selection: PurgeSelection, *, shared: bool) -> int:
    going = 0
    for segment in segments.segments_in(folder):
        if segment.form != "rejected":
            continue
        kept, gone = _split(segment, selection, shared=shared)
        if gone:
            segments.write_private(segments.temporary(segment.path), b"".join(kept))
            if kept:
                segments.put_in_place(guard, segment.path)
            else:
                segments.temporary(segment.path).unlink()
                with segments.swapping(guard):
                    segment.path.unlink()
        going += len(gone)
    return going


def _split(segment: Segment, selection: PurgeSelection, *, shared: bool) -> tuple[list[bytes], list[bytes]]:
    """Return the kept lines and the selected ones."""
    parquet = segment.sibling("parquet")
    last = datetime.fromtimestamp((parquet if parquet.exists() else segment.path).stat().st_mtime, UTC)
    lines = [line + b"\n" for line in segment.path.read_bytes().split(b"\n") if line]
    going = [selection.matches_unreadable(line, last, shared=shared) for line in lines]
    return (
        [line for line, goes in zip(lines, going, strict=True) if not goes],
        [line for line, goes in zip(lines, going, strict=True) if goes],
    )
