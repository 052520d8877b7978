"""Connections of a model to databases and services: made by each process itself, checked, and made again when broken.

``jupyter_deploy.connection`` makes a ``Connection`` in the notebook; a bento has the same function.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from .role import serving_role

CHECK_SECONDS = 30.0
"""A connection that was not used for so long is checked before its next use."""

_PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Seconds without an attempt after the first, second, … failure in a row."""

_all: weakref.WeakSet[Connection] = weakref.WeakSet()


class ResourceUnavailable(RuntimeError):
    """A connection could not be made; ``retry_after``: whole seconds until the next attempt."""

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class _Open:
    """A connection of one thread, with the function that made it."""

    def __init__(self, value: Any, make: Callable[[], Any]) -> None:
        self.value = value
        self.make = make
        self.used = time.monotonic()


class Connection:
    """A function that returns this process's connection; see ``jupyter_deploy.connection``."""

    def __init__(
        self,
        make: Callable[[], Any],
        check: Callable[[Any], Any] | None = None,
        shadow: Callable[[], Any] | None = None,
    ) -> None:
        self._make, self._check, self._shadow = make, check, shadow
        self.__name__ = str(getattr(make, "__name__", "connection"))
        self.__doc__ = make.__doc__
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._open: dict[int, _Open] = {}
        self._failures, self._until = 0, 0.0
        _all.add(self)

    def __call__(self) -> Any:
        """Return the connection of this process and thread.

        Raises
        ------
        ResourceUnavailable
            It cannot be made, or a former attempt failed a moment ago.
        """
        make = self._shadow if self._shadow is not None and serving_role() == "shadow" else self._make
        known = self._known()
        rested = known is not None and time.monotonic() > known.used + CHECK_SECONDS
        if known is not None and known.make is make and (not rested or self._works(known)):
            known.used = time.monotonic()
            return known.value
        if known is not None:
            self._drop()
        return self._made(make)

    def shadow(self, make: Callable[[], Any]) -> Callable[[], Any]:
        """Decorate the function that makes the connection of a shadow, such as a read-only one to a replica."""
        self._shadow = make
        return make

    def check(self, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """Decorate the function that checks a connection: False, or an exception, means that it is broken."""
        self._check = function
        return function

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        """Refer to ``jupyter_deploy.connection``, which a bento has too; open connections stay here."""
        package = sys.modules["jupyter_deploy"]  # in a bento the stand-in
        return package.connection, (self._make, self._check, self._shadow)

    def broken(self) -> bool:
        """Whether this thread has a connection that no longer works; it is dropped, and the next call makes another."""
        known = self._known()
        if known is None or self._works(known):
            return False
        self._drop()
        return True

    def close(self) -> None:
        """Close the connections of this process."""
        with self._lock:
            opened = list(self._open.values()) if self._process == os.getpid() else []
            self._open = {}
        for one in opened:
            _close(one.value)

    def _known(self) -> _Open | None:
        if self._process != os.getpid():  # those of the process that was forked are not closed, since it uses them
            self._open, self._process, self._lock = {}, os.getpid(), threading.Lock()
            self._failures, self._until = 0, 0.0
        return self._open.get(threading.get_ident())

    def _made(self, make: Callable[[], Any]) -> Any:
        wait = self._until - time.monotonic()
        if wait > 0:
            raise ResourceUnavailable(f"{self.__name__} could not be connected a moment ago", max(1, round(wait)))
        try:
            value = make()
        except Exception as error:
            pause = _PAUSES[min(self._failures, len(_PAUSES) - 1)]
            self._failures, self._until = self._failures + 1, time.monotonic() + pause
            message = f"{self.__name__} cannot be connected: {type(error).__name__}: {error}"
            raise ResourceUnavailable(message, max(1, round(pause))) from error
        self._failures, self._until = 0, 0.0
        with self._lock:
            self._open[threading.get_ident()] = _Open(value, make)
        return value

    def _works(self, known: _Open) -> bool:
        try:
            return (self._check or works)(known.value) is not False
        except Exception:  # noqa: BLE001 - drivers raise anything
            return False

    def _drop(self) -> None:
        with self._lock:
            known = self._open.pop(threading.get_ident(), None)
        if known is not None:
            _close(known.value)


def connection(
    make: Callable[[], Any], check: Callable[[Any], Any] | None = None, shadow: Callable[[], Any] | None = None
) -> Connection:
    """See ``jupyter_deploy.connection``."""
    return Connection(make, check, shadow)


def works(value: Any) -> bool:
    """Whether a connection of a known kind answers; True for other kinds.

    By ``closed`` (psycopg, SQLAlchemy), ``ping()`` (redis, MySQL), the command ``ping`` (pymongo), and ``SELECT 1``
    (DB-API 2.0, SQLAlchemy's engine, DuckDB).
    """
    if getattr(value, "closed", False) in (True, 2):  # psycopg2: 2 is closed by an error
        return False
    module = type(value).__module__.partition(".")[0]
    if module == "pymongo":
        value.admin.command("ping")
    elif callable(getattr(value, "ping", None)):
        value.ping()
    elif module == "sqlalchemy" and callable(getattr(value, "connect", None)):
        with value.connect() as one:
            one.exec_driver_sql("SELECT 1")
    elif callable(getattr(value, "cursor", None)):
        query(value, "SELECT 1")
    return True


def query(value: Any, statement: str, parameters: Sequence[Any] = ()) -> tuple[list[str], list[Sequence[Any]]]:
    """Run a query on a connection of DB-API 2.0 or DuckDB; return the columns and rows.

    The transaction that the query begins is ended: a database would keep old rows for it, and answer with them.
    """
    cursor = value.cursor()
    try:
        cursor.execute(statement, parameters) if parameters else cursor.execute(statement)
        return [column[0] for column in cursor.description or ()], cursor.fetchall()
    finally:
        with contextlib.suppress(Exception):
            cursor.close()
        # Some drivers have a method of this name.
        if getattr(value, "autocommit", False) is not True and type(value).__module__.strip("_") != "duckdb":
            with contextlib.suppress(Exception):
                value.rollback()


def after_failure() -> int | None:
    """Look for connections that a failed call has left broken; return seconds until a client may try again, or None."""
    found = [one for one in list(_all) if one.broken()]
    return 1 if found else None


def unavailable(error: BaseException) -> ResourceUnavailable | None:
    """Return the failed connection behind a model's error, if that is its cause."""
    return next((one for one in _causes(error) if isinstance(one, ResourceUnavailable)), None)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _close(value: Any) -> None:
    for name in ("close", "dispose"):
        method = getattr(value, name, None)
        if callable(method):
            with contextlib.suppress(Exception):  # it may be broken
                method()
            return


def close_all() -> None:
    """Close all connections of this process."""
    for one in list(_all):
        one.close()


atexit.register(close_all)
