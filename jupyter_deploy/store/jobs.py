"""Jobs and their events, in one SQLite file that the server, kernels and job processes write."""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from jupyter_deploy.domain.base import now
from jupyter_deploy.domain.errors import Conflict, UnknownJob
from jupyter_deploy.domain.jobs import (
    ASKED_WITHIN,
    ENDED,
    KEPT,
    WAITS_AT_MOST,
    Job,
    JobEvent,
    JobState,
    Problem,
    gone,
    log_within,
    shown_request,
)
from jupyter_deploy.system.processes import before_boot, is_alive, other_host, process_mark, register

from .database import META, Database, Schema

# ``process_mark`` distinguishes the process (the kernel, if the job waits) from a later process with the same id;
# ``request`` is complete until the job ends, ``document`` has no secrets; ``logged`` counts the characters of the log.
_JOBS = """
CREATE TABLE jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, state TEXT NOT NULL, born TEXT NOT NULL,
    logged INTEGER NOT NULL, request TEXT NOT NULL, document TEXT NOT NULL)
"""
_EVENTS = """
CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT, job TEXT NOT NULL, at TEXT NOT NULL, kind TEXT NOT NULL, data TEXT NOT NULL)
"""
_SCHEMA = Schema(
    1,
    (_JOBS, _EVENTS, "CREATE INDEX events_of_a_job ON events (job, id)", META),
    "Begin anew: {aside}; only the list of jobs is lost",
)
_ENDED = f"({', '.join(repr(state) for state in ENDED)})"


class SqliteJobs:
    """The Jobs port over ``<home>/jobs.sqlite`` (0600).

    ``KEPT`` jobs are stored. An event of a log has at most ``LOG_EVENT`` characters, the whole log ``LOG_IN_ALL``; of a
    validation's run only the latest ``underway`` event is stored, since each is complete.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._database = Database(home / "jobs.sqlite", _SCHEMA)

    def create(
        self, verb: str, request: dict[str, Any], *, title: str, endpoint: str | None, state: JobState = "queued"
    ) -> Job:
        job = Job(
            id=secrets.token_hex(8),
            verb=verb,
            title=title,
            endpoint=endpoint,
            request=shown_request(request),
            state=state,
            created_at=now(),
        )
        row = (job.id, job.state, json.dumps(request), job.model_dump_json())
        with self._writing() as db:
            db.execute("INSERT INTO jobs (id, state, born, logged, request, document) VALUES (?, ?, '', 0, ?, ?)", row)
            _event(db, job.id, "state", row[3])
            _trim(db)
        return job

    def job(self, job_id: str) -> Job:
        with self._database.reading() as db:
            return self._read(db, job_id)

    def jobs(self, limit: int = 50) -> list[Job]:
        with self._database.reading() as db:
            query = "SELECT document FROM jobs ORDER BY number DESC LIMIT ?"
            rows = db.execute(query, (limit,)).fetchall() if db else []
        return [self._parsed(document) for (document,) in rows]

    def active(self) -> list[Job]:
        with self._database.reading() as db:
            query = f"SELECT document FROM jobs WHERE state NOT IN {_ENDED} ORDER BY number"  # noqa: S608
            rows = db.execute(query).fetchall() if db else []
        return [self._parsed(document) for (document,) in rows]

    def add_event(self, job_id: str, kind: Literal["step", "underway", "log"], data: dict[str, Any]) -> None:
        with self._writing() as db:
            job = self._read(db, job_id)
            if job.state in ENDED:
                return
            if kind == "log":
                (before,) = db.execute("SELECT logged FROM jobs WHERE id = ?", (job_id,)).fetchone()
                text = log_within(str(data["text"]), before)
                if text is None:
                    return
                data = {"text": text}
                db.execute("UPDATE jobs SET logged = logged + ? WHERE id = ?", (len(text), job_id))
            elif kind == "step":
                step = {"number": data["number"], "steps": data["total"], "step": data["title"]}
                _write(db, job.model_copy(update=step))
            else:
                query = (
                    "DELETE FROM events WHERE job = ? AND kind = 'underway' "
                    "AND json_extract(data, '$.run') = ? AND json_extract(data, '$.side') = ?"
                )
                db.execute(query, (job_id, data["run"], data["side"]))
            _event(db, job_id, kind, json.dumps(data))

    def request_capture(self, job_id: str, kernel: int, notebook: str | None = None) -> Job:
        with self._writing() as db:
            job = self._read(db, job_id)
            if job.state != "waiting" or job.kernel is not None:
                return job
            return _changed(db, job, {"asked": kernel, "notebook": notebook}, at=process_mark(kernel))

    def start_capture(self, job_id: str, kernel: int) -> Job:
        with self._changing(job_id, "waiting") as (db, job):
            return self._whole(db, _changed(db, job, {"kernel": kernel}, at=register(self._home, kernel)))

    def finish_capture(self, job_id: str, tag: str, interpreter: str) -> Job:
        with self._changing(job_id, "waiting") as (db, job):
            request = self._whole(db, job).request | {"source": tag}
            db.execute("UPDATE jobs SET request = ? WHERE id = ?", (json.dumps(request), job_id))
            after = {"state": "queued", "interpreter": interpreter, "request": shown_request(request)}
            return _changed(db, job, after, at="")

    def claim(self, job_id: str, pid: int) -> Job | None:
        with self._writing() as db:
            job = self._read(db, job_id)
            if job.state != "queued":
                return None
            return self._whole(db, _changed(db, job, {"state": "running", "pid": pid}, at=register(self._home, pid)))

    def withdraw(self, job_id: str) -> Job:
        with self._writing() as db:
            job = self._read(db, job_id)
            return _ended(db, job, "cancelled") if job.state in ("waiting", "queued") else job

    def signal(self, job_id: str, number: int) -> bool:
        with self._database.reading() as db:
            job = self._read(db, job_id)
            (at,) = db.execute("SELECT born FROM jobs WHERE id = ?", (job_id,)).fetchone() if db else ("",)
        if job.state != "running" or job.pid is None or not is_alive(self._home, job.pid, at):
            return False
        if (host := other_host(at)) is not None:
            raise Conflict(
                f"the job {job_id} ({job.title}) runs on {host}, in another container or on another machine",
                f"cancel it on {host}, where its process can be reached",
            )
        try:
            os.kill(job.pid, number)
        except ProcessLookupError:
            return False
        return True

    def end(self, job_id: str, state: JobState, *, result: Any = None, problem: Problem | None = None) -> Job:
        with self._writing() as db:
            job = self._read(db, job_id)
            if job.state in ENDED:
                return job
            return _ended(db, job, state, result, problem)

    def events(self, after: int = 0, *, job_id: str | None = None, limit: int = 500) -> list[JobEvent]:
        query = "SELECT id, job, at, kind, data FROM events WHERE id > ?1 AND (?2 IS NULL OR job = ?2)"
        if job_id is not None:  # uses the index
            query = "SELECT id, job, at, kind, data FROM events WHERE job = ?2 AND id > ?1"
        with self._database.reading() as db:
            rows = db.execute(f"{query} ORDER BY id LIMIT ?3", (after, job_id, limit)).fetchall() if db else []
        return [
            JobEvent(id=number, job=job, at=at, kind=kind, data=json.loads(data))
            for number, job, at, kind, data in rows
        ]

    def latest(self) -> int:
        with self._database.reading() as db:
            query = "SELECT seq FROM sqlite_sequence WHERE name = 'events'"  # including trimmed events
            row = db.execute(query).fetchone() if db else None
        return int(row[0]) if row else 0

    def sweep(self) -> list[Job]:
        with self._database.reading() as db:
            query = "SELECT document, born FROM jobs WHERE state IN ('waiting', 'running')"
            rows = db.execute(query).fetchall() if db else []
        entries = [(self._parsed(document), at) for document, at in rows]
        lost = [self._lost(job) for job, at in entries if self._is_lost(job, at)]
        return [job for job in lost if job is not None]

    def _is_lost(self, job: Job, at: str) -> bool:
        if job.state == "running":
            return not is_alive(self._home, job.pid, at)
        if job.kernel is not None:
            return not is_alive(self._home, job.kernel, at)
        waited = now() - job.created_at
        if job.asked is None:
            return waited > ASKED_WITHIN
        # A kernel with only a request holds no lock: on another host its state is unknown.
        known = bool(at) and (other_host(at) is None or before_boot(at))
        return waited > WAITS_AT_MOST or (known and not is_alive(self._home, job.asked, at))

    def _lost(self, job: Job) -> Job | None:
        """End a lost job, unless it changed since the check: its kernel may have captured and ended then."""
        with self._writing() as db:
            latest = self._read(db, job.id)
            if (latest.state, latest.asked, latest.kernel) != (job.state, job.asked, job.kernel):
                return None
            return _ended(db, job, "failed", problem=gone(job))

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Run a transaction with secure delete: rows are rewritten often, and free pages must hold no secrets."""
        with self._database.writing() as db:
            db.execute("PRAGMA secure_delete = ON")
            yield db

    @contextmanager
    def _changing(self, job_id: str, state: JobState) -> Iterator[tuple[sqlite3.Connection, Job]]:
        with self._writing() as db:
            job = self._read(db, job_id)
            if job.state != state:
                raise Conflict(f"the job {job_id} ({job.title}) is {job.state}", "start it again if you still need it")
            yield db, job

    def _read(self, db: sqlite3.Connection | None, job_id: str) -> Job:
        row = db.execute("SELECT document FROM jobs WHERE id = ?", (job_id,)).fetchone() if db else None
        if row is None:
            raise UnknownJob(
                f"there is no job {job_id}", f"only the last {KEPT} jobs are stored: check the endpoint instead"
            )
        return self._parsed(row[0])

    def _whole(self, db: sqlite3.Connection, job: Job) -> Job:
        (request,) = db.execute("SELECT request FROM jobs WHERE id = ?", (job.id,)).fetchone()
        return job.model_copy(update={"request": json.loads(request)})

    def _parsed(self, document: str) -> Job:
        try:
            return Job.model_validate_json(document)
        except ValidationError as error:
            first = error.errors()[0]
            raise self._database.damaged(f"a job cannot be read ({first['loc']}: {first['msg']})") from error


def _changed(db: sqlite3.Connection, job: Job, update: dict[str, Any], *, at: str) -> Job:
    """Store a change of a job, and add an event."""
    after = job.model_copy(update=update)
    db.execute("UPDATE jobs SET born = ? WHERE id = ?", (at, job.id))
    _event(db, job.id, "state", _write(db, after))
    return after


def _ended(
    db: sqlite3.Connection, job: Job, state: JobState, result: Any = None, problem: Problem | None = None
) -> Job:
    db.execute("UPDATE jobs SET request = '{}' WHERE id = ?", (job.id,))
    return _changed(db, job, {"state": state, "result": result, "problem": problem, "ended_at": now()}, at="")


def _write(db: sqlite3.Connection, job: Job) -> str:
    document = job.model_dump_json()
    db.execute("UPDATE jobs SET state = ?, document = ? WHERE id = ?", (job.state, document, job.id))
    return document


def _event(db: sqlite3.Connection, job_id: str, kind: str, data: str) -> None:
    db.execute("INSERT INTO events (job, at, kind, data) VALUES (?, ?, ?, ?)", (job_id, now().isoformat(), kind, data))


def _trim(db: sqlite3.Connection) -> None:
    (count,) = db.execute("SELECT count(*) FROM jobs").fetchone()
    if count > KEPT:
        oldest = f"SELECT id FROM jobs WHERE state IN {_ENDED} ORDER BY number LIMIT {count - KEPT}"  # noqa: S608
        db.execute(f"DELETE FROM events WHERE job IN ({oldest})")  # noqa: S608
        db.execute(f"DELETE FROM jobs WHERE id IN ({oldest})")  # noqa: S608
