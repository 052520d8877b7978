"""Envoy in a container: its command, its admin interface, and documents that come into force without a lost request.

A change of routes puts new clusters first, then the routes to them; then unused clusters go.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Json = dict[str, Any]

ENVOY = Path(__file__).parents[1] / "envoy"

TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{16,512}")
"""Tokens of clients: characters that need no escape in a header or in a document, and enough of them."""

KINDS = ("cds", "shadow", "edge")
"""The watched documents, in the order in which they come into force."""

_STATS = {
    "cds": "cluster_manager.cds",
    "shadow": "http.shadow.rds.shadow",
    "edge": "http.edge.rds.edge",
}
_POLL_SECONDS = 0.25
_CONFIRM_SECONDS = 10.0
_CONFIRM_POLL_SECONDS = 0.01

_DRAIN_SECONDS = 2
"""New connections are accepted so long after the drain begins; each response closes its connection."""

_LONGEST_DRAIN_SECONDS = 600.0  # the engine's grace period ends it before


def started(bootstrap: Path, environment: dict[str, str], log: int | None = None) -> subprocess.Popen[bytes]:
    """Start Envoy; ``log``: see ``stderr`` of ``subprocess.Popen``."""
    return subprocess.Popen(
        [
            str(ENVOY), "-c", str(bootstrap), "--disable-hot-restart", "--concurrency", "2",
            "--drain-time-s", str(_DRAIN_SECONDS), "--drain-strategy", "immediate",
            "--file-flush-interval-msec", "200", "--log-level", "warning",
        ],
        env=environment,
        stderr=log,
    )  # fmt: skip


def supervise(envoy: subprocess.Popen[bytes], admin: str, stopped: Callable[[], bool], look: Callable[[], None]) -> int:
    """Wait for Envoy's end and return its exit code; once ``stopped``, drain it and return 0.

    ``look`` is called a few times a second.
    """
    while envoy.poll() is None and not stopped():
        time.sleep(_POLL_SECONDS)
        look()
    if envoy.poll() is None:
        _drain(admin)
        envoy.terminate()
        envoy.wait()
        return 0
    return envoy.returncode


def _drain(admin: str) -> None:
    """Fail the health check, let connections end, and wait until no request is pending."""
    say("SIGTERM: the gateway drains")
    call(admin, "POST", "/healthcheck/fail")
    call(admin, "POST", "/drain_listeners?graceful")
    began = time.monotonic()
    while time.monotonic() < began + _LONGEST_DRAIN_SECONDS:
        text = call(admin, "GET", "/stats?filter=^http.edge.downstream_rq_active$")[1]
        pending = text.partition(": ")[2].strip()
        if time.monotonic() > began + _DRAIN_SECONDS and pending in ("", "0"):
            return
        time.sleep(_POLL_SECONDS)


class Documents:
    """The documents that an Envoy watches.

    Parameters
    ----------
    admin
        The path of Envoy's admin socket.
    folder
        The folder of the documents: ``cds/cds.json``, ``edge/edge.json``, ``shadow/shadow.json``.
    """

    def __init__(self, admin: str, folder: Path) -> None:
        self._admin, self._folder = admin, folder
        self._current: dict[str, Json] = {}

    def write(self, documents: Json) -> None:
        """Write all documents, for an Envoy that starts later."""
        for kind in KINDS:
            self._write(kind, documents[kind])

    def in_force(self, documents: Json, seconds: float) -> bool:
        """Whether Envoy has these documents in force within a time."""
        until = time.monotonic() + seconds
        return all(self._confirmed(kind, documents[kind], 0, until) for kind in KINDS)

    def replace(self, before: Json, after: Json) -> str:
        """Put documents into force in place of others; returns the kind that Envoy does not take, else ``""``.

        In that case the former ones stay in force, and in the files.
        """
        steps = [
            ("cds", _union(before["cds"], after["cds"])),
            ("shadow", _with_routes_of(before["shadow"], after["shadow"])),
            ("edge", after["edge"]),
            ("shadow", after["shadow"]),
            ("cds", after["cds"]),
        ]
        for kind, document in steps:
            if self._current.get(kind) == document:
                continue  # confirmed before
            rejected = self._rejections(kind)
            self._write(kind, document)
            if not self._confirmed(kind, document, rejected, time.monotonic() + _CONFIRM_SECONDS):
                for each in reversed(KINDS):
                    self._write(each, before[each])
                self._current.clear()
                return kind
            self._current[kind] = document
        return ""

    def _write(self, kind: str, document: Json) -> None:
        replace_file(self._folder / kind / f"{kind}.json", json.dumps(document))

    def _rejections(self, kind: str) -> int:
        """The number of documents that Envoy could not read, or did not take."""
        text = call(self._admin, "GET", f"/stats?filter=^{_STATS[kind]}.update_(rejected|failure)$")[1]
        return sum(int(number) for number in re.findall(r": ([0-9]+)", text))

    def _confirmed(self, kind: str, document: Json, rejected: int, until: float) -> bool:
        """Whether Envoy has a document in force before a time; ``rejected``: its number of rejections until now."""
        version = f'"{document["version_info"]}"'
        while True:
            known = call(self._admin, "GET", f"/stats?filter=^{_STATS[kind]}.version_text$")[1]
            if version in known and (kind != "cds" or self._knows_clusters(document)):
                return True
            if time.monotonic() > until or self._rejections(kind) > rejected:
                return False
            time.sleep(_CONFIRM_POLL_SECONDS)

    def _knows_clusters(self, document: Json) -> bool:
        known = {line.partition("::")[0] for line in call(self._admin, "GET", "/clusters")[1].splitlines()}
        return all(resource["name"] in known for resource in document["resources"])


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


def replace_file(path: Path, text: str) -> None:
    """Write a private file by a rename."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    new.replace(path)


def call(path: str, method: str, target: str) -> tuple[int, str]:
    """The status and text of the answer of Envoy's admin interface; 0 and the reason: it does not answer."""
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
    status, text = call(path, "GET", "/ready")
    say(text)
    return 0 if status == http.client.OK else 1


def say(text: str) -> None:
    """Print a line to the container's log."""
    sys.stderr.write(f"{text}\n")
