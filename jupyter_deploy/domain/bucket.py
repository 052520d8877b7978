"""The bucket that records are uploaded to: its URL, and the places of files in it. Pure.

    records/endpoint=churn/release=1a2b3c/date=2026-12-01/20261201T101500-7-0badcafe.v1.parquet
    feedback/endpoint=churn/date=2026-12-01/20261201T101500-7-0badcafe.v1.parquet
    ledger/date=2026-12-01/edge-20261201T101500-0badcafe.v1.parquet
    records/endpoint=churn/release=1a2b3c/purged.json

These are Hive partitions, which query engines read. The date is that of a file's first line.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from .errors import InvalidInput

EXTRAS = {"s3": "s3", "gs": "gcs", "az": "azure", "abfs": "azure", "file": ""}
"""The scheme of a URL, and the extra of nbdeploy that installs what it needs."""

PURGED = "purged.json"
"""A file next to the folders of a release's days: its content changes when a purge removes whole files of them."""

_REMEDY = "write s3://BUCKET/PATH, gs://BUCKET/PATH, az://CONTAINER/PATH, or file:///PATH for a shared folder"

_FILE = r"(?P<file>(?:(?:edge|shadow)-)?(?P<day>\d{8})T\d{6}-[\w-]+\.v\d+\.(?:parquet|rejected))"
_NAME = r"[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?"
_LOCAL = re.compile(
    rf"records/(?P<endpoint>{_NAME})/(?P<release>\w[\w.-]*)/{_FILE}|"
    rf"feedback/(?P<endpoint_>{_NAME})/{_FILE.replace('<file', '<file_').replace('<day', '<day_')}|"
    rf"ledger/{_FILE.replace('<file', '<file__').replace('<day', '<day__')}",
    re.ASCII,
)
_REMOTE = re.compile(r"(records|feedback|ledger)(?:/endpoint=([^/]+))?(?:/release=([^/]+))?/date=[\d-]+/([^/]+)")


def parse_bucket(url: str) -> str:
    """Return the URL of a bucket without a final slash.

    Raises
    ------
    InvalidInput
        It has another scheme, no bucket or relative path, or holds credentials.
    """
    parts = urlsplit(url.strip())
    if parts.scheme not in EXTRAS:
        raise InvalidInput(f"'{parts.scheme or 'a path'}' is not the scheme of a bucket", _REMEDY)
    if parts.username or parts.password or parts.query:
        raise InvalidInput("the URL of a bucket holds credentials", f"the platform's variables name them: {_REMEDY}")
    if (parts.scheme == "file") == bool(parts.netloc) or (parts.scheme == "file" and len(parts.path) < 2):
        raise InvalidInput(f"'{url}' names no bucket", _REMEDY)
    return url.strip().rstrip("/")


def place_in_bucket(local: str) -> str | None:
    """Return the place of a closed file of a home, by its path there; None: it is not uploaded."""
    match = _LOCAL.fullmatch(local)
    if not match:
        return None
    found = {name.rstrip("_"): value for name, value in match.groupdict().items() if value is not None}
    parts = [local.partition("/")[0]]
    parts += [f"{key}={found[key]}" for key in ("endpoint", "release") if key in found]
    day = found["day"]
    return "/".join([*parts, f"date={day[:4]}-{day[4:6]}-{day[6:]}", found["file"]])


def place_in_home(remote: str) -> str | None:
    """Return the path in a home of a file in the bucket; None: nbdeploy has not written it."""
    match = _REMOTE.fullmatch(remote)
    if not match:
        return None
    local = str(PurePosixPath(*(part for part in match.groups() if part)))
    return local if place_in_bucket(local) == remote else None


def prefixes(endpoint: str) -> tuple[str, ...]:
    """Return the folders of the bucket that a reader of an endpoint's records needs."""
    return (f"records/endpoint={endpoint}", f"feedback/endpoint={endpoint}", "ledger")


def purge_mark(remote: str) -> str | None:
    """Return the place that changes when a purge removes this whole file of records; None: it has no records."""
    match = _REMOTE.fullmatch(remote)
    return f"records/endpoint={match[2]}/release={match[3]}/{PURGED}" if match and match[3] else None
