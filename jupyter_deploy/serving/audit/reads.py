"""Files that a model opens for reading during its calls, observed through audit events in the kernel and the replay.

Files that C code opens are not seen; ``sqlite3`` reports its databases.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Literal

from .callers import LIBRARIES, find_caller
from .effects import database_of, state_of

LIMIT = 10_000  # limit of the collected reads: a model with more opens the same kind of file repeatedly

_MADE = os.O_CREAT | os.O_TRUNC | os.O_EXCL

# Files of the machine, not of a model: devices, system libraries, fonts, certificates and time zones; the user's fonts
# and matplotlib's caches of them.
_SYSTEM = ("/dev", "/proc", "/sys", "/run", "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/share", "/usr/local/lib")
_SETTINGS = ("ssl", "ca-certificates", "pki", "fonts", "mime.types", "hosts", "resolv.conf", "nsswitch.conf")
_MORE_SETTINGS = ("localtime", "timezone", "locale.alias", "os-release", "passwd", "group", "services", "protocols")
_HOMES = (".cache/matplotlib", ".config/matplotlib", ".matplotlib", ".cache/fontconfig", ".fonts", ".local/share/fonts")

Kind = Literal["file", "folder", "missing"]


@dataclass(frozen=True)
class Read:
    """A path that was opened for reading, or a folder that was listed.

    Attributes
    ----------
    given
        The path as the model wrote it.
    path
        The same path, absolute and normalised; symbolic links are kept.
    kind
        ``file``, ``folder`` or ``missing`` (the path does not exist).
    state
        Size and modification time.
    where
        ``predict(), line 3,``; see ``callers.Caller``.
    importing, library
        See ``callers.Caller``; a library that lists an import folder searches the installed distributions.
    """

    given: str
    path: str
    kind: Kind
    state: tuple[int, int] | None
    where: str
    importing: bool
    library: bool


class Reads:
    """Collects reads while ``watching``. The audit hook cannot be removed, so make one object a process.

    Parameters
    ----------
    refused
        Called at each read of an absolute path; paths that it returns raise ``FileNotFoundError``.
    """

    def __init__(self, refused: Callable[[], Collection[str]] = frozenset) -> None:
        self.observed: dict[tuple[str, str], Read] = {}
        self._refused = refused
        self._watching = False
        self._own = threading.local()  # ``busy`` while a thread runs the hook
        self._written: set[str] = set()

        def audit_hook(event: str, arguments: tuple[Any, ...]) -> None:
            if self._watching:
                self._handle_event(event, arguments)

        # A function, not a method: Python reads one of its attributes at each event, and a method is ten times slower.
        sys.addaudithook(audit_hook)

    def forget(self) -> None:
        """Clear the reads and the model's own files, before another model is watched."""
        self.observed.clear()
        self._written.clear()

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Collect reads within this context."""
        self._watching = True
        try:
            yield
        finally:
            self._watching = False

    def _handle_event(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event not in _EVENTS or getattr(self._own, "busy", False):
            return
        self._own.busy = True
        refused = False
        try:
            given = _EVENTS[event](arguments)
            if given is not None and not given.startswith(LIBRARIES):  # most events come from imports
                refused = self._note(given, event, arguments, sys._getframe(2))
        except Exception as error:  # noqa: BLE001 - an exception would reach the model's code
            sys.stderr.write(f"the event {event} cannot be interpreted: {error!r}\n")
        finally:
            self._own.busy = False
        if refused:
            raise FileNotFoundError(2, "only its packed copy may be read", given)

    def _note(self, given: str, event: str, arguments: tuple[Any, ...], frame: FrameType) -> bool:
        path = os.path.abspath(given)  # noqa: PTH100 - Path.absolute() keeps '..'
        if event == "open" and arguments[2] & _MADE and arguments[2] & (os.O_WRONLY | os.O_RDWR):
            if not Path(path).exists() or arguments[2] & os.O_TRUNC:
                self._written.add(path)  # the model may read its own files
            return False
        if event == "open" and arguments[2] & os.O_WRONLY:
            return False
        refused = given.startswith(os.sep) and _among(path, self._refused())
        if path in self._written or len(self.observed) >= LIMIT or (event, given) in self.observed:
            return refused
        kind: Kind = "missing"
        if os.path.isdir(path):  # noqa: PTH112
            kind = "folder"
        elif os.path.exists(path):  # noqa: PTH110
            kind = "file"
        caller = find_caller(frame)
        if caller.place is not None and (kind != "folder" or event != "open"):
            looking = kind == "folder" and caller.by_library and _imported_from(path)
            self.observed[event, given] = Read(
                given,
                path,
                kind,
                state_of(Path(path)),
                caller.place,
                caller.importing or looking,
                caller.library or looking,
            )
        return refused


def machine_paths() -> tuple[str, ...]:
    """Return the path prefixes of the machine, its Python and its installed distributions, which belong to no model."""
    home = Path.home()
    prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix} - {"/", "/usr", "/usr/local", str(home)}
    settings = [f"/etc/{name}" for name in (*_SETTINGS, *_MORE_SETTINGS)]
    known = [*prefixes, *_SYSTEM, *(str(home / name) for name in _HOMES)]
    return (*LIBRARIES, *settings, *(f"{path}{os.sep}" for path in known), *_packages())


def _packages() -> tuple[str, ...]:
    """Return the folders of imported packages: an editable installation is a distribution too."""
    folders = set()
    for name, module in list(sys.modules.items()):
        if "." not in name and name != "__main__":
            with contextlib.suppress(Exception):  # a module may be anything
                folders |= {f"{path}{os.sep}" for path in getattr(module, "__path__", ())}
    return tuple(folders)


def _imported_from(path: str) -> bool:
    """Return whether modules are imported from this folder or one of its parents."""
    return any(path == one or path.startswith(f"{one}{os.sep}") for one in map(os.path.abspath, filter(None, sys.path)))


def _among(path: str, known: Collection[str]) -> bool:
    return any(path == one or path.startswith(f"{one}{os.sep}") for one in known)


def _opened(arguments: tuple[Any, ...]) -> str | None:
    return _text(arguments[0])


def _listed(arguments: tuple[Any, ...]) -> str | None:
    return "." if arguments[0] is None else _text(arguments[0])


def _connected(arguments: tuple[Any, ...]) -> str | None:
    path = database_of(arguments[0])
    given = os.fsdecode(arguments[0])
    return None if path is None else given if not given.startswith("file:") else _relative(given, path)


def _relative(uri: str, path: Path) -> str:
    return str(path) if uri.startswith("file:/") else os.path.relpath(path)


def _text(value: Any) -> str | None:
    return None if isinstance(value, int) else os.fsdecode(value)


_EVENTS: dict[str, Callable[[tuple[Any, ...]], str | None]] = {
    "open": _opened,
    "os.listdir": _listed,
    "os.scandir": _listed,
    "sqlite3.connect": _connected,
}
