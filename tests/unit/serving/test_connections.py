"""Connections that each process makes itself: made once, checked, made again, and pauses while they cannot be made."""

import os
import pickle
import sqlite3
import threading

import cloudpickle
import pytest

import jupyter_deploy
from jupyter_deploy.serving import connections
from jupyter_deploy.serving.connections import Connection, ResourceUnavailable, after_failure, unavailable, works
from jupyter_deploy.serving.role import in_role


class Wire:
    """A connection that may break."""

    def __init__(self, name="primary"):
        self.name = name
        self.closed = False

    def close(self):
        self.closed = True


@pytest.fixture
def clock(monkeypatch):
    """Seconds that a test sets."""

    class Clock:
        now = 1000.0

        def monotonic(self):
            return self.now

    found = Clock()
    monkeypatch.setattr(connections, "time", found)
    return found


def test_a_process_and_thread_connects_once():
    made = []
    db = jupyter_deploy.connection(lambda: made.append(Wire()) or made[-1])
    assert db() is db() is made[0]
    other = []
    thread = threading.Thread(target=lambda: other.append(db()))
    thread.start()
    thread.join()
    assert other == made[1:]
    db.close()
    assert [one.closed for one in made] == [True, True]


def test_a_fork_connects_itself_and_leaves_its_parents_connection_open():
    db = jupyter_deploy.connection(Wire)
    mine = db()
    read, write = os.pipe()
    if (child := os.fork()) == 0:
        os.write(write, b"1" if db() is not mine and not mine.closed else b"0")
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 1) == b"1"
    assert db() is mine


def test_a_connection_that_rested_is_checked_and_made_again_if_it_is_broken(clock):
    db = jupyter_deploy.connection(Wire)
    first = db()
    first.closed = True
    assert db() is first, "it was used a moment ago"
    clock.now += connections.CHECK_SECONDS + 1
    assert db() is not first


def test_a_check_of_ones_own_decides():
    db = Connection(Wire)

    @db.check
    def answers(wire):
        if wire.name == "broken":
            raise OSError

    assert not db().closed
    assert not db.broken()
    first = db()
    first.name = "broken"
    assert after_failure() == 1
    assert (first.closed, db() is first) == (True, False)


def test_closed_connections_are_blamed_for_no_failure():
    left = Connection(Wire)
    left().closed = True
    connections.close_all()
    assert after_failure() is None


def test_attempts_pause_longer_after_each_failure_and_begin_anew_after_a_success(clock):
    attempts, away = [], True

    def db():
        attempts.append(clock.now)
        if away:
            raise OSError("connection refused")
        return Wire()

    db = Connection(db)
    waits = []
    for _ in range(7):
        with pytest.raises(ResourceUnavailable, match="db cannot be connected: OSError: connection refused") as failed:
            db()
        waits.append(failed.value.retry_after)
        with pytest.raises(ResourceUnavailable, match="a moment ago"):
            db()
        clock.now += failed.value.retry_after
    assert waits == [1, 2, 4, 8, 16, 30, 30]
    assert len(attempts) == 7, "no attempt within a pause"
    away = False
    assert isinstance(db(), Wire)
    wrapped = KeyError("customer")
    wrapped.__cause__ = failed.value
    assert unavailable(wrapped) is failed.value
    assert unavailable(KeyError("customer")) is None


def test_a_shadow_gets_its_own_connection():
    db = jupyter_deploy.connection(Wire)

    @db.shadow
    def replica():
        return Wire("replica")

    assert db().name == "primary"
    with in_role("shadow"):
        assert db().name == "replica"
    with in_role("stable"):
        assert db().name == "primary"


def test_it_travels_without_its_open_connections():
    db = jupyter_deploy.connection(lambda: threading.Lock())  # noqa: PLW0108 - by value
    assert db() is db()
    copy = pickle.loads(cloudpickle.dumps(db))
    assert isinstance(copy, Connection)
    assert copy() is not db()
    assert copy.__name__ == "<lambda>"


def test_kinds_of_connections_are_checked_by_their_own_means(tmp_path):
    database = sqlite3.connect(tmp_path / "some.db")
    assert works(database)
    assert not database.in_transaction
    database.close()
    with pytest.raises(sqlite3.ProgrammingError):
        works(database)
    assert works(object())
    wire = Wire()
    assert works(wire)
    wire.close()
    assert not works(wire)
