"""The positions of a group of Kafka, by librdkafka's mock cluster: what comes again, and what is refused."""

import asyncio

import pytest

from jupyter_deploy.domain.errors import InvalidInput, TargetError
from jupyter_deploy.streaming.brokers import Brokers
from tests.brokers import KafkaCluster
from tests.conftest import free_port
from tests.stream_readers import bodies_of, numbered, publish, reading, spec, within, writing
from tests.waiting import holds


@pytest.fixture
def broker(tmp_path):
    cluster = KafkaCluster(tmp_path)
    cluster.prepare()
    yield cluster
    cluster.end()


async def no_lag(source):
    while await source.lag() != 0:  # noqa: ASYNC110 - there is no event to wait for
        await asyncio.sleep(0.05)


def test_a_group_goes_on_at_its_first_open_message(broker):
    wanted = spec(broker)
    broker.publish([b"before"])
    Brokers().prepare("churn", wanted)

    async def work():
        ids = await publish(broker, numbered(10), keys=["a"] * 10)
        async with reading(wanted) as (source, first):
            await holds(lambda: len(first) == 10)
            assert bodies_of(first) == numbered(10)
            assert [one.id for one in first] == ids
            assert {one.key for one in first} == {"a"}
            for number in (0, 1, 2, 5, 6):
                await first[number].acknowledge()
            await source.pause()
        ids += await publish(broker, [b"new"], keys=["a"])
        await asyncio.to_thread(Brokers().prepare, "churn", wanted)  # changes nothing
        async with reading(wanted) as (source, again):
            await holds(lambda: len(again) == 8)
            assert [one.position for one in again] == ids[3:]
            assert await source.lag() == 8
            for one in again:
                await one.acknowledge()
            await no_lag(source)

    within(work())


@pytest.mark.exhaustive
def test_the_reader_pauses_while_too_many_messages_are_open(broker):
    wanted = spec(broker, begin="first")
    broker.publish(numbered(600), ["a", "b", "c", "d"] * 150, ids=[f"row-{number}" for number in range(600)])
    Brokers().prepare("churn", wanted)

    async def work():
        async with reading(wanted) as (source, found):
            await holds(lambda: len(found) >= 512)
            assert await source.lag() == 600
            assert len(found) == 512
            for one in found[:100]:
                await one.acknowledge()
            await holds(lambda: len(found) == 600)
            assert {one.id for one in found} == {f"row-{number}" for number in range(600)}
            for one in found[100:]:
                await one.acknowledge()
            await no_lag(source)

    within(work())


def test_an_answer_has_the_partition_of_its_key_and_its_headers(broker):
    wanted = spec(broker)

    async def work():
        async with writing(wanted) as sink:
            keyed = [{"x-request-id": f"r{number}", "x-sticky-key": f"key {number % 2}"} for number in range(6)]
            for number, headers in enumerate(keyed):
                await sink.publish(b"%d" % number, headers, f"n:{number}", None)

    within(work())
    stored = broker.messages("scores")
    by_key = {key: [one.data for one in stored if one.headers["x-sticky-key"] == key] for key in ("key 0", "key 1")}
    assert by_key == {"key 0": [b"0", b"2", b"4"], "key 1": [b"1", b"3", b"5"]}
    assert {one.headers["id"] for one in stored} == {f"n:{number}" for number in range(6)}


def test_what_cannot_work_is_refused(broker, tmp_path):
    for place in ("source", "sink"):
        with pytest.raises(InvalidInput, match="has no topic 'others'") as raised:
            Brokers().prepare("churn", spec(broker, **{place: f"{broker.url}/others"}))
        assert "kafka-topics.sh" in raised.value.remedy
    file = tmp_path / "credentials"
    file.write_text("ada:secret\n")
    with pytest.raises(InvalidInput, match="no login to Kafka"):
        Brokers().prepare("churn", spec(broker, credentials=str(file)))
    with pytest.raises(TargetError, match="does not answer"):
        Brokers().prepare("churn", spec(broker, free_port()))
