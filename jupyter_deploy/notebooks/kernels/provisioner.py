"""Kernels forked from a process that has imported once what the notebooks of a run import.

See docs/architecture/13-validation.md, "Fast kernels".
"""

from __future__ import annotations

import asyncio
import atexit
import sys
import threading
import uuid
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_deploy.domain.validation.ports import Notebook
from jupyter_deploy.serving.imports import installed

from .first_imports import first_imports
from .fork_client import ForkedProcess, ForkServer

if TYPE_CHECKING:
    from jupyter_client.manager import AsyncKernelManager

_IDLE = 600.0  # seconds after which what is kept for the next validation ends
_OURS = "NBDEPLOY_"  # variables that may differ from kernel to kernel: no library reads them when it is imported
_COMMAND = ["-m", "ipykernel_launcher", "-f", "{connection_file}"]


class Fork:
    """How the kernel of one run is had from a fork server."""

    def __init__(self, server: ForkServer, statements: tuple[str, ...]) -> None:
        self._server, self._statements = server, statements

    def provisioner(self, manager: AsyncKernelManager) -> Any:
        """What starts the kernel of a manager in its own stead; None: its kernelspec asks for another Python."""
        if not is_ours(manager.kernel_spec):
            return None
        manager.kernel_id = manager.kernel_id or str(uuid.uuid4())
        return _provisioner_class()(
            kernel_id=manager.kernel_id, kernel_spec=manager.kernel_spec, parent=manager, fork=self
        )

    def say_why(self) -> None:
        """That kernels are not forked; nothing where they are not to run either."""
        if not self._server.cancelled:
            _say("the process that was to fork them ended, or has threads of its own")

    def start(self, command: Sequence[str], options: Mapping[str, Any]) -> ForkedProcess | None:
        """The process of a kernel, by what ``Popen`` would be given."""
        argv = list(command[command.index(sys.executable) :])  # what stands before is for who execs
        out, err = options.get("stdout"), options.get("stderr")  # files, or None: ours
        output = (out.fileno() if out else 1, err.fileno() if err else 2)
        place = Path(options.get("cwd") or Path.cwd()), self._statements
        return self._server.start(argv, options["env"], place, output)


@cache
def _provisioner_class() -> type[Any]:
    from jupyter_client.provisioning.local_provisioner import LocalProvisioner

    class ForkedProvisioner(LocalProvisioner):
        """As LocalProvisioner, but that the process is forked where that can be had."""

        def __init__(self, *, fork: Fork, **options: Any) -> None:
            super().__init__(**options)
            self._fork = fork
            self._ends = False

        async def launch_kernel(self, cmd: list[str], **options: Any) -> Any:
            process = await asyncio.to_thread(self._fork.start, cmd, options)
            if process is None:
                self._fork.say_why()
                return await super().launch_kernel(cmd, **options)
            self.process = process  # type: ignore[assignment]  # as much of a Popen as is asked of it
            self.pid = process.pid  # and no group to be signalled: see send_signal
            self.cwd = options.get("cwd")
            return self.connection_info

        async def send_signal(self, signum: int) -> None:
            if isinstance(self.process, ForkedProcess):
                self.process.send_signal(signum)  # by who forked it, who knows whether it still is that process
            else:
                await super().send_signal(signum)

        async def shutdown_requested(self, restart: bool = False) -> None:
            self._ends = True
            await super().shutdown_requested(restart=restart)

        async def poll(self) -> int | None:
            # jupyter_client looks ten times a second whether a kernel has ended; here that can be waited for.
            if self._ends and isinstance(self.process, ForkedProcess):
                await asyncio.to_thread(self.process.ends_within, 0.5)
            return await super().poll()

    return ForkedProvisioner


class Forks:
    """Kernels for the runs of a validation: forked where that is the same as started, and not where it is not.

    On the command line a fork server lives as long as the run. In a notebook's kernel it is kept for the next
    validation, for ten minutes at most, and goes with that kernel.
    """

    def __init__(self) -> None:
        self._server: ForkServer | None = None
        self._imports: dict[str, tuple[str, ...]] = {}

    def expect(self, notebooks: Iterable[tuple[Notebook, Path]], environment: Mapping[str, str]) -> None:
        """Be told which notebooks will run, and where: their imports begin at once, beside whatever comes first."""
        ours = [(cwd, notebook) for notebook, cwd in notebooks if is_ours(_spec(notebook.kernel))]
        if not ours:
            return
        if not _can_fork():
            _say("this system has no /proc")
            return
        try:
            self._server = _KEPT.taken(environment) or ForkServer(environment)
        except OSError as error:
            _say(str(error))
            return
        configured = _is_configured(environment)
        self._imports = {one.source: () if configured else first_imports(one.source) for _, one in ours}
        self._server.expect(dict.fromkeys((cwd, self._imports[one.source]) for cwd, one in ours))

    def fork(self, notebook: Notebook) -> Fork | None:
        """For one run; None: its kernel is started as always."""
        server = self._server
        if server is None or notebook.source not in self._imports:
            return None
        return Fork(server, self._imports[notebook.source])

    def cancel(self) -> None:
        """Have nobody wait for an import."""
        if (server := self._server) is not None:
            server.cancel()

    def close(self) -> None:
        """End the server, or keep it for the next validation."""
        server, self._server = self._server, None
        if server is not None and _in_notebook() and not server.cancelled:
            _KEPT.keep(server)
        elif server is not None:
            server.close()


class _Kept:
    """The fork server that a notebook's kernel keeps between two validations."""

    def __init__(self) -> None:
        self._server: ForkServer | None = None
        self._timer: threading.Timer | None = None
        self._lock = threading.Lock()

    def taken(self, environment: Mapping[str, str]) -> ForkServer | None:
        """It, if it would import the same things today."""
        server = self._swapped(None)
        if server is None:
            return None
        if server.lives and server.installed == installed() and same(server.environment, environment):
            return server
        server.close()
        return None

    def keep(self, server: ForkServer) -> None:
        server.tidy()
        if (other := self._swapped(server)) is not None:
            other.close()

    def end(self) -> None:
        if (server := self._swapped(None)) is not None:
            server.close()

    def _swapped(self, server: ForkServer | None) -> ForkServer | None:
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = None
            if server is not None:
                self._timer = threading.Timer(_IDLE, self.end)
                self._timer.daemon = True
                self._timer.start()
            found, self._server = self._server, server
            return found


_KEPT = _Kept()
atexit.register(_KEPT.end)


def is_ours(spec: Any) -> bool:
    """Whether a kernelspec is of this Python, started in no special way."""
    if spec is None or spec.env or spec.argv[1:] != _COMMAND:
        return False
    names = {"python", f"python{sys.version_info[0]}", f"python{sys.version_info[0]}.{sys.version_info[1]}"}
    return spec.argv[0] in names | {sys.executable}  # jupyter_client takes these names for its own Python


def same(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Whether libraries would find the same variables."""
    first, second = ({k: v for k, v in found.items() if not k.startswith(_OURS)} for found in (one, other))
    return first == second


def _is_configured(environment: Mapping[str, str]) -> bool:
    """Whether IPython is told to run something before the first cell, which might change what that imports."""
    own = Path(environment.get("IPYTHONDIR") or Path.home() / ".ipython").expanduser() / "profile_default"
    for folder in (own, Path(sys.prefix) / "etc" / "ipython", Path("/etc/ipython"), Path("/usr/local/etc/ipython")):
        if any(folder.glob("ipython*_config.*")):
            return True
    return any((own / "startup").glob("*.[pi]*y"))


@cache
def _spec(kernel: str) -> Any:
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    try:
        return KernelSpecManager().get_kernel_spec(kernel)
    except NoSuchKernel:
        return None


def _can_fork() -> bool:
    return sys.platform == "linux" and Path("/proc/self/task").is_dir()


def _in_notebook() -> bool:
    shell = sys.modules.get("IPython.core.interactiveshell")
    return shell is not None and shell.InteractiveShell.initialized()


_said: set[str] = set()


def _say(why: str) -> None:
    """Once for all kernels."""
    if why not in _said:
        _said.add(why)
        print(f"nbdeploy: kernels are started one by one, which is slower: {why}", file=sys.stderr)  # noqa: T201
