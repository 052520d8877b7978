"""Endpoints, their history and the trusted snapshots, in one SQLite file."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from jupyter_deploy.domain.artifacts import Snapshot
from jupyter_deploy.domain.base import now
from jupyter_deploy.domain.endpoint import Endpoint, Release, Revision
from jupyter_deploy.domain.errors import Conflict, StoreError

SCHEMA_VERSION = 1

_SCHEMA = f"""
CREATE TABLE endpoints (name TEXT PRIMARY KEY, revision INTEGER NOT NULL, state TEXT NOT NULL);
CREATE TABLE revisions (
    endpoint TEXT NOT NULL, revision INTEGER NOT NULL, at TEXT NOT NULL, by TEXT NOT NULL,
    reason TEXT NOT NULL, change TEXT NOT NULL, state TEXT NOT NULL, PRIMARY KEY (endpoint, revision));
CREATE TABLE snapshots (tag TEXT PRIMARY KEY, digest TEXT NOT NULL, document TEXT NOT NULL);
CREATE TABLE intents (
    endpoint TEXT NOT NULL, tag TEXT NOT NULL, pid INTEGER NOT NULL, born REAL NOT NULL, document TEXT NOT NULL,
    PRIMARY KEY (endpoint, tag, pid));
PRAGMA user_version = {SCHEMA_VERSION};
"""


class SqliteStore:
    """The Store port over ``<home>/state.sqlite`` (0600).

    Parameters
    ----------
    home : Path
        Made with mode 0700 at the first write.
    user : str
        Written to the history as who made a change.
    """

    def __init__(self, home: Path, user: str) -> None:
        self._path = home / "state.sqlite"
        self._user = user

    def endpoints(self) -> list[Endpoint]:
        with self._reading() as db:
            rows = db.execute("SELECT state FROM endpoints ORDER BY name").fetchall() if db else []
        return [Endpoint.model_validate_json(state) for (state,) in rows]

    def endpoint(self, name: str) -> Endpoint | None:
        with self._reading() as db:
            row = db.execute("SELECT state FROM endpoints WHERE name = ?", (name,)).fetchone() if db else None
        return Endpoint.model_validate_json(row[0]) if row else None

    def save(self, endpoint: Endpoint, *, based_on: int, reason: str, change: str) -> None:
        state = endpoint.model_dump_json()
        with self._writing() as db:
            row = db.execute("SELECT revision FROM endpoints WHERE name = ?", (endpoint.name,)).fetchone()
            current = row[0] if row else 0
            if current != based_on:
                raise Conflict(
                    f"{endpoint.name} is at revision {current} by now; this change was based on revision {based_on}",
                    f"look at 'nbdeploy describe {endpoint.name}' and, if it is still right, do it again",
                )
            db.execute(
                "INSERT INTO endpoints VALUES (?, ?, ?) "
                "ON CONFLICT (name) DO UPDATE SET revision = excluded.revision, state = excluded.state",
                (endpoint.name, endpoint.revision, state),
            )
            db.execute(
                "INSERT INTO revisions VALUES (?, ?, ?, ?, ?, ?, ?)",
                (endpoint.name, endpoint.revision, now().isoformat(), self._user, reason, change, state),
            )

    def history(self, name: str) -> list[Revision]:
        with self._reading() as db:
            query = "SELECT revision, at, by, reason, change, state FROM revisions WHERE endpoint = ? ORDER BY 1 DESC"
            rows = db.execute(query, (name,)).fetchall() if db else []
        return [
            Revision(
                endpoint=name,
                revision=revision,
                at=at,
                by=by,
                reason=reason,
                change=change,
                state=Endpoint.model_validate_json(state),
            )
            for revision, at, by, reason, change, state in rows
        ]

    def remember(self, snapshot: Snapshot) -> None:
        with self._writing() as db:
            db.execute(
                "INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?)",
                (snapshot.tag, snapshot.digest, snapshot.model_dump_json()),
            )

    def remembered(self, tag: str) -> Snapshot | None:
        with self._reading() as db:
            row = db.execute("SELECT document FROM snapshots WHERE tag = ?", (tag,)).fetchone() if db else None
        return Snapshot.model_validate_json(row[0]) if row else None

    def intend(self, release: Release) -> None:
        pid = os.getpid()
        with self._writing() as db:
            db.execute(
                "INSERT OR REPLACE INTO intents VALUES (?, ?, ?, ?, ?)",
                (release.endpoint, release.tag, pid, _born(pid), release.model_dump_json()),
            )

    def fulfil(self, release: Release) -> None:
        key = (release.endpoint, release.tag)
        with self._writing() as db:
            rows = db.execute("SELECT pid, born FROM intents WHERE endpoint = ? AND tag = ?", key).fetchall()
            for pid, born in rows:
                if pid == os.getpid() or _born(pid) != born:
                    db.execute("DELETE FROM intents WHERE endpoint = ? AND tag = ? AND pid = ?", (*key, pid))

    def intended(self) -> list[Release]:
        return [release for release, pid, alive in self._intents() if alive and pid != os.getpid()]

    def abandoned(self) -> list[Release]:
        found = self._intents()
        busy = {(release.endpoint, release.tag) for release, _, alive in found if alive}
        gone = {(release.endpoint, release.tag): release for release, _, alive in found if not alive}
        return [release for key, release in gone.items() if key not in busy]

    @contextmanager
    def exclusive(self, name: str) -> Iterator[None]:
        self._make_home()
        folder = self._path.parent / "locks"
        try:
            folder.mkdir(exist_ok=True, mode=0o700)
            descriptor = os.open(folder / f"{name}.lock", os.O_CREAT | os.O_RDWR, 0o600)
        except OSError as error:
            raise _unusable(folder, error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)  # gives the lock back, as the end of the process does

    def _intents(self) -> list[tuple[Release, int, bool]]:
        """Each with its process and whether that is still there."""
        with self._reading() as db:
            rows = db.execute("SELECT pid, born, document FROM intents").fetchall() if db else []
        return [(Release.model_validate_json(document), pid, _born(pid) == born) for pid, born, document in rows]

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        """A connection for reading, or None before the first write: looking makes no files."""
        if not self._path.exists():
            yield None
            return
        with self._connection() as db:
            yield db

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction that holds the write lock from its beginning."""
        self._make_home()
        try:
            # SQLite gives its journal files the mode of the database, so this one decision covers all three.
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise _unusable(self._path, error) from error
        with self._connection() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")

    def _make_home(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise _unusable(self._path, error) from error

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            db = sqlite3.connect(self._path, timeout=10, isolation_level=None)
        except sqlite3.Error as error:
            raise _unusable(self._path, error) from error
        try:
            db.execute("PRAGMA synchronous = FULL")
            self._prepare(db)
            yield db
        except sqlite3.Error as error:
            raise _unusable(self._path, error) from error
        finally:
            db.close()

    def _prepare(self, db: sqlite3.Connection) -> None:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"{self._path} was written by a newer nbdeploy (schema {version}, this one knows {SCHEMA_VERSION})",
                "upgrade this nbdeploy, or set NBDEPLOY_HOME to another folder",
            )
        if version == 0:
            with self.exclusive(""):  # of several first writers one makes the tables
                (version,) = db.execute("PRAGMA user_version").fetchone()
                if version == 0:
                    db.execute("PRAGMA journal_mode = WAL")
                    db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")


def _born(pid: int) -> float:
    """When a process began (0: it has gone); together with the pid it names a process for good."""
    try:
        process = psutil.Process(pid)
        # A killed kernel whose parent has not asked for it yet has gone all the same.
        return 0.0 if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except psutil.Error:
        return 0.0


def _unusable(path: Path, error: Exception) -> StoreError:
    return StoreError(
        f"cannot use the store {path}: {error}",
        "check the disk's space and the file's permissions; NBDEPLOY_HOME names another folder",
    )
