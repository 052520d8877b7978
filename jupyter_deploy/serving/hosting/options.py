"""Hosting options of a container, from its arguments and environment variables: address, records, routes, workers.

Platforms use different settings: Cloud Run ``PORT``; Vertex AI ``AIP_HTTP_PORT``, ``AIP_PREDICT_ROUTE`` and
``AIP_HEALTH_ROUTE``; SageMaker the argument ``serve`` (with port 8080). Pure, standard library only.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from ..telemetry.recording import EVERYTHING, KEPT, STDOUT, Recording

PORT = 8080
RECORDS = "/records"
GRACE_SECONDS = 8
"""Time for requests in progress at a shutdown: container engines kill after ten seconds."""

MAX_GRACE_SECONDS = 3600
"""The longest time that can be set for them."""

KEY_FILE = "NBDEPLOY_GATEWAY_KEY_FILE"
"""The variable of the file with the key by which a release on a port knows nbdeploy's gateway."""

_MIN_KEY, _MAX_KEY = 32, 512

METRICS = "PROMETHEUS_MULTIPROC_DIR"
"""The variable of the folder in which all workers' metrics are summed; prometheus_client reads it at import."""

APART = "apart"
"""The mode in which each worker loads the model; and a file in that folder, with the reason (empty: they share it)."""

_USAGE = "usage: container.py [serve] [--uds PATH | --tcp]"
_YES, _NO = ("1", "true"), ("", "0", "false")

# Limit of a unix socket's address (104 on macOS) less the suffix of its provisional name and the final zero.
_MAX_PATH_BYTES = 102

_MAX_WORKERS, _MAX_THREADS, _MAX_IDLE_SECONDS = 64, 1024, 10**8


class InvalidSetting(Exception):
    """An invalid setting: its name, its value and the allowed values."""


@dataclass(frozen=True)
class HostingOptions:
    """The options of one container.

    Attributes
    ----------
    uds
        A unix socket in place of ``port``, behind nbdeploy's own gateway.
    key_file
        The file of the gateway's key: ``port`` is behind nbdeploy's own gateway, which sends the key.
    gateway_key
        Content of ``key_file``; empty: there is none.
    records
        A folder, or ``stdout``; None: no records.
    recording
        The recording mode of requests for which no gateway sets it.
    routes
        Paths that a platform sets -> this service's own.
    workers, most_workers
        Processes that share the loaded model: the least number, and the greatest, with the load in between.
    idle_after
        Seconds without a request after which it hands its socket to ``activator`` and ends; None: never.
    activator
        The unix socket of the activator, which starts it at the next request.
    threads
        Threads of each worker's numerical libraries; None: not set.
    grace_seconds
        Time for requests in progress at a shutdown.
    drain_delay
        Seconds before that in which new requests are answered, as gateways learn that the service is ending.
    """

    port: int = PORT
    uds: str | None = None
    key_file: str | None = None
    gateway_key: str = field(default="", repr=False)
    records: str | None = None
    recording: Recording = EVERYTHING
    routes: Mapping[str, str] = field(default_factory=dict)
    access_log: bool = False
    workers: int = 1
    most_workers: int = 1
    threads: int | None = None
    grace_seconds: int = GRACE_SECONDS
    drain_delay: int = 0
    idle_after: float | None = None
    activator: str | None = None

    @property
    def pooled(self) -> bool:
        """Whether workers have a parent, which replaces them, changes their number or stops them when idle."""
        return self.most_workers > 1 or self.idle_after is not None

    @property
    def address(self) -> str:
        """The address in words."""
        return f"port {self.port}" if self.uds is None else self.uds

    @property
    def records_summary(self) -> str:
        """The destination of the records in words."""
        if self.recording.kept == "off":
            return "no records are kept (NBDEPLOY_RECORD=off)"
        if self.records is None:
            return f"no records are kept: mount a folder at {RECORDS}, or set NBDEPLOY_RECORDS to one, or to {STDOUT}"
        how = f" ({self.recording.header})" if self.uds is None and self.key_file is None else ""
        return f"records go to {self.records}{how}"

    def require_columns(self, columns: Collection[str]) -> None:
        """Raise ``InvalidSetting`` if the model lacks a redacted column: a misspelled name would hide nothing."""
        unknown = [name for name in self.recording.redact if name not in columns]
        if unknown:
            known = f"its columns are {', '.join(columns)}" if columns else "it has no named columns"
            raise InvalidSetting(f"NBDEPLOY_REDACT: the model has no column {', '.join(map(repr, unknown))}; {known}")


def parse_options(
    arguments: Sequence[str], environ: Mapping[str, str], writable: Callable[[str], bool]
) -> HostingOptions:
    """Parse arguments and environment variables.

    Parameters
    ----------
    writable
        Returns whether a path is a folder that this process may write to.

    Raises
    ------
    InvalidSetting
        An argument or a variable is invalid.
    """
    uds, tcp = _gateway(arguments)
    recording = _recording(environ)
    workers, most_workers = _range(environ, "NBDEPLOY_WORKERS", _MAX_WORKERS)
    activator = environ.get("NBDEPLOY_ACTIVATOR") or None
    return HostingOptions(
        port=PORT if uds is not None else _port(environ),
        uds=uds,
        key_file=_key_file(environ) if tcp else None,
        records=_records(environ, writable) if recording.kept != "off" else None,
        recording=recording,
        routes=_routes(environ),
        access_log=_flag(environ, "NBDEPLOY_ACCESS_LOG"),
        workers=workers,
        most_workers=most_workers,
        threads=_count(environ, "NBDEPLOY_THREADS", _MAX_THREADS),
        grace_seconds=_count(environ, "NBDEPLOY_GRACE_SECONDS", MAX_GRACE_SECONDS) or GRACE_SECONDS,
        drain_delay=_count(environ, "NBDEPLOY_DRAIN_DELAY", MAX_GRACE_SECONDS, least=0) or 0,
        idle_after=_count(environ, "NBDEPLOY_IDLE_AFTER", _MAX_IDLE_SECONDS) if activator and uds else None,
        activator=activator,
    )


def checked_key(text: str, path: str) -> str:
    """Return the key in the text of its file. Raises InvalidSetting, without the text, if it is none."""
    key = text.strip()
    if key.isascii() and key.isprintable() and " " not in key and _MIN_KEY <= len(key) <= _MAX_KEY:
        return key
    raise InvalidSetting(
        f"{KEY_FILE}: {path} holds no key: it must be {_MIN_KEY} to {_MAX_KEY} letters and digits on one line"
    )


def _gateway(arguments: Sequence[str]) -> tuple[str | None, bool]:
    """The unix socket, and whether the port is behind nbdeploy's own gateway."""
    match [one for one in arguments if one != "serve"]:
        case []:
            return None, False
        case ["--tcp"]:
            return None, True
        case ["--uds", path] if path:
            if len(path.encode()) > _MAX_PATH_BYTES:
                raise InvalidSetting(f"--uds {path}: a unix socket's path has at most {_MAX_PATH_BYTES} bytes")
            return path, False
        case _:
            raise InvalidSetting(f"{' '.join(arguments)!r} is not a valid argument list; {_USAGE}")


def _key_file(environ: Mapping[str, str]) -> str:
    if path := environ.get(KEY_FILE):
        return path
    raise InvalidSetting(f"--tcp needs {KEY_FILE}: the file with the gateway's key")


def _port(environ: Mapping[str, str]) -> int:
    for name in ("PORT", "AIP_HTTP_PORT"):
        if text := environ.get(name):
            if text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) < 65536:
                return int(text)
            raise InvalidSetting(f"{name}={text}: a port must be a number from 1 to 65535")
    return PORT


def _routes(environ: Mapping[str, str]) -> dict[str, str]:
    routes: dict[str, str] = {}
    for name, own in (("AIP_PREDICT_ROUTE", "/predict"), ("AIP_HEALTH_ROUTE", "/readyz")):
        path = environ.get(name)
        if not path:
            continue
        if not path.startswith("/"):
            raise InvalidSetting(f"{name}={path}: a path must begin with '/'")
        if path in routes:
            raise InvalidSetting(f"AIP_PREDICT_ROUTE and AIP_HEALTH_ROUTE are both {path}: they must differ")
        routes[path] = own
    return routes


def _records(environ: Mapping[str, str], writable: Callable[[str], bool]) -> str | None:
    setting = environ.get("NBDEPLOY_RECORDS")
    if not setting:
        return RECORDS if writable(RECORDS) else None
    if setting == STDOUT or writable(setting):
        return setting
    raise InvalidSetting(
        f"NBDEPLOY_RECORDS={setting}: no folder that this user may write to; mount one, or set {STDOUT}"
    )


def _recording(environ: Mapping[str, str]) -> Recording:
    recording = environ.get("NBDEPLOY_RECORD") or "full"
    if recording not in KEPT:
        raise InvalidSetting(f"NBDEPLOY_RECORD={recording}: must be {', '.join(KEPT[:-1])} or {KEPT[-1]}")
    names = (name.strip() for name in environ.get("NBDEPLOY_REDACT", "").split(","))
    return Recording(recording, redact=tuple(dict.fromkeys(name for name in names if name)))


def _count(environ: Mapping[str, str], name: str, maximum: int, least: int = 1) -> int | None:
    text = environ.get(name)
    if not text:
        return None
    if text.isascii() and text.isdigit() and len(text) <= 9 and least <= int(text) <= maximum:
        return int(text)
    raise InvalidSetting(f"{name}={text}: must be a number from {least} to {maximum}")


def _range(environ: Mapping[str, str], name: str, maximum: int) -> tuple[int, int]:
    """``4``, or ``1-8`` for a number between both."""
    text = environ.get(name) or "1"
    least, dash, most = text.partition("-")
    bounds = [
        int(part) if part.isascii() and part.isdigit() and len(part) <= 4 else 0
        for part in (least, most if dash else least)
    ]
    if 1 <= bounds[0] <= bounds[1] <= maximum:
        return bounds[0], bounds[1]
    raise InvalidSetting(f"{name}={text}: must be a number from 1 to {maximum}, or a range such as 1-8")


def _flag(environ: Mapping[str, str], name: str) -> bool:
    text = environ.get(name, "").lower()
    if text not in (*_YES, *_NO):
        raise InvalidSetting(f"{name}={text}: must be true or false")
    return text in _YES
