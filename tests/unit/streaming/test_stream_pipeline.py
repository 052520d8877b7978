"""The pipeline of a stream: order, retries, dead letters, and its end; brokers and gateway are stand-ins."""

import asyncio
import json
from collections import defaultdict

import pytest

from jupyter_deploy.domain.errors import TargetError
from jupyter_deploy.streaming.gateway import Answer, problem
from jupyter_deploy.streaming.pipeline import Pipeline
from jupyter_deploy.streaming.progress import Progress, metrics_of
from tests.waiting import holds


class Message:
    def __init__(self, position, key=None, body=b"{}"):
        self.position, self.key, self.body = str(position), key, body
        self.id = self.unique = f"id-{position}"
        self.content_type, self.place = "", "rows"
        self.acknowledged, self.extended, self.given_back = 0, 0, 0

    async def acknowledge(self):
        self.acknowledged += 1

    async def extend(self):
        self.extended += 1

    async def give_back(self):
        self.given_back += 1


class Sink:
    def __init__(self):
        self.published, self.away = [], 0

    async def publish(self, body, headers, number, _message):
        await asyncio.sleep(0)
        if self.away:
            self.away -= 1
            raise TargetError("the broker does not answer")
        self.published.append((number, dict(headers), body))


class World:
    """A pipeline, whose requests have the verdicts of ``verdicts`` by the position, the last one again and again."""

    def __init__(self, verdicts=None, *, attempts=3, parallel=8):
        self.verdicts = {str(position): list(each) for position, each in (verdicts or {}).items()}
        self.asked, self.running, self.most = [], defaultdict(int), 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.sink, self.dead, self.progress = Sink(), Sink(), Progress()
        self.pipeline = Pipeline(
            "churn", self, self.sink, self.dead, self.progress, attempts=attempts, parallel=parallel, pause=self.pause
        )

    async def pause(self, _seconds):
        await asyncio.sleep(0)

    async def answer(self, message):
        self.asked.append(message.position)
        self.running[message.key] += 1
        self.most = max(self.most, sum(self.running.values()))
        if message.key is not None:
            assert self.running[message.key] == 1
        await self.gate.wait()
        await asyncio.sleep(0)
        self.running[message.key] -= 1
        left = self.verdicts.get(message.position, ["answered"])
        verdict = left.pop(0) if len(left) > 1 else left[0]
        status = {"answered": 200, "refused": 422, "failed": 500}.get(verdict, 503)
        return Answer(verdict, status, problem(status, f"it is {verdict}"), {"x-model-version": "churn:a"})


def run(check):
    async def within():
        async with asyncio.timeout(60):
            await check()

    asyncio.run(within())


def test_messages_of_a_key_are_answered_in_their_order_and_others_at_the_same_time():
    async def check():
        world = World({3: ["failed", "answered"]})
        messages = [Message(number, key=f"key {number % 3}") for number in range(30)]
        messages += [Message(number) for number in range(30, 40)]
        for message in messages:
            world.pipeline.take(message)
        await holds(lambda: all(message.acknowledged == 1 for message in messages))
        published = [int(number.rpartition("-")[2]) for number, *_ in world.sink.published]
        for key in range(3):
            assert [number for number in published if number < 30 and number % 3 == key] == list(range(key, 30, 3))
        assert 3 < world.most <= 8
        assert world.progress.state().open == 0

    run(check)


def test_a_message_is_acknowledged_after_its_answer_is_stored():
    async def check():
        world = World()
        world.sink.away = 10**9
        message = Message(1, key="a")
        world.pipeline.take(message)
        await holds(lambda: world.progress.problems)
        assert not message.acknowledged
        assert world.progress.state().problem == "the broker does not answer"
        world.sink.away = 0
        await holds(lambda: message.acknowledged)
        assert [number for number, *_ in world.sink.published] == ["churn:id-1"]
        assert world.sink.published[0][1] == {"x-model-version": "churn:a", "x-sticky-key": "a"}
        assert not world.progress.problems

    run(check)


@pytest.mark.parametrize(
    ("verdicts", "dead", "asked"),
    [
        (["answered"], False, 1),
        (["refused"], True, 1),
        (["failed", "failed", "answered"], False, 3),
        (["failed"], True, 3),
        (["died"], True, 3),
        (["unavailable"] * 20 + ["answered"], False, 21),
        (["unavailable", "failed", "unavailable", "failed", "unavailable", "failed"], True, 6),
    ],
)
def test_failures_are_counted_and_what_nothing_has_seen_waits(verdicts, dead, asked):
    async def check():
        world = World({1: verdicts})
        message = Message(1, body=b"\xff\x00")
        world.pipeline.take(message)
        await holds(lambda: message.acknowledged)
        assert len(world.asked) == asked
        assert bool(world.dead.published) == dead
        assert bool(world.sink.published) != dead
        assert world.progress.retried == asked - 1
        if dead:
            number, headers, body = world.dead.published[0]
            event = json.loads(body)
            assert number == "churn:dead:id-1"
            assert headers == {"content-type": "application/cloudevents+json"}
            assert event["data"]["message"]["body_base64"] == "/wA="
            assert event["data"]["reason"].startswith("it is ")
            assert event["source"] == "/nbdeploy/endpoints/churn/stream"

    run(check)


def test_messages_of_a_process_that_died_are_tried_one_at_a_time():
    async def check():
        world = World({number: ["died", "answered"] for number in range(5)} | {9: ["died"]})
        messages = [Message(number) for number in (*range(5), 9)]
        world.gate.clear()
        for message in messages:
            world.pipeline.take(message)
        await holds(lambda: len(world.asked) == 6)
        world.most = 0
        world.gate.set()
        await holds(lambda: all(message.acknowledged for message in messages))
        assert world.most == 1
        assert [number for number, *_ in world.dead.published] == ["churn:dead:id-9"]

    run(check)


def test_a_message_that_comes_again_while_it_is_open_is_answered_once():
    async def check():
        world = World()
        world.gate.clear()
        first, again = Message(1), Message(1)
        world.pipeline.take(first)
        world.pipeline.take(again)
        await world.pipeline.extend()
        world.gate.set()
        await holds(lambda: again.acknowledged)
        assert (first.acknowledged, first.extended, again.extended) == (0, 0, 1)
        assert world.asked == ["1"]
        assert world.progress.repeated == 1

    run(check)


def test_an_end_finishes_requests_and_gives_the_others_back():
    async def check():
        world = World({2: ["unavailable"]}, parallel=1)
        world.gate.clear()
        messages = [Message(1, key="a"), Message(3, key="a"), Message(2)]
        for message in messages:
            world.pipeline.take(message)
        await holds(lambda: world.asked == ["1"])
        ending = asyncio.create_task(world.pipeline.end(60))
        await asyncio.sleep(0)
        world.gate.set()
        await ending
        assert [message.acknowledged for message in messages] == [1, 0, 0]
        assert [message.given_back for message in messages] == [0, 1, 1]

    run(check)


def test_the_metrics_are_an_exposition():
    progress = Progress(answered=3, dead_lettered=1, lag=5)
    text = metrics_of("churn", progress.state())
    assert 'nbdeploy_stream_lag_messages{endpoint="churn"} 5.0' in text
    assert 'nbdeploy_stream_messages_total{endpoint="churn",outcome="dead_lettered"} 1.0' in text
    assert "nbdeploy_stream_lag_messages" not in metrics_of("churn", Progress().state())
