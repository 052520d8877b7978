"""Kernels forked from a process that imports the notebooks' packages once for a whole run.

See docs/architecture/13-validation.md, "Fast kernels".
"""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_deploy.domain.validation.ports import Notebook
from jupyter_deploy.system import spare

from .first_imports import first_imports
from .fork_client import ForkedProcess, ForkServer, key_of

if TYPE_CHECKING:
    from jupyter_client.manager import AsyncKernelManager

_PURPOSE = "kernels"
_COMMAND = ["-m", "ipykernel_launcher", "-f", "{connection_file}"]


class Fork:
    """The fork of one run's kernel from a fork server."""

    def __init__(self, server: ForkServer, statements: tuple[str, ...]) -> None:
        self._server, self._statements = server, statements

    def provisioner(self, manager: AsyncKernelManager) -> Any:
        """Return the provisioner of a manager; None: its kernelspec names another Python."""
        if not uses_this_python(manager.kernel_spec):
            return None
        manager.kernel_id = manager.kernel_id or str(uuid.uuid4())
        return _provisioner_class()(
            kernel_id=manager.kernel_id, kernel_spec=manager.kernel_spec, parent=manager, fork=self
        )

    def report_reason(self) -> None:
        """Report why kernels are not forked; silent if they do not run at all."""
        if not self._server.cancelled:
            _report("the fork server ended, or has threads of its own")

    def start(self, command: Sequence[str], options: Mapping[str, Any]) -> ForkedProcess | None:
        """Fork a kernel's process by the arguments of ``Popen``."""
        argv = list(command[command.index(sys.executable) :])  # skips the prefix, which applies to exec
        out, err = options.get("stdout"), options.get("stderr")  # files, or None: this process's own
        output = (out.fileno() if out else 1, err.fileno() if err else 2)
        key = Path(options.get("cwd") or Path.cwd()), self._statements
        return self._server.start(argv, options["env"], key, output)


@cache
def _provisioner_class() -> type[Any]:
    from jupyter_client.provisioning.local_provisioner import LocalProvisioner

    class ForkedProvisioner(LocalProvisioner):
        """A LocalProvisioner that forks the process where possible."""

        def __init__(self, *, fork: Fork, **options: Any) -> None:
            super().__init__(**options)
            self._fork = fork
            self._ends = False

        async def launch_kernel(self, cmd: list[str], **options: Any) -> Any:
            process = await asyncio.to_thread(self._fork.start, cmd, options)
            if process is None:
                self._fork.report_reason()
                return await super().launch_kernel(cmd, **options)
            self.process = process  # type: ignore[assignment]  # the used part of Popen's interface
            self.pid = process.pid  # and no process group: see send_signal
            self.cwd = options.get("cwd")
            return self.connection_info

        async def send_signal(self, signum: int) -> None:
            if isinstance(self.process, ForkedProcess):
                self.process.send_signal(signum)  # by its parent, which knows whether the id is still valid
            else:
                await super().send_signal(signum)

        async def shutdown_requested(self, restart: bool = False) -> None:
            self._ends = True
            await super().shutdown_requested(restart=restart)

        async def poll(self) -> int | None:
            # jupyter_client polls ten times a second for a kernel's end; here that is an event.
            if self._ends and isinstance(self.process, ForkedProcess):
                await asyncio.to_thread(self.process.ends_within, 0.5)
            return await super().poll()

    return ForkedProvisioner


class Forks:
    """Kernels for the runs of a validation, forked where a fork equals a start.

    On the command line a fork server lives as long as the run. In a notebook's kernel it is kept for the next
    validation, at most ten minutes, and ends with the kernel.
    """

    def __init__(self) -> None:
        self._server: ForkServer | None = None
        self._imports: dict[str, tuple[str, ...]] = {}

    def expect(self, notebooks: Iterable[tuple[Notebook, Path]], environment: Mapping[str, str]) -> None:
        """Announce the notebooks to run and their folders: their imports start at once in parallel."""
        ours = [(cwd, notebook) for notebook, cwd in notebooks if uses_this_python(_spec(notebook.kernel))]
        if not ours:
            return
        if not _can_fork():
            _report("this system has no /proc")
            return
        try:
            self._server = spare.take(_PURPOSE, ForkServer, key_of(environment)) or ForkServer(environment)
        except OSError as error:
            _report(str(error))
            return
        configured = _is_configured(environment)
        self._imports = {one.source: () if configured else first_imports(one.source) for _, one in ours}
        self._server.expect(dict.fromkeys((cwd, self._imports[one.source]) for cwd, one in ours))

    def fork(self, notebook: Notebook) -> Fork | None:
        """Return the fork of one run; None: its kernel starts as usual."""
        server = self._server
        if server is None or notebook.source not in self._imports:
            return None
        return Fork(server, self._imports[notebook.source])

    def cancel(self) -> None:
        """Abort all waits for imports."""
        if (server := self._server) is not None:
            server.cancel()

    def close(self) -> None:
        """End the server, or keep it for the next validation."""
        server, self._server = self._server, None
        if server is not None and _in_notebook() and not server.cancelled:
            server.tidy()
            spare.put(_PURPOSE, server)
        elif server is not None:
            server.close()


def uses_this_python(spec: Any) -> bool:
    """Whether a kernelspec belongs to this Python without a special command."""
    if spec is None or spec.env or spec.argv[1:] != _COMMAND:
        return False
    names = {"python", f"python{sys.version_info[0]}", f"python{sys.version_info[0]}.{sys.version_info[1]}"}
    return spec.argv[0] in names | {sys.executable}  # jupyter_client replaces these names by its own Python


def _is_configured(environment: Mapping[str, str]) -> bool:
    """Whether IPython runs start-up code before the first cell, which may affect its imports."""
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


_reported: set[str] = set()


def _report(why: str) -> None:
    """Print a message once for all kernels."""
    if why not in _reported:
        _reported.add(why)
        print(f"nbdeploy: kernels are started one by one, which is slower: {why}", file=sys.stderr)  # noqa: T201
