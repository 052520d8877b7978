"""A SQLite file, the store's or that of the jobs: opened, checked and copied.

Its journal is a rollback journal, never WAL: that one needs memory shared by all processes (unsafe on a network
file system), cannot be read on a read-only disk, and keeps commits in a second file that is easily lost.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from jupyter_deploy.domain.errors import StoreError
from jupyter_deploy.system.filesystem import network_kind_of, write_obstacle

SCHEMA_VERSION = 1
"""Rises with each change of a table and with each new field of a stored document."""

META = "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)"

_SCHEMA = [
    "CREATE TABLE endpoints (name TEXT PRIMARY KEY, revision INTEGER NOT NULL, state TEXT NOT NULL)",
    """
CREATE TABLE revisions (
    endpoint TEXT NOT NULL, revision INTEGER NOT NULL, at TEXT NOT NULL, by TEXT NOT NULL,
    reason TEXT NOT NULL, change TEXT NOT NULL, state TEXT NOT NULL, PRIMARY KEY (endpoint, revision))
""",
    "CREATE TABLE snapshots (tag TEXT PRIMARY KEY, digest TEXT NOT NULL, document TEXT NOT NULL)",
    """
CREATE TABLE intents (
    endpoint TEXT NOT NULL, tag TEXT NOT NULL, pid INTEGER NOT NULL, born TEXT NOT NULL, document TEXT NOT NULL,
    PRIMARY KEY (endpoint, tag, pid))
""",
    """
CREATE TABLE validations (
    id TEXT PRIMARY KEY, endpoint TEXT, snapshot TEXT, at TEXT NOT NULL, document TEXT NOT NULL)
""",
    """
CREATE TABLE publications (
    reference TEXT PRIMARY KEY, endpoint TEXT, at TEXT NOT NULL, document TEXT NOT NULL)
""",
    META,
]


@dataclass(frozen=True)
class Schema:
    """The content of a database file.

    Attributes
    ----------
    tables
        Statements that create them, including ``META``.
    anew
        The remedy if the file is damaged and has no copy; ``{aside}`` is the command that moves it away.
    """

    version: int
    tables: Sequence[str]
    anew: str


STORE = Schema(SCHEMA_VERSION, _SCHEMA, "Begin anew: nbdeploy down; {aside}; and deploy again")

_SECONDS = 10.0  # timeout for another process's transaction

_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class Database:
    """One database file, in a folder that is created with mode 0700 at the first write.

    Every use opens its own connection; nothing stays open between uses.

    Raises
    ------
    StoreError
        By all methods: the file cannot be read or written, is damaged, or of a newer version; nothing was changed.
    """

    def __init__(self, path: Path, schema: Schema = STORE) -> None:
        self._path = path
        self._schema = schema
        self._copy_path = path.with_name(f"{path.stem}.copy{path.suffix}")
        self._checked = False

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection | None]:
        """Open a connection for reading, or None before the first write: reading creates no files."""
        self._require_not_lost()
        if not self._path.exists():
            yield None
            return
        with self._connection() as db:
            yield db

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Run one transaction that holds the write lock from its beginning."""
        self._require_not_lost()
        self._make_folder()
        try:
            # SQLite gives its journal the mode of the database, so this one decision covers both.
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise self._unusable(error) from error
        with self._connection() as db, _transaction(db):
            yield db

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Hold a lock among all processes; wait for it. The end of the process releases it."""
        self._make_folder()
        folder = self._path.parent / "locks"
        try:
            folder.mkdir(exist_ok=True, mode=0o700)
            descriptor = os.open(folder / f"{name}.lock", os.O_CREAT | os.O_RDWR, 0o600)
        except OSError as error:
            raise self._unusable(error) from error
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            except OSError as error:  # a network file system without locks
                raise self._unusable(error) from error
            yield
        finally:
            os.close(descriptor)

    def copy(self) -> None:
        """Store a copy of the current state. A full disk is not an error: the change itself is already written."""
        with contextlib.suppress(OSError, sqlite3.Error, StoreError), self.lock(""):
            self._copy_to(self._copy_path)

    def _copy_to(self, to: Path) -> None:
        """Copy the committed state and check the copy; the caller holds the lock ``""``."""
        part = to.with_name(f"{to.name}.part")
        try:
            part.unlink(missing_ok=True)
            os.close(os.open(part, os.O_CREAT | os.O_RDWR, 0o600))
            with (
                contextlib.closing(sqlite3.connect(self._path, timeout=_SECONDS)) as source,
                contextlib.closing(sqlite3.connect(part)) as target,
            ):
                target.execute("PRAGMA journal_mode = OFF")
                source.backup(target)
                _check(target)
            with part.open("rb") as file:
                os.fsync(file.fileno())
            part.replace(to)
        finally:
            part.unlink(missing_ok=True)

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            with contextlib.closing(sqlite3.connect(self._path, timeout=_SECONDS, isolation_level=None)) as db:
                db.execute("PRAGMA synchronous = EXTRA")
                self._prepare(db)
                yield db
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:  # the low byte is the primary code
                raise self.damaged(error) from error
            raise self._unusable(error) from error

    def _prepare(self, db: sqlite3.Connection) -> None:
        version = self._version(db)
        if version == 0:
            with self.lock(""):  # one of several first writers creates the tables
                if self._version(db) == 0:
                    with _transaction(db):
                        self._make(db)
        if not self._checked:
            _check(db)
            self._checked = True

    def _version(self, db: sqlite3.Connection) -> int:
        # One statement, since another process may be creating the tables.
        query = "SELECT user_version, (SELECT count(*) FROM sqlite_schema) FROM pragma_user_version"
        version, tables = db.execute(query).fetchone()
        if version > self._schema.version:
            (made_by,) = db.execute("SELECT value FROM meta WHERE key = 'made_by'").fetchone()
            raise StoreError(
                f"{self._path} was written by nbdeploy {made_by}, which is newer "
                f"(schema {version}; this is {_this_version()} with schema {self._schema.version})",
                "upgrade this nbdeploy (and restart a kernel that has loaded it), "
                "or set NBDEPLOY_HOME to another folder",
            )
        if version < 0 or bool(version) != bool(tables):
            raise self.damaged("its tables are not nbdeploy's")
        return int(version)

    def _make(self, db: sqlite3.Connection) -> None:
        for statement in self._schema.tables:
            db.execute(statement)
        db.execute("INSERT INTO meta VALUES ('made_by', ?)", (_this_version(),))
        db.execute(f"PRAGMA user_version = {self._schema.version}")

    def _make_folder(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise self._unusable(error) from error

    def _require_not_lost(self) -> None:
        """Raise if the store is missing or empty but has a copy: a new store would lose the copy's content."""
        try:
            lost = self._path.stat().st_size == 0
        except FileNotFoundError:
            lost = True
        except OSError as error:
            raise self._unusable(error) from error
        if lost and self._copy_path.exists():
            raise self.damaged("it is missing or empty, but a copy exists")

    def damaged(self, why: object) -> StoreError:
        """Return the error for a damaged file, with the commands that restore it."""
        folder, name = shlex.quote(str(self._path.parent)), self._path.name
        aside = f"cd {folder} && mkdir -p broken && mv -f {name}* broken/"
        if self._copy_path.exists():
            remedy = f"restore the copy of the last change: {aside}; cp {self._copy_path.name} {name} && "
            remedy += "nbdeploy reconcile"
        else:
            remedy = f"there is no copy. {self._schema.anew.format(aside=aside)}"
        return StoreError(f"the store {self._path} is damaged: {why}. Nothing was changed", remedy)

    def _unusable(self, why: object) -> StoreError:
        reason = write_obstacle(self._path.parent)
        kind = network_kind_of(self._path.parent)
        where = f" ({reason})" if reason else ""
        where += f" (on {kind}, a network file system: are its locks switched on?)" if kind else ""
        return StoreError(
            f"cannot use the store {self._path}: {why}{where}",
            "check the disk's space and the file's permissions; NBDEPLOY_HOME names another folder",
        )


def _this_version() -> str:
    from importlib import metadata  # noqa: PLC0415 - rarely needed, and some milliseconds

    return metadata.version("nbdeploy")


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # SQLite ends it after some errors, such as a full disk
            db.execute("ROLLBACK")
        raise


def _check(db: sqlite3.Connection) -> None:
    """Read the whole file and raise an error if it is damaged."""
    (result,) = db.execute("PRAGMA quick_check(1)").fetchone()
    if result != "ok":
        error = sqlite3.DatabaseError(result.replace("*** ", "").replace("\n", " "))
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error
