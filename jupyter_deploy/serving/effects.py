"""What a model does to the world while it answers: files, connections, programs. Seen by Python's audit events."""

from __future__ import annotations

import contextlib
import os
import re
import site
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

_HERE = str(Path(__file__).parent)
_CELL = re.compile(r".*ipykernel_\d+/\d+\.py")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

# With which libraries such as joblib count a machine's cores, once a process.
_COUNTING = frozenset({"lscpu", "sysctl"})


class Effects:
    """Collects effects while ``watching``; they last beyond the call, so a copy of the model would repeat them.

    Left out: what imports do, temporary files (``tempfile``), devices.
    """

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], None] = {}
        self._watching = False
        paths = [sysconfig.get_paths()[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")]
        libraries = [*paths, *site.getsitepackages(), site.getusersitepackages()]
        self._libraries = tuple(f"{path}{os.sep}" for path in {*libraries, *map(os.path.realpath, libraries)})
        passed_over = (tempfile.gettempdir(), "/dev", "/proc")
        self._passed_over = tuple(f"{os.path.realpath(path)}{os.sep}" for path in passed_over)
        self._folder = Path.cwd()
        sys.addaudithook(self._hear)

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Within, effects are noted."""
        self._watching = True
        try:
            yield
        finally:
            self._watching = False

    def found(self) -> list[str]:
        """One sentence each, without its end: ``predict(), line 3, writes /data/log.csv``."""
        return [f"{where} {what}" for where, what in self._found]

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._watching or event not in _EVENTS:
            return
        self._watching = False  # what is done here is not the model's doing
        try:
            what = _EVENTS[event](arguments)
            if isinstance(what, Path):
                what = self._written(what)
            where = self._where(sys._getframe(1)) if what else None  # noqa: SLF001 - the way to look at one's callers
            if what and where and not self._is_known(where, event):
                self._found[where, what] = None
        except Exception as error:  # noqa: BLE001 - an exception here would be raised in the model's code
            sys.stderr.write(f"the replay could not tell what {event} was: {error!r}\n")
        finally:
            self._watching = True

    def _written(self, path: Path) -> str | None:
        real = Path(os.path.realpath(path))
        if f"{real}{os.sep}".startswith(self._passed_over) and not real.is_relative_to(self._folder):
            return None
        # A worker has an empty folder too: a relative path is told as it is.
        return f"writes {real.relative_to(self._folder) if real.is_relative_to(self._folder) else real}"

    def _is_known(self, where: str, event: str) -> bool:
        """Whether a connection follows the look-up of its host, whose name says more than an address."""
        return event == "socket.connect" and any(w == where and "connects to" in what for w, what in self._found)

    def _where(self, innermost: FrameType) -> str | None:
        """The model's own code if it is among the callers, else what it called; None for an import."""
        last: FrameType | None = None
        own: FrameType | None = None
        frame: FrameType | None = innermost
        while frame is not None and not frame.f_code.co_filename.startswith(_HERE):
            file = frame.f_code.co_filename
            if file.startswith("<frozen importlib"):
                return None
            # A notebook's open() is IPython's own, which a function of the notebook brings along.
            wrapped = frame.f_code.co_name == "_modified_open"
            if own is None and not wrapped and not file.startswith((*self._libraries, "<frozen ")):
                own = frame
            last, frame = frame, frame.f_back
        shown = own or last
        if shown is None:  # this package itself
            return None
        file = shown.f_code.co_filename
        # What was captured by value has no file, a cell no name that says anything; its lines are counted as there.
        place = "" if file.startswith("<") or _CELL.fullmatch(file) else f" of {Path(file).name}"
        return f"{shown.f_code.co_qualname}(), line {shown.f_lineno}{place},"


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
    name = os.fsdecode(arguments[0])
    return None if not name or ":memory:" in name else _path(name)


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
