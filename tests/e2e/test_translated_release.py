"""A notebook's forest, deployed as it is and then as a translation, which runs as the shadow of its own original."""

import subprocess
import sys

import httpx
import pytest
from sklearn.datasets import load_wine

from tests import notebooks
from tests.e2e.conftest import until

CELLS = (
    "import pandas as pd\nfrom sklearn.datasets import load_wine\nfrom sklearn.ensemble import RandomForestClassifier",
    "X, y = load_wine(return_X_y=True, as_frame=True)\ny = y.map({0: 'a', 1: 'b', 2: 'c'})",
    "forest = RandomForestClassifier(20, random_state=0).fit(X, y)",
    "import numpy as np\nfrom sklearn.linear_model import LogisticRegression\n"
    "from sklearn.pipeline import make_pipeline\nfrom sklearn.preprocessing import FunctionTransformer\n"
    "logs = make_pipeline(FunctionTransformer(np.log1p), LogisticRegression(max_iter=200)).fit(X, y)",
)


@pytest.mark.exhaustive  # its guard: tests/contract/capture/test_translation.py
def test_a_translation_shadows_its_original_and_answers_the_same(home, tmp_path):
    notebook = notebooks.write(tmp_path / "wine.ipynb", *CELLS)
    deploy = ("deploy", notebook, "--name", "wine", "--model", "forest", "--example", "X[:3]")
    url = home.json(*deploy)["url"]
    shown = home.run(*deploy, "--engine", "onnx").stdout
    assert "onnx, equal on " in shown
    assert "shadow" in shown
    releases = home.json("describe", "wine")["releases"]
    assert [release["role"] for release in releases] == ["stable", "shadow"]

    row = dict.fromkeys(load_wine().feature_names, 1.5)
    for number in range(20):
        answer = httpx.post(f"{url}/predict", json={"instances": [row | {"alcohol": 11 + number / 5}]}, trust_env=False)
        answer.raise_for_status()
    until(lambda: home.json("compare", "wine")["pairs"] >= 20)
    compared = home.json("compare", "wine")
    assert (compared["agreement"]["value"], compared["coverage"]["value"]) == (1.0, 1.0)

    refused = home.run("export", "wine", check=False, cwd=tmp_path)
    assert (refused.returncode, "serves the captured object" in refused.stderr) == (2, True), refused.stderr

    missing = {name: value for name, value in row.items() if name != "ash"}
    home.json("promote", "wine", "--force", "--reason", "the translation")
    _export(home, tmp_path)
    refused = httpx.post(f"{url}/predict", json={"instances": [missing]}, trust_env=False)
    assert (refused.status_code, "ash" in refused.text) == (422, True)

    logs = ("deploy", notebook, "--name", "other", "--model", "logs", "--example", "X[:3]", "--engine")
    refusal = home.run(*logs, "onnx", check=False)
    assert (refusal.returncode, "cannot be translated" in refusal.stderr) == (2, True), refusal.stderr
    assert "served natively" in home.run(*logs, "auto").stdout


def _export(home, folder):
    """The stable translation as files, whose manifest cosign has signed."""
    keys = home.environment | {"COSIGN_PASSWORD": "secret"}
    subprocess.run(["cosign", "generate-key-pair"], cwd=folder, env=keys, check=True, capture_output=True)
    home.environment["COSIGN_PASSWORD"] = "secret"
    exported = home.json("export", "wine", "--to", folder / "files", "--sign", folder / "cosign.key")
    del home.environment["COSIGN_PASSWORD"]
    assert exported["signed_by"]
    assert exported["rows"]["threshold"] > 20
    verified = ["cosign", "verify-blob", "--key", folder / "cosign.pub", "--insecure-ignore-tlog=true"]
    subprocess.run([*verified, "--signature", "manifest.json.sig", "manifest.json"], cwd=folder / "files", check=True)
    checked = [sys.executable, "check.py", sys.executable, "clients/client.py"]
    assert (
        "answers agree"
        in subprocess.run(checked, cwd=folder / "files", check=True, capture_output=True, text=True).stdout
    )
    again = home.run("export", "wine", "--to", folder / "files", check=False)
    assert (again.returncode, "has files already" in again.stderr) == (1, True), again.stderr
