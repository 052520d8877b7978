"""Envoy in a Compose project: it follows the routes of a file.

The file is JSON ``{"bootstrap", "cds", "edge", "shadow"}`` in a mounted folder. When it is replaced, the new routes
come into force without a restart. They wait until the new releases accept connections. On SIGTERM the gateway fails its
health check, lets its connections end, waits for pending requests, and ends.

Envoy reads no variables. The token of clients is a variable, so that no distributed file has it: the program writes it
into copies of the documents in the container's memory.
"""

from __future__ import annotations

import json
import os
import signal
import socket
from pathlib import Path

from .envoy import TOKEN, Documents, Json, replace_file, say, started, supervise

MEMORY = Path(os.environ.get("TMPDIR") or "/tmp")  # noqa: S108 - the container's own

_TOKEN = "NBDEPLOY_TOKEN"  # noqa: S105 - a variable's name
_PLACEHOLDER = f"${{{_TOKEN}}}"


def follow(path: str, environment: dict[str, str]) -> int:
    """Run Envoy until it ends or SIGTERM arrives; return its exit code, or 0 after SIGTERM."""
    token = environment.pop(_TOKEN, "")
    file = Path(path)
    if _PLACEHOLDER in file.read_text(encoding="utf-8") and not TOKEN.fullmatch(token):
        say(f"{_TOKEN} must be the token of clients: 16 to 512 of letters, digits and ._~+/=-")
        return 2
    return _Gateway(file, token, environment).run()


class _Gateway:
    """An Envoy, and the configuration that it follows."""

    def __init__(self, path: Path, token: str, environment: dict[str, str]) -> None:
        self._path = path
        self._token = token
        self._environment = environment
        self._read = ""
        self._stopped = False
        self._noted = ""
        self._documents = self._load()
        self._admin = str(self._documents["bootstrap"]["admin"]["address"]["pipe"]["path"])
        self._watched = Documents(self._admin, MEMORY / "xds")

    def run(self) -> int:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        self._watched.write(self._documents)
        bootstrap = MEMORY / "bootstrap.json"
        replace_file(bootstrap, json.dumps(self._documents["bootstrap"]))
        return supervise(started(bootstrap, self._environment), self._admin, lambda: self._stopped, self._follow)

    def _stop(self, *_: object) -> None:
        self._stopped = True

    def _load(self) -> Json:
        text = self._path.read_text(encoding="utf-8")
        documents: Json = json.loads(text.replace(_PLACEHOLDER, self._token))
        self._read = text
        return documents

    def _follow(self) -> None:
        """Put the file's routes into force if they changed and the new releases accept connections."""
        try:
            if self._path.read_text(encoding="utf-8") == self._read:
                return
            former = self._read
            documents = self._load()
        except (OSError, ValueError) as error:
            self._note(f"{self._path} cannot be read: {error}")
            return
        absent = [path for path in _new_sockets(self._documents["cds"], documents["cds"]) if not _accepts(path)]
        if absent:
            self._note(f"the new routes wait for {', '.join(absent)}")
            self._read = former
            return
        if documents["bootstrap"] != self._documents["bootstrap"]:
            say("the listeners of the new configuration need a restart of the gateway")
        refused = self._watched.replace(self._documents, documents)
        if refused:
            say(f"the new {refused} document is not in force; the former routes stay")
            return
        self._documents = documents
        self._note(f"the routes {documents['edge']['version_info']} are in force")

    def _note(self, text: str) -> None:
        """Report a state once, not at every look."""
        if text != self._noted:
            self._noted = text
            say(text)


def _new_sockets(before: Json, after: Json) -> list[str]:
    """The sockets of releases that will answer clients and did not; a shadow may fail to start."""
    known = set(_sockets(before))
    return [path for path in _sockets(after) if path not in known]


def _sockets(document: Json) -> list[str]:
    return [
        host["endpoint"]["address"]["pipe"]["path"]
        for cluster in document["resources"]
        if not cluster["name"].startswith(("shadow/", "shadow-hop/"))
        for group in cluster["load_assignment"]["endpoints"]
        for host in group["lb_endpoints"]
    ]


def _accepts(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        try:
            probe.connect(path)
        except OSError:
            return False
        return True
