"""The gateway itself: its own errors, rejected and concurrent changes of its routes, and its restart after a kill."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from jupyter_deploy.domain.errors import RouteNotConfirmed
from jupyter_deploy.targets.envoy import documents as envoy
from jupyter_deploy.targets.envoy.counters import median
from jupyter_deploy.targets.local.target import LocalTarget
from tests.contract.targets.test_local_target_support import Stage, ask, endpoint_of, eventually, pid_of, stage

__all__ = ["stage"]


def test_the_median_is_the_one_since_the_gateway_started() -> None:
    assert median("P0(nan,1.0) P25(nan,2.05) P50(3.1,4.05) P75(nan,6.0)") == 4.05
    assert median("P0(nan,nan) P50(nan,nan)") is None
    assert median("No recorded values") is None


def test_what_the_gateway_says_itself_is_problem_json(stage: Stage) -> None:
    one, two = stage.release("aaa"), stage.release("aaa", endpoint="other")
    for release in (one, two):
        stage.target.start(release)
    url, other = stage.target.route(endpoint_of(one)), stage.target.route(endpoint_of(two))

    unknown = httpx.get(f"{url}-not/predict", headers={"x-request-id": "a \"b\" 'c'"})
    assert unknown.status_code == 404
    assert unknown.headers["content-type"] == "application/problem+json"
    assert unknown.json()["errors"] == [{"loc": [], "msg": "unknown endpoint"}]
    assert unknown.json()["status"] == 404
    assert unknown.json()["request_id"] == unknown.headers["x-request-id"] == "a \"b\" 'c'"

    stage.target.stop(two)
    gone = httpx.get(f"{other}/readyz")
    assert (gone.status_code, gone.headers["retry-after"]) == (503, "1")
    assert gone.headers["content-type"] == "application/problem+json"
    assert gone.headers["x-request-id"]

    stage.target.route(endpoint_of(two, revision=2, running=False))
    assert ask(other).status_code == 404
    assert ask(url).status_code == 200


def test_a_slow_release_is_a_504_after_the_time_limit(stage: Stage) -> None:
    one = stage.release("aaa")
    stage.target.start(one)  # with the usual time for its first prediction
    impatient = LocalTarget(stage.settings.model_copy(update={"predict_timeout": 0.5}))
    url = impatient.route(endpoint_of(one))
    stage.behave("aaa", delay=1.5)
    late = ask(url)
    assert (late.status_code, late.headers["content-type"]) == (504, "application/problem+json")


def test_an_older_revision_is_ignored(stage: Stage) -> None:
    one, two = stage.release("aaa"), stage.release("bbb")
    for release in (one, two):
        stage.target.start(release)
    url = stage.target.route(endpoint_of(one, two, revision=5, stable=two.tag))

    assert stage.target.route(endpoint_of(one, two, revision=4)) == url
    assert ask(url).json() == {"predictions": ["bbb"]}


def test_a_rejected_configuration_is_an_error_and_the_last_good_one_stays(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = stage.release("aaa"), stage.release("bbb")
    for release in (one, two):
        stage.target.start(release)
    url = stage.target.route(endpoint_of(one, two))
    good = envoy.edge_routes

    def bad(*arguments: Any) -> Any:
        document = good(*arguments)
        routes = document["resources"][0]["virtual_hosts"][0]["routes"]
        next(route["route"] for route in routes if "route" in route)["no_such_field"] = 1
        return document

    monkeypatch.setattr(envoy, "edge_routes", bad)
    with pytest.raises(RouteNotConfirmed) as refused:
        stage.target.route(endpoint_of(one, two, revision=2, stable=two.tag))
    assert "no_such_field" in refused.value.details
    assert ask(url).json() == {"predictions": ["aaa"]}
    monkeypatch.undo()

    _kill_envoy(stage)  # what lies on the disk must be good too
    eventually(lambda: _status(url) == 200)
    assert ask(url).json() == {"predictions": ["aaa"]}
    stage.target.route(endpoint_of(one, two, revision=2, stable=two.tag))
    assert ask(url).json() == {"predictions": ["bbb"]}


def test_a_killed_envoy_comes_back_with_the_routes_in_force(stage: Stage) -> None:
    one = stage.release("aaa")
    stage.target.start(one)
    url = stage.target.route(endpoint_of(one))
    _kill_envoy(stage)
    eventually(lambda: _status(url) == 200)
    assert stage.target.observe(endpoint_of(one)).url == url


def test_processes_that_route_at_once_do_not_lose_each_others_endpoints(stage: Stage) -> None:
    releases = [stage.release("aaa", endpoint=f"end-{number}") for number in range(2)]
    code = (
        "import pickle,sys; target, release, endpoints = pickle.load(sys.stdin.buffer)\n"
        "target.start(release)\n"
        "for endpoint in endpoints: url = target.route(endpoint)\n"
        "print(url)"
    )
    jobs = []
    for release in releases:
        endpoints = [endpoint_of(release, revision=number) for number in range(1, 4)]
        job = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path.cwd()
        )
        job.stdin.write(pickle.dumps((stage.target, release, endpoints)))
        job.stdin.close()
        jobs.append(job)
    urls = [job.stdout.read().decode().strip() for job in jobs]
    assert [job.wait(60) for job in jobs] == [0, 0]
    assert [ask(url).json() for url in urls] == [{"predictions": ["aaa"]}] * 2


def _status(url: str) -> int:
    try:
        return ask(url).status_code
    except httpx.HTTPError:
        return 0


def _kill_envoy(stage: Stage) -> None:
    os.kill(pid_of(stage, "gateway"), signal.SIGKILL)
