"""The program of a Compose gateway with a real Envoy: it follows its file, and drains on SIGTERM."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import httpx
import pytest

from jupyter_deploy.container_images.gateway_program.envoy import ask
from scripts.gateway_toggles import VERSIONS, ComposedGateway, composed, toggled
from tests.contract.targets.test_local_target_support import eventually

pytestmark = pytest.mark.usefixtures("own_processes")

CANARY = "tumour:bbb"


@pytest.fixture
def gateway() -> Iterator[ComposedGateway]:
    with composed() as made:
        yield made


def started(gateway: ComposedGateway) -> None:
    for version in VERSIONS:
        gateway.start_release(version)
    gateway.start()
    gateway.wait_for(gateway.write())


def predicted(gateway: ComposedGateway, **body: float) -> str:
    answer = httpx.post(gateway.url, json={"instances": [1], **body}, timeout=30, trust_env=False)
    return str(answer.json()["predictions"][0]) if answer.status_code == 200 else answer.text


def test_no_request_fails_while_routes_change(gateway: ComposedGateway) -> None:
    started(gateway)
    answers = toggled(gateway, 30)
    assert set(answers) == set(VERSIONS), gateway.log()


def test_routes_wait_for_a_release_that_does_not_listen_yet(gateway: ComposedGateway) -> None:
    gateway.start_release("aaa")
    gateway.start()
    eventually(lambda: gateway.in_force(gateway.write()), 30)
    version = gateway.write(stable=CANARY)
    eventually(lambda: "wait for" in gateway.log())
    assert predicted(gateway) == "aaa"
    gateway.start_release("bbb")
    gateway.wait_for(version)
    assert predicted(gateway) == "bbb"


def test_a_faulty_file_changes_nothing(gateway: ComposedGateway) -> None:
    started(gateway)
    (path,) = gateway.folder.glob("gateway/envoy.json")
    good = path.read_text()
    path.write_text("{")
    eventually(lambda: "cannot be read" in gateway.log())
    version = json.loads(good)["edge"]["version_info"]
    path.write_text(good.replace('"timeout": "60s"', '"timeout": "long"').replace(version, "another"))
    eventually(lambda: "the former routes stay" in gateway.log(), 30)
    assert predicted(gateway) == "aaa"
    gateway.wait_for(gateway.write(stable=CANARY))
    assert predicted(gateway) == "bbb"


def test_on_sigterm_it_fails_its_health_check_answers_what_is_pending_and_ends(gateway: ComposedGateway) -> None:
    started(gateway)
    assert ask(gateway.admin) == 0
    answers: list[str] = []
    pending = threading.Thread(target=lambda: answers.append(predicted(gateway, delay=4.0)))
    pending.start()
    eventually(lambda: gateway.pending() > 0)
    process = gateway.process
    process.terminate()
    eventually(lambda: ask(gateway.admin) == 1)
    assert predicted(gateway) == "aaa"  # who connects in the first two seconds is still answered
    pending.join(30)
    assert answers == ["aaa"]
    assert process.wait(30) == 0
    with pytest.raises(httpx.ConnectError):
        predicted(gateway)
