"""Monitoring from a deploy over the gateway to an alert: Prometheus scrapes what ``init --monitoring`` names."""

import json
from pathlib import Path

import httpx
import pytest

from tests import notebooks
from tests.e2e.conftest import deploy_notebook
from tests.e2e.test_drift import TRAIN, Clients
from tests.monitoring import Monitoring, until

pytestmark = [pytest.mark.exhaustive, pytest.mark.timeout(600)]


def test_drift_of_an_endpoint_becomes_an_alert_that_a_rollback_resolves(home, tmp_path):
    first = json.loads(deploy_notebook(home, notebooks.write(tmp_path / "train.ipynb", TRAIN)).stdout)
    other = TRAIN.replace("LogisticRegression()", "LogisticRegression(C=0.5)")
    second = json.loads(deploy_notebook(home, notebooks.write(tmp_path / "other.ipynb", other), "--keep").stdout)
    project = tmp_path / "project"
    project.mkdir()
    made = home.json("init", str(project), "--monitoring")
    assert {file["state"] for file in made["files"]} == {"written"}
    assert httpx.URL(first["url"]).netloc.decode() in (project / "monitoring" / "prometheus.yml").read_text()
    again = home.json("init", str(project), "--monitoring")
    assert {file["state"] for file in again["files"]} == {"unchanged"}

    home.run("promote", "churn", second["release"])
    clients = Clients(second["url"])
    clients.send(200)
    monitoring = Monitoring(project / "monitoring")
    try:
        total = 'sum(nbdeploy_requests_total{endpoint="churn",role="stable",status="200"})'
        until(lambda: (found := monitoring.query(total)) and float(found[0]["value"][1]) >= 200)
        clients.send(300, age=60)
        # The archivist reads the records at most a minute later.
        fired = until(lambda: monitoring.heard("NbdeployDrift", "firing"), 240)
        assert fired["labels"]["release"] == second["release"]
        metrics = httpx.get(f"{second['url']}/metrics", trust_env=False).text
        assert 'nbdeploy_drift_feature_alarms_total{endpoint="churn"' in metrics
        home.run("rollback", "churn")
        until(lambda: monitoring.heard("NbdeployDrift", "resolved"), 120)
    finally:
        monitoring.close()
    published = list((Path(home.environment["NBDEPLOY_HOME"]) / "drift" / "churn").glob("*.prom"))
    assert {path.stat().st_mode & 0o777 for path in published} == {0o600}
