"""Settings of the C library's allocator for a process that needs blocks of megabytes again and again."""

from __future__ import annotations

import ctypes
import platform

# Parameters of glibc's mallopt(3).
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3

_BLOCK_BYTES = 32 * 1024 * 1024
_FREE_BYTES = 2 * _BLOCK_BYTES


def keep_freed_memory() -> None:
    """Keep up to 64 MiB of freed memory, and take blocks below 32 MiB from it; without glibc nothing changes.

    By default glibc returns a block of megabytes to the system as soon as it is freed, and the next request pays for
    each of its pages anew, which can take longer than the model. glibc raises its limits to these values by itself once
    it has freed such large blocks.
    """
    if platform.libc_ver()[0] == "glibc":
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, _BLOCK_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _FREE_BYTES)
