"""The machine's limits, checked before Envoy and workers start."""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import sys
from pathlib import Path

from jupyter_deploy.domain.errors import TargetError

LEAST_FILES = 256
"""Open files that a process must be allowed; Envoy takes about 60 for itself, and two for each request that runs."""


def check_limits() -> None:
    """Raise TargetError if a limit of this user is too low or used up.

    The limits are open files per process (``RLIMIT_NOFILE``) and, on Linux, inotify, by which Envoy learns of changed
    documents. Otherwise Envoy ends without a message, or never sees a change.
    """
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if files != resource.RLIM_INFINITY and files < LEAST_FILES:
        raise TargetError(
            f"a process of this user may have {files} files open, and the gateway needs {LEAST_FILES} at least",
            "raise the hard limit ('ulimit -Hn', LimitNOFILE= of the service that started this shell or JupyterHub)",
        )
    if sys.platform == "linux":
        _check_inotify()


def _check_inotify() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    handle = libc.inotify_init1(os.O_CLOEXEC)
    if handle < 0:
        raise _inotify(ctypes.get_errno(), "max_user_instances")
    try:
        if libc.inotify_add_watch(handle, b"/", 0x80) < 0:  # IN_MOVED_TO
            raise _inotify(ctypes.get_errno(), "max_user_watches")
    finally:
        os.close(handle)


def _inotify(number: int, limit: str) -> TargetError:
    known = Path("/proc/sys/fs/inotify") / limit
    value = known.read_text().strip() if known.exists() else "unknown"
    used_up = number in (errno.EMFILE, errno.ENOSPC)
    return TargetError(
        f"the gateway cannot watch its files: {os.strerror(number)} (fs.inotify.{limit} is {value})",
        f"end programs that watch files (editors, file synchronisers), or raise it: 'sysctl fs.inotify.{limit}=…'"
        if used_up
        else "allow inotify in this container",
    )
