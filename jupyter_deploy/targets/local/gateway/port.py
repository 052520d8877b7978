"""The gateway's TCP port: whether it is free, and whether the gateway itself listens on it."""

from __future__ import annotations

import socket
from contextlib import suppress
from pathlib import Path

_LISTEN = "0A"  # of the kernel's enum, see proc_pid_net(5)


def free_port(port: int) -> int | None:
    """``port`` if it can be bound (0: any that can)."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As Envoy does: closing connections of the last Envoy do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)  # Linux lets two sockets bind a port until one listens
        except OSError:
            return None
        return int(probe.getsockname()[1])


def listens(pid: int, port: int) -> bool:
    """Whether the process listens on the TCP port; without ``/proc`` (macOS) the answer is unknown, and True."""
    process = Path("/proc") / str(pid)
    if not Path("/proc/self/net/tcp").exists():
        return True
    try:
        lines = (process / "net" / "tcp").read_text().splitlines()[1:]
        descriptors = list((process / "fd").iterdir())
    except OSError:  # it has ended
        return False
    fields = [line.split() for line in lines]
    inodes = {f"socket:[{one[9]}]" for one in fields if one[3] == _LISTEN and int(one[1].partition(":")[2], 16) == port}
    for descriptor in descriptors:
        with suppress(OSError):  # it was closed
            if inodes and str(descriptor.readlink()) in inodes:
                return True
    return False
