"""Releases without a process of their own while they have no requests: real supervisord, Envoy and workers."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from jupyter_deploy.domain.release.endpoint import Endpoint, Release
from jupyter_deploy.domain.release.processes import IDLE
from tests.contract.targets.test_local_target_kills import kill
from tests.contract.targets.test_local_target_support import Stage, ask, endpoint_of, eventually, pid_of, staged

SOON = {"idle_after": "1s"}
_SECONDS = 120


@pytest.fixture
def stage() -> Iterator[Stage]:
    with staged(start_timeout=120.0) as made:
        yield made


def routed(stage: Stage, *releases: Release, **traffic: Any) -> tuple[Endpoint, str]:
    for release in releases:
        stage.target.start(release)
    endpoint = endpoint_of(*releases, **traffic)
    return endpoint, stage.target.route(endpoint)


def until_idle(stage: Stage, endpoint: Endpoint, version: str = "aaa") -> None:
    eventually(lambda: detail(stage, endpoint, version) == IDLE and not workers(stage, version), _SECONDS)


def detail(stage: Stage, endpoint: Endpoint, version: str = "aaa") -> str:
    return stage.target.observe(endpoint).releases[f"tumour:{version}"].detail


def workers(stage: Stage, version: str = "aaa") -> list[psutil.Process]:
    """The processes of a release: supervisord's, its parent of workers, its workers."""
    found = []
    for pid in stage.processes():
        words = []
        with suppress(psutil.Error):  # it has ended
            process = psutil.Process(pid)
            words = process.cmdline()
        if any(f"tumour.{version}@0" in word or f"tumour/{version}/" in word for word in words):
            found.append(process)
    return found


def get(url: str, path: str) -> httpx.Response:
    return httpx.get(f"{url}/{path}", timeout=120, trust_env=False)


def predict(url: str) -> Any:
    answer = ask(url)
    assert answer.status_code == 200, answer.text
    return answer.json()["predictions"]


def test_an_idle_release_has_no_process_and_the_first_request_waits_for_it(stage: Stage) -> None:
    endpoint, url = routed(stage, stage.release("aaa", resources=SOON))
    until_idle(stage, endpoint)
    health = stage.target.observe(endpoint).releases["tumour:aaa"]
    assert (health.running, health.healthy, health.detail) == (True, True, IDLE)
    # Health checks and metrics are answered without it, as are starts and changes of what is idle.
    for path in ("livez", "readyz"):
        probe = get(url, path)
        assert (probe.status_code, probe.headers["x-model-version"]) == (200, "tumour:aaa")
    metrics = get(url, "metrics")
    assert metrics.status_code == 200
    assert 'nbdeploy_release_up{endpoint="tumour",release="tumour:aaa",role="stable"} 1.0' in metrics.text
    assert not stage.target.start(endpoint.releases[0], renew=True)
    assert detail(stage, endpoint) == IDLE
    assert not workers(stage)
    with ThreadPoolExecutor(8) as clients:
        assert list(clients.map(lambda _: predict(url), range(8))) == [["aaa"]] * 8
    until_idle(stage, endpoint)
    assert not stage.target.start(endpoint.releases[0], ask=True), "which starts it"
    assert stage.seen("aaa", "probe")
    stage.target.stop(endpoint.releases[0])
    eventually(lambda: stage.processes() == [])


def test_no_request_fails_while_a_release_becomes_idle_again_and_again(stage: Stage) -> None:
    endpoint, url = routed(stage, stage.release("aaa", resources=SOON))
    sent = 0
    for pause in (0.9, 1.0, 1.1):  # about the time after which it becomes idle
        until_idle(stage, endpoint)
        for _ in range(3):
            predict(url)
            sent += 1
            time.sleep(pause)
    assert len(stage.seen("aaa", "stable")) == sent


def test_copies_of_requests_start_an_idle_shadow(stage: Stage) -> None:
    stable, shadow = stage.release("aaa"), stage.release("bbb", resources=SOON)
    endpoint, url = routed(stage, stable, shadow, shadows={shadow.tag: 100.0})
    until_idle(stage, endpoint, "bbb")
    predict(url)
    eventually(lambda: len(stage.seen("bbb", "shadow")) == 1, _SECONDS)
    (line,) = eventually(stage.shadow)
    assert line["status"] == 200


def test_a_failed_start_is_reported_to_the_client_and_the_next_request_tries_again(stage: Stage) -> None:
    endpoint, url = routed(stage, stage.release("aaa", resources=SOON))
    until_idle(stage, endpoint)
    stage.behave("aaa", crash=True)
    refused = ask(url)
    assert refused.status_code == 503
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["retry-after"]
    reason = "does not start: the model cannot be loaded: RuntimeError: the weights are broken"
    assert reason in refused.json()["detail"]
    assert detail(stage, endpoint) == IDLE
    stage.behave("aaa", crash=False)
    assert predict(url) == ["aaa"]


@pytest.mark.parametrize(
    "victim", [*(pytest.param(one, marks=pytest.mark.exhaustive) for one in ("activator", "supervisor")), "both"]
)
def test_an_idle_release_comes_back_after_a_kill(stage: Stage, victim: str) -> None:
    endpoint, url = routed(stage, stage.release("aaa", resources=SOON))
    until_idle(stage, endpoint)
    supervisor, activator = int((stage.runtime / "supervisord.pid").read_text()), pid_of(stage, "activator")
    if victim != "activator":
        kill(supervisor)
    if victim != "supervisor":
        kill(activator)
        eventually(lambda: pid_of(stage, "activator") != activator, _SECONDS)
        eventually(lambda: detail(stage, endpoint) == IDLE, _SECONDS)
    assert predict(url) == ["aaa"]
    until_idle(stage, endpoint)


def test_a_worker_that_is_killed_while_it_starts_for_a_request_is_started_again(stage: Stage) -> None:
    endpoint, url = routed(stage, stage.release("aaa", resources=SOON))
    until_idle(stage, endpoint)
    file = stage.runtime / "pids" / "release-tumour.aaa@0"
    before = int(file.read_text())  # 0, or that of the process that has ended
    with ThreadPoolExecutor(1) as client:
        answer = client.submit(predict, url)
        started = eventually(lambda: (pid := int(file.read_text())) not in (0, before) and pid, _SECONDS)
        os.killpg(started, signal.SIGKILL)
        assert answer.result() == ["aaa"]


def test_changes_of_an_idle_release(stage: Stage) -> None:
    """Other resources replace it; a reconcile after the loss of everything starts it, and it becomes idle again."""
    release = stage.release("aaa", resources=SOON)
    endpoint, url = routed(stage, release)
    until_idle(stage, endpoint)
    changed = release.model_copy(update={"resources": release.resources.overridden({"idle_after": None})})
    assert stage.target.start(changed)
    endpoint = endpoint_of(changed, revision=2)
    stage.target.route(endpoint)
    assert predict(url) == ["aaa"]
    assert detail(stage, endpoint) == ""
    record = json.loads(next((stage.runtime / "releases").glob("*.json")).read_text())
    assert "idle_after" not in record["resources"]
    assert not list(Path(stage.runtime / "programs").glob("*.idle"))
