"""Slow, incomplete, endless and oversized requests, to a release and to the gateway.

Each test checks the answers to other clients, memory, and the records.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
import numpy as np
import psutil
import pytest
from protocol_clients import released, stretched

from jupyter_deploy.domain.evidence.inference import Record
from jupyter_deploy.targets.local import unix
from tests.contract.targets.test_local_target_support import Stage, endpoint_of, eventually, staged

pytestmark = pytest.mark.usefixtures("own_processes")

ARRIVAL = 3.0
BODY = b'{"instances": [[1, 2]]}'
GIGABYTE = 1024**3
MOST_GROWTH = 200 * 1024**2
"""Bytes of memory by which a process may grow: far below what is sent to it."""


@dataclass
class Way:
    """How clients get to the release: to its own socket, or through the gateway."""

    stage: Stage
    name: str
    path: str
    address: str | tuple[str, int]

    @contextmanager
    def connected(self) -> Iterator[socket.socket]:
        family = socket.AF_UNIX if isinstance(self.address, str) else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as one:
            one.settimeout(60)
            one.connect(self.address)
            yield one

    def head(self, *headers: str, request_id: str = "hostile") -> bytes:
        lines = [f"POST {self.path} HTTP/1.1", "host: 127.0.0.1", "content-type: application/json"]
        return "\r\n".join([*lines, f"x-request-id: {request_id}", *headers, "", ""]).encode()

    def asked(self) -> httpx.Response:
        """What somebody else gets."""
        if isinstance(self.address, str):
            with unix.client(self.address, 60) as client:
                return client.post(self.path, content=BODY, headers={"content-type": "application/json"})
        url = f"http://127.0.0.1:{self.address[1]}{self.path}"
        return httpx.post(url, content=BODY, headers={"content-type": "application/json"}, timeout=60, trust_env=False)

    def memory(self) -> dict[int, int]:
        found = {}
        for pid in self.stage.processes():
            with suppress(psutil.Error):
                found[pid] = psutil.Process(pid).memory_info().rss
        return found


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with staged(start_timeout=90.0, request_timeout=ARRIVAL) as made:
        yield made


@pytest.fixture(scope="module")
def ways(stage: Stage) -> dict[str, Way]:
    rows = np.array([[1.0, 2.0], [3.0, 4.5]], np.float32)
    release = released(stage, "stretch:aaa", stretched, rows, "array", prototype=rows[:0])
    stage.target.start(release)
    url = urlsplit(stage.target.route(endpoint_of(release)))
    (own,) = (stage.runtime / "s").glob("*.sock")
    return {
        "release": Way(stage, "release", "/predict", str(own)),
        "gateway": Way(stage, "gateway", "/stretch/predict", ("127.0.0.1", int(url.port or 0))),
    }


@pytest.fixture(params=["release", "gateway"])
def way(request: pytest.FixtureRequest, ways: dict[str, Way]) -> Way:
    return ways[request.param]


def records(stage: Stage) -> list[Record]:
    folder = stage.home / "records" / "stretch" / "aaa"
    whole = [file.read_text().rpartition("\n")[0] for file in folder.glob("*.jsonl")]  # the last may still be written
    lines = [line for text in whole for line in text.splitlines()]
    return [Record.model_validate_json(line) for line in lines]


def statuses_of(stage: Stage, request_id: str) -> list[int]:
    return [record.status for record in records(stage) if record.request_id == request_id]


def answer_to(one: socket.socket) -> bytes:
    """All bytes before the end of the connection; empty: it ends without a response."""
    parts = []
    with suppress(ConnectionError):
        while part := one.recv(65536):
            parts.append(part)
    return b"".join(parts)


def first_answer(one: socket.socket) -> bytes:
    """The first bytes of the response; empty: the connection is closed without one."""
    with suppress(ConnectionError):
        return one.recv(65536)
    return b""


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def assert_others_are_answered(way: Way) -> None:
    response = way.asked()
    assert response.status_code == 200, response.text
    assert response.json() == {"predictions": [[2.0, 4.0, 1.0]]}


def outcome(way: Way, request_id: str) -> int:
    """The record of a request without an answer, once it exists."""
    (found,) = eventually(lambda: statuses_of(way.stage, request_id), 60)
    return found


def assert_let_go(way: Way, request_id: str, statuses: set[int]) -> None:
    """What is recorded is one of these, once; nothing, if a gateway noticed before it had passed anything on."""
    if way.name == "release":
        assert outcome(way, request_id) in statuses
    assert_others_are_answered(way)
    found = statuses_of(way.stage, request_id)
    assert len(found) <= 1
    assert set(found) <= statuses


def pieces(how: str) -> tuple[str, bytes, bytes]:
    """A header, a piece of a body, and its end."""
    mebibyte = b"x" * 1024**2
    if how == "chunked":
        return "transfer-encoding: chunked", b"100000\r\n" + mebibyte + b"\r\n", b"0\r\n\r\n"
    return f"content-length: {GIGABYTE}", mebibyte, b""


def send_much(one: socket.socket) -> None:
    for _ in range(500):
        one.sendall(b"y" * 65536)


@pytest.mark.parametrize("how", ["announced", "chunked"])
def test_a_body_of_a_gigabyte_is_refused_and_not_kept(way: Way, how: str) -> None:
    request_id = f"large-{way.name}-{how}"
    header, piece, end = pieces(how)
    before = way.memory()
    with way.connected() as one:
        one.sendall(way.head(header, request_id=request_id))
        try:
            for number in range(1024):
                one.sendall(piece)
                if number == 100:
                    assert_others_are_answered(way)
            one.sendall(end)
        except ConnectionError:
            pass  # refused before all of it was sent
        answer = first_answer(one)
    grown = {pid: rss - before.get(pid, rss) for pid, rss in way.memory().items()}
    assert max(grown.values()) < MOST_GROWTH, grown
    assert not answer or status_of(answer) in (408, 413)  # 408: it took too long to send
    assert outcome(way, request_id) in (413, 499)
    assert_others_are_answered(way)


def test_a_head_without_end_is_refused_and_not_kept(way: Way) -> None:
    before = way.memory()
    with way.connected() as one:
        one.sendall(way.head()[:-2] + b"x-long: ")
        with pytest.raises(ConnectionError):
            send_much(one)
    grown = {pid: rss - before.get(pid, rss) for pid, rss in way.memory().items()}
    assert max(grown.values()) < MOST_GROWTH, grown
    assert_others_are_answered(way)


@pytest.mark.parametrize("headers", [[f"x-{number}: y" for number in range(200)], ["x-long: " + "y" * 100_000]])
def test_the_gateway_says_that_headers_are_too_many_or_too_large(ways: dict[str, Way], headers: list[str]) -> None:
    way = ways["gateway"]
    with way.connected() as one:
        one.sendall(way.head("content-length: 0", *headers, request_id="flood"))
        answer = answer_to(one)
    assert status_of(answer) == 431
    assert b"application/problem+json" in answer
    assert not statuses_of(way.stage, "flood")


def test_clients_that_dribble_hold_up_nobody_and_are_not_answered(way: Way) -> None:
    with ExitStack() as opened:
        slow = [opened.enter_context(way.connected()) for _ in range(50)]
        for number, one in enumerate(slow):
            one.sendall(way.head(f"content-length: {len(BODY)}", request_id=f"dribble-{way.name}-{number}"))
        for byte in BODY[:10]:
            for one in slow:
                with suppress(ConnectionError):
                    one.send(bytes([byte]))
            assert_others_are_answered(way)
        if way.name == "gateway":  # the release itself gives them longer: test_serving_front.py
            answers = [answer_to(one) for one in slow]
            assert {status_of(answer) for answer in answers if answer} <= {408}
    for number in range(len(slow)):
        assert outcome(way, f"dribble-{way.name}-{number}") == 499
    assert_others_are_answered(way)


def test_the_gateway_does_not_wait_long_for_a_head(ways: dict[str, Way]) -> None:
    way = ways["gateway"]
    with way.connected() as one:
        one.sendall(way.head()[:-2])
        assert_others_are_answered(way)
        answer = answer_to(one)
    assert status_of(answer) == 408
    assert b"application/problem+json" in answer


def test_a_client_that_closes_its_side_in_the_middle_is_let_go(way: Way) -> None:
    with way.connected() as one:
        request_id = f"half-{way.name}"
        one.sendall(way.head(f"content-length: {len(BODY)}", request_id=request_id) + BODY[:5])
        one.shutdown(socket.SHUT_WR)
        assert not answer_to(one)
    assert_let_go(way, request_id, {499})


def test_a_client_that_closes_its_side_behind_its_request_is_let_go(way: Way) -> None:
    with way.connected() as one:
        request_id = f"whole-{way.name}"
        one.sendall(way.head(f"content-length: {len(BODY)}", request_id=request_id) + BODY)
        one.shutdown(socket.SHUT_WR)
        answer = answer_to(one)
    # The model may have answered before it was noticed; then that is recorded, once, and perhaps even sent.
    assert_let_go(way, request_id, {200} if answer else {200, 499})


def test_connections_that_nothing_is_asked_on_hold_up_nobody(way: Way) -> None:
    before = way.memory()
    with ExitStack() as opened:
        for _ in range(500):
            opened.enter_context(way.connected())
        assert_others_are_answered(way)
        grown = {pid: rss - before.get(pid, rss) for pid, rss in way.memory().items()}
        assert max(grown.values()) < MOST_GROWTH, grown
    assert_others_are_answered(way)
