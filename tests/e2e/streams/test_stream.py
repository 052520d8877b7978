"""Messages of a real broker are answered by an endpoint, as its clients are; processes are killed meanwhile."""

import json
import os
import signal
from collections import Counter, defaultdict
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
import yaml

from tests.brokers import KafkaCluster, MosquittoServer, NatsServer, RabbitServer, RedisServer, Wire, running
from tests.e2e.conftest import until

KEYS = 7


def row(age):
    return json.dumps({"age": age, "weight": 70.5}).encode()


@pytest.fixture(
    scope="module",
    params=[NatsServer, RedisServer, RabbitServer, KafkaCluster, MosquittoServer],
    ids=["nats", "redis", "amqp", "kafka", "mqtt"],
)
def server(request, tmp_path_factory):
    with running(request.param, tmp_path_factory.mktemp("broker")) as started:
        yield started


of_one_broker = pytest.mark.parametrize("server", [NatsServer], ids=["nats"], indirect=True)
"""What does not depend on the broker."""


of_far_brokers = pytest.mark.parametrize("server", [RabbitServer, MosquittoServer], ids=["amqp", "mqtt"], indirect=True)
"""Those that notice a cut connection by themselves."""


@pytest.fixture
def broker(server):
    """The server with empty streams, for a test that gives it back running."""
    server.prepare()
    yield server
    server.clear()


@pytest.fixture
def wire(broker):
    """The way of the worker to the broker, in a test that cuts it."""
    with Wire(broker.port) as made:
        yield made


@pytest.fixture
def streamed(broker, deploy, home):
    """Begin a stream of an endpoint, whose releases are captured functions by their numbers."""

    def begin(*releases, options=(), port=None):
        for number in releases:
            deploy(number)
        home.json("stream", "churn", *addresses(broker, port), *options)
        until(lambda: not status(home)["state"]["problem"])

    return begin


def addresses(broker, port=None):
    server = f"{broker.scheme}://127.0.0.1:{port or broker.port}"
    return "--source", f"{server}/rows", "--sink", f"{server}/scores"


def status(home):
    return home.json("stream", "churn")


def worker_of(home):
    """The process of the stream's worker; None: it does not run."""
    for path in Path(home.environment["NBDEPLOY_HOME"], "supervised").glob("stream-churn@0*"):
        with suppress(OSError, ValueError, IndexError):  # it is being written, or was just removed
            return int(path.read_text().split()[0])
    return None


def test_messages_are_answered_recorded_and_counted_as_requests_are(broker, streamed, home):
    streamed(1.0)
    rows = broker.publish([row(age) for age in range(20, 60)])
    wrong = broker.publish([b"not JSON", b'{"age": "old", "weight": 1}', json.dumps([1, 2]).encode()])
    request = json.dumps({"instances": [{"age": 20, "weight": 60.0}, {"age": 80, "weight": 60.0}]}).encode()
    rows += broker.publish([request])
    until(lambda: broker.count("scores") == 41 and broker.count("scores.dead") == 3)

    found = broker.messages("scores")
    by_id = {message.headers["x-request-id"]: json.loads(message.data)["predictions"] for message in found}
    assert set(by_id) == set(rows)
    assert by_id[rows[-1]] == ["no", "yes"]
    assert [by_id[one] for one in rows[:40]] == [["yes" if age + 70.5 > 120 else "no"] for age in range(20, 60)]
    assert all(message.headers["x-model-version"].startswith("churn:") for message in found)

    letters = [json.loads(message.data) for message in broker.messages("scores.dead")]
    assert {letter["type"] for letter in letters} == {"nbdeploy.stream.dead-letter"}
    statuses = {letter["data"]["message"]["id"]: letter["data"]["status"] for letter in letters}
    assert statuses == dict(zip(wrong, (400, 422, 422), strict=True))
    letter = next(letter for letter in letters if letter["data"]["message"]["id"] == wrong[1])
    assert letter["specversion"] == "1.0"
    assert letter["data"]["message"]["body"] == '{"age": "old", "weight": 1}'
    assert "age" in letter["data"]["reason"]
    assert letter["data"]["attempts"] == 1

    records = [one for one in home.json("logs", "churn", "--limit", "200") if one["role"] == "stable"]
    assert {record["request_id"] for record in records if record["status"] == 200} == set(by_id)
    assert all(record["pair_id"] for record in records)

    until(lambda: status(home)["state"]["lag"] == 0)
    until(lambda: [status(home)["state"][name] for name in ("answered", "dead_lettered", "open")] == [41, 3, 0])
    url = home.json("describe", "churn")["url"]
    shown = (
        'nbdeploy_stream_lag_messages{endpoint="churn"} 0.0',
        'nbdeploy_stream_messages_total{endpoint="churn",outcome="answered"} 41.0',
    )
    until(lambda: all(line in httpx.get(f"{url}/metrics").text for line in shown))
    assert "stream" in home.run("describe", "churn").stdout
    assert any(check["part"] == "stream-churn" for check in home.json("doctor")["checks"])


@of_one_broker
def test_a_shadow_gets_each_message_and_a_canary_the_messages_of_some_keys(broker, streamed, deploy, home):
    streamed(1.0, 0.01)
    shadow = next(one["tag"] for one in home.json("describe", "churn")["releases"] if one["role"] == "shadow")
    keys = [f"customer {number % 20}" for number in range(60)]
    broker.publish([row(age) for age in range(60)], keys)
    until(lambda: broker.count("scores") == 60)
    compared = until(lambda: (found := home.json("compare", "churn"))["pairs"] == 60 and found)
    assert compared["candidate"] == shadow
    assert compared["clusters"] == 20

    home.json("traffic", "churn", "--canary", f"{shadow}=50")
    broker.publish([row(age) for age in range(60)], keys)
    until(lambda: broker.count("scores") == 120)
    by_key = defaultdict(set)
    for message in broker.messages("scores")[60:]:
        by_key[message.headers["x-sticky-key"]].add(message.headers["x-model-version"])
    assert all(len(releases) == 1 for releases in by_key.values())
    assert len(set.union(*by_key.values())) == 2


def publish_through_kills(broker, home, batches, kill, *, in_order=True):
    """Publish 60 messages before each kill, and wait: each has its answer, and those of a key are in its order.

    The model takes 0.1 s for an age of 7, so the kill meets open messages. Only such a message may have another answer,
    and only with a broker that drops none.
    """
    keys = [f"key {number % KEYS}" for number in range(60)]
    ids = broker.publish([row(30)] * 60, keys)
    until(lambda: [status(home)["state"][name] for name in ("answered", "open", "lag")] == [60, 0, 0])
    for number in range(batches):
        ids += broker.publish([row(7 if age % 3 else 30) for age in range(60)], keys)
        kill(number)
    until(lambda: set(answers_of(broker)) >= set(ids), timeout=100 + 20 * batches)
    until(lambda: status(home)["state"]["lag"] == 0, timeout=120)
    answered = answers_of(broker)
    assert set(answered) == set(ids)
    repeated = {ids.index(one): times for one, times in Counter(answered).items() if times > 1}
    assert not (repeated if broker.answers_once else {number for number in repeated if number < 60}), repeated
    answered = list(dict.fromkeys(answered))
    places = {one: place for place, one in enumerate(ids)}
    by_key = defaultdict(list)
    for one in answered:
        by_key[keys[places[one] % 60]].append(places[one])
    assert not in_order or all(each == sorted(each) for each in by_key.values())


def answers_of(broker):
    """The ids of the messages that have an answer, in the order of the answers."""
    return [message.headers["x-request-id"] for message in broker.messages("scores")]


def kill_worker(home):
    """Kill the worker, and wait until the next one runs: one that is killed while it loads is given up in the end."""
    since = until(lambda: status(home)["state"]["since"])
    os.kill(until(lambda: worker_of(home)), signal.SIGKILL)
    until(lambda: status(home)["state"]["since"] not in (None, since))


def kill_broker(broker):
    broker.kill()
    broker.start()


@pytest.mark.parametrize(
    "server",
    [
        pytest.param(NatsServer, id="nats"),
        pytest.param(RedisServer, id="redis", marks=pytest.mark.exhaustive),
        pytest.param(RabbitServer, id="amqp", marks=pytest.mark.exhaustive),
        pytest.param(MosquittoServer, id="mqtt", marks=pytest.mark.exhaustive),
    ],
    indirect=True,
)
def test_after_kills_of_worker_and_broker_each_message_has_its_answer(broker, streamed, home, own_processes):
    streamed(3.0)

    def kill(number):
        kill_worker(home) if number == 0 else kill_broker(broker)

    # What a broker has forgotten comes again behind what the worker has.
    publish_through_kills(broker, home, 2, kill, in_order=broker.durable)


@pytest.mark.exhaustive
@pytest.mark.parametrize("server", [MosquittoServer], ids=["mqtt"], indirect=True)
def test_a_broker_that_is_stopped_and_started_again_keeps_the_order(broker, streamed, home, own_processes):
    """Of mosquitto, which writes all only when it is stopped."""
    streamed(3.0)

    def stop(_number):
        broker.stop()
        broker.start()

    publish_through_kills(broker, home, 2, stop)


@pytest.mark.exhaustive
@pytest.mark.parametrize("server", [KafkaCluster, MosquittoServer], ids=["kafka", "mqtt"], indirect=True)
def test_after_kills_of_the_worker_each_message_has_its_answer(broker, streamed, home, own_processes):
    """Of Kafka, whose cluster is in memory here, and of mosquitto, which keeps the order through these."""
    streamed(3.0)
    publish_through_kills(broker, home, 2, lambda _: kill_worker(home))


@pytest.mark.exhaustive
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    "server",
    [NatsServer, RedisServer, RabbitServer, MosquittoServer],
    ids=["nats", "redis", "amqp", "mqtt"],
    indirect=True,
)
def test_thirty_kills_lose_no_message(broker, streamed, home, own_processes):
    """Its guard in ``make test``: the test above."""
    streamed(3.0)

    def kill(number):
        kill_worker(home) if number % 2 == 0 else kill_broker(broker)

    publish_through_kills(broker, home, 30, kill, in_order=broker.durable)


@pytest.mark.exhaustive
@of_far_brokers
def test_a_network_that_is_cut_loses_no_message(broker, wire, streamed, home, own_processes):
    """Its guard in ``make test``: a killed broker, in tests/contract/streams/test_stream_brokers.py."""
    streamed(3.0, port=wire.port)

    def cut(_number):
        wire.cut()
        until(lambda: "does not answer" in status(home)["state"]["problem"])
        wire.mend()

    publish_through_kills(broker, home, 2, cut)


@of_one_broker
def test_what_the_model_fails_on_is_tried_again_and_then_given_up(broker, streamed, home):
    streamed(2.0, options=("--attempts", "2"))
    broker.publish([row(57), row(58)])  # this model raises at some ages
    until(lambda: broker.count("scores") == 1 and broker.count("scores.dead") == 1)
    letter = json.loads(broker.messages("scores.dead")[0].data)
    assert letter["data"]["status"] == 500
    assert letter["data"]["attempts"] == 2
    until(lambda: status(home)["state"]["retried"] == 1)


@of_one_broker
def test_a_stopped_stream_goes_on_where_it_ended(broker, streamed, home):
    streamed(1.0)
    broker.publish([row(30)] * 5)
    until(lambda: broker.count("scores") == 5)
    home.json("stream", "churn", "--stop")
    assert worker_of(home) is None
    broker.publish([row(40)] * 5)
    assert "answers no stream" in home.run("stream", "churn").stdout
    home.json("rollback", "churn")
    until(lambda: broker.count("scores") == 10)
    home.json("stop", "churn")
    assert worker_of(home) is None
    assert "stream" in home.run("history", "churn").stdout


@of_one_broker
def test_a_document_begins_and_ends_a_stream(broker, deploy, home, tmp_path):
    deploy(1.0)
    document = yaml.safe_load(home.run("describe", "churn", "-o", "yaml").stdout)
    assert document["serve"] == {"http": {}, "batch": None, "stream": None}

    def made(verb, serve):
        file = tmp_path / "churn.yaml"
        file.write_text(yaml.safe_dump(document | {"serve": serve}))
        return home.json(verb, file, check=False)[0]["changes"]

    stream = {"source": f"{broker.url}/rows", "sink": f"{broker.url}/scores"}
    planned = made("plan", {"stream": stream})
    assert [one["change"].partition(":")[0] for one in planned] == ["stream"]
    assert "nbdeploy stream churn --source" in planned[0]["command"]
    assert status(home)["spec"] is None
    made("apply", {"stream": stream})
    broker.publish([row(30)])
    until(lambda: broker.count("scores") == 1)
    assert made("plan", {"stream": stream}) == made("plan", None) == []
    made("apply", {"stream": None})
    assert status(home)["spec"] is None


@of_one_broker
@pytest.mark.parametrize(
    ("source", "sink", "words"),
    [
        ("rows", "{url}/scores", "--source: 'rows' is not the URL of a broker"),
        ("pulsar://localhost/rows", "{url}/scores", "nbdeploy has no broker for pulsar://"),
        ("nats://ada:secret@localhost/rows", "{url}/scores", "has a user or a password"),
        ("{url}/rows", "nats://127.0.0.1:9/scores", "the broker nats://127.0.0.1:9 does not answer"),
        ("{url}/others", "{url}/scores", "no stream for the subject 'others'"),
        ("{url}/rows", "{url}/others", "no stream for the subject 'others'"),
        ("{url}/scores.>", "{url}/scores.x", "would read its own messages"),
        ("{url}/rows", "{url}/scores.*", "'scores.*' is a pattern"),
    ],
)
def test_a_stream_that_cannot_work_is_refused_before_it_begins(broker, served, source, sink, words):
    home, _ = served
    places = [place.format(url=broker.url) for place in (source, sink)]
    ended = home.run("stream", "churn", "--source", places[0], "--sink", places[1], check=False)
    assert ended.returncode in (2, 3)
    assert words in ended.stderr
    assert "→" in ended.stderr
    assert "secret" not in ended.stderr
    assert status(home)["spec"] is None
