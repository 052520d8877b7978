"""Drift, from a notebook's training table over the requests of clients to the command line."""

import json
import os
import random
import signal
from pathlib import Path

import httpx
import psutil
import pytest

from tests import notebooks
from tests.e2e.conftest import deploy_notebook, until

TRAIN = """
import numpy as np, pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
rng = np.random.default_rng(0)
X = pd.DataFrame({
    "age": rng.normal(45, 10, 4000).round(3),
    "weight": rng.normal(70, 10, 4000).round(3),
    "plan": rng.choice(["basic", "plus", "pro"], 4000, p=[0.6, 0.3, 0.1]),
})
y = np.where(X["age"] + X["weight"] > 115, "yes", "no")
encoded = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["plan"]), remainder="passthrough")
clf = make_pipeline(encoded, LogisticRegression()).fit(X, y)
"""


class Clients:
    """Clients that send rows of a distribution, always the same ones in the same order."""

    def __init__(self, url):
        self._client = httpx.Client(base_url=url, trust_env=False)
        self._random = random.Random(1)
        self.sent = 0

    def send(self, count, age=45, plans=("basic",) * 6 + ("plus",) * 3 + ("pro",)):
        for _ in range(count):
            drawn = self._random
            row = {"age": drawn.gauss(age, 10), "weight": drawn.gauss(70, 10), "plan": drawn.choice(plans)}
            headers = {"x-request-id": f"r{self.sent}"}
            self._client.post("/predict", json={"instances": [row]}, headers=headers).raise_for_status()
            self.sent += 1


@pytest.mark.timeout(600)
def test_drift_is_found_named_and_counted_once_whatever_happens_to_the_files(home, tmp_path):
    home.environment["NBDEPLOY_SEGMENT_BYTES"] = "100000"
    notebook = notebooks.write(tmp_path / "train.ipynb", TRAIN)
    deployed = json.loads(deploy_notebook(home, notebook).stdout)
    folder = Path(home.environment["NBDEPLOY_HOME"])
    version = deployed["release"].partition(":")[2]
    watch = folder / "drift" / "churn" / f"{version}.watch"
    assert (watch.stat().st_mode & 0o777, watch.parent.stat().st_mode & 0o777) == (0o600, 0o700)

    nothing = home.run("drift", "churn", "--require", "drift_alarms <= 0", check=False)
    assert nothing.returncode == 4
    clients = Clients(deployed["url"])
    clients.send(500)
    quiet = home.json("drift", "churn", "--require", "drift_alarms <= 0", "--require", "quality_alarms <= 0")
    assert quiet["state"] == "watching"
    assert (quiet["requests"], quiet["clusters"], quiet["drift_alarms"]) == (500, 500, 0)
    assert quiet["origin"]["inputs"] == "4,000 of 4,000 rows of the training table"
    assert {feature["name"] for feature in quiet["features"]} == {"age", "weight", "plan", "answer"}

    clients.send(300, age=55, plans=("basic", "gold"))
    found = home.run("drift", "churn", "--require", "drift_alarms <= 0", "-o", "json", check=False)
    assert found.returncode == 1
    drift = json.loads(found.stdout)
    assert drift["drift_alarms"] >= 1
    named = {part["name"]: part for alarm in drift["alarms"] for part in alarm["features"]}
    assert "age" in named
    assert "weight" not in named
    assert 400 <= int(named["age"]["since_request"][1:]) <= 600
    new = next(one for one in drift["quality"] if (one["feature"], one["what"]) == ("plan", "new"))
    assert new["shown"]
    assert int(new["first_request"][1:]) >= 500

    _shows_its_alarm(home, tmp_path, clients.sent)

    # Compaction, a kill of the archivist, and damage: each record counts once.
    records = folder / "records" / "churn" / version
    until(lambda: list(records.glob("*.parquet")))
    clients.send(50)
    assert home.json("drift", "churn")["requests"] == clients.sent
    archivist = _archivist(folder)
    os.kill(archivist, signal.SIGKILL)
    clients.send(50)
    until(lambda: _archivist(folder) not in (None, archivist))
    assert home.json("drift", "churn")["requests"] == clients.sent
    watch.write_bytes(watch.read_bytes()[:-100])
    again = home.json("drift", "churn")
    assert (again["requests"], again["clusters"]) == (clients.sent, clients.sent)
    assert again["drift_alarms"] >= 1

    since = drift["alarms"][-1]["features"][0]["since"]
    assert 0 < home.json("drift", "churn", "--since", since)["requests"] < clients.sent
    # The gateway of a busy machine may take longer than a purge waits for its log.
    until(lambda: home.run("purge", "churn", "--request-id", new["first_request"], check=False).returncode == 0)
    purged = home.json("drift", "churn")
    assert purged["requests"] == clients.sent - 1
    assert new["first_request"] not in json.dumps(purged["quality"])


def _shows_its_alarm(home, folder, requests):
    text = home.run("drift", "churn").stdout
    assert "since about" in text
    assert "nbdeploy logs churn --since" in text
    report = home.json("report", "churn", "--since", "1h", "--file", str(folder / "churn.html"), "--notebook")
    assert report["monitor"]["requests"] == requests
    assert "age more " in (folder / "churn.html").read_text()
    assert (folder / "churn.ipynb").exists()
    explained = home.json("explain", "churn", "--request-id", f"r{requests - 1}")
    (stable,) = explained["releases"]
    parts = {one["feature"]: one["contribution"] for one in stable["contributions"]}
    assert parts.keys() == {"age", "weight", "plan"}
    assert abs(sum(parts.values()) - (stable["value"] - stable["baseline"])) < 1e-9
    assert home.json("drift", "churn")["requests"] == requests, "an explanation asks no release"


def _archivist(folder):
    """Return the process id of the program that tends this home's records; None: there is none."""
    for process in psutil.process_iter(["cmdline"]):
        line = process.info["cmdline"] or []
        if "jupyter_deploy.records.archivist" in line and str(folder) in line and "--once" not in line:
            return process.pid
    return None
