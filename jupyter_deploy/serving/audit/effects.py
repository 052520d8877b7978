"""Side effects of a model's calls: files, connections and programs, observed through Python's audit events."""

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

# Programs with which libraries such as joblib count the cores, once a process.
_COUNTING = frozenset({"lscpu", "sysctl"})


class Effects:
    """Collects side effects while ``watching``. They outlive the call, so a second copy of the model repeats them.

    Effects of imports, temporary files (``tempfile``) and devices are left out.
    """

    def __init__(self) -> None:
        # Each with the state of an opened database at that time: only a later comparison shows whether it was written
        # to.
        self._effects: dict[tuple[str, str], _Database | None] = {}
        self._watching = False
        ignored = (tempfile.gettempdir(), "/dev", "/proc")
        self._ignored = tuple(f"{os.path.realpath(path)}{os.sep}" for path in ignored)
        self._own = self._folder = Path.cwd()

        def audit_hook(event: str, arguments: tuple[Any, ...]) -> None:
            if self._watching:
                self._handle_event(event, arguments)

        # A function, not a method: Python reads one of its attributes at each event, and a method is ten times slower.
        sys.addaudithook(audit_hook)

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Collect effects within this context."""
        self._folder = Path.cwd()
        place = current_workplace()
        self._own = place[0] if place else self._folder
        self._watching = True
        try:
            yield
        finally:
            self._watching = False

    def sentences(self) -> list[str]:
        """Return one sentence for each effect, without a full stop: ``predict(), line 3, writes /data/log.csv``."""
        return [f"{place} {what}" for (place, what), database in self._effects.items() if not _only_read(database)]

    def _handle_event(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event not in _EVENTS:
            return
        self._watching = False  # events of this function are not the model's
        try:
            what = _EVENTS[event](arguments)
            database = (what, state_of(what)) if isinstance(what, Path) and event == "sqlite3.connect" else None
            if isinstance(what, Path):
                what = self._written(what)
            # The third frame; there is no public way to inspect callers.
            caller = find_caller(sys._getframe(2)) if what else None
            if what and caller and caller.place and not caller.importing and not self._is_known(caller.place, event):
                self._effects.setdefault((caller.place, what), database)
        except Exception as error:  # noqa: BLE001 - an exception would reach the model's code
            sys.stderr.write(f"the replay cannot interpret the event {event}: {error!r}\n")
        finally:
            self._watching = True

    def _written(self, path: Path) -> str | None:
        real = Path(os.path.realpath(path))
        own = real.is_relative_to(self._own)
        if f"{real}{os.sep}".startswith(self._ignored) and not own:
            return None
        # Each worker has its own folder too, so a relative path stays relative.
        return f"writes {os.path.relpath(real, self._folder) if own else real}"

    def _is_known(self, place: str, event: str) -> bool:
        """Return whether a connection follows the look-up of its host, which is reported already and by name."""
        return event == "socket.connect" and any(p == place and "connects to" in what for p, what in self._effects)


def state_of(path: Path) -> tuple[int, int] | None:
    """Return size and modification time of a file; None if it does not exist."""
    with contextlib.suppress(OSError):
        about = path.stat()
        return about.st_size, about.st_mtime_ns
    return None


def _only_read(database: _Database | None) -> bool:
    return database is not None and database[1] is not None and state_of(database[0]) == database[1]


def _path(value: Any, folder: int = -1) -> Path | None:
    """Return an event's path, below the open folder that the event may name."""
    if isinstance(value, int):
        return None  # an open file descriptor
    path = Path(os.fsdecode(value))
    return path if folder == -1 else Path(os.path.realpath(f"/proc/self/fd/{folder}")) / path


def _named(path: int, folder: int) -> Callable[[tuple[Any, ...]], Path | None]:
    """Return a reader of the path and its folder at these positions of an event's arguments."""
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
    """Return the absolute path of the file that ``sqlite3.connect`` opens for a path or URI; None for one in memory."""
    text = os.fsdecode(name)
    if not text or ":memory:" in text or "mode=memory" in text:
        return None
    if text.startswith("file:"):
        text = unquote(text.removeprefix("file:").partition("?")[0].removeprefix("//"))
    return Path(text).absolute()


def _started(arguments: tuple[Any, ...]) -> str | None:
    # Without the arguments, which may hold a secret.
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
