"""A bento is plain BentoML: served where nbdeploy is not installed, with only the bento's own locked requirements."""

import json
import os
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from jupyter_deploy.environments.installer import pips_settings, uvs_settings
from tests.e2e.conftest import ROW, until

pytestmark = pytest.mark.exhaustive


@pytest.fixture(scope="module")
def elsewhere(snapshots, tmp_path_factory):
    """A new environment with the bento's requirements and nothing else."""
    tags, bentoml_home = snapshots
    name, _, version = tags[1.0].partition(":")
    requirements = Path(bentoml_home) / "bentos" / name / version / "env" / "python" / "requirements.txt"
    folder = tmp_path_factory.mktemp("elsewhere")
    python = folder / "venv" / "bin" / "python"
    subprocess.run(["uv", "venv", "--quiet", "--python", sys.executable, folder / "venv"], check=True)
    # As pip, but from uv's cache: seconds instead of a minute.
    install = ["uv", "pip", "install", "--quiet", "--python", python, "-r", requirements]
    subprocess.run(install, env=os.environ | uvs_settings(pips_settings()), check=True)
    return python, folder


@contextmanager
def served(elsewhere, snapshots, **environment):
    """``bentoml serve TAG`` there; its URL."""
    python, folder = elsewhere
    tags, bentoml_home = snapshots
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [python, "-m", "bentoml", "serve", tags[1.0], "--host", "127.0.0.1", "--port", str(port)],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "BENTOML_HOME": bentoml_home,
            "BENTOML_DO_NOT_TRACK": "true",
            **environment,
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        until(lambda: _ready(url))
        yield url
    finally:
        server.terminate()
        server.wait(120)


def _ready(url):
    try:
        return httpx.get(f"{url}/readyz", trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def manifest(snapshots):
    tags, bentoml_home = snapshots
    name, _, version = tags[1.0].partition(":")
    return json.loads((Path(bentoml_home) / "models" / name / version / "snapshot.json").read_text())


def test_nbdeploy_is_not_there(elsewhere):
    python, folder = elsewhere
    ended = subprocess.run([python, "-c", "import jupyter_deploy"], cwd=folder, capture_output=True, check=False)
    assert b"No module named 'jupyter_deploy'" in ended.stderr


def test_bentoml_serve_answers_as_the_notebook_did_and_keeps_no_records(elsewhere, snapshots, tmp_path):
    captured = manifest(snapshots)
    with served(elsewhere, snapshots) as url, httpx.Client(trust_env=False) as client:
        answer = client.post(f"{url}/predict", json={"instances": captured["instances"]})
        assert answer.json() == {"predictions": captured["predictions"]}
        refused = client.post(f"{url}/predict", json={"instances": [{**ROW, "age": "old"}]})
        assert refused.status_code == 422
        assert refused.headers["content-type"] == "application/problem+json"
    assert list(elsewhere[1].rglob("*.jsonl")) == []


def test_records_are_written_to_the_configured_folder(elsewhere, snapshots, tmp_path):
    with served(elsewhere, snapshots, NBDEPLOY_RECORDS=str(tmp_path / "records")) as url:
        httpx.post(f"{url}/predict", json={"instances": [ROW]}, headers={"x-request-id": "one"}, trust_env=False)
    lines = [line for path in (tmp_path / "records").glob("*.jsonl") for line in path.read_text().splitlines()]
    assert [json.loads(line)["request_id"] for line in lines] == ["one"]
