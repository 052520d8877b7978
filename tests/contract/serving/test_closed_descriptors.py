"""A model that closes the process's standard output and error takes no client's connection."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any

import cloudpickle
import httpx
import numpy as np
import pytest
from protocol_clients import released

from tests.contract.targets.test_local_target_support import endpoint_of, eventually, staged

pytestmark = pytest.mark.usefixtures("own_processes")

ROWS = np.array([[1.0, 2.0], [3.0, 4.5]], np.float32)


def closing(array: Any) -> Any:
    """Print, and close what is printed to."""
    sys.stdout.write("the model was called\n")
    for descriptor in (1, 2):
        with contextlib.suppress(OSError):
            os.close(descriptor)
    sys.stdout.write("the model closed its output\n")
    return array * 2


@pytest.fixture(scope="module")
def serving():
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    with staged(start_timeout=90.0, request_timeout=10.0) as stage:
        release = released(
            stage, "closing:aaa", closing, ROWS, "array", prototype=ROWS[:0], answers=(ROWS * 2).tolist()
        )
        stage.target.start(release)
        yield stage, stage.target.route(endpoint_of(release))


def test_every_client_is_answered_and_the_output_stays(serving):
    stage, url = serving
    with contextlib.ExitStack() as opened:
        clients = [opened.enter_context(httpx.Client(trust_env=False, timeout=120)) for _ in range(6)]
        for _ in range(4):
            for client in clients:
                response = client.post(f"{url}/predict", json={"instances": [[1, 2]]})
                assert (response.status_code, response.json()) == (200, {"predictions": [[2.0, 4.0]]}), response.text

    def log() -> str:
        return "".join(file.read_text("utf-8", "replace") for file in (stage.home / "logs").rglob("*.log*"))

    for words in ("the model was called", "the model closed its output"):
        eventually(lambda words=words: log().count(words) >= 24)
