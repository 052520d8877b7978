"""Kernels of notebooks that nbdeploy runs itself: how one is started, and that nothing of it is left."""

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

_LONGEST_SOCKET = 104  # bytes of a unix socket's path, on the system that allows least

_RECONNECT = 10  # milliseconds; a kernel is asked before it listens

LARGEST = 64 * 1024**2
"""Bytes of one message of a kernel; a larger one is not received, so that no cell can fill this process's memory."""


_WAITING = 100_000
"""So many messages of a kernel may wait to be taken; more would be dropped."""


@dataclass(frozen=True)
class Launch:
    """How a kernel is started.

    Attributes
    ----------
    kernel
        The name of its kernelspec.
    environment
        All its variables.
    cwd
        Its working directory: given to the kernel alone, so that several can run from threads of one process.
    folder
        A private folder, for its connection file (which holds its key) and for what it writes past its notebook.
    command
        What starts it in place of its kernelspec's command; ``{connection_file}`` is filled in.
    fork
        Forks it in place of its kernelspec's command, where that can be had.
    """

    kernel: str
    environment: Mapping[str, str]
    cwd: Path
    folder: Path
    command: tuple[str, ...] | None = None
    fork: Fork | None = None

    def last_words(self, lines: int = 8) -> str:
        """What the kernel's process wrote to its own stdout and stderr in the end."""
        with contextlib.suppress(OSError), (self.folder / _LOG).open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - 8192))
            return "\n".join(log.read().decode("utf-8", errors="replace").strip().splitlines()[-lines:])
        return ""


def kernel_managers(launch: Launch) -> type[Any]:
    """A class of kernel managers, as nbclient wants one, that start kernels in this way."""
    import zmq
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager

    class Manager(AsyncKernelManager):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.connection_file = str(launch.folder / "connection.json")
            sockets = launch.folder / "k"
            if self.ipykernel and len(f"{sockets}-99") < _LONGEST_SOCKET:
                self.transport, self.ip = "ipc", str(sockets)  # in our folder, and nobody else can take a port

        def client(self, **options: Any) -> Any:
            client: Any = super().client(**options)
            client.context.setsockopt(zmq.MAXMSGSIZE, LARGEST)  # of the sockets that it makes from now on
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
            return [*_bound_to_us(), *super().format_kernel_cmd(extra_arguments)]

        async def start_kernel(self, **options: Any) -> None:  # type: ignore[override]  # as in its own base
            # What is written past the notebook must not mix with our own stdout, which may be one JSON document.
            if launch.fork is not None:
                self.provisioner = launch.fork.provisioner(self)
            with (launch.folder / _LOG).open("ab") as log:
                given = {"env": dict(launch.environment), "cwd": str(launch.cwd), "stdout": log, "stderr": log}
                await super().start_kernel(**{**options, **given})

        async def cleanup_resources(self, restart: bool = False) -> None:  # type: ignore[override]
            process = self.provisioner
            await super().cleanup_resources(restart=restart)
            await _swept(process)

    return Manager


async def _until_ready(client: Any, timeout: float | None = None) -> None:  # noqa: ASYNC109 - as in its own class
    """Wait until a kernel answers, and is heard when it tells something.

    As jupyter_client's own, but for the fifth of a second in which that waits for silence: who executes cells takes
    no notice of what answers other questions.
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


async def _swept(process: Any) -> None:
    """What a kernel that has ended left: its pipes, and the processes that its cells started and did not end."""
    if process is None:
        return
    if process.has_process and await process.poll() is not None:
        await process.wait()  # closes the pipes
    if group := getattr(process, "pgid", None):
        with contextlib.suppress(OSError):
            os.killpg(group, signal.SIGKILL)


def _bound_to_us() -> list[str]:
    """A command before a kernel's own, by which it goes when we go, however that happens.

    ipykernel looks after its parent itself, once a second, while its Python runs; other kernels do not. The signal
    comes when the *thread* ends that started the kernel, so a kernel must not outlive that one.
    """
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    return [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []


def how_it_ended(code: int | None) -> str:
    """In words, how a kernel's process ended; ``code`` as ``subprocess`` has it, None: not known."""
    if code is None or code == 0:
        return "it ended by itself" if code == 0 else "it does not answer"
    if code > 0:
        return f"its process ended with exit code {code}"
    name = signal.Signals(-code).name if -code in {one.value for one in signal.Signals} else f"signal {-code}"
    return f"its process was ended by {name}" + (" (no memory left?)" if -code == signal.SIGKILL else "")
