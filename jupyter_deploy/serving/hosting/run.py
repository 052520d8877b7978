"""The run of a container: settings, socket, model, example, server. See ``container``."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import socket
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from .. import workplace
from ..asgi.messages import App
from ..environment import EnvironmentChanged
from ..output import redirect_output
from ..output_masking import mask_secrets, without_secrets
from ..telemetry.logging import FORMAT, JsonFormatter, log, log_format
from . import activation, forking, unix_socket
from .allocator import keep_freed_memory
from .exit_reasons import NOT_LOADED, WRONG_SETTING, StartupError
from .options import HostingOptions, InvalidSetting, checked_key, parse_options
from .processors import threads
from .read_only_bentoml import disable_temporary_folder, has_temporary_folder
from .shutdown import Shutdown
from .startup_responder import Readiness, StartupResponder
from .termination import write_termination

_TERMINATION_CHARACTERS = 2000  # Kubernetes reads 4,096 bytes

_REASONS = {
    errno.EADDRINUSE: "another process is listening there",
    errno.EACCES: "this user may not listen there; use a port from 1024",
}


def main(arguments: Sequence[str], *, forked: bool = False) -> int:
    """Serve until a signal stops the process, or score files; return the exit code.

    ``forked``: this is the fork of a process that has imported libraries with one thread.
    """
    prepare()
    if arguments[:1] == ["batch"]:
        from ..batch.job import run_batch  # a server needs none

        return run_batch(arguments[1:])
    try:
        options = read_options(arguments)
        if options.pooled and options.uds is not None:
            from . import workers  # few services have several

            return workers.become_pool(arguments, options)
        readiness = Readiness()
        shutdown = Shutdown(readiness, options.grace_seconds, options.drain_delay)
        if forked:
            forking.restore_threads()
        with _listening(options) as listener:
            if options.pooled:
                from . import workers

                return workers.run(arguments, listener, readiness, shutdown)
            return _run(options, listener, readiness, shutdown)
    except StartupError as error:
        report(error)
        return error.code


def report(error: StartupError) -> None:
    """Log the reason of a failed start, and write it where a platform reads it (Kubernetes' termination message)."""
    log(error.reason, details=error.details)
    write_termination(without_secrets(f"{error.reason}\n{error.details}")[:_TERMINATION_CHARACTERS])


def prepare() -> None:
    """Set the variables that libraries read at import, and the destination and format of all output."""
    os.environ.setdefault("BENTOML_DO_NOT_TRACK", "true")
    for name, value in forking.PASSIVE.items():
        os.environ.setdefault(name, value)
    bentos = Path(__file__).parents[5:6]
    if bentos and bentos[0].name == "bentos":  # this is BentoML's own store, which holds the model
        os.environ.setdefault("BENTOML_HOME", str(bentos[0].parent))
    if not os.environ.get(FORMAT):
        os.environ[FORMAT] = "json"
    sys.dont_write_bytecode = True
    as_json = os.environ[FORMAT] != "text"
    mask_secrets(os.environ)
    redirect_output(as_json=as_json)
    handler = logging.StreamHandler()
    if as_json:
        handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_exception
    threading.excepthook = lambda raised: _log_exception(raised.exc_type, raised.exc_value, raised.exc_traceback)


def _log_exception(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    details = "".join(traceback.format_exception(kind, error, trace))
    log(f"{kind.__name__}: {error}", details=details)


def read_options(arguments: Sequence[str]) -> HostingOptions:
    """Parse arguments and environment variables, and read the gateway's key; raise StartupError if one is invalid."""
    try:
        log_format()
    except ValueError as wrong:
        os.environ[FORMAT] = "json"  # the format of the following error
        raise StartupError(WRONG_SETTING, str(wrong)) from wrong
    try:
        options = parse_options(arguments, os.environ, _writable)
        if options.key_file is None:
            return options
        return replace(options, gateway_key=checked_key(_text(options.key_file), options.key_file))
    except InvalidSetting as wrong:
        raise StartupError(WRONG_SETTING, str(wrong)) from wrong


def _text(path: str) -> str:
    try:
        return Path(path).read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSetting(f"the gateway's key cannot be read: {error}") from error


def _writable(folder: str) -> bool:
    return Path(folder).is_dir() and os.access(folder, os.W_OK | os.X_OK)


@contextlib.contextmanager
def _listening(options: HostingOptions) -> Iterator[socket.socket]:
    """Yield the socket; close it afterwards, and remove its name."""
    listener = bound(options)
    try:
        yield listener
    finally:
        listener.close()
        if options.uds is not None:
            unix_socket.remove(options.uds)


def bound(options: HostingOptions) -> socket.socket:
    """Return the socket: a port listens at once, a path gets its final name when the model is ready.

    The socket of a release that was idle has its name, and clients may wait on it already.
    """
    try:
        idle = activation.take(options.activator, options.uds) if options.activator and options.uds else None
        listener = idle or (_on_port(options.port) if options.uds is None else unix_socket.bind(options.uds))
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, error.strerror or str(error))
        raise StartupError(WRONG_SETTING, f"cannot listen on {options.address}: {reason}") from error
    listener.setblocking(False)
    return listener


def _on_port(port: int) -> socket.socket:
    """Bind all addresses: IPv6 and IPv4 together, or IPv4 if there is no IPv6."""
    try:
        return socket.create_server(
            ("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=unix_socket.BACKLOG
        )
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno in (errno.EADDRINUSE, errno.EACCES):
            raise
        return socket.create_server(("", port), backlog=unix_socket.BACKLOG)


def _run(options: HostingOptions, listener: socket.socket, readiness: Readiness, shutdown: Shutdown) -> int:
    # A gateway of nbdeploy waits for the socket and retries meanwhile.
    responder = StartupResponder(listener, readiness) if options.uds is None else None
    count = threads(options.threads, workers=1)
    if count is not None:
        for name in forking.THREADS:
            os.environ.setdefault(name, str(count))
    load(options)
    app, tag = application()
    from .outer_app import ContainerApp  # the startup responder answers meanwhile
    from .server import serve

    def on_open() -> None:
        if responder is not None:
            responder.stop()
        if options.uds is not None:
            unix_socket.open_socket(listener, options.uds)
        log_ready(tag, options, count)

    serve(ContainerApp(app, options, readiness), options, listener, shutdown, on_open)
    return 0


def log_ready(tag: str, options: HostingOptions, count: int | None) -> None:
    """Log the tag, the address, the workers and ``count``, the threads of each worker's libraries."""
    most = options.most_workers
    sharing = [f"{most if most == options.workers else f'{options.workers}-{most}'} workers"] if most > 1 else []
    sharing += [f"{count} thread{'s' * (count != 1)}{' each' * bool(sharing)}"] if count is not None else []
    sharing_text = f" with {' of '.join(sharing)}" if sharing else ""
    log(f"{tag} is ready on {options.address}{sharing_text}; {options.records_summary}", level="info")


def load(options: HostingOptions) -> None:
    """Import the bento's service and load its model; raise StartupError if that fails."""
    if options.records is None:
        os.environ.pop("NBDEPLOY_RECORDS", None)
    else:
        os.environ["NBDEPLOY_RECORDS"] = options.records
    try:
        forking.load()
    except BaseException as error:
        if isinstance(error, (workplace.NoTemporaryFolder, EnvironmentChanged)):  # it names the remedy
            raise StartupError(NOT_LOADED, str(error)) from error
        reason = f"the model cannot be loaded: {type(error).__name__}: {error}"
        raise StartupError(NOT_LOADED, reason, traceback.format_exc()) from error
    from ..snapshot import current  # loaded by forking.load()

    model = current()
    if model is None:
        raise StartupError(NOT_LOADED, "service.py has loaded no model")
    try:
        options.require_columns(model.manifest["signature"]["instance_schema"].get("properties", ()))
    except InvalidSetting as wrong:
        raise StartupError(WRONG_SETTING, str(wrong)) from wrong


def application() -> tuple[App, str]:
    """Return the bento's application and the snapshot's tag; raise StartupError if a setting is invalid."""
    from ..snapshot import current  # loaded before

    model = current()
    tag = model.tag if model else ""
    if not os.environ.get(forking.SNAPSHOT):
        if not has_temporary_folder():
            disable_temporary_folder()
        _label_metrics(tag)
    keep_freed_memory()  # not before: what the start has freed goes back to the system
    try:
        app: App = forking.service().app()
    except ValueError as wrong:
        raise StartupError(WRONG_SETTING, str(wrong)) from wrong
    return app, tag


def _label_metrics(tag: str) -> None:
    """Set the labels of BentoML's own metrics, as ``bentoml serve`` sets them."""
    from bentoml import server_context  # imported by the service

    server_context.bento_name, _, server_context.bento_version = tag.rpartition(":")
    server_context.service_name = server_context.bento_name
