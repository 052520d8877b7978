"""Launch of kernels for notebooks that nbdeploy runs, without leaving processes or files."""

from __future__ import annotations

import contextlib
import math
import os
import queue
import shutil
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .provisioner import Fork

_LOG = "kernel.log"

_LONGEST_SOCKET = 104  # bytes of a unix socket's path on the most restrictive system

_RECONNECT = 10  # milliseconds; the client connects before the kernel listens

LARGEST = 64 * 1024**2
"""Bytes of a kernel's message; larger ones are rejected, so that no cell can fill this process's memory."""


_WAITING = 100_000
"""The number of a kernel's unread messages; further ones would be dropped."""


@dataclass(frozen=True)
class Launch:
    """The parameters of a kernel's start.

    Attributes
    ----------
    kernel
        The name of the kernelspec.
    environment
        All environment variables.
    cwd
        The kernel's working directory; set for the kernel alone, so that threads of one process can run several.
    folder
        A private folder for the connection file (which holds the kernel's key) and for output outside the notebook.
    command
        A command that replaces the kernelspec's; ``{connection_file}`` is filled in.
    fork
        Forks the kernel instead of starting a command, where possible.
    """

    kernel: str
    environment: Mapping[str, str]
    cwd: Path
    folder: Path
    command: tuple[str, ...] | None = None
    fork: Fork | None = None

    def last_words(self, lines: int = 8) -> str:
        """Return the last lines of the kernel process's own stdout and stderr."""
        with contextlib.suppress(OSError), (self.folder / _LOG).open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - 8192))
            return "\n".join(log.read().decode("utf-8", errors="replace").strip().splitlines()[-lines:])
        return ""


def kernel_managers(launch: Launch) -> type[Any]:
    """Return a class of kernel managers for nbclient that start kernels in this way."""
    import zmq
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager

    class Manager(AsyncKernelManager):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.connection_file = str(launch.folder / "connection.json")
            sockets = launch.folder / "k"
            if self.ipykernel and len(f"{sockets}-99") < _LONGEST_SOCKET:
                self.transport, self.ip = "ipc", str(sockets)  # a private folder, where nothing takes a port

        def client(self, **options: Any) -> Any:
            client: Any = super().client(**options)
            client.context.setsockopt(zmq.MAXMSGSIZE, LARGEST)  # of the sockets created from now on
            client.context.setsockopt(zmq.RCVHWM, _WAITING)
            client.context.setsockopt(zmq.RECONNECT_IVL, _RECONNECT)
            client.wait_for_ready = partial(_until_ready, client)
            return client

        @property
        def kernel_spec(self) -> Any:
            if launch.command is None:
                return super().kernel_spec
            return KernelSpec(argv=list(launch.command), display_name="Python", language="python")

        def format_kernel_cmd(self, extra_arguments: list[str] | None = None) -> list[str]:
            return [*_death_signal_prefix(), *super().format_kernel_cmd(extra_arguments)]

        async def start_kernel(self, **options: Any) -> None:  # type: ignore[override]  # as in its own base
            # Output outside the notebook must not mix with this process's stdout, which may be one JSON document.
            if launch.fork is not None:
                self.provisioner = launch.fork.provisioner(self)
            with (launch.folder / _LOG).open("ab") as log:
                kernel_options = {"env": dict(launch.environment), "cwd": str(launch.cwd), "stdout": log, "stderr": log}
                await super().start_kernel(**{**options, **kernel_options})

        async def cleanup_resources(self, restart: bool = False) -> None:  # type: ignore[override]
            process = self.provisioner
            await super().cleanup_resources(restart=restart)
            await _clean_up(process)

    return Manager


async def _until_ready(client: Any, timeout: float | None = None) -> None:  # noqa: ASYNC109 - as in its own class
    """Wait until a kernel answers and its output channel is connected.

    It replaces jupyter_client's method, which also waits a fifth of a second for silence: execution ignores the replies
    to other requests.
    """
    until = time.monotonic() + (timeout or math.inf)
    while True:
        client.kernel_info()
        with contextlib.suppress(queue.Empty):
            reply = await client.get_shell_msg(timeout=1)
            if reply["msg_type"] == "kernel_info_reply":
                await client.get_iopub_msg(timeout=0.2)
                client._handle_kernel_info_reply(reply)  # noqa: SLF001 - sets the protocol's version
                return
        if not await client.is_alive():
            raise RuntimeError("the kernel ended before it answered")
        if time.monotonic() > until:
            raise RuntimeError(f"the kernel did not answer within {timeout:g} s")


async def _clean_up(process: Any) -> None:
    """Close an ended kernel's pipes and end the processes that its cells left."""
    if process is None:
        return
    if process.has_process and await process.poll() is not None:
        await process.wait()  # closes the pipes
    if group := getattr(process, "pgid", None):
        with contextlib.suppress(OSError):
            os.killpg(group, signal.SIGKILL)


def _death_signal_prefix() -> list[str]:
    """Return a command prefix that ends a kernel together with this process in every case.

    ipykernel checks its parent itself, once a second, while its Python runs; other kernels do not. The signal is sent
    when the *thread* ends that started the kernel, so a kernel must not outlive it.
    """
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    return [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []


def exit_text(code: int | None) -> str:
    """Describe the end of a kernel's process; ``code`` is as in ``subprocess``, None: unknown."""
    if code is None or code == 0:
        return "the kernel ended by itself" if code == 0 else "it does not answer"
    if code > 0:
        return f"its process ended with exit code {code}"
    name = signal.Signals(-code).name if -code in {one.value for one in signal.Signals} else f"signal {-code}"
    return f"its process was ended by {name}" + (" (possibly out of memory)" if -code == signal.SIGKILL else "")
