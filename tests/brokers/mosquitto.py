"""Mosquitto on this machine, which writes its messages to disk about once a second."""

import threading
from contextlib import contextmanager
from hashlib import sha256
from uuid import uuid4

from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.waiting import until

from .server import SECONDS, Server, Stored

_TOPICS = ("scores", "scores.dead")
_CONFIGURATION = """
listener {port} 127.0.0.1
user root
allow_anonymous true
password_file {folder}/passwords
persistence true
persistence_location {folder}/
autosave_interval 1
max_queued_messages {queued}
set_tcp_nodelay true
"""


class MosquittoServer(Server):
    """Mosquitto, and a session of the tests that keeps the answers.

    Mosquitto acknowledges a message before it writes it, so ``kill`` waits until it has written what was published
    before. What happens between that and the kill, it forgets.
    """

    program, scheme = "mosquitto", "mqtt"
    answers_once = durable = False
    queued = 0

    def start(self):
        (self.folder / "passwords").touch(mode=0o600)
        text = _CONFIGURATION.format(port=self.port, folder=self.folder, queued=self.queued)
        (self.folder / "mosquitto.conf").write_text(text)
        super().start()

    def options(self):
        return ["-c", str(self.folder / "mosquitto.conf")]

    def kill(self):
        """End it without a chance to write."""
        if self._process is not None:
            self._wait_until_written()
        super().kill()

    def end(self):
        super().kill()

    def prepare(self):
        """Have sessions of the tests keep answers and dead letters, and that of an endpoint its rows."""
        for topic in _TOPICS:
            with self._connected(f"tests-{topic}", kept=True) as one:
                one.subscribe(topic)

    def clear(self):
        """End these sessions, and that of the endpoint churn."""
        for session in (*(f"tests-{topic}" for topic in _TOPICS), self.session("rows")):
            with self._connected(session):
                pass

    def session(self, topic):
        """The name of the session by which the endpoint churn reads a topic."""
        return f"nbdeploy-churn-{sha256(topic.encode()).hexdigest()[:8]}"

    def publish(self, bodies, keys=(), *, ids=None, topic="rows", qos=1, retain=False):
        """Publish rows, and return their ids; ``keys`` are those of the first ones."""
        ids = [f"row-{uuid4().hex}" for _ in bodies] if ids is None else ids
        with self._connected() as one:
            sent = []
            for number, body in enumerate(bodies):
                properties = Properties(PacketTypes.PUBLISH)
                named = {"id": ids[number], "x-sticky-key": keys[number] if number < len(keys) else ""}
                properties.UserProperty = [(name, value) for name, value in named.items() if value]
                sent.append(one.client.publish(topic, body, qos=qos, retain=retain, properties=properties))
            for message in sent:
                message.wait_for_publish(SECONDS)
        return ids

    def messages(self, topic):
        """All messages of a topic, in their order; they stay there."""
        with self._connected(f"tests-{topic}", kept=True) as one:
            # It comes behind all messages that the session has, and is the only one that is acknowledged.
            marker = f"marker/{uuid4().hex}"
            one.subscribe(marker)
            one.client.publish(marker, b"", qos=1)
            until(lambda: marker in one.topics)
            found = list(one.found)
            (behind,) = (message for message in found if message.topic == marker)
            one.client.ack(behind.mid, 1)
            one.unsubscribe(marker)
        return [_stored(message) for message in found[: found.index(behind)] if message.topic == topic]

    def count(self, topic):
        return len(self.messages(topic))

    def _wait_until_written(self):
        """Wait until the file has a message that is published now, and so all before it."""
        file, text = self.folder / "mosquitto.db", uuid4().hex
        with self._connected("tests-written", kept=True) as one:
            one.subscribe("written")
            one.client.publish("written", text, qos=1).wait_for_publish(SECONDS)
            until(lambda: file.exists() and text.encode() in file.read_bytes())

    @contextmanager
    def _connected(self, session="", *, kept=False):
        one = _Reader(self.port, session, kept=kept)
        try:
            yield one
        finally:
            one.client.disconnect()
            one.client.loop_stop()


class _Reader:
    """A connection of the tests, which acknowledges nothing by itself."""

    def __init__(self, port, session, *, kept):
        self.found, self.topics = [], set()
        self._answered, self._last = {}, None
        connected = threading.Event()
        self.client = Client(CallbackAPIVersion.VERSION2, session, protocol=MQTTv5, manual_ack=True)
        self.client.max_inflight_messages = 20
        self.client.on_connect = lambda *_: connected.set()
        self.client.on_message = self._take
        self.client.on_subscribe = self.client.on_unsubscribe = self._answer
        properties = Properties(PacketTypes.CONNECT)
        properties.ReceiveMaximum = 65535
        properties.SessionExpiryInterval = 3600 if kept else 0
        self.client.connect("127.0.0.1", port, SECONDS, clean_start=not kept, properties=properties)
        self.client.loop_start()
        assert connected.wait(SECONDS)

    def subscribe(self, topic):
        self._wait_for(self.client.subscribe(topic, 1))

    def unsubscribe(self, topic):
        self._wait_for(self.client.unsubscribe(topic))

    def _wait_for(self, sent):
        until(lambda: sent[1] in self._answered)

    def _answer(self, _client, _data, number, *_):
        self._answered[number] = True

    def _take(self, _client, _data, message):
        self.found.append(message)
        self.topics.add(message.topic)


def _stored(message):
    headers = dict(getattr(message.properties, "UserProperty", ()))
    if kind := getattr(message.properties, "ContentType", ""):
        headers["content-type"] = kind
    return Stored(headers, bytes(message.payload))
