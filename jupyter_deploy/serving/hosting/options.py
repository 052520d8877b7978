"""Where a container listens, what it records and which paths it answers: decided from its arguments and variables.

Each platform says it in its own way: Cloud Run by ``PORT``, Vertex AI by ``AIP_HTTP_PORT``, ``AIP_PREDICT_ROUTE`` and
``AIP_HEALTH_ROUTE``, SageMaker by the argument ``serve`` (and means port 8080). Pure, and the standard library only.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from ..telemetry.recording import EVERYTHING, KEPT, STDOUT, Recording

PORT = 8080
RECORDS = "/records"

_USAGE = "usage: container.py [serve] [--uds PATH]"
_YES, _NO = ("1", "true"), ("", "0", "false")

# A unix socket's address has room for so many, one more at the end of its first name, and a zero (104 on macOS).
_MAX_PATH_BYTES = 102

_MAX_WORKERS, _MAX_THREADS = 64, 1024


class InvalidSetting(Exception):
    """A setting that cannot be followed: which one, why, and what it has to be."""


@dataclass(frozen=True)
class HostingOptions:
    """What was decided.

    Attributes
    ----------
    uds
        A unix socket in place of ``port``: nbdeploy's own gateway stands before it.
    records
        A folder, or ``stdout``; None: none are kept.
    recording
        What is kept of a request where no gateway says it.
    routes
        Paths that a platform has chosen -> this service's own.
    workers
        Processes that share the loaded model.
    threads
        Of each one's numerical libraries; None: nothing was said.
    """

    port: int = PORT
    uds: str | None = None
    records: str | None = None
    recording: Recording = EVERYTHING
    routes: Mapping[str, str] = field(default_factory=dict)
    access_log: bool = False
    workers: int = 1
    threads: int | None = None

    @property
    def address(self) -> str:
        """In words."""
        return f"port {self.port}" if self.uds is None else self.uds

    @property
    def records_summary(self) -> str:
        """What becomes of records, in words."""
        if self.recording.kept == "off":
            return "no records are kept (NBDEPLOY_RECORD=off)"
        if self.records is None:
            return f"no records are kept: mount a folder at {RECORDS}, or set NBDEPLOY_RECORDS to one, or to {STDOUT}"
        how = "" if self.uds is not None else f" ({self.recording.header})"
        return f"records go to {self.records}{how}"

    def require_columns(self, columns: Collection[str]) -> None:
        """Raise ``Misconfigured`` if the model has no such column as is to be redacted: a wrong name hides nothing."""
        unknown = [name for name in self.recording.redact if name not in columns]
        if unknown:
            known = f"its columns are {', '.join(columns)}" if columns else "it takes none by name"
            raise InvalidSetting(f"NBDEPLOY_REDACT: the model has no column {', '.join(map(repr, unknown))}; {known}")


def parse_options(
    arguments: Sequence[str], environ: Mapping[str, str], writable: Callable[[str], bool]
) -> HostingOptions:
    """What arguments and variables say.

    Parameters
    ----------
    writable
        Whether there is a folder at a path that this process may write to.

    Raises
    ------
    Misconfigured
    """
    uds = _socket(arguments)
    recording = _recording(environ)
    return HostingOptions(
        port=PORT if uds is not None else _port(environ),
        uds=uds,
        records=_records(environ, writable) if recording.kept != "off" else None,
        recording=recording,
        routes=_routes(environ),
        access_log=_flag(environ, "NBDEPLOY_ACCESS_LOG"),
        workers=_count(environ, "NBDEPLOY_WORKERS", _MAX_WORKERS) or 1,
        threads=_count(environ, "NBDEPLOY_THREADS", _MAX_THREADS),
    )


def _socket(arguments: Sequence[str]) -> str | None:
    match [one for one in arguments if one != "serve"]:
        case []:
            return None
        case ["--uds", path] if path:
            if len(path.encode()) > _MAX_PATH_BYTES:
                raise InvalidSetting(f"--uds {path}: a unix socket's path has at most {_MAX_PATH_BYTES} bytes")
            return path
        case _:
            raise InvalidSetting(f"{' '.join(arguments)!r} is not understood; {_USAGE}")


def _port(environ: Mapping[str, str]) -> int:
    for name in ("PORT", "AIP_HTTP_PORT"):
        if text := environ.get(name):
            if text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) < 65536:
                return int(text)
            raise InvalidSetting(f"{name}={text}: a port is a number from 1 to 65535")
    return PORT


def _routes(environ: Mapping[str, str]) -> dict[str, str]:
    routes: dict[str, str] = {}
    for name, own in (("AIP_PREDICT_ROUTE", "/predict"), ("AIP_HEALTH_ROUTE", "/readyz")):
        path = environ.get(name)
        if not path:
            continue
        if not path.startswith("/"):
            raise InvalidSetting(f"{name}={path}: a path begins with '/'")
        if path in routes:
            raise InvalidSetting(f"AIP_PREDICT_ROUTE and AIP_HEALTH_ROUTE are both {path}: they have to differ")
        routes[path] = own
    return routes


def _records(environ: Mapping[str, str], writable: Callable[[str], bool]) -> str | None:
    setting = environ.get("NBDEPLOY_RECORDS")
    if not setting:
        return RECORDS if writable(RECORDS) else None
    if setting == STDOUT or writable(setting):
        return setting
    raise InvalidSetting(
        f"NBDEPLOY_RECORDS={setting}: there is no folder that this user may write to; mount one, or say {STDOUT}"
    )


def _recording(environ: Mapping[str, str]) -> Recording:
    recording = environ.get("NBDEPLOY_RECORD") or "full"
    if recording not in KEPT:
        raise InvalidSetting(f"NBDEPLOY_RECORD={recording}: it has to be {', '.join(KEPT[:-1])} or {KEPT[-1]}")
    names = (name.strip() for name in environ.get("NBDEPLOY_REDACT", "").split(","))
    return Recording(recording, redact=tuple(dict.fromkeys(name for name in names if name)))


def _count(environ: Mapping[str, str], name: str, maximum: int) -> int | None:
    text = environ.get(name)
    if not text:
        return None
    if text.isascii() and text.isdigit() and len(text) <= 4 and 0 < int(text) <= maximum:
        return int(text)
    raise InvalidSetting(f"{name}={text}: it has to be a number from 1 to {maximum}")


def _flag(environ: Mapping[str, str], name: str) -> bool:
    text = environ.get(name, "").lower()
    if text not in (*_YES, *_NO):
        raise InvalidSetting(f"{name}={text}: it has to be true or false")
    return text in _YES
