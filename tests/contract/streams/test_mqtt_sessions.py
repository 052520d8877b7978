"""Sessions of MQTT, by a real mosquitto: what comes again, in which order, and what is refused."""

import asyncio

import pytest

from jupyter_deploy.domain.errors import InvalidInput, TargetError
from jupyter_deploy.streaming import mqtt_broker
from jupyter_deploy.streaming.brokers import Brokers
from tests.brokers import MosquittoServer, running
from tests.conftest import free_port
from tests.stream_readers import bodies_of, numbered, publish, reading, spec, within, writing
from tests.waiting import holds


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running(MosquittoServer, tmp_path_factory.mktemp("broker")) as started:
        yield started


@pytest.fixture
def broker(server):
    server.prepare()
    yield server
    server.clear()


async def no_lag(source, wanted=0):
    while await source.lag() != wanted:  # noqa: ASYNC110 - there is no event to wait for
        await asyncio.sleep(0.05)


def test_a_session_keeps_what_comes_while_nobody_reads(broker):
    broker.publish([b"before"])
    Brokers().prepare("churn", spec(broker))
    broker.publish([b"1"])
    Brokers().prepare("churn", spec(broker))  # changes nothing
    broker.publish([b"2"])

    async def work():
        async with reading(spec(broker)) as (source, found):
            await holds(lambda: len(found) == 2)
            assert bodies_of(found) == [b"1", b"2"]
            assert await source.lag() == 2

    within(work())


def test_open_messages_come_again_before_newer_ones_and_are_acknowledged_in_their_order(broker):
    async def work():
        async with reading(spec(broker)) as (source, first):
            ids = await publish(broker, numbered(20), keys=["a", "b"] * 10)
            await holds(lambda: len(first) == 20)
            assert [one.id for one in first] == ids
            assert [one.key for one in first] == ["a", "b"] * 10
            for number in (2, 0, 1, 5, 6):  # 5 and 6 wait for 3 and 4
                await first[number].acknowledge()
            assert await source.lag() == 17
            await source.pause()
            await publish(broker, [b"new"])
        async with reading(spec(broker)) as (source, again):
            await holds(lambda: len(again) == 18)
            assert bodies_of(again) == [*numbered(20)[3:], b"new"]
            assert [one.position for one in again[:-1]] == [one.position for one in first[3:]]
            for one in again:
                await one.acknowledge()
            await no_lag(source)

    within(work())


def test_the_broker_holds_back_what_is_over_the_open_messages(broker):
    async def work():
        Brokers().prepare("churn", spec(broker))
        await publish(broker, numbered(2000))
        async with reading(spec(broker)) as (source, found):
            await holds(lambda: len(found) == 512)
            assert await source.lag() is None
            for place in range(2000):
                await holds(lambda place=place: len(found) > place)
                assert len(found) <= place + 512
                await found[place].acknowledge()
            await no_lag(source)
            assert bodies_of(found) == numbered(2000)

    within(work())


def test_what_is_acknowledged_at_the_end_does_not_come_again(broker):
    async def work():
        Brokers().prepare("churn", spec(broker))
        await publish(broker, numbered(1000))
        async with reading(spec(broker)) as (source, first):
            await holds(lambda: len(first) == 512)
            for one in first[:512]:
                await one.acknowledge()
            await source.pause()
        async with reading(spec(broker)) as (_, again):
            await holds(lambda: len(again) == 488)
            assert bodies_of(again) == numbered(1000)[512:]

    within(work())


def test_a_message_that_is_given_back_comes_again_by_a_new_connection(broker):
    async def work():
        async with reading(spec(broker)) as (source, found):
            await publish(broker, numbered(2))
            await holds(lambda: len(found) == 2)
            await found[1].give_back()
            assert source.lost
        async with reading(spec(broker)) as (_, again):
            await holds(lambda: len(again) == 2)

    within(work())


def test_topics_of_a_filter_are_keys_and_each_source_has_a_session(broker):
    wanted = spec(broker, source=f"{broker.url}/site/+/rows")

    async def work():
        async with reading(wanted) as (source, found), reading(spec(broker)) as (_, others):
            await publish(broker, [b"1"], topic="site/a/rows")
            await publish(broker, [b"2"], keys=["k"], topic="site/b/rows")
            await publish(broker, [b"3"])
            await holds(lambda: len(found) == 2 and len(others) == 1)
            assert [(one.place, one.key) for one in found] == [("site/a/rows", "site/a/rows"), ("site/b/rows", "k")]
            assert others[0].key is None
            for one in found:
                await one.acknowledge()
            await no_lag(source)

    within(work())


@pytest.mark.parametrize(("begin", "bodies"), [("first", [b"kept", b"new"]), ("next", [b"new"])])
def test_a_first_start_reads_a_retained_message_if_it_is_asked_to(broker, begin, bodies):
    topic = f"retained/{begin}"
    broker.publish([b"kept"], topic=topic, retain=True)
    wanted = spec(broker, source=f"{broker.url}/{topic}", begin=begin)
    Brokers().prepare("churn", wanted)
    broker.publish([b"new"], topic=topic)

    async def work():
        async with reading(wanted) as (source, found):
            await holds(lambda: len(found) == len(bodies))
            assert bodies_of(found) == bodies
            for one in found:
                await one.acknowledge()
            await no_lag(source)

    within(work())


def test_a_message_with_qos_0_is_read_and_needs_no_acknowledgement(broker):
    async def work():
        async with reading(spec(broker)) as (source, found):
            await publish(broker, [b"1"], qos=0)
            await holds(lambda: found)
            assert await source.lag() == 0
            await found[0].acknowledge()

    within(work())


def test_a_second_reader_of_a_session_is_told(broker, monkeypatch):
    monkeypatch.setattr(mqtt_broker, "_AGAIN_SECONDS", 0.5)

    async def work():
        async with reading(spec(broker)) as (first, found), reading(spec(broker)) as (_, others):
            with pytest.raises(TargetError, match="another process reads the endpoint's session"):
                await no_lag(first, -1)
            await publish(broker, [b"1"])
            await holds(lambda: others)
            assert not found
            await holds(lambda: first.lost)  # after a while, so that the two do not take it at once from each other

    within(work())


def test_an_answer_that_nobody_has_subscribed_to_is_not_stored(broker):
    async def work():
        async with writing(spec(broker, sink=f"{broker.url}/others")) as sink:
            with pytest.raises(TargetError, match="has no subscription to 'others'") as raised:
                await sink.publish(b"1", {}, "n:1", None)
            assert "QoS 1" in raised.value.remedy
            async with reading(spec(broker, source=f"{broker.url}/others")) as (_, found):
                await asyncio.gather(*(sink.publish(b"%d" % number, {}, f"n:{number}", None) for number in range(100)))
                await holds(lambda: len(found) == 100)
                assert sorted(one.id for one in found) == sorted(f"n:{number}" for number in range(100))
                for one in found:
                    await one.acknowledge()

    within(work())


def test_a_broker_that_is_away_is_named(broker):
    with pytest.raises(TargetError, match="does not answer"):
        Brokers().prepare("churn", spec(broker, free_port()))
    with pytest.raises(InvalidInput, match="is a pattern"):
        spec(broker, sink=f"{broker.url}/scores/#")
