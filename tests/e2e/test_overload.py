"""Overload: refused clients get an answer at once, health is answered, and no request is lost."""

import asyncio

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


def test_an_overload_gets_answers_or_retry_after_and_health_stays_reachable(url, home):
    async def crowd():
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(limits=limits, timeout=120) as client:
            posts = [
                asyncio.create_task(client.post(f"{url}/predict", json={"instances": [n]})) for n in range(CLIENTS)
            ]
            await asyncio.wait(posts, return_when=asyncio.FIRST_COMPLETED)
            healthy = await asyncio.to_thread(httpx.get, f"{url}/livez", timeout=60)
            left = sum(not post.done() for post in posts)
            answers = await asyncio.gather(*posts)
            return answers, healthy, left, await client.post(f"{url}/predict", json={"instances": [1]})

    answers, healthy, left, after = asyncio.run(crowd())
    assert healthy.status_code == 200
    assert left, "health was answered after the crowd had gone"
    assert {answer.status_code for answer in answers} <= {200, 503}
    for n, answer in enumerate(answers):
        assert answer.headers["x-request-id"]
        if answer.status_code == 200:
            assert answer.json()["predictions"] == [2 * n]
        else:
            assert answer.headers["retry-after"]
            assert answer.headers["content-type"] == "application/problem+json"
    assert after.json() == {"predictions": [2]}
    answered = sum(answer.status_code == 200 for answer in answers) + 1
    assert answered > CLIENTS / 2
    logs = home.json("logs", "slow", "--limit", "5000")
    assert sum(record["status"] == 200 for record in logs if record["role"] == "stable") == answered
