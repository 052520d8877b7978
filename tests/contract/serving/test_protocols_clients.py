"""Triton's client and KServe's SDK, each in an environment of its own, against a release behind a real gateway."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from protocol_clients import FRAME, behind_a_gateway, risk
from uv import find_uv_bin

from jupyter_deploy.environments.installer import pips_settings, uvs_settings

pytestmark = pytest.mark.exhaustive

PACKAGES = {"triton": "tritonclient[http]>=2.60,<3", "ofkserve": "kserve>=0.17,<1"}

EXPECTED = risk(FRAME).tolist()


@pytest.fixture(scope="module")
def served():
    with behind_a_gateway() as (_, urls, _):
        yield urls


@pytest.fixture(scope="module")
def told(served, tmp_path_factory):
    """Return the output of a client's script."""
    interpreters = {}
    settings = uvs_settings(pips_settings()) | os.environ

    def run(name, place, host=""):
        if name not in interpreters:
            folder = tmp_path_factory.mktemp(name)
            interpreters[name] = folder / "bin" / "python"
            for command in (
                ["venv", "-q", "--allow-existing", "--python", "3.11", str(folder)],
                ["pip", "install", "-q", "--python", str(interpreters[name]), PACKAGES[name]],
            ):
                subprocess.run([find_uv_bin(), *command], check=True, timeout=200, env=settings)
        script = (Path(__file__).parents[1] / "clients") / f"{name}.py"
        done = subprocess.run(
            [interpreters[name], "-P", script, place, host],
            capture_output=True, text=True, timeout=200, check=False, env={"PATH": "/usr/bin:/bin"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run


@pytest.mark.parametrize("by_host", [False, True])
def test_tritons_client_is_answered_with_and_without_bytes_and_compression(served, told, by_host):
    address = urlsplit(served["churn"])
    place, host = (address.netloc, f"churn.localhost:{address.port}") if by_host else (f"{address.netloc}/churn", "")
    said = told("triton", place, host)
    assert (said["live"], said["ready"], said["model ready"]) == (True, True, True)
    assert said["server"]["extensions"] == ["binary_tensor_data"]
    assert said["model"]["inputs"] == [
        {"name": "age", "datatype": "INT64", "shape": [-1]},
        {"name": "weight", "datatype": "FP64", "shape": [-1]},
        {"name": "sex", "datatype": "BYTES", "shape": [-1]},
    ]
    assert said["model"]["outputs"] == [{"name": "output-0", "datatype": "FP64", "shape": [-1]}]
    assert said["version"] == ["aaa"]
    for binary in (False, True):
        for packing in (None, "gzip", "deflate"):
            assert said[f"{binary} {packing}"] == ["float64", EXPECTED, "mine"]
    assert said["by default"] == EXPECTED
    assert said["long"] == EXPECTED * 200
    assert "instances.0.age: must be a whole number, not the string" in said["unfit"]
    assert "instances.2.age" in said["unfit"]
    assert "missing feature 'sex'" in said["missing"]
    assert said["unknown"] == "404: there is no model 'tumour' here: this is 'churn', at /v2/models/churn"
    assert "another version here: 'aaa'" in said["other version"]
    if not by_host:
        assert said["array"] == ["float32", [2, 3], [[2.0, 4.0, 1.0], [6.0, 9.0, 3.0]]]


@pytest.mark.parametrize("by_host", [False, True])
def test_kserves_sdk_is_answered_by_both_of_its_protocols(served, told, by_host):
    address = urlsplit(served["churn"])
    base, host = (f"http://{address.netloc}", "churn.localhost") if by_host else (served["churn"], "")
    said = told("ofkserve", base, host)
    assert said["v1"] == {"predictions": EXPECTED[:2]}
    for binary in ("False", "True"):
        assert said[binary] == ["FP64", [3], EXPECTED, "mine"]
    for asked in ("v1 ready", "v2 ready", "server ready", "server live"):
        assert said[asked] is True, asked
    assert "422" in said["unfit"]
