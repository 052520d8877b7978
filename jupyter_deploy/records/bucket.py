"""A bucket, by fsspec: S3, Google Cloud Storage, Azure, or a shared folder."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from jupyter_deploy.domain.bucket import EXTRAS
from jupyter_deploy.domain.errors import StoreError

from . import segments

LOCK = "purge.lock"
_LOCK_SECONDS = 900.0
"""A lock that is so old belongs to a purge that was killed; a running one renews it."""

_RENEW_SECONDS = 60.0
_LOCK_WAIT_SECONDS = 60.0

_UNCACHED: dict[str, Any] = {"use_listings_cache": False, "skip_instance_cache": True}
_OPTIONS: dict[str, dict[str, Any]] = {
    "file": {},
    # A bucket that is away is reported, and asked again at the next pass.
    "s3": _UNCACHED | {"config_kwargs": {"connect_timeout": 5, "read_timeout": 30, "retries": {"max_attempts": 2}}},
}


class Bucket:
    """The files below a URL, by their places there.

    An object is whole or absent: object stores guarantee it, and a shared folder gets it by renames.

    Raises
    ------
    StoreError
        (all methods) The bucket cannot be reached, or this user may not do it.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        scheme, _, self._root = self.url.partition("://")
        self._folder = Path(self._root) if scheme == "file" else None
        try:
            import fsspec

            with self._faults():
                self._files = fsspec.filesystem(scheme, **_OPTIONS.get(scheme, _UNCACHED))
        except ImportError as error:
            raise StoreError(
                f"{scheme}:// needs a package that is not installed",
                f"pip install 'nbdeploy[{EXTRAS[scheme]}]'",
                str(error),
            ) from error

    def find(self, prefix: str) -> dict[str, str]:
        """Return the files below a folder by place, each with a text that changes with its content."""
        with self._faults():
            try:
                found = self._files.find(self._path(prefix), detail=True)
            except FileNotFoundError:
                if self._folder is None and not self._files.exists(self._root.partition("/")[0]):
                    raise  # a bucket that is not there is not an empty one
                return {}
        places = {path[len(self._root) + 1 :]: _fingerprint(about) for path, about in found.items()}
        return {place: mark for place, mark in places.items() if not place.rpartition("/")[2].startswith(".")}

    def require(self) -> None:
        """Raise StoreError if the shared folder is not there, such as one that is not mounted."""
        if self._folder is not None and not self._folder.is_dir():
            raise StoreError(f"there is no folder {self._folder}", "mount it, or name another one: NBDEPLOY_RECORDS_TO")

    def put(self, local: Path, place: str) -> str:
        """Upload a file, over another of that place; return its ``find`` text."""
        target = self._path(place)
        with self._faults():
            if self._folder is not None:
                path = Path(target)
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                part = path.with_name(f".part-{os.getpid()}-{path.name}")
                segments.write_private(part, local.read_bytes())
                segments.fsync(part)
                part.replace(path)
            else:
                self._files.put_file(str(local), target)
            return _fingerprint(self._files.info(target))

    def get(self, place: str, local: Path) -> bool:
        """Download a file; False: it is gone."""
        with self._faults():
            try:
                self._files.get_file(self._path(place), str(local))
            except FileNotFoundError:
                return False
        return True

    def remove(self, place: str) -> None:
        """Remove a file; none is no error."""
        with self._faults(), suppress(FileNotFoundError):
            self._files.rm_file(self._path(place))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the bucket's only lock: two purges at once would undo each other's rewritten files."""
        end = time.monotonic() + _LOCK_WAIT_SECONDS
        while not self._lock():
            if time.monotonic() > end:
                raise StoreError(f"another purge of {self.url} runs", "try again when it has ended")
            time.sleep(0.5)
        ended = threading.Event()
        keeper = threading.Thread(target=self._renew, args=(ended,), daemon=True)
        keeper.start()
        try:
            yield
        finally:
            ended.set()
            keeper.join()
            self.remove(LOCK)

    def _renew(self, ended: threading.Event) -> None:
        """Write the lock again until the event, so that it does not grow old."""
        while not ended.wait(_RENEW_SECONDS):
            with suppress(StoreError), self._faults():
                self._files.pipe_file(self._path(LOCK), _holder())

    def _lock(self) -> bool:
        target = self._path(LOCK)
        with self._faults():
            if self._folder is not None:
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                self._files.pipe_file(target, _holder(), mode="create")
            except FileExistsError:
                with suppress(FileNotFoundError, ValueError, KeyError):
                    if time.time() - float(json.loads(self._files.cat_file(target))["at"]) > _LOCK_SECONDS:
                        self._files.rm_file(target)
                return False
        return True

    def _path(self, place: str) -> str:
        return f"{self._root}/{place}" if place else self._root

    @contextmanager
    def _faults(self) -> Iterator[None]:
        """Turn the errors of the file systems' libraries, which have no common class, into a StoreError."""
        try:
            yield
        except ImportError:
            raise
        except Exception as error:
            raise StoreError(
                f"{self.url} cannot be used",
                "check that it exists, that it can be reached, and that this user may list, read and write there",
                f"{type(error).__name__}: {error}",
            ) from error


def _holder() -> bytes:
    """The content of a lock of this process."""
    return json.dumps({"host": socket.gethostname(), "pid": os.getpid(), "at": time.time()}).encode()


def _fingerprint(about: dict[str, Any]) -> str:
    mark = about.get("ETag") or about.get("etag") or about.get("md5Hash")
    return str(mark or f"{about.get('ino', '')}-{about.get('mtime', '')}").strip('"') + f"-{about['size']}"
