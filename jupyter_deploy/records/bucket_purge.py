"""Purge and deletion in a bucket: files with selected lines are rewritten there, one after another.

The home comes first. A kill leaves each file old or new; the next purge does the rest. One purge at a time holds the
bucket's lock, since two would upload files with the lines that the other one has removed.

A file without a line left is removed. Readers that keep counts of files, not the files, tell this from a removal by the
bucket's own rules by a mark (``PURGED``). It is written before the removals, which a kill may end, and after them,
since a reader may count the files in between.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from jupyter_deploy.domain.bucket import PURGED, place_in_home, prefixes, purge_mark
from jupyter_deploy.domain.results import Purged
from jupyter_deploy.system.temp import scratch_folder

from . import deletion, purge, segments
from .bucket import Bucket
from .compaction import FEEDBACK_FORMAT, LEDGER_FORMAT, RECORD_FORMAT
from .purge import PurgeSelection, purge_folder, purge_rejected
from .records import lines_of
from .records import segments as files_of
from .segments import LEDGER
from .shipping import Mirror, closed_files


def purge_everywhere(home: Path, bucket: Bucket, selection: PurgeSelection, *, dry_run: bool) -> Purged:
    """Delete the selected lines in the home and in the bucket; count each once.

    Raises
    ------
    TargetError
        A worker or the gateway does not close a file; nothing was deleted.
    StoreError
        A file or the bucket cannot be changed; completed steps are kept.
    """
    made = Mirror(home, bucket)
    folders = prefixes(selection.endpoint)
    with made.open() as known, scratch_folder("bucket") as scratch:
        made.download(known, folders)
        if dry_run:
            _fetch(bucket, folders, lambda local: None if (home / local).exists() else scratch / local)
            return _sum(purge.count(home, selection), purge.count(scratch, selection))
        with bucket.locked():
            at_home = {str(segment.path.relative_to(home)) for segment in closed_files(home)}
            purged = purge.purge(home, selection)
            return _sum(purged, _rewrite(bucket, selection, known, scratch, at_home))


def delete_everywhere(home: Path, bucket: Bucket, endpoint: str) -> None:
    """Delete an endpoint's records, feedback and ledger lines; see ``deletion.delete``."""
    records, feedback, _ = prefixes(endpoint)
    with Mirror(home, bucket).open() as known, scratch_folder("bucket") as scratch, bucket.locked():
        deletion.delete(home, endpoint)
        for place in [*bucket.find(records), *bucket.find(feedback)]:
            bucket.remove(place)
            known.pop(place, None)
        _rewrite(bucket, PurgeSelection(endpoint, named=True), known, scratch)


def _rewrite(
    bucket: Bucket,
    selection: PurgeSelection,
    known: dict[str, str],
    scratch: Path,
    at_home: Collection[str] = (),
) -> Purged:
    """Purge the bucket's files; return the counts of those whose paths were not in the home (``at_home``)."""
    here, elsewhere = scratch / "here", scratch / "elsewhere"
    places = _fetch(bucket, prefixes(selection.endpoint), lambda p: (here if p in at_home else elsewhere) / p)
    before = {place: segments.inode(path) for place, path in places.items()}
    recorded = [*files_of(here, selection.endpoint), *files_of(elsewhere, selection.endpoint)]
    condition = selection.condition(lines_of(recorded, RECORD_FORMAT.columns))
    counts = {}
    for side, other in ((here, elsewhere), (elsewhere, here)):
        folder = segments.feedback_folder(side, selection.endpoint)
        also = [segments.data_folder(each, selection.endpoint) for each in (side, other)]
        counts[side] = purge_folder(folder, folder, FEEDBACK_FORMAT, condition, *also)
    feedback = counts[elsewhere]
    _purge_scratch(here, selection)  # the home has counted these
    purged = _purge_scratch(elsewhere, selection)
    changed = {place: path for place, path in places.items() if segments.inode(path) != before[place]}
    emptied = [place for place, path in changed.items() if not path.exists()]
    for place in changed.keys() - set(emptied):
        known[place] = bucket.put(changed[place], place)
    _mark(bucket, emptied, scratch)
    for place in emptied:
        bucket.remove(place)
        known.pop(place, None)
    _mark(bucket, emptied, scratch)
    return purged.model_copy(update={"feedback": feedback})


def _mark(bucket: Bucket, emptied: Iterable[str], scratch: Path) -> None:
    """Change the marks of the releases whose files are removed."""
    note = scratch / PURGED
    for place in sorted({mark for each in emptied if (mark := purge_mark(each))}):
        note.write_text(json.dumps({"purge": uuid.uuid4().hex}))
        bucket.put(note, place)


def _purge_scratch(side: Path, selection: PurgeSelection) -> Purged:
    guard, logs = segments.data_folder(side, selection.endpoint), side / LEDGER
    folders = segments.release_folders(side, selection.endpoint)
    posted = segments.feedback_folder(side, selection.endpoint)
    records = sum(purge_folder(folder, guard, RECORD_FORMAT, selection.condition()) for folder in folders)
    lines = purge_folder(logs, logs, LEDGER_FORMAT, selection.condition())
    unreadable = sum(purge_rejected(folder, guard, selection, shared=False) for folder in folders)
    unreadable += purge_rejected(posted, posted, selection, shared=False)
    unreadable += purge_rejected(logs, logs, selection, shared=True)
    return Purged(endpoint=selection.endpoint, records=records, ledger_lines=lines, unreadable=unreadable)


def _fetch(bucket: Bucket, folders: tuple[str, ...], path_of: Callable[[str], Path | None]) -> dict[str, Path]:
    """Download the files below these folders, each to the path that its path in a home has; None: not this one."""
    fetched = {}
    for place in [place for folder in folders for place in bucket.find(folder)]:
        local = place_in_home(place)
        path = path_of(local) if local else None
        if path is None:
            continue
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if bucket.get(place, path):
            fetched[place] = path
    return fetched


def _sum(one: Purged, other: Purged) -> Purged:
    names = ("records", "feedback", "ledger_lines", "unreadable")
    return one.model_copy(update={name: getattr(one, name) + getattr(other, name) for name in names})
