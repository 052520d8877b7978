"""What a model does to the world while it answers: files, connections, programs. Seen by Python's audit events."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from ..workplace import current_workplace
from .callers import find_caller

_Database = tuple[Path, tuple[int, int] | None]

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

# With which libraries such as joblib count a machine's cores, once a process.
_COUNTING = frozenset({"lscpu", "sysctl"})


class Effects:
    """Collects effects while ``watching``; they last beyond the call, so a copy of the model would repeat them.

    Left out: what imports do, temporary files (``tempfile``), devices.
    """

    def __init__(self) -> None:
        # With the database that was opened, as it was then: only afterwards it shows whether it was written to.
        self._effects: dict[tuple[str, str], _Database | None] = {}
        self._watching = False
        ignored = (tempfile.gettempdir(), "/dev", "/proc")
        self._ignored = tuple(f"{os.path.realpath(path)}{os.sep}" for path in ignored)
        self._own = self._folder = Path.cwd()

        def audit_hook(event: str, arguments: tuple[Any, ...]) -> None:
            if self._watching:
                self._handle_event(event, arguments)

        # A function and no method: Python asks it for an attribute at each event, and a method is ten times as slow.
        sys.addaudithook(audit_hook)

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Within, effects are noted."""
        self._folder = Path.cwd()
        place = current_workplace()
        self._own = place[0] if place else self._folder
        self._watching = True
        try:
            yield
        finally:
            self._watching = False

    def sentences(self) -> list[str]:
        """One sentence each, without its end: ``predict(), line 3, writes /data/log.csv``."""
        return [f"{place} {what}" for (place, what), database in self._effects.items() if not _only_read(database)]

    def _handle_event(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event not in _EVENTS:
            return
        self._watching = False  # what is done here is not the model's doing
        try:
            what = _EVENTS[event](arguments)
            database = (what, state_of(what)) if isinstance(what, Path) and event == "sqlite3.connect" else None
            if isinstance(what, Path):
                what = self._written(what)
            # The third frame: the way to look at one's callers.
            caller = find_caller(sys._getframe(2)) if what else None  # noqa: SLF001
            if what and caller and caller.place and not caller.importing and not self._is_known(caller.place, event):
                self._effects.setdefault((caller.place, what), database)
        except Exception as error:  # noqa: BLE001 - an exception here would be raised in the model's code
            sys.stderr.write(f"the replay could not tell what {event} was: {error!r}\n")
        finally:
            self._watching = True

    def _written(self, path: Path) -> str | None:
        real = Path(os.path.realpath(path))
        own = real.is_relative_to(self._own)
        if f"{real}{os.sep}".startswith(self._ignored) and not own:
            return None
        # A worker has a folder of its own too: a relative path is told as it is.
        return f"writes {os.path.relpath(real, self._folder) if own else real}"

    def _is_known(self, place: str, event: str) -> bool:
        """Whether a connection follows the look-up of its host, whose name says more than an address."""
        return event == "socket.connect" and any(p == place and "connects to" in what for p, what in self._effects)


def state_of(path: Path) -> tuple[int, int] | None:
    """Size and time of a file; None: there is none."""
    with contextlib.suppress(OSError):
        about = path.stat()
        return about.st_size, about.st_mtime_ns
    return None


def _only_read(database: _Database | None) -> bool:
    return database is not None and database[1] is not None and state_of(database[0]) == database[1]


def _path(value: Any, folder: int = -1) -> Path | None:
    """A path that an event names, below the open folder that it may name too."""
    if isinstance(value, int):
        return None  # a file that is open already
    path = Path(os.fsdecode(value))
    return path if folder == -1 else Path(os.path.realpath(f"/proc/self/fd/{folder}")) / path


def _named(path: int, folder: int) -> Callable[[tuple[Any, ...]], Path | None]:
    """The path and its folder at these places of an event's arguments."""
    return lambda arguments: _path(arguments[path], arguments[folder])


def _opened(arguments: tuple[Any, ...]) -> Path | None:
    path, _, flags = arguments
    return _path(path) if flags & _WRITING else None


def _made(arguments: tuple[Any, ...]) -> Path | None:
    path = _path(arguments[0], arguments[2])
    return path if path and not path.exists() else None


def _truncated(arguments: tuple[Any, ...]) -> Path | None:
    return _path(arguments[0])


def _connected(arguments: tuple[Any, ...]) -> str | None:
    address = arguments[1]
    return f"connects to {address[0]}:{address[1]}" if isinstance(address, tuple) else f"connects to {address!s}"


def _looked_up(arguments: tuple[Any, ...]) -> str | None:
    host, port = arguments[:2]
    return f"connects to {os.fsdecode(host)}{f':{port}' if port else ''}" if host else None


def _database(arguments: tuple[Any, ...]) -> Path | None:
    return database_of(arguments[0])


def database_of(name: Any) -> Path | None:
    """The file behind what ``sqlite3.connect`` was given: a path or a URI; made absolute, None for one in memory."""
    text = os.fsdecode(name)
    if not text or ":memory:" in text or "mode=memory" in text:
        return None
    if text.startswith("file:"):
        text = unquote(text.removeprefix("file:").partition("?")[0].removeprefix("//"))
    return Path(text).absolute()


def _started(arguments: tuple[Any, ...]) -> str | None:
    # Without its arguments, which may hold a secret.
    program = os.fsdecode(arguments[0]).split()[0]
    return None if Path(program).name in _COUNTING else f"starts the program {program}"


_EVENTS: dict[str, Callable[[tuple[Any, ...]], Path | str | None]] = {
    "open": _opened,
    "os.chmod": _named(0, 2),
    "os.chown": _named(0, 3),
    "os.link": _named(1, 3),
    "os.mkdir": _made,
    "os.remove": _named(0, 1),
    "os.rename": _named(1, 3),
    "os.rmdir": _named(0, 1),
    "os.symlink": _named(1, 2),
    "os.truncate": _truncated,
    "sqlite3.connect": _database,
    "socket.connect": _connected,
    "socket.getaddrinfo": _looked_up,
    "socket.sendto": _connected,
    "os.exec": _started,
    "os.posix_spawn": _started,
    "os.system": _started,
    "subprocess.Popen": _started,
}
