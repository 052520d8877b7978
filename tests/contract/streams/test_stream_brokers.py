"""Sources and sinks of real brokers: what comes again after a lost connection, in which order, and what is refused."""

import asyncio
from contextlib import asynccontextmanager, suppress

import pytest

from jupyter_deploy.domain.errors import InvalidInput, TargetError
from jupyter_deploy.streaming.brokers import Brokers
from tests.brokers import MosquittoServer, RabbitServer, Wire, running
from tests.stream_readers import bodies_of, numbered, publish, reading, spec, within, writing
from tests.waiting import holds


@pytest.fixture(scope="module", params=[RabbitServer, MosquittoServer], ids=["amqp", "mqtt"])
def server(request, tmp_path_factory):
    with running(request.param, tmp_path_factory.mktemp("broker")) as started:
        yield started


of_queues = pytest.mark.parametrize("server", [RabbitServer], ids=["amqp"], indirect=True)


@pytest.fixture
def broker(server):
    server.prepare()
    yield server
    server.clear()


@of_queues
def test_what_a_reader_left_open_comes_again_before_newer_messages(broker):
    async def work():
        async with reading(spec(broker)) as (source, first):
            ids = await publish(broker, numbered(20), keys=["a", "b"] * 10)
            await holds(lambda: len(first) == 20)
            assert [one.id for one in first] == ids
            assert [one.key for one in first] == ["a", "b"] * 10
            for one in first[3:17:2]:
                await one.acknowledge()
            await source.pause()
        ids += await publish(broker, [b"new"])
        async with reading(spec(broker)) as (_, again):
            await holds(lambda: len(again) == 14)
            left = [*first[:3], *first[4:17:2], *first[17:]]
            assert bodies_of(again) == [*bodies_of(left), b"new"]
            assert [one.position for one in again[:-1]] == [one.position for one in left]

    within(work())


def test_messages_of_one_id_and_one_body_are_one_message(broker):
    async def work():
        async with reading(spec(broker)) as (source, found):
            await publish(broker, [b"1", b"1", b"2"], ids=["same"] * 3)
            await holds(lambda: len(found) == 3)
            assert found[0].position == found[1].position != found[2].position
            await found[1].acknowledge()  # and with it the other one
            await source.pause()
        async with reading(spec(broker)) as (_, again):
            await holds(lambda: again)
            assert bodies_of(again) == [b"2"]

    within(work())


@of_queues
def test_the_broker_holds_back_what_is_over_the_open_messages(broker):
    async def work():
        await publish(broker, numbered(520))
        async with reading(spec(broker)) as (source, found):
            await holds(lambda: len(found) == 512)
            assert await source.lag() == 520
            for one in found[:8]:
                await one.acknowledge()
            await holds(lambda: len(found) == 520)
            assert bodies_of(found) == numbered(520)
            for one in found[8:]:
                await one.acknowledge()
            while await source.lag():  # noqa: ASYNC110 - there is no event to wait for
                await asyncio.sleep(0.05)

    within(work())


def test_a_killed_broker_is_noticed_and_loses_nothing(broker):
    async def work():
        wanted = spec(broker)
        async with writing(wanted) as sink:
            async with reading(wanted) as (source, found):
                await publish(broker, numbered(10))
                await holds(lambda: len(found) == 10)
                await sink.publish(b"0", {"x-request-id": "r", "content-type": "text/plain"}, "n:0", found[0])
                await found[0].acknowledge()
                await source.lag()  # the broker has the acknowledgement
                await asyncio.to_thread(broker.kill)
                await holds(lambda: source.lost)
                with pytest.raises(TargetError, match="does not answer"):
                    await sink.publish(b"1", {}, "n:1", found[1])
            with pytest.raises(TargetError, match="does not answer"):
                async with reading(wanted):
                    pass
            await asyncio.to_thread(broker.start)
            async with _until_it_reads(wanted) as again:
                # A broker may die before the acknowledgement is on its disk, and then sends the first message again.
                await holds(lambda: set(bodies_of(again)) >= set(numbered(10)[1:]))
                assert sorted(bodies_of(again)) in (numbered(10)[1:], numbered(10))
                await sink.publish(b"1", {}, "n:1", next(one for one in again if one.body == b"1"))
        stored = await asyncio.to_thread(broker.messages, "scores")
        assert [one.data for one in stored] == [b"0", b"1"]
        assert stored[0].headers == {"x-request-id": "r", "content-type": "text/plain", "id": "n:0"}

    within(work())


@pytest.mark.exhaustive
def test_a_reader_notices_that_its_network_is_cut(broker):
    async def work():
        with Wire(broker.port) as wire:
            wanted = spec(broker, wire.port)
            async with reading(wanted) as (source, found):
                await publish(broker, numbered(3))
                await holds(lambda: len(found) == 3)
                wire.cut()
                with suppress(TargetError):
                    await source.lag()
                await holds(lambda: source.lost)
                wire.mend()
            async with _until_it_reads(wanted) as again:
                await holds(lambda: len(again) == 3)
                assert bodies_of(again) == numbered(3)

    within(work())


@asynccontextmanager
async def _until_it_reads(wanted):
    """As the worker: another source is opened until the broker takes it."""
    while True:
        try:
            async with reading(wanted) as (_, found):
                yield found
                return
        except TargetError:
            await asyncio.sleep(0.2)


@of_queues
def test_a_second_reader_of_a_queue_is_refused(broker):
    async def work():
        async with reading(spec(broker)):
            with pytest.raises(TargetError, match="another process reads the queue 'rows'"):
                async with reading(spec(broker)):
                    pass
        async with reading(spec(broker)):
            pass

    within(work())


@of_queues
def test_a_queue_that_is_missing_is_named(broker):
    for place in ("source", "sink"):
        with pytest.raises(InvalidInput, match="has no queue 'others'") as raised:
            Brokers().prepare("churn", spec(broker, **{place: f"{broker.url}/others"}))
        assert raised.value.remedy

    async def work():
        wanted = spec(broker)
        async with writing(wanted) as sink:
            await asyncio.to_thread(broker.delete, "scores")
            with pytest.raises(TargetError, match="does not store messages for the queue 'scores'"):
                await sink.publish(b"1", {}, "n:1", None)
            await asyncio.to_thread(broker.prepare)
            await sink.publish(b"1", {}, "n:1", None)
            assert await asyncio.to_thread(broker.count, "scores") == 1

    within(work())


def test_a_user_that_the_broker_does_not_know_is_refused(broker, tmp_path):
    file = tmp_path / "credentials"
    file.write_text("ada:se/cr@t\n")
    with pytest.raises(InvalidInput, match="refuses the user") as raised:
        Brokers().prepare("churn", spec(broker, credentials=str(file)))
    assert "se/cr" not in str(raised.value)
