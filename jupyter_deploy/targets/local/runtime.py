"""The runtime directory of one user: sockets, locks and the configuration in force, under a short path.

uvicorn makes its unix sockets with mode 0666, so the directory's own mode protects them.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_deploy.domain.errors import TargetError
from jupyter_deploy.system.filesystem import network_kind_of
from jupyter_deploy.system.home import private_folder

if TYPE_CHECKING:  # the keeper, which runs as long as a release, needs no pydantic
    from .settings import LocalSettings

RUN = "run"
"""The folder below the home in which runtime directories lie."""

# sockaddr_un holds 108 bytes on Linux and 104 on macOS, with a final NUL.
SOCKET_BYTES = 103

# The longest name in here; supervisord first binds <socket>.<pid>.
_LONGEST = "s/0123456789ab-9999.sock"

# A container without a supervisor may only be starting one.
_ENDED_SECONDS = 24 * 3600

# The path goes into supervisord's INI files, in which '%', quotes, ' ;' and ' #' cannot all be escaped.
_PLAIN = re.compile(r"[A-Za-z0-9_./+-]+")


class Runtime:
    """A runtime directory, which need not exist yet."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._held: set[str] = set()

    def prepare(self) -> None:
        """Make the directory, or check an existing one.

        Raises
        ------
        TargetError
            It is a symbolic link, not a directory, or another user's.
        """
        fault = path_fault(self.path)
        if fault:
            raise self._unusable(fault)
        try:
            private_folder(self.path)
        except OSError as error:
            if not self.path.is_symlink():  # check() reports a dangling one
                raise self._unusable(error.strerror or "it cannot be made") from error
        self.check()
        for name in ("conf.d", "pids", "programs", "releases", "routes", "s", "xds", "empty"):
            (self.path / name).mkdir(mode=0o700, exist_ok=True)
        if self.path.parent.name == RUN:
            _remove_ended(self.path)

    def check(self) -> None:
        """Raise TargetError unless the directory is this user's alone."""
        status = self.path.lstat()
        if stat.S_ISLNK(status.st_mode):
            raise self._unusable("it is a symbolic link")
        if status.st_uid != os.geteuid():
            raise self._unusable("it belongs to another user")
        if status.st_mode & 0o077:
            self.path.chmod(0o700)

    def _unusable(self, why: str) -> TargetError:
        return TargetError(
            f"the runtime directory {self.path} cannot be used: {why}",
            "remove it, or set NBDEPLOY_RUNTIME to a short path of your own",
        )

    def exists(self) -> bool:
        """Whether the directory exists; an observation must not make it."""
        return self.path.is_dir()

    @contextmanager
    def lock(self, name: str = "state") -> Iterator[None]:
        """Hold a lock among all processes and threads of this user; waits unless this object holds it already.

        A release's lock is always taken before ``state``.
        """
        if name in self._held:
            yield
            return
        folder = self.path / "locks"
        folder.mkdir(mode=0o700, exist_ok=True)
        handle = os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            self._held.add(name)
            yield
        finally:
            self._held.discard(name)
            os.close(handle)

    def clear(self) -> None:
        """Remove everything but the locks, for which other processes may wait."""
        for entry in self.path.iterdir():
            if entry.name == "locks":
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)


def locate(settings: LocalSettings) -> Runtime:
    """The runtime directory of these settings.

    ``gateway.json`` names the one in use, so that a shell with another ``XDG_RUNTIME_DIR`` (su, cron, a container's
    exec) finds the releases that a notebook started. Otherwise it is the first fit one of: a folder in
    ``XDG_RUNTIME_DIR``, below the home, below the user's home folder, in ``/tmp``. Cleaners of temporary files reach
    only the last one.
    """
    if settings.runtime is not None:
        path = settings.runtime.absolute()
        if path.is_relative_to(settings.home.absolute()):
            raise TargetError(
                f"the runtime directory {path} lies under {settings.home}",
                "set NBDEPLOY_RUNTIME to a path outside: the home may be on a network disk, where sockets fail",
            )
        return Runtime(path)
    home = settings.home.absolute()
    own = home / RUN / _namespace()
    used = Path(str(read_json(settings.gateway_file).get("runtime", "")))
    # A container that shares the home has a folder of its own below it.
    usable = not path_fault(used) and (used == own or not used.is_relative_to(home))
    if usable and (used / "supervisor.sock").exists():
        return Runtime(used)
    suffix = hashlib.sha256(os.fsencode(home)).hexdigest()[:8]
    xdg = os.environ.get("XDG_RUNTIME_DIR", "")
    if xdg:
        path = Path(xdg) / f"nbdeploy-{suffix}"
        if _ours(Path(xdg)) and not path_fault(path) and not path.is_relative_to(home):
            return Runtime(path)
    for folder, path in ((home, own), *_below_user(suffix)):
        if not path_fault(path) and network_kind_of(folder) is None:
            return Runtime(path)
    return Runtime(_temporary(suffix))


def _below_user(suffix: str) -> list[tuple[Path, Path]]:
    """The user's home folder, and the runtime directory in it; empty: the user has no such folder."""
    try:
        folder = Path.home()
    except RuntimeError:
        return []
    return [(folder, folder / ".nbdeploy" / _namespace() / suffix)] if _ours(folder) else []


def _temporary(suffix: str) -> Path:
    """The runtime directory in ``/tmp``: another user who takes the first name does not keep this user from a start."""
    names = [f"/tmp/nbdeploy-{os.geteuid()}-{suffix}{more}" for more in ("", "-2", "-3", "-4")]  # noqa: S108 - see above
    owned = [path for path in map(Path, names) if _ours(path) and not path.is_symlink()]
    absent = [path for path in map(Path, names) if not os.path.lexists(path)]
    return (owned or absent or [Path(names[0])])[0]


@cache
def _namespace() -> str:
    """The name of this PID namespace: containers that share a home see other processes."""
    try:
        return f"{Path('/proc/self/ns/pid').stat().st_ino:x}"
    except OSError:  # macOS
        return "0"


def _remove_ended(own: Path) -> None:
    """Remove the runtime directories of ended containers next to ``own``."""
    for other in own.parent.iterdir():
        with suppress(OSError):
            age = time.time() - other.lstat().st_mtime
            if other != own and age > _ENDED_SECONDS and not _listens(other / "supervisor.sock"):
                shutil.rmtree(other, ignore_errors=True)


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True


def path_fault(path: Path) -> str:
    """The reason why this path is unfit for sockets and INI files; empty: it is fit."""
    if not path.is_absolute():
        return "it is not absolute"
    if not _PLAIN.fullmatch(str(path)):
        return "it has characters other than letters, digits and _ . / + -"
    length = len(os.fsencode(path / _LONGEST))
    if length > SOCKET_BYTES:
        return f"a unix socket's path in it would have {length} bytes of {SOCKET_BYTES}"
    return ""


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; empty if none can be read."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def _ours(path: Path) -> bool:
    try:
        status = path.stat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and os.access(path, os.W_OK | os.X_OK)
