"""``init --monitoring`` with a real Prometheus and Alertmanager: files, queries, an alarm that fires and resolves."""

import http.server
import json
import random
import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import record_world
from record_world import World

from jupyter_deploy.domain.drift.watch import WatchState, reference_of
from jupyter_deploy.domain.ramp.plan import RampPlan
from jupyter_deploy.domain.ramp.state import begin
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.release.traffic import Traffic
from jupyter_deploy.domain.validation.validated import ResultLine, Validated
from jupyter_deploy.drift_detection import watcher
from jupyter_deploy.drift_detection.watch_file import WatchFile, beginning
from jupyter_deploy.serving.telemetry import metrics
from jupyter_deploy.targets.local.metrics import exporter
from jupyter_deploy.targets.local.naming import socket_of
from jupyter_deploy.targets.local.routed_endpoints import RoutedEndpoints
from jupyter_deploy.targets.local.runtime import Runtime
from jupyter_deploy.validation.scaffold.monitoring_drafts import DASHBOARD, monitoring_drafts
from tests.monitoring import Monitoring, Serving, queries, until
from tests.releases import release

RULES = Path(__file__).parents[1] / "nbdeploy.rules.test.yml"


def written(folder, address):
    for draft in monitoring_drafts(address):
        path = folder / draft.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(draft.text)
    return folder / "monitoring"


def run(*command, cwd, **options):
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, **options)


class ReleaseProcess(http.server.BaseHTTPRequestHandler):
    """Answers ``/metrics`` as a release's process does."""

    def do_GET(self):
        body, content_type = metrics.exposition()
        self.send_response(200)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self):
        return "gateway"

    def log_message(self, *_):
        pass


class UnixServer(exporter.Server):
    """The exporter's server with another handler."""

    def __init__(self, path, handler):
        super().__init__(path, None)
        self.RequestHandlerClass = handler


class Watched:
    """A home with a watched endpoint, the processes of its releases, and its exporter on a port."""

    def __init__(self, folder):
        self.home, self.runtime = folder / "home", Runtime(folder / "r")
        (self.runtime.path / "s").mkdir(parents=True)
        self.routed = RoutedEndpoints(self.runtime)
        lines = tuple(ResultLine(verdict=verdict, sentence=verdict) for verdict in ("pass", "pass", "inconclusive"))
        validated = Validated(id="v", at=datetime.now(UTC), verdict="inconclusive", said="", lines=lines)
        self.endpoint = Endpoint(
            name="tumour",
            revision=3,
            releases=(release("aaa", validation=validated), release("bbb"), release("ccc")),
            traffic=Traffic(stable="tumour:aaa", canary="tumour:bbb", canary_percent=20.0),
            ramp=begin(RampPlan(steps="20,50"), "tumour:bbb", datetime.now(UTC)),
        )
        self.routed.put(self.endpoint)
        sockets = [Path(socket_of(self.runtime, one)) for one in self.endpoint.releases]
        gateway = Serving(exporter._Handler)
        gateway.server.exporter = exporter.Exporter(self.runtime.path, self.home)
        self.address = "{}:{}".format(*gateway.server.server_address)
        self.servers = [gateway, *(Serving(ReleaseProcess, path, UnixServer) for path in sockets)]
        self.records, self.dice, self.number = World(self.home), random.Random(2), 0

    def watch(self, count, age):
        """Record requests, and let the archivist's watcher read and publish them."""
        file = WatchFile(self.home, "tumour", "aaa")
        if not file.exists():
            rows = [{"age": self.dice.gauss(45, 10)} for _ in range(500)]
            with file.locked():
                state = WatchState(reference=reference_of({"inputs": rows}, {"inputs": "training"}))
                file.save(beginning(state))
        segment = f"{self.number}-1.v1.jsonl"
        for _ in range(count):
            inputs = [{"age": self.dice.gauss(age, 10)}]
            self.records.record(self.number, "aaa", "stable", segment=segment, inputs=inputs)
            self.number += 1
        assert watcher.update(self.home) == []

    def close(self):
        for server in self.servers:
            server.close()


@pytest.fixture
def watched(tmp_path, monkeypatch):
    monkeypatch.setattr(record_world, "NOON", datetime.now(UTC) - timedelta(minutes=20))
    made = Watched(tmp_path)
    yield made
    made.close()


@pytest.fixture
def monitoring(watched, tmp_path):
    made = Monitoring(written(tmp_path, watched.address))
    yield made
    made.close()


def test_the_files_are_accepted_and_each_alert_fires_when_it_should(tmp_path):
    folder = written(tmp_path, "127.0.0.1:8780")
    (folder / RULES.name).write_text(RULES.read_text())
    for command in (
        ("promtool", "check", "config", "prometheus.yml"),
        ("promtool", "check", "rules", "--lint-fatal", "nbdeploy.rules.yml"),
        ("promtool", "test", "rules", RULES.name),
        ("amtool", "check-config", "alertmanager.yml"),
    ):
        ended = run(*command, cwd=folder)
        assert ended.returncode == 0, ended.stdout + ended.stderr


def test_each_query_returns_data_and_an_alarm_reaches_a_webhook_and_resolves(watched, monitoring, tmp_path):
    assert len(queries()) >= 18
    metrics.name_release("tumour", "tumour:aaa")
    metrics.waiting().set(0)
    metrics.running().set(0)
    watched.watch(300, age=45)
    missing = dict.fromkeys(queries())

    def answered():
        for status, role in (("200", "stable"), ("500", "canary"), ("422", "stable")):
            metrics.count(status, role, 0.003)
        for title, expression in list(missing):
            if title == "Quality alarms" or monitoring.query(expression):
                del missing[title, expression]
        return not missing

    try:
        until(answered)
    except AssertionError:
        raise AssertionError(f"no data: {list(missing)}") from None
    text = httpx.get(f"http://{watched.address}/metrics", trust_env=False).text
    # This process may have the metrics of libraries of other tests, such as Jupyter's terminals.
    ours = "".join(line for line in text.splitlines(keepends=True) if "nbdeploy_" in line)
    linted = run("promtool", "check", "metrics", cwd=tmp_path, input=ours)
    assert linted.returncode == 0, linted.stdout + linted.stderr

    assert not monitoring.heard("NbdeployDrift", "firing")
    watched.watch(300, age=80)
    fired = until(lambda: monitoring.heard("NbdeployDrift", "firing"))
    assert fired["labels"].items() >= {"endpoint": "tumour", "release": "tumour:aaa", "role": "stable"}.items()
    assert "nbdeploy drift tumour" in fired["annotations"]["action"]
    assert until(lambda: monitoring.query(dict(queries())["Quality alarms"]))
    assert float(monitoring.query('nbdeploy_drift_feature_alarms_total{feature="age"}')[0]["value"][1]) >= 1

    # A release without drift takes its place: no series of the former stable release is left.
    replaced = watched.endpoint.model_copy(update={"revision": 4, "traffic": Traffic(stable="tumour:ccc")})
    watched.routed.put(replaced)
    until(lambda: monitoring.heard("NbdeployDrift", "resolved"))
    change = json.loads(DASHBOARD.read_text())["annotations"]["list"][-1]["expr"]
    assert until(lambda: monitoring.query(change.replace("$__rate_interval", "5m")))


def test_one_release_that_does_not_answer_leaves_the_metrics_of_the_others(watched):
    Path(socket_of(watched.runtime, watched.endpoint.release("tumour:bbb"))).unlink()
    text = httpx.get(f"http://{watched.address}/tumour/metrics", trust_env=False).text
    up = re.findall(
        r'^nbdeploy_release_up\{endpoint="tumour",release="([^"]+)",role="\w+"\} (\S+)$', text, re.MULTILINE
    )
    assert dict(up) == {"tumour:aaa": "1.0", "tumour:bbb": "0.0"}
    unknown = httpx.get(f"http://{watched.address}/other/metrics", trust_env=False)
    assert (unknown.status_code, unknown.headers["content-type"]) == (404, "application/problem+json")
