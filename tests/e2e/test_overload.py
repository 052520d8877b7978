"""Overload: refused clients get an answer at once, health is answered, and no request is lost."""

import asyncio
import io
import json
from http.client import HTTPResponse
from types import SimpleNamespace
from urllib.parse import urlsplit

import httpx
import pytest

from tests import notebooks

CLIENTS = 1300  # more than may wait, at the release and at the gateway

SLOW = """
import time
def slow(n):
    time.sleep(0.01)
    return 2 * n
"""


@pytest.fixture
def url(home, tmp_path):
    notebook = notebooks.write(tmp_path / "slow.ipynb", SLOW)
    yield home.json("deploy", notebook, "--name", "slow", "--model", "slow", "--example", "2")["url"]
    home.down()


async def ask(url, n):
    """Post a number on a connection of its own: the status, the headers, the document.

    By hand, since a client of httpx takes ten times as much of the processor that the release needs.
    """
    place, body = urlsplit(url), json.dumps({"instances": [n]})
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    head = f"POST {place.path}/predict HTTP/1.1\r\nhost: {place.netloc}\r\nconnection: close\r\n"
    writer.write(f"{head}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode())
    received = io.BytesIO(await reader.read())
    writer.close()
    answer = HTTPResponse(SimpleNamespace(makefile=lambda *_: received))
    answer.begin()
    return answer.status, answer.headers, json.loads(answer.read())


def test_an_overload_gets_answers_or_retry_after_and_health_stays_reachable(url, home):
    async def crowd():
        posts = [asyncio.create_task(ask(url, n)) for n in range(CLIENTS)]
        await asyncio.wait(posts, return_when=asyncio.FIRST_COMPLETED)
        healthy = await asyncio.to_thread(httpx.get, f"{url}/livez", timeout=60)
        left = sum(not post.done() for post in posts)
        return await asyncio.gather(*posts), healthy, left, await ask(url, 1)

    answers, healthy, left, after = asyncio.run(crowd())
    assert healthy.status_code == 200
    assert left, "health was answered after the crowd had gone"
    assert {status for status, *_ in answers} <= {200, 503}
    for n, (status, headers, document) in enumerate(answers):
        assert headers["x-request-id"]
        if status == 200:
            assert document["predictions"] == [2 * n]
        else:
            assert headers["retry-after"]
            assert headers["content-type"] == "application/problem+json"
    assert after[2] == {"predictions": [2]}
    answered = sum(status == 200 for status, *_ in answers) + 1
    assert answered > CLIENTS / 2
    logs = home.json("logs", "slow", "--limit", "5000")
    assert sum(record["status"] == 200 for record in logs if record["role"] == "stable") == answered
