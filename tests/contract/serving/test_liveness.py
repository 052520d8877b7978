"""Liveness while a call holds the event loop: a real service of a function."""

from __future__ import annotations

import json
import signal
import socket
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest

from jupyter_deploy.artifacts.bento import BentoBuilder
from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.domain.capture.artifacts import Tolerance
from tests.contract.capturing import capture
from tests.contract.contained import container
from tests.e2e.conftest import until


def waits_for_a_file(rows):
    """Answer zeros, for a negative number when the file of the environment exists."""
    import os
    import pathlib
    import time

    while rows.min() < 0 and not pathlib.Path(os.environ["GATE"]).exists():
        pathlib.Path(os.environ["GATE"] + ".waits").touch()
        time.sleep(0.01)
    return np.zeros(len(rows))


@pytest.fixture(scope="module")
def bento(tmp_path_factory):
    home = tmp_path_factory.mktemp("held")
    rows = np.ones((2, 1))
    capturer = ModelCapturer(home, Tolerance(), 60)
    return BentoBuilder(home).build(capture(capturer, waits_for_a_file, rows, "held"))


def ask(base_url, value):
    with httpx.Client(base_url=base_url, timeout=60, trust_env=False) as client:
        return client.post("/predict", json={"instances": [[value]]}).json()["predictions"]


def test_a_probe_is_answered_while_a_call_holds_the_loop_and_other_requests_wait(bento, tmp_path):
    gate = tmp_path / "gate"
    with container(bento, tmp_path / "run", GATE=str(gate)) as running, ThreadPoolExecutor() as others:
        for _ in range(60):  # short calls, so the function runs in the loop
            assert running.client.post("/predict", json={"instances": [[1.0]]}).json() == {"predictions": [0.0]}
        held = others.submit(ask, running.client.base_url, -1.0)
        until((tmp_path / "gate.waits").exists)
        waiting = others.submit(ask, running.client.base_url, 2.0)
        assert running.get("/livez").status_code == 200
        assert not held.done()
        assert not waiting.done()
        gate.touch()
        assert held.result() == waiting.result() == [0.0]
        assert running.get("/readyz").status_code == 200
        assert running.end() == 0


def test_a_connection_that_was_accepted_while_a_call_held_the_loop_is_answered_and_delays_no_shutdown(bento, tmp_path):
    gate, body = tmp_path / "gate", json.dumps({"instances": [[2.0]]})
    head = f"POST /predict HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    variables = {"GATE": str(gate), "NBDEPLOY_GRACE_SECONDS": "600"}
    with container(bento, tmp_path / "run", **variables) as running, ThreadPoolExecutor() as others:
        for _ in range(60):  # short calls, so the function runs in the loop
            assert running.client.post("/predict", json={"instances": [[1.0]]}).json() == {"predictions": [0.0]}
        held = others.submit(ask, running.client.base_url, -1.0)
        until((tmp_path / "gate.waits").exists)
        with socket.create_connection(("127.0.0.1", running.port), 60) as late:
            late.sendall((head + body).encode())
            assert running.get("/livez").status_code == 200  # the other one was accepted before
            running.process.send_signal(signal.SIGTERM)
            assert running.get("/livez").status_code == 200  # and the signal has come
            gate.touch()
            answer = b""
            while piece := late.recv(4096):
                answer += piece
        assert held.result() == [0.0]
        assert answer.startswith(b"HTTP/1.1 200")
        assert running.process.wait(60) == 0
