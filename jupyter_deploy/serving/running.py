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
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from . import pool, workplace
from .doorman import Doorman, State
from .ending import GRACE_SECONDS, Ending
from .folderless import do_without, has_folder
from .hosting import Hosting, Misconfigured, hosting
from .output import on_stdout
from .telling import FORMAT, JsonFormatter, log_format, tell

NOT_LOADED, WRONG_SETTING, ANSWERED_OTHERWISE = 1, 2, 3

_KEEP_ALIVE_SECONDS = 75
_BACKLOG = 2048

_REASONS = {
    errno.EADDRINUSE: "something else listens there already",
    errno.EACCES: "this user may not listen there; a port from 1024 on is free to all",
}


class _Failed(Exception):
    """It cannot go on: the exit code and why."""

    def __init__(self, code: int, why: str, details: str = "") -> None:
        super().__init__(why)
        self.code, self.why, self.details = code, why, details


def main(arguments: Sequence[str]) -> int:
    """Serve until told to end; the exit code."""
    _prepared()
    state = State()
    ending = Ending(state)
    try:
        chosen = _chosen(arguments)
        with _listening(chosen) as listener:
            return _run(chosen, listener, state, ending)
    except _Failed as failed:
        tell(failed.why, details=failed.details)
        return failed.code


def _prepared() -> None:
    """Variables that libraries read when they are imported, and where all that is said goes."""
    os.environ.setdefault("BENTOML_DO_NOT_TRACK", "true")
    bentos = Path(__file__).parents[4:5]
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


def _chosen(arguments: Sequence[str]) -> Hosting:
    try:
        log_format()
    except ValueError as wrong:
        os.environ[FORMAT] = "json"  # in which it is said
        raise _Failed(WRONG_SETTING, str(wrong)) from wrong
    try:
        return hosting(arguments, os.environ, _writable)
    except Misconfigured as wrong:
        raise _Failed(WRONG_SETTING, str(wrong)) from wrong


def _writable(folder: str) -> bool:
    return Path(folder).is_dir() and os.access(folder, os.W_OK | os.X_OK)


@contextlib.contextmanager
def _listening(chosen: Hosting) -> Iterator[socket.socket]:
    """Its socket; a port listens, and a path has its name when it can be asked."""
    try:
        listener = _on_port(chosen.port) if chosen.uds is None else _on_path(chosen.uds)
    except OSError as error:
        why = _REASONS.get(error.errno or 0, error.strerror or str(error))
        raise _Failed(WRONG_SETTING, f"it cannot listen on {chosen.where}: {why}") from error
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


def _run(chosen: Hosting, listener: socket.socket, state: State, ending: Ending) -> int:
    # A gateway waits for the socket, as for that of any release of nbdeploy, and tries again meanwhile.
    doorman = Doorman(listener, state) if chosen.uds is None else None
    if chosen.records is None:
        os.environ.pop("NBDEPLOY_RECORDS", None)
    else:
        os.environ["NBDEPLOY_RECORDS"] = chosen.records
    app, tag = _loaded(chosen)
    import uvicorn  # noqa: PLC0415 - the doorman has been answering for long

    from .contained import Contained  # noqa: PLC0415

    def opened() -> None:
        if doorman is not None:
            doorman.go()
        if chosen.uds is not None:
            Path(_first(chosen.uds)).replace(chosen.uds)
        tell(f"{tag} is ready on {chosen.where}; {chosen.recorded}", level="info")

    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield  # they are heard elsewhere

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            ending.listen()  # uvloop has taken them
            await super().startup(sockets)
            ending.gently(self)
            opened()

    contained = Contained(app, chosen, state)
    config = uvicorn.Config(
        contained,
        lifespan="on",
        log_config=None,
        log_level="warning",
        access_log=chosen.access_log,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    if chosen.access_log:
        logging.getLogger("uvicorn.access").setLevel(logging.INFO)
    try:
        Server(config).run(sockets=[listener])
    except SystemExit:  # what uvicorn says where the application has not started
        if not contained.failed:
            raise _Failed(NOT_LOADED, "the service has not started; what went wrong stands above") from None
        raise _Failed(ANSWERED_OTHERWISE, contained.failed) from None
    return 0


def _loaded(chosen: Hosting) -> tuple[Any, str]:
    """The bento's application, its model loaded, and the snapshot's tag."""
    try:
        app = importlib.import_module("service").app
        pool.load()
    except BaseException as error:
        if isinstance(error, workplace.NoPlace):
            raise _Failed(NOT_LOADED, str(error)) from error
        why = f"the model could not be loaded: {type(error).__name__}: {error}"
        raise _Failed(NOT_LOADED, why, traceback.format_exc()) from error
    from .snapshot import current  # noqa: PLC0415 - it is loaded now

    model = current()
    if model is None:
        raise _Failed(NOT_LOADED, "service.py has loaded no model")
    try:
        chosen.lacking(model.manifest["signature"]["instance_schema"].get("properties", ()))
        if not has_folder():
            do_without()
        return app(), model.tag
    except (Misconfigured, ValueError) as wrong:
        raise _Failed(WRONG_SETTING, str(wrong)) from wrong
