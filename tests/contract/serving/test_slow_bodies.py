"""Clients that stop in the middle of large bodies: memory is bounded, they get 408 or 413, and others nothing of it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
from protocol_clients import released, stretched

from jupyter_deploy.domain.release.endpoint import Release
from scripts.slow_bodies import MEBIBYTE, attack
from tests.contract.targets.test_local_target_support import Stage, endpoint_of, eventually, staged

ARRIVAL = 10.0
BODY = b'{"instances": [[1, 2]]}'


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with staged(start_timeout=90.0, request_timeout=ARRIVAL) as made:
        yield made


@pytest.fixture(scope="module")
def releases(stage: Stage) -> list[Release]:
    rows = np.array([[1.0, 2.0], [3.0, 4.5]], np.float32)
    return [
        released(stage, f"stretch:{version}", stretched, rows, "array", prototype=rows[:0])
        for version in ("aaa", "bbb")
    ]


@pytest.fixture(scope="module")
def url(stage: Stage, releases: list[Release]) -> str:
    stage.target.start(releases[0])
    return stage.target.route(endpoint_of(releases[0]))


def pids(stage: Stage) -> dict[str, int]:
    names = {"gateway": "gateway@0", "release": "release-stretch.aaa@0"}
    return {name: int((stage.runtime / "pids" / file).read_text()) for name, file in names.items()}


def status(url: str, body: bytes = BODY, request_id: str = "other") -> int:
    headers = {"content-type": "application/json", "x-request-id": request_id}
    return httpx.post(f"{url}/predict", content=body, headers=headers, timeout=60, trust_env=False).status_code


def test_half_sent_bodies_do_not_fill_memory_and_others_are_answered(stage: Stage, url: str) -> None:
    port = int(urlsplit(url).port or 0)
    outcome = attack(
        ("127.0.0.1", port), "/stretch/predict", pids(stage), lambda: status(url), connections=20, mebibytes=30,
        seconds=60,
    )  # fmt: skip
    assert outcome.grown["gateway"] < 200 * MEBIBYTE
    assert outcome.grown["release"] < 400 * MEBIBYTE
    assert set(outcome.others) == {200}
    assert set(outcome.answers) <= {408, 413}


def test_a_body_larger_than_the_gateway_keeps_reaches_stable_and_its_shadow(
    stage: Stage, releases: list[Release], url: str
) -> None:
    stable, shadow = releases
    stage.target.start(shadow)
    stage.target.route(endpoint_of(stable, shadow, revision=2, shadows={shadow.tag: 100}))
    assert status(url, BODY + b" " * 20 * MEBIBYTE, "large") == 200
    (copy,) = eventually(lambda: [line for line in stage.shadow() if line["request_id"] == "large"])
    assert copy["status"] == 200


def test_a_large_body_without_a_worker_is_refused_as_any_other(stage: Stage, url: str) -> None:
    os.kill(pids(stage)["release"], signal.SIGKILL)
    answer = httpx.post(
        f"{url}/predict", content=BODY + b" " * 20 * MEBIBYTE, headers={"content-type": "application/json"}, timeout=60
    )
    assert answer.status_code in (200, 503)
    assert answer.status_code == 200 or answer.headers["retry-after"] == "1"
    eventually(lambda: status(url) == 200, 60)
