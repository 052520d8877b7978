"""Records in a bucket: this home's are uploaded, those of other machines and of pods are mirrored into this home.

``<home>/bucket/known.json`` lists the files that were here and in the bucket, each with its fingerprint there. A file
that is only here is uploaded. One that is only in the bucket is downloaded, unless it is known: then this home has
removed it by its limits. One that changed in the bucket, or that is gone there, was purged by somebody: it is replaced
or removed here, too. Each step may be the last of a killed process: the next pass repeats it, with the same result.
"""

from __future__ import annotations

import json
import os
import re
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from jupyter_deploy.domain.bucket import place_in_bucket, place_in_home, prefixes
from jupyter_deploy.domain.errors import StoreError

from . import segments
from .bucket import Bucket
from .segments import LEDGER, Segment

DROPPED = "dropped"
"""The folder of a bucket with the counts of records that a full spool has lost."""

_BEGAN = re.compile(r"(?:edge-|shadow-)?(\d{8}T\d{6})-")


class Mirror:
    """The files of a home and those of a bucket."""

    def __init__(self, home: Path, bucket: Bucket) -> None:
        self._home = home
        self._bucket = bucket
        self._folder = home / "bucket"

    @contextmanager
    def open(self) -> Iterator[dict[str, str]]:
        """Hold the home's lock of its bucket; yield the known files by place, which are stored at the end."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with segments.swapping(self._folder):
            known = self._read()
            try:
                yield known
            finally:
                document = json.dumps({"url": self._bucket.url, "files": known})
                segments.write_private(self._folder / ".part-known", document.encode())
                (self._folder / ".part-known").replace(self._folder / "known.json")

    def upload(self, known: dict[str, str], *, spool: bool = False) -> int:
        """Upload the compacted files that are only here; return their number. ``spool``: they are removed then."""
        count = 0
        for segment in closed_files(self._home):
            place = place_in_bucket(str(segment.path.relative_to(self._home)))
            if place is None:
                continue
            if place not in known:
                try:
                    known[place] = self._bucket.put(segment.path, place)
                except StoreError:
                    if segment.path.exists():
                        raise
                    continue  # the limits removed it meanwhile
                count += 1
            if spool:
                with segments.swapping(guard_of(self._home, segment.path)):
                    segment.path.unlink(missing_ok=True)
                del known[place]  # its name never comes back
        return count

    def download(self, known: dict[str, str], folders: Iterable[str]) -> int:
        """Bring the files below these folders of the bucket here; return the number of changes."""
        changes = 0
        for folder in folders:
            there = {place: mark for place, mark in self._bucket.find(folder).items() if place_in_home(place)}
            for place, mark in sorted(there.items()):
                if known.get(place) == mark:
                    continue
                local = self._local(place)
                if place not in known and local.exists():  # an upload was killed before it was noted
                    known[place] = mark
                elif (place in known and not local.exists()) or self._place(place, local):
                    known[place] = mark
                    changes += 1
            gone = [place for place in known if place.startswith(f"{folder}/") and place not in there]
            if gone:
                self._bucket.require()
            for place in gone:
                with segments.swapping(guard_of(self._home, self._local(place))):
                    self._local(place).unlink(missing_ok=True)
                del known[place]
                changes += 1
        return changes

    def upload_losses(self) -> None:
        """Upload how many lines this machine's limits removed before they were uploaded."""
        for endpoint in segments.endpoints(self._home):
            lost = segments.removed(segments.data_folder(self._home, endpoint))
            if lost.count:
                note = self._folder / f"{endpoint}.json"
                document = json.dumps({"count": lost.count, "until": lost.until}).encode()
                if not note.exists() or note.read_bytes() != document:
                    segments.write_private(note, document)
                    try:
                        self._bucket.put(note, f"{DROPPED}/endpoint={endpoint}/{socket.gethostname()}.json")
                    except StoreError:
                        note.unlink()
                        raise

    def _place(self, place: str, local: Path) -> bool:
        """Download a file to its path here; False: it is gone by now."""
        incoming = self._folder / f".incoming-{local.name}"
        incoming.unlink(missing_ok=True)
        if not self._bucket.get(place, incoming):
            return False
        incoming.chmod(0o600)
        latest = _last_line(incoming) if local.suffix == ".parquet" else None
        if latest:
            os.utime(incoming, (latest, latest))
        local.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        segments.fsync(incoming)
        with segments.swapping(guard_of(self._home, local)):
            incoming.replace(local)
        return True

    def _local(self, place: str) -> Path:
        return self._home / str(place_in_home(place))

    def _read(self) -> dict[str, str]:
        try:
            document = json.loads((self._folder / "known.json").read_text())
        except (OSError, ValueError):
            return {}
        # Another bucket gets everything.
        return dict(document["files"]) if document.get("url") == self._bucket.url else {}


class BucketOfHome:
    """The bucket that a home's readers mirror; ``url`` None: there is none, and nothing is done.

    A long-lived process looks at the bucket at most every ``seconds``.
    """

    def __init__(self, home: Path, url: str | None, *, seconds: float = 5.0) -> None:
        self.url = url
        self._home = home
        self._seconds = seconds
        self._looked: dict[str, float] = {}

    def refresh(self, endpoint: str) -> None:
        """Bring an endpoint's new records, feedback and ledger from the bucket.

        Raises
        ------
        StoreError
            The bucket cannot be read: figures without its records would be wrong.
        """
        if self.url is None or time.monotonic() < self._looked.get(endpoint, -self._seconds) + self._seconds:
            return
        from jupyter_deploy.domain.capture.artifacts import checked_name  # the archivist stays small

        mirror = Mirror(self._home, Bucket(self.url))
        with mirror.open() as known:
            mirror.download(known, prefixes(checked_name(endpoint)))
        self._looked[endpoint] = time.monotonic()


@dataclass(frozen=True)
class Uploads:
    """Where closed files go.

    ``close_after``: seconds after which a segment is closed. ``spool``: what is uploaded is removed here. ``admin``:
    the admin socket of the gateway whose ledger is here (default: that of the home's gateway).
    """

    url: str
    close_after: float = 300.0
    spool: bool = False
    admin: str | None = None


def ship(home: Path, uploads: Uploads) -> int:
    """Upload the closed files of a home; return their number.

    Raises
    ------
    StoreError
        The bucket cannot be written; what is uploaded so far is noted.
    """
    made = Mirror(home, Bucket(uploads.url))
    with made.open() as known:
        count = made.upload(known, spool=uploads.spool)
        if uploads.spool:
            made.upload_losses()
        return count


def due(home: Path, uploads: Uploads) -> bool:
    """Return whether a segment is open for too long, or a closed file is not uploaded."""
    return bool(overdue(home, uploads.close_after) or left(home))


def left(home: Path) -> bool:
    """Return whether a compacted file, or a log of the gateway, is not uploaded."""
    try:
        known = json.loads((home / "bucket" / "known.json").read_text())["files"]
    except (OSError, ValueError, KeyError):
        known = {}
    places = (place_in_bucket(str(segment.path.relative_to(home))) for segment in closed_files(home))
    return any(place and place not in known for place in places)


def overdue(home: Path, every: float) -> list[Segment]:
    """Return the segments that began so many seconds ago and are still open."""
    began = datetime.fromtimestamp(time.time() - every, UTC)
    return [
        segment
        for folder in segments.folders_of_segments(home)
        for segment in segments.segments_in(folder)
        if segment.form == "jsonl" and began_at(segment) <= began and not segments.is_closed(segment)
    ]


def began_at(segment: Segment) -> datetime:
    """Return when a segment began, by its name; long ago if its name does not say."""
    match = _BEGAN.match(segment.stem)
    if match is None:
        return datetime.fromtimestamp(0, UTC)
    return datetime.strptime(match[1], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)


def closed_files(home: Path) -> list[Segment]:
    """Return the compacted files of a home, and their unreadable lines."""
    found = [
        segment
        for folder in (*segments.folders_of_segments(home), home / LEDGER)
        for segment in segments.segments_in(folder)
    ]
    closed = [segment for segment in found if segment.form != "jsonl"]
    # A segment without its Parquet file takes its unreadable lines with it: these come first.
    return sorted(closed, key=lambda segment: segment.form == "parquet")


def guard_of(home: Path, path: Path) -> Path:
    """Return the folder whose lock guards the readers of a file."""
    kind, *rest = path.relative_to(home).parts
    return home / kind if kind == LEDGER else home / kind / rest[0]


def _last_line(path: Path) -> float | None:
    """Return the time of a file's last line, which is the file's time for readers of a period.

    Raises
    ------
    StoreError
        It is no Parquet file.
    """
    from .records import database, fetch_rows, quoted

    with database() as connection:
        query = f"SELECT epoch_ns(max(ts))::DOUBLE / 1e9 FROM read_parquet({quoted(str(path))})"
        ((latest,),) = fetch_rows(connection, query)
    return None if latest is None else float(latest)
