"""A unix socket that gets its final name when the service is ready: a gateway waits for that name."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from pathlib import Path

BACKLOG = 2048


def bind(path: str) -> socket.socket:
    """Bind a socket for this user only, under its provisional name; a stale socket of a killed process is removed.

    Raises
    ------
    OSError
        EADDRINUSE: another process listens there; and as ``socket.bind``.
    """
    with socket.socket(socket.AF_UNIX) as probe, contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
        probe.connect(path)
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
    remove(path)
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        listener.bind(_provisional(path))
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(before)
    return listener


def is_named(listener: socket.socket, path: str) -> bool:
    """Whether a socket has been opened under its final name already."""
    return bool(listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)) and Path(path).exists()


def open_socket(listener: socket.socket, path: str) -> None:
    """Listen, and give the socket its final name."""
    listener.listen(BACKLOG)
    Path(_provisional(path)).replace(path)


def remove(path: str) -> None:
    """Remove the socket under both of its names."""
    for name in (path, _provisional(path)):
        Path(name).unlink(missing_ok=True)


def _provisional(path: str) -> str:
    return f"{path}~"
