"""A zygote: a process that has imported an environment's libraries and forks releases, which share these pages.

    python -P …/targets/local/releases/zygote.py STATE

``STATE`` is a JSON file, ``{"socket", "code", "imports", "manifest"}``: where it listens, the folder with the package
``serving`` of its bentos, the modules to import, and a manifest with the captured versions.

It sends ``ready`` to a client (``launch``) and reads a line: the path of a plan, with the descriptors of the lock and
the log of that plan's process. It forks, and sends ``forked``; the fork is the plan's process from then on. ``unfit``
means that a distribution was installed meanwhile: it ends, and the supervisor starts another one.

It forks as long as it has a single thread and no file of its own. If a library needs more, it notes the reason next to
its socket (``.unfit``) and ends for good; its releases start as processes of their own.

It uses only the standard library, and files of this package by path, since it runs in the captured environment.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import importlib.util
import json
import os
import signal
import socket
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

# The imports of every worker: of the server, and of BentoML's application.
_SERVER = (
    *("uvicorn", "uvicorn.lifespan.on", "uvicorn.loops.uvloop", "uvicorn.protocols.http.httptools_impl"),
    *("uvicorn.protocols.websockets.auto", "bentoml", "_bentoml_sdk", "_bentoml_impl.server.app"),
    *("_bentoml_impl.client", "_bentoml_impl.client.proxy2", "_bentoml_impl.serde"),
    *("bentoml.models", "bentoml.container", "bentoml._internal.configuration.v2", "bentoml._internal.utils.analytics"),
    *("bentoml._internal.server.http.access", "bentoml._internal.server.http.traffic"),
    *("bentoml._internal.server.http.instruments", "bentoml._internal.server.metrics.prometheus"),
    *("bentoml._internal.runner.container", "opentelemetry.instrumentation.asgi", "opentelemetry.sdk.trace.export"),
    *("bentoml._internal.utils.telemetry", "prometheus_client", "prometheus_client.multiprocess"),
    *("prometheus_client.parser", "pydantic.dataclasses", "uvicorn.loops.auto", "uvicorn.protocols.http.auto"),
)
# Of the package ``serving``; the rest follows from these.
_SERVING = (
    *("hosting.run", "hosting.server", "hosting.pool_program", "hosting.outer_app", "hosting.liveness"),
    *("hosting.uvicorn_server", "asgi.front", "snapshot"),
)
# Of ``serving``, for models that take a type of these libraries.
_OF_LIBRARIES = {"pandas": ("values.frames", "values.blocks"), "polars": ("values.polars_frames",)}

_MESSAGE_BYTES = 4096
_CLIENT_SECONDS = 5.0


def main(path: Path) -> int:
    """Import, then fork a release for each client; return the exit code."""
    state: dict[str, Any] = json.loads(path.read_text("utf-8"))
    launch = _by_path(Path(__file__).parents[1] / "supervisor" / "launch.py")
    unfit = Path(state["socket"]).with_suffix(".unfit")
    unfit.unlink(missing_ok=True)
    Path(state["socket"]).unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(state["socket"])
        listener.listen(64)  # early clients wait for the imports
        _import_all(state)
        installed = importlib.import_module("serving.imports").installed
        began = installed()
        reason = importlib.import_module("serving.hosting.forking").fork_obstacle()
        if reason:
            # Who sees the mark finds the reason in the log.
            sys.stderr.write(f"releases of this environment start on their own: {reason}\n")
            unfit.write_text(reason, "utf-8")
            return int(launch.GIVEN_UP)
        gc.freeze()  # the collector would write into every page with an object
        gc.enable()
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps the forks
        while True:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError, ValueError):
                connection.settimeout(_CLIENT_SECONDS)
                if installed() != began:
                    connection.sendall(b"unfit\n")
                    return 1
                connection.sendall(b"ready\n")
                message, descriptors, _, _ = socket.recv_fds(connection, _MESSAGE_BYTES, 2)
                try:
                    if message:
                        _fork(Path(message.decode().strip()), descriptors, (listener, connection), launch)
                finally:
                    for descriptor in descriptors:
                        os.close(descriptor)
                connection.sendall(b"forked\n")


def _import_all(state: dict[str, Any]) -> None:
    """Import the modules of the server, of ``serving`` and of the snapshot, but those that cannot be imported."""
    gc.disable()
    sys.path.insert(0, state["code"])
    _import((*_SERVER, *(f"serving.{name}" for name in _SERVING), *state["imports"]))
    for library, names in _OF_LIBRARIES.items():
        if library in sys.modules:
            _import(f"serving.{name}" for name in names)
    with contextlib.suppress(Exception):  # the checks of types are remembered, and a fork makes the same ones
        importlib.import_module("bentoml._internal.configuration.containers").BentoMLConfiguration(use_version=2)
    with contextlib.suppress(Exception):
        importlib.import_module("serving.hosting.forking").find_thread_pools()
    # The lookups stay in a cache, which a fork has too.
    with contextlib.suppress(OSError, ValueError, KeyError):
        importlib.import_module("serving.environment").changes(json.loads(Path(state["manifest"]).read_bytes()))
    gc.collect()


def _import(names: Iterable[str]) -> None:
    for name in names:
        with contextlib.suppress(Exception):  # an import may raise anything
            importlib.import_module(name)


def _fork(path: Path, descriptors: list[int], inherited: tuple[socket.socket, ...], launch: ModuleType) -> None:
    """Fork; the fork becomes the process of a plan and never returns."""
    plan: dict[str, Any] = json.loads(path.read_text("utf-8"))
    if os.fork():
        return

    def run() -> int:
        for one in inherited:
            one.close()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        hold, log = descriptors
        launch.take_over(plan, path, hold, log)
        return _run({**plan, "environment": launch.environment_of(plan)})

    importlib.import_module("serving.hosting.forking").end_fork(run)


def _run(plan: dict[str, Any]) -> int:
    """Run the plan's program, ``container.py`` of a bento, in this process; return its exit code."""
    os.chdir(plan["folder"])
    os.environ.clear()
    os.environ.update(plan["environment"])
    _show(" ".join(plan["command"]))
    _, _, program, *arguments = plan["command"]
    sys.argv = [program, *arguments]
    forking = importlib.import_module("serving.hosting.forking")
    own = str(Path(str(forking.__file__)).parents[2])
    # The bento has the same package serving, and its own service.py.
    sys.path[:] = [str(Path(program).parents[1]), *(entry for entry in sys.path if entry != own)]
    forking.reseed()
    code: int = importlib.import_module("serving.hosting.run").main(arguments, forked=True)
    return code


def _show(title: str) -> None:
    """Let ``ps`` show the command line of this process's plan, in place of the zygote's.

    The kernel shows a text that fills the memory of the arguments and goes on in that of the variables, which nothing
    refers to after ``os.environ`` was set anew.
    """
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end, following, last = map(int, fields[45:49])  # fields 48 to 51 of proc(5), counted from the third
    if start and end == following:
        text = title.encode().ljust(end - start)[: last - start - 1]
        ctypes.memset(start, 0, last - start)
        ctypes.memmove(start, text, len(text))


def _by_path(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"nbdeploy_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is missing")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
