"""Endpoints, their history and trusted snapshots, in one SQLite file."""

from __future__ import annotations

import json
import logging
import os
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from jupyter_deploy.domain.base import Value, now
from jupyter_deploy.domain.capture.artifacts import Snapshot
from jupyter_deploy.domain.capture.signature import Signature
from jupyter_deploy.domain.deletion import Deletion, UnusedSnapshot
from jupyter_deploy.domain.errors import Conflict
from jupyter_deploy.domain.images.images import Publication
from jupyter_deploy.domain.ramp.status import Look
from jupyter_deploy.domain.release.endpoint import Endpoint, Release, Revision
from jupyter_deploy.domain.validation.validation import Validation
from jupyter_deploy.system.filesystem import require_writable
from jupyter_deploy.system.processes import is_alive, process_mark, register
from jupyter_deploy.system.reference_sketches import sketch_of

from .attempts import Attempts, attempts, put_attempts
from .database import Database

if TYPE_CHECKING:
    from jupyter_deploy.domain.drift.sketch import ReferenceSketch

V = TypeVar("V", bound=Value)

_DELETED = "deleted:"
"""The keys of deletions in the table ``meta``."""

_RAMP = "ramp:"
"""The keys of the latest looks at ramps in the table ``meta``."""

_log = logging.getLogger(__name__)


class SqliteStore:
    """The Store port over ``<home>/state.sqlite`` (0600).

    Parameters
    ----------
    home : Path
        Created with mode 0700 at the first write.
    user : str
        The author of changes in the history.
    """

    def __init__(self, home: Path, user: str) -> None:
        self._home = home
        self._database = Database(home / "state.sqlite")
        self._user = user
        self._unreadable: set[str] = set()

    def check(self) -> None:
        """Raise StoreError, before slow work, if the store is not writable; create nothing."""
        require_writable(self._home)

    def endpoints(self) -> list[Endpoint]:
        with self._database.reading() as db:
            rows = db.execute("SELECT name, state FROM endpoints ORDER BY name").fetchall() if db else []
        return [self._parsed(Endpoint, state, f"endpoint {name}") for name, state in rows]

    def revisions(self) -> dict[str, int]:
        with self._database.reading() as db:
            return dict(db.execute("SELECT name, revision FROM endpoints ORDER BY name").fetchall()) if db else {}

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
                    f"check 'nbdeploy describe {endpoint.name}' and repeat the change if it still applies",
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

    def changed(self) -> dict[str, datetime]:
        query = "SELECT name, at FROM endpoints e JOIN revisions r ON r.endpoint = e.name AND r.revision = e.revision"
        with self._database.reading() as db:
            rows = db.execute(query).fetchall() if db else []
        return {name: datetime.fromisoformat(at) for name, at in rows}

    def history(self, name: str, limit: int | None = None) -> list[Revision]:
        query = "SELECT revision, at, by, reason, change, state FROM revisions WHERE endpoint = ? ORDER BY 1 DESC"
        with self._database.reading() as db:
            rows = db.execute(f"{query} LIMIT ?", (name, -1 if limit is None else limit)).fetchall() if db else []
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

    def adopt(self, target: str, histories: Mapping[str, Sequence[Revision]]) -> None:
        """Make the endpoints of a target these, with their revisions; an endpoint of another target hides its name."""
        states = {name: revisions[0].state.model_dump_json() for name, revisions in histories.items()}
        with self._database.reading() as db:
            rows = db.execute("SELECT name, state FROM endpoints").fetchall() if db else []
        known = {name: json.loads(state).get("target", "local") for name, state in rows}
        wanted = {name: state for name, state in states.items() if known.get(name, target) == target}
        if {name: state for name, state in rows if known[name] == target} == wanted:
            return
        with self._database.writing() as db:
            rows = db.execute("SELECT name, state FROM endpoints").fetchall()  # another process may have saved one
            known = {name: json.loads(state).get("target", "local") for name, state in rows}
            wanted = {name: state for name, state in states.items() if known.get(name, target) == target}
            for name in {name for name, its in known.items() if its == target} | wanted.keys():
                db.execute("DELETE FROM endpoints WHERE name = ?", (name,))
                db.execute("DELETE FROM revisions WHERE endpoint = ?", (name,))
            for name, state in wanted.items():
                revisions = histories[name]
                db.execute("INSERT INTO endpoints VALUES (?, ?, ?)", (name, revisions[0].revision, state))
                db.executemany(
                    "INSERT INTO revisions VALUES (?, ?, ?, ?, ?, ?, ?)",
                    [
                        (
                            name,
                            one.revision,
                            one.at.isoformat(),
                            one.by,
                            one.reason,
                            one.change,
                            one.state.model_dump_json(),
                        )
                        for one in revisions
                    ],
                )
        self._database.copy()

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

    def signature(self, tag: str) -> Signature | None:
        snapshot = self.remembered(tag)
        return snapshot.manifest.signature if snapshot else None

    def sketch(self, tag: str) -> ReferenceSketch | None:
        snapshot = self.remembered(tag)
        return sketch_of(snapshot) if snapshot else None

    def intend(self, *releases: Release) -> None:
        me = os.getpid(), register(self._home, os.getpid())
        rows = [(one.endpoint, one.tag, *me, one.model_dump_json()) for one in releases]
        with self._database.writing() as db:  # one transaction, since each waits for the disk
            for name in {one.endpoint for one in releases}:
                self._require_deleted_wholly(db, name)
            db.executemany("INSERT OR REPLACE INTO intents VALUES (?, ?, ?, ?, ?)", rows)

    def _require_deleted_wholly(self, db: sqlite3.Connection, name: str) -> None:
        row = db.execute("SELECT value FROM meta WHERE key = ?", (_DELETED + name,)).fetchone()
        if row and not self._parsed(Deletion, row[0], f"the deletion of {name}").complete:
            raise Conflict(
                f"the deletion of the former endpoint {name} is not complete",
                f"'nbdeploy delete {name} --yes' completes it; then deploy again",
            )

    def fulfil(self, *releases: Release) -> None:
        me = _me()
        with self._database.writing() as db:
            for key in ((release.endpoint, release.tag) for release in releases):
                rows = db.execute("SELECT pid, born FROM intents WHERE endpoint = ? AND tag = ?", key).fetchall()
                for pid, at in rows:
                    if (pid, at) == me or not is_alive(self._home, pid, at):
                        db.execute("DELETE FROM intents WHERE endpoint = ? AND tag = ? AND pid = ?", (*key, pid))

    def intended(self) -> list[Release]:
        me = _me()
        return [release for release, owner, alive in self._intents() if alive and owner != me]

    def abandoned(self) -> list[Release]:
        intents = self._intents()
        busy = {(release.endpoint, release.tag) for release, _, alive in intents if alive}
        gone = {(release.endpoint, release.tag): release for release, _, alive in intents if not alive}
        return [release for key, release in gone.items() if key not in busy]

    def keep_validation(self, validation: Validation) -> None:
        known = (validation.id, validation.endpoint, validation.snapshot, validation.at.isoformat())
        with self._database.writing() as db:
            db.execute(
                "INSERT OR REPLACE INTO validations VALUES (?, ?, ?, ?, ?)", (*known, validation.model_dump_json())
            )

    def validations(
        self, *, endpoint: str | None = None, ids: Collection[str] | None = None, limit: int | None = None
    ) -> list[Validation]:
        query = (
            "SELECT id, document FROM validations WHERE (?1 IS NULL OR endpoint = ?1) "
            "AND (?2 IS NULL OR id IN (SELECT value FROM json_each(?2))) ORDER BY at DESC LIMIT ?3"
        )
        id_list = None if ids is None else json.dumps(sorted(ids))
        with self._database.reading() as db:
            rows = db.execute(query, (endpoint, id_list, -1 if limit is None else limit)).fetchall() if db else []
        validations = [self._readable(name, document) for name, document in rows]
        return [validation for validation in validations if validation is not None]

    def begin_attempts(self, evidence: Mapping[str, str]) -> dict[str, int]:
        numbers = {}
        with self._database.writing() as db:
            for key, digest in evidence.items():
                known = attempts(db, key)
                if digest not in known.open and digest not in known.passed:
                    known.open[digest] = len(known.open) + 1
                    put_attempts(db, key, known)
                numbers[key] = known.open.get(digest) or known.passed[digest]
        return numbers

    def pass_attempts(self, evidence: Mapping[str, str]) -> None:
        with self._database.writing() as db:
            for key, digest in evidence.items():
                known = attempts(db, key)
                if digest in known.open:
                    put_attempts(db, key, Attempts({}, {digest: known.open[digest]}))

    def keep_publication(self, publication: Publication) -> None:
        known = (publication.reference, publication.endpoint, publication.published_at.isoformat())
        with self._database.writing() as db:
            db.execute(
                "INSERT OR REPLACE INTO publications VALUES (?, ?, ?, ?)", (*known, publication.model_dump_json())
            )
        self._database.copy()

    def publications(self, *, endpoint: str | None = None) -> list[Publication]:
        query = (
            "SELECT reference, document FROM publications WHERE ?1 IS NULL OR endpoint = ?1 ORDER BY at DESC, reference"
        )
        with self._database.reading() as db:
            rows = db.execute(query, (endpoint,)).fetchall() if db else []
        return [self._parsed(Publication, document, f"the publication {reference}") for reference, document in rows]

    def ramp_look(self, name: str) -> Look | None:
        with self._database.reading() as db:
            row = db.execute("SELECT value FROM meta WHERE key = ?", (_RAMP + name,)).fetchone() if db else None
        return self._parsed(Look, row[0], f"the latest look at the ramp of {name}") if row else None

    def keep_ramp_look(self, name: str, look: Look) -> None:
        with self._database.writing() as db:
            db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_RAMP + name, look.model_dump_json()))

    def deletion_of(self, endpoint: Endpoint) -> Deletion:
        releases = {r.tag: r for revision in self.history(endpoint.name) for r in revision.state.releases}
        former = self.deletion(endpoint.name)
        snapshots = {one.tag: one for one in (former.snapshots if former else ())}
        snapshots |= {
            tag: UnusedSnapshot(tag=tag, snapshot=release.snapshot_path, bento=release.path)
            for tag, release in releases.items()
        }
        return Deletion(
            endpoint=endpoint.name,
            target=endpoint.target,
            at=now(),
            by=self._user,
            tags=tuple(releases),
            revisions=endpoint.revision,
            validations=tuple(one.id for one in self.validations(endpoint=endpoint.name)),
            snapshots=tuple(snapshots.values()),
        )

    def delete(self, endpoint: Endpoint, *, reason: str, keep_records: bool) -> Deletion:
        name = endpoint.name
        if any(release.endpoint == name for release in self.intended()):
            raise Conflict(f"another process deploys to {name}", "wait until it has ended, then delete again")
        deletion = self.deletion_of(endpoint).model_copy(update={"reason": reason, "keep_records": keep_records})
        with self._database.writing() as db:
            (revision,) = db.execute("SELECT max(revision) FROM revisions WHERE endpoint = ?", (name,)).fetchone()
            if revision not in (endpoint.revision, endpoint.revision + 1):  # the latter: stopped to be deleted
                raise Conflict(f"{name} is at revision {revision} by now", "delete again if it still applies")
            self._put(db, deletion)
            db.execute("DELETE FROM endpoints WHERE name = ?", (name,))
            db.execute("DELETE FROM revisions WHERE endpoint = ?", (name,))
            db.execute("DELETE FROM validations WHERE endpoint = ?", (name,))
            db.execute("DELETE FROM intents WHERE endpoint = ?", (name,))
            db.execute("DELETE FROM meta WHERE key = ?", (_RAMP + name,))
        self._database.copy()
        return deletion

    def deletion(self, name: str) -> Deletion | None:
        with self._database.reading() as db:
            row = db.execute("SELECT value FROM meta WHERE key = ?", (_DELETED + name,)).fetchone() if db else None
        return self._parsed(Deletion, row[0], f"the deletion of {name}") if row else None

    def deletions(self) -> list[Deletion]:
        with self._database.reading() as db:
            query = "SELECT value FROM meta WHERE key GLOB ? ORDER BY key"
            rows = db.execute(query, (f"{_DELETED}*",)).fetchall() if db else []
        return [self._parsed(Deletion, row[0], "a deletion") for row in rows]

    def keep_deletion(self, deletion: Deletion) -> None:
        with self._database.writing() as db:
            self._put(db, deletion)
        self._database.copy()

    def forget(self, tag: str) -> None:
        with self._database.writing() as db:
            db.execute("DELETE FROM snapshots WHERE tag = ?", (tag,))

    def _put(self, db: sqlite3.Connection, deletion: Deletion) -> None:
        known = (_DELETED + deletion.endpoint, deletion.model_dump_json())
        db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", known)

    def exclusive(self, name: str) -> AbstractContextManager[None]:
        return self._database.lock(name)

    def _intents(self) -> list[tuple[Release, tuple[int, str], bool]]:
        """Return each intent with its process and whether that is alive."""
        with self._database.reading() as db:
            rows = db.execute("SELECT pid, born, document FROM intents").fetchall() if db else []
        return [
            (self._parsed(Release, document, "an intent"), (pid, at), is_alive(self._home, pid, at))
            for pid, at, document in rows
        ]

    def _readable(self, name: str, document: str) -> Validation | None:
        """Parse a validation; None, with one warning, if it cannot be read, since it can be run again."""
        try:
            return Validation.model_validate_json(document)
        except ValidationError as error:
            if name not in self._unreadable:
                self._unreadable.add(name)
                first = error.errors()[0]
                _log.warning("the validation %s is skipped: %s: %s", name, first["loc"], first["msg"])
            return None

    def _parsed(self, kind: type[V], document: str, what: str) -> V:
        try:
            return kind.model_validate_json(document)
        except ValidationError as error:
            first = error.errors()[0]
            raise self._database.damaged(f"{what} cannot be read ({first['loc']}: {first['msg']})") from error


def _me() -> tuple[int, str]:
    """Return the identity of this process in an intent."""
    return os.getpid(), process_mark(os.getpid())
