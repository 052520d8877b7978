"""A container from its start to its end: settings, socket, model, example, server. See ``container``."""

from __future__ import annotations

import contextlib
import errno
import importlib
import logging
import os
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType

from .. import workplace
from ..asgi.messages import App
from ..output import on_stdout
from ..telemetry.logging import FORMAT, JsonFormatter, log_format, tell
from . import pool
from .exit_reasons import NOT_LOADED, WRONG_SETTING, Failed
from .options import Hosting, Misconfigured, hosting
from .processors import threads
from .read_only_bentoml import do_without, has_folder
from .shutdown import Ending
from .startup_responder import Doorman, State

_BACKLOG = 2048

_REASONS = {
    errno.EADDRINUSE: "something else listens there already",
    errno.EACCES: "this user may not listen there; a port from 1024 on is free to all",
}


def main(arguments: Sequence[str]) -> int:
    """Serve until told to end; the exit code."""
    prepared()
    state = State()
    ending = Ending(state)
    try:
        chosen = decided(arguments)
        with _listening(chosen) as listener:
            # A gateway waits for the socket, as for that of any release of nbdeploy, and tries again meanwhile.
            doorman = Doorman(listener, state) if chosen.uds is None else None

            def opened() -> None:
                if doorman is not None:
                    doorman.go()
                if chosen.uds is not None:
                    listener.listen(_BACKLOG)
                    Path(_first(chosen.uds)).replace(chosen.uds)

            if chosen.workers > 1:
                from .workers import run  # few have several

                return run(arguments, listener, state, ending, opened)
            return _run(chosen, listener, state, ending, opened)
    except Failed as failed:
        tell(failed.why, details=failed.details)
        return failed.code


def prepared() -> None:
    """Variables that libraries read when they are imported, and where all that is said goes."""
    os.environ.setdefault("BENTOML_DO_NOT_TRACK", "true")
    bentos = Path(__file__).parents[5:6]
    if bentos and bentos[0].name == "bentos":  # this is BentoML's own store, with the model in it
        os.environ.setdefault("BENTOML_HOME", str(bentos[0].parent))
    if not os.environ.get(FORMAT):
        os.environ[FORMAT] = "json"
    sys.dont_write_bytecode = True
    as_json = os.environ[FORMAT] != "text"
    on_stdout(as_json=as_json)
    handler = logging.StreamHandler()
    if as_json:
        handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.captureWarnings(capture=True)
    sys.excepthook = _told
    threading.excepthook = lambda raised: _told(raised.exc_type, raised.exc_value, raised.exc_traceback)


def _told(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    details = "".join(traceback.format_exception(kind, error, trace))
    tell(f"{kind.__name__}: {error}", details=details)


def decided(arguments: Sequence[str]) -> Hosting:
    """What arguments and variables say. Raises Failed."""
    try:
        log_format()
    except ValueError as wrong:
        os.environ[FORMAT] = "json"  # in which it is said
        raise Failed(WRONG_SETTING, str(wrong)) from wrong
    try:
        return hosting(arguments, os.environ, _writable)
    except Misconfigured as wrong:
        raise Failed(WRONG_SETTING, str(wrong)) from wrong


def _writable(folder: str) -> bool:
    return Path(folder).is_dir() and os.access(folder, os.W_OK | os.X_OK)


@contextlib.contextmanager
def _listening(chosen: Hosting) -> Iterator[socket.socket]:
    """Its socket; a port listens, and a path has its name when it can be asked."""
    try:
        listener = _on_port(chosen.port) if chosen.uds is None else _on_path(chosen.uds)
    except OSError as error:
        why = _REASONS.get(error.errno or 0, error.strerror or str(error))
        raise Failed(WRONG_SETTING, f"it cannot listen on {chosen.where}: {why}") from error
    try:
        listener.setblocking(False)
        yield listener
    finally:
        listener.close()
        if chosen.uds is not None:
            for path in (chosen.uds, _first(chosen.uds)):
                Path(path).unlink(missing_ok=True)


def _on_port(port: int) -> socket.socket:
    """On all addresses: of IPv6 and IPv4 together, or of IPv4 where there is no other."""
    try:
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=_BACKLOG)
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno in (errno.EADDRINUSE, errno.EACCES):
            raise
        return socket.create_server(("", port), backlog=_BACKLOG)


def _on_path(path: str) -> socket.socket:
    """For this user alone. What a killed process has left is taken away."""
    with socket.socket(socket.AF_UNIX) as asking, contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
        asking.connect(path)
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
    for left in (path, _first(path)):
        Path(left).unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        listener.bind(_first(path))
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(before)
    return listener


def _first(path: str) -> str:
    """What a unix socket is called until it can be asked: who waits for its path waits for the model."""
    return f"{path}~"


def _run(chosen: Hosting, listener: socket.socket, state: State, ending: Ending, opened: Callable[[], None]) -> int:
    count = threads(chosen.threads, workers=1)
    if count is not None:
        for name in pool.THREADS:
            os.environ.setdefault(name, str(count))
    load(chosen)
    app, tag = application()
    from .outer_app import Contained  # the startup responder answers meanwhile
    from .server import serve

    def ready() -> None:
        opened()
        tell_ready(tag, chosen, count)

    serve(Contained(app, chosen, state), chosen, listener, ending, ready)
    return 0


def tell_ready(tag: str, chosen: Hosting, count: int | None) -> None:
    """Say what is ready, where, and with how much of the machine; ``count``: threads of each worker's libraries."""
    sharing = [f"{chosen.workers} workers"] if chosen.workers > 1 else []
    sharing += [f"{count} thread{'s' * (count != 1)}{' each' * bool(sharing)}"] if count is not None else []
    how = f" with {' of '.join(sharing)}" if sharing else ""
    tell(f"{tag} is ready on {chosen.where}{how}; {chosen.recorded}", level="info")


def load(chosen: Hosting) -> None:
    """Import the bento's service and load its model. Raises Failed."""
    if chosen.records is None:
        os.environ.pop("NBDEPLOY_RECORDS", None)
    else:
        os.environ["NBDEPLOY_RECORDS"] = chosen.records
    try:
        pool.load()
    except BaseException as error:
        if isinstance(error, workplace.NoPlace):
            raise Failed(NOT_LOADED, str(error)) from error
        why = f"the model could not be loaded: {type(error).__name__}: {error}"
        raise Failed(NOT_LOADED, why, traceback.format_exc()) from error
    from ..snapshot import current

    model = current()
    if model is None:
        raise Failed(NOT_LOADED, "service.py has loaded no model")
    try:
        chosen.lacking(model.manifest["signature"]["instance_schema"].get("properties", ()))
    except Misconfigured as wrong:
        raise Failed(WRONG_SETTING, str(wrong)) from wrong


def application() -> tuple[App, str]:
    """The loaded bento's application, and the snapshot's tag. Raises Failed."""
    from ..snapshot import current

    if not has_folder():
        do_without()
    model = current()
    try:
        app: App = importlib.import_module("service").app()
    except ValueError as wrong:
        raise Failed(WRONG_SETTING, str(wrong)) from wrong
    return app, model.tag if model else ""
