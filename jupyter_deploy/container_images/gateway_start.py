"""The gateway in its container: ``python start.py CONFIGURATION`` runs Envoy, changes its routes, and drains it.

``CONFIGURATION`` is a JSON file ``{"bootstrap", "cds", "edge", "shadow"}`` in a mounted folder. When it is replaced,
the new routes come into force without a restart: first the clusters, then the routes to them, then unused clusters go.
They wait until the new releases accept connections. On SIGTERM the gateway fails its health check, lets its connections
end, waits for pending requests, and ends.

Envoy reads no variables. The token of clients is a variable, so that no distributed file has it: the program writes it
into copies of the documents in the container's memory. ``--ask SOCKET`` checks a running gateway.

It uses only the standard library, since the image has nothing else of this package.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ENVOY = Path(__file__).with_name("envoy")
MEMORY = Path(os.environ.get("TMPDIR") or "/tmp")  # noqa: S108 - the container's own

_TOKEN = "NBDEPLOY_TOKEN"  # noqa: S105 - a variable's name
_PLACEHOLDER = f"${{{_TOKEN}}}"

# Characters that need no escape in a header or in the configuration, and enough of them.
_SANE = re.compile(r"[A-Za-z0-9._~+/=-]{16,512}")

_VERSIONS = {
    "cds": "cluster_manager.cds.version_text",
    "shadow": "http.shadow.rds.shadow.version_text",
    "edge": "http.edge.rds.edge.version_text",
}
_POLL_SECONDS = 0.25
_CONFIRM_SECONDS = 10.0
_CONFIRM_POLL_SECONDS = 0.01

_DRAIN_SECONDS = 2
"""New connections are accepted so long after SIGTERM; each response closes its connection."""

_LONGEST_DRAIN_SECONDS = 600.0  # the engine's grace period ends it before

Json = dict[str, Any]


def main(arguments: list[str]) -> int:
    """Run Envoy until it ends or SIGTERM arrives; returns the exit code, or that of ``--ask``."""
    if arguments[:1] == ["--ask"]:
        return ask(arguments[1])
    environment = dict(os.environ)
    token = environment.pop(_TOKEN, "")
    path = Path(arguments[0])
    text = path.read_text(encoding="utf-8")
    if _PLACEHOLDER in text and not _SANE.fullmatch(token):
        _say(f"{_TOKEN} must be the token of clients: 16 to 512 of letters, digits and ._~+/=-")
        return 2
    return Gateway(path, token, environment).run()


class Gateway:
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

    def run(self) -> int:
        """Run Envoy; returns its exit code, or 0 after SIGTERM."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        for kind in _VERSIONS:
            self._write(kind, self._documents[kind])
        bootstrap = MEMORY / "bootstrap.json"
        _replace(bootstrap, self._documents["bootstrap"])
        envoy = subprocess.Popen(
            [
                str(ENVOY), "-c", str(bootstrap), "--disable-hot-restart", "--concurrency", "2",
                "--drain-time-s", str(_DRAIN_SECONDS), "--drain-strategy", "immediate",
                "--file-flush-interval-msec", "200", "--log-level", "warning",
            ],
            env=self._environment,
        )  # fmt: skip
        while envoy.poll() is None and not self._stopped:
            time.sleep(_POLL_SECONDS)
            self._follow()
        if envoy.poll() is None:
            self._drain()
            envoy.terminate()
            envoy.wait()
            return 0
        return envoy.returncode

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
            _say("the listeners of the new configuration need a restart of the gateway")
        self._apply(documents)

    def _note(self, text: str) -> None:
        """Report a state once, not at every look."""
        if text != self._noted:
            self._noted = text
            _say(text)

    def _apply(self, documents: Json) -> None:
        before = self._documents
        steps = [
            ("cds", _union(before["cds"], documents["cds"])),
            ("shadow", _with_routes_of(before["shadow"], documents["shadow"])),
            ("edge", documents["edge"]),
            ("shadow", documents["shadow"]),
            ("cds", documents["cds"]),
        ]
        for kind, document in steps:
            self._write(kind, document)
            if not self._confirmed(kind, document):
                _say(f"the new {kind} document is not in force; the former routes stay")
                for each in reversed(_VERSIONS):
                    self._write(each, before[each])
                return
        self._documents = documents
        self._note(f"the routes {documents['edge']['version_info']} are in force")

    def _confirmed(self, kind: str, document: Json) -> bool:
        deadline = time.monotonic() + _CONFIRM_SECONDS
        while time.monotonic() < deadline:
            known = _call(self._admin, "GET", f"/stats?filter=^{_VERSIONS[kind]}$")[1]
            if f'"{document["version_info"]}"' in known and (kind != "cds" or self._knows_clusters(document)):
                return True
            time.sleep(_CONFIRM_POLL_SECONDS)
        return False

    def _knows_clusters(self, document: Json) -> bool:
        known = {line.partition("::")[0] for line in _call(self._admin, "GET", "/clusters")[1].splitlines()}
        return all(resource["name"] in known for resource in document["resources"])

    def _drain(self) -> None:
        """Fail the health check, let connections end, and wait until no request is pending."""
        _say("SIGTERM: the gateway drains")
        _call(self._admin, "POST", "/healthcheck/fail")
        _call(self._admin, "POST", "/drain_listeners?graceful")
        began = time.monotonic()
        while time.monotonic() < began + _LONGEST_DRAIN_SECONDS:
            text = _call(self._admin, "GET", "/stats?filter=^http.edge.downstream_rq_active$")[1]
            pending = text.partition(": ")[2].strip()
            if time.monotonic() > began + _DRAIN_SECONDS and pending in ("", "0"):
                return
            time.sleep(_POLL_SECONDS)

    def _write(self, kind: str, document: Json) -> None:
        _replace(MEMORY / "xds" / kind / f"{kind}.json", document)


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


def _union(before: Json, after: Json) -> Json:
    """The new clusters and the former ones."""
    names = {resource["name"] for resource in after["resources"]}
    kept = [resource for resource in before["resources"] if resource["name"] not in names]
    return _between(after, [*after["resources"], *kept]) if kept else after


def _with_routes_of(before: Json, after: Json) -> Json:
    """The new routes of shadows and the former ones."""
    (table,) = after["resources"]
    (host,) = table["virtual_hosts"]
    names = {route["name"] for route in host["routes"]}
    kept = [one for one in before["resources"][0]["virtual_hosts"][0]["routes"] if one["name"] not in names]
    hosts = [{**host, "routes": [*host["routes"], *kept]}]
    return _between(after, [{**table, "virtual_hosts": hosts}]) if kept else after


def _between(after: Json, resources: list[Json]) -> Json:
    return {**after, "version_info": f"{after['version_info']}-before", "resources": resources}


def _replace(path: Path, document: Json) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(document, file)
    new.replace(path)


def _call(path: str, method: str, target: str) -> tuple[int, str]:
    """The status and text of Envoy's answer; 0 and the reason: it does not answer."""
    connection = http.client.HTTPConnection("admin", timeout=4)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(4)
    try:
        connection.sock.connect(path)
        connection.request(method, target)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace").strip()
    except (OSError, http.client.HTTPException) as error:
        return 0, f"{path}: {error}"
    finally:
        connection.close()


def ask(path: str) -> int:
    """The exit code 0 if Envoy reports on this socket that it is ready, else 1."""
    status, text = _call(path, "GET", "/ready")
    _say(text)
    return 0 if status == http.client.OK else 1


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
