"""Endpoints, their history and the trusted snapshots, in one SQLite file."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from jupyter_deploy.domain.artifacts import Snapshot
from jupyter_deploy.domain.base import Value, now
from jupyter_deploy.domain.endpoint import Endpoint, Release, Revision
from jupyter_deploy.domain.errors import Conflict

from .database import Database
from .filesystem import require_writable

V = TypeVar("V", bound=Value)


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
        self._home = home
        self._database = Database(home / "state.sqlite")
        self._user = user

    def check(self) -> None:
        """Raise StoreError, before slow work, if nothing could be written here; makes nothing."""
        require_writable(self._home)

    def endpoints(self) -> list[Endpoint]:
        with self._database.reading() as db:
            rows = db.execute("SELECT name, state FROM endpoints ORDER BY name").fetchall() if db else []
        return [self._parsed(Endpoint, state, f"endpoint {name}") for name, state in rows]

    def endpoint(self, name: str) -> Endpoint | None:
        with self._database.reading() as db:
            row = db.execute("SELECT state FROM endpoints WHERE name = ?", (name,)).fetchone() if db else None
        return self._parsed(Endpoint, row[0], f"endpoint {name}") if row else None

    def save(self, endpoint: Endpoint, *, based_on: int, reason: str, change: str) -> None:
        state = endpoint.model_dump_json()
        with self._database.writing() as db:
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
        self._database.copy()

    def history(self, name: str) -> list[Revision]:
        with self._database.reading() as db:
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
                state=self._parsed(Endpoint, state, f"revision {revision} of {name}"),
            )
            for revision, at, by, reason, change, state in rows
        ]

    def remember(self, snapshot: Snapshot) -> None:
        with self._database.writing() as db:
            db.execute(
                "INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?)",
                (snapshot.tag, snapshot.digest, snapshot.model_dump_json()),
            )

    def remembered(self, tag: str) -> Snapshot | None:
        with self._database.reading() as db:
            row = db.execute("SELECT document FROM snapshots WHERE tag = ?", (tag,)).fetchone() if db else None
        return self._parsed(Snapshot, row[0], f"snapshot {tag}") if row else None

    def intend(self, release: Release) -> None:
        pid = os.getpid()
        with self._database.writing() as db:
            db.execute(
                "INSERT OR REPLACE INTO intents VALUES (?, ?, ?, ?, ?)",
                (release.endpoint, release.tag, pid, _born(pid), release.model_dump_json()),
            )

    def fulfil(self, release: Release) -> None:
        key = (release.endpoint, release.tag)
        with self._database.writing() as db:
            rows = db.execute("SELECT pid, born FROM intents WHERE endpoint = ? AND tag = ?", key).fetchall()
            for pid, born in rows:
                if pid == os.getpid() or not born or _born(pid) != born:
                    db.execute("DELETE FROM intents WHERE endpoint = ? AND tag = ? AND pid = ?", (*key, pid))

    def intended(self) -> list[Release]:
        return [release for release, pid, alive in self._intents() if alive and pid != os.getpid()]

    def abandoned(self) -> list[Release]:
        found = self._intents()
        busy = {(release.endpoint, release.tag) for release, _, alive in found if alive}
        gone = {(release.endpoint, release.tag): release for release, _, alive in found if not alive}
        return [release for key, release in gone.items() if key not in busy]

    def exclusive(self, name: str) -> AbstractContextManager[None]:
        return self._database.lock(name)

    def _intents(self) -> list[tuple[Release, int, bool]]:
        """Each with its process and whether that is still there."""
        with self._database.reading() as db:
            rows = db.execute("SELECT pid, born, document FROM intents").fetchall() if db else []
        return [
            (self._parsed(Release, document, "an intent"), pid, bool(born) and _born(pid) == born)
            for pid, born, document in rows
        ]

    def _parsed(self, kind: type[V], document: str, what: str) -> V:
        try:
            return kind.model_validate_json(document)
        except ValidationError as error:
            found = error.errors()[0]
            raise self._database.damaged(f"{what} cannot be read ({found['loc']}: {found['msg']})") from error


def _born(pid: int) -> str:
    """What tells a process from a later one with the same id; empty: it has gone.

    The boot and the kernel's ticks since then: a clock that is set does not change them, unlike a time of creation.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "" if Path("/proc/self/stat").exists() else _born_elsewhere(pid)
    return "" if fields[0] in "ZX" else f"{boot} {fields[19]}"  # 22 of proc(5), counted from the third


def _born_elsewhere(pid: int) -> str:
    import psutil  # noqa: PLC0415 - only where there is no /proc (macOS, whose kernel notes the time once)

    try:
        return str(psutil.Process(pid).create_time())
    except psutil.Error:
        return ""
