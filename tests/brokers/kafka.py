"""The cluster of librdkafka's own tests: Kafka's protocol in this process, with messages in memory."""

from confluent_kafka import Consumer, Producer, TopicPartition

from .server import SECONDS, Stored

_QUIET = {"log_level": 2}


class KafkaCluster:
    """Kafka's protocol by a mock cluster, which keeps nothing: none can be killed and started again."""

    scheme = "kafka"
    answers_once = False

    def __init__(self, folder):
        self._folder, self._cluster = folder, None

    def start(self):
        """Begin; ``prepare`` makes the cluster of a test."""

    def end(self):
        """End the cluster."""
        self.clear()

    @property
    def port(self):
        """That of one of its brokers; a client learns the others from it."""
        brokers = self._cluster.list_topics(timeout=SECONDS).brokers
        return next(iter(brokers.values())).port

    @property
    def url(self):
        return f"kafka://127.0.0.1:{self.port}"

    def prepare(self):
        """Make a cluster and its topics, with four partitions each."""
        self._cluster = Producer({"bootstrap.servers": "-", "test.mock.num.brokers": 3, **_QUIET})
        for topic in ("rows", "scores", "scores.dead"):
            while not self._cluster.list_topics(topic, timeout=SECONDS).topics[topic].partitions:
                pass

    def clear(self):
        self._cluster = None

    def publish(self, bodies, keys=(), *, ids=None):
        """Publish rows, and return their ids; ``keys`` are those of the first ones."""
        found = [None] * len(bodies)

        def store(number):
            def stored(error, message):
                assert error is None, error
                found[number] = f"rows:{message.partition()}:{message.offset()}"

            return stored

        for number, body in enumerate(bodies):
            key = keys[number] if number < len(keys) else None
            headers = [("id", ids[number])] if ids else []
            self._cluster.produce("rows", body, key=key, headers=headers, on_delivery=store(number))
        assert self._cluster.flush(SECONDS) == 0
        return ids or found

    def messages(self, topic):
        """All messages of a topic, partition by partition."""
        consumer = self._consumer()
        try:
            partitions = self._partitions(consumer, topic)
            left = self._count(consumer, partitions)
            consumer.assign([TopicPartition(topic, one.partition, 0) for one in partitions])
            found = []
            while len(found) < left:
                found += [message for message in consumer.consume(left, 0.1) if message.error() is None]
            found.sort(key=lambda message: (message.partition(), message.offset()))
            return [
                Stored({name: value.decode() for name, value in message.headers() or ()}, message.value())
                for message in found
            ]
        finally:
            consumer.close()

    def count(self, topic):
        consumer = self._consumer()
        try:
            return self._count(consumer, self._partitions(consumer, topic))
        finally:
            consumer.close()

    def _consumer(self):
        return Consumer({"bootstrap.servers": self.url.removeprefix("kafka://"), "group.id": "tests", **_QUIET})

    @staticmethod
    def _partitions(consumer, topic):
        found = consumer.list_topics(topic, timeout=SECONDS).topics[topic].partitions
        return [TopicPartition(topic, number) for number in sorted(found)]

    @staticmethod
    def _count(consumer, partitions):
        return sum(consumer.get_watermark_offsets(one, timeout=SECONDS)[1] for one in partitions)
