"""Messages as requests, responses as verdicts, and the addresses of brokers."""

import json
import sys

import msgspec
import pytest

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.stream.spec import StreamSpec, parse_stream_address
from jupyter_deploy.streaming.brokers import login_of, source_of
from jupyter_deploy.streaming.gateway import as_request, problem, verdict_of

SINK = "nats://localhost/scores"


def spec(source="nats://localhost/rows", sink=SINK, **more):
    return StreamSpec(source=source, sink=sink, **more).checked()


@pytest.mark.parametrize(
    ("body", "instances"),
    [
        ('{"a": 1}', [{"a": 1}]),
        (' {"a": 1} ', [{"a": 1}]),
        ('[{"a": 1}, {"a": 2}]', [{"a": 1}, {"a": 2}]),
        ('"a text"', ["a text"]),
        ("7", [7]),
        ('{"instances": [1, 2]}', [1, 2]),
        ('{\n "instances" : [1, 2]}', [1, 2]),
        ('{"more": 1, "instances": [3]}', [3]),
        ('{"a": "instances"}', [{"a": "instances"}]),
    ],
)
def test_a_row_or_rows_become_a_request(body, instances):
    assert json.loads(as_request(body.encode()))["instances"] == instances


@pytest.mark.parametrize("body", [b"", b"{", b"1],[2", b'{"a": 1}]', b"\xff", b"nan"])
def test_a_message_that_is_not_json_is_found(body):
    with pytest.raises(msgspec.DecodeError):
        as_request(body)


@pytest.mark.parametrize(
    ("status", "detail", "verdict"),
    [
        (200, "", "answered"),
        (400, "", "refused"),
        (415, "", "refused"),
        (422, "", "refused"),
        (429, "", "unavailable"),
        (404, "unknown endpoint", "unavailable"),
        (500, "", "failed"),
        (504, "", "failed"),
        (503, "1024 requests are waiting for the model already", "unavailable"),
        (
            503,
            "upstream connect error or disconnect/reset before headers. reset reason: connection termination",
            "died",
        ),
    ],
)
def test_a_status_has_a_verdict(status, detail, verdict):
    assert verdict_of(status, problem(status, detail)) == verdict


def test_an_address_has_server_and_subject():
    assert parse_stream_address("nats://localhost:4222/a.b", "--source")[1:] == ("nats://localhost:4222", "a.b")
    assert parse_stream_address("nats://[::1]:4222/a.>", "--source").server == "nats://[::1]:4222"
    assert parse_stream_address("nats://h/a.*", "--source").is_pattern
    assert parse_stream_address("redis://h/a:b", "--source").place == "a:b"
    assert parse_stream_address("amqp://h:5672/a.b", "--source")[1:] == ("amqp://h:5672", "a.b")
    assert parse_stream_address("kafka://h:9092/a.b-c", "--source")[1:] == ("kafka://h:9092", "a.b-c")
    assert parse_stream_address("mqtt://h/a/b", "--source")[1:] == ("mqtt://h", "a/b")
    assert parse_stream_address("mqtts://h:8883//a/", "--source").place == "/a/"
    assert parse_stream_address("mqtt://h/a/#", "--source").place == "a/#"
    assert [parse_stream_address(f"mqtt://h/{one}", "--source").is_pattern for one in ("#", "+/a", "a.*")] == [1, 1, 0]
    assert spec().dead_letters == "nats://localhost/scores.dead"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rows", "is not the URL of a broker"),
        ("", "is not the URL of a broker"),
        ("nats:rows", "is not the URL of a broker"),
        ("nats://h:port/rows", "is not a URL"),
        ("ftp://h/rows", "has no broker for ftp://"),
        ("nats://h", "names no subject"),
        ("nats://h/", "names no subject"),
        ("nats://h/a b", "is no name for a stream"),
        ("nats://h/a..b", "is no name for a stream"),
        ("nats://h/a/b", "is no name for a stream"),
        ("redis://h/a*", "is no name for a stream"),
        ("redis://h/0/a", "is no name for a stream"),
        ("amqp://h/vhost/a", "is no name for a stream"),
        ("kafka://h/a:b", "is no name for a stream"),
        ("mqtt://h", "names no subject"),
        ("mqtt://h/a#", "is no name for a stream"),
        ("mqtt://h/a/#/b", "is no name for a stream"),
        ("mqtt://h/a+", "is no name for a stream"),
        ("mqtt://h/$share/group/a", "is no name for a stream"),
        ("mqtt://h/a b", "is no name for a stream"),
        ("nats://u:p@h/a", "has a user or a password"),
        ("nats://h/a?b=c", "has a query"),
        ("nats://h/a#", "has a query or a fragment"),
    ],
)
def test_a_wrong_address_is_named_with_its_option(text, words):
    with pytest.raises(InvalidInput, match="--source") as raised:
        parse_stream_address(text, "--source")
    assert words in raised.value.message
    assert raised.value.remedy
    assert "p@" not in str(raised.value)


@pytest.mark.parametrize(
    ("source", "sink", "covered"),
    [
        ("a.b", "a.b", True),
        ("a.*", "a.b", True),
        ("a.>", "a.b.c", True),
        (">", "a", True),
        ("a.*", "a.b.c", False),
        ("a.>", "a", False),
        ("a.b.c", "a.b", False),
        ("a.b", "a.b.c", False),
    ],
)
def test_a_stream_does_not_read_its_own_answers(source, sink, covered):
    def make():
        return spec(f"nats://h/{source}", f"nats://h/{sink}", dead_letters="nats://h/elsewhere.dead")

    if covered or source == ">":
        with pytest.raises(InvalidInput, match="would read its own messages"):
            make()
    else:
        assert make().sink == f"nats://h/{sink}"


@pytest.mark.parametrize(
    ("source", "sink", "covered"),
    [
        ("a/b", "a/b", True),
        ("a/+", "a/b", True),
        ("a/#", "a/b/c", True),
        ("a/#", "a", True),
        ("#", "a", True),
        ("a/+", "a", False),
        ("a/+", "a/b/c", False),
        ("+/b", "a/c", False),
    ],
)
def test_a_filter_of_mqtt_covers_topics(source, sink, covered):
    assert parse_stream_address(f"mqtt://h/{source}", "--source").covers(sink) is covered
    if covered:
        with pytest.raises(InvalidInput, match="would read its own messages"):
            spec(f"mqtt://h/{source}", f"mqtt://h/{sink}")


def test_dead_letters_have_a_place_of_their_own():
    with pytest.raises(InvalidInput, match="it is the sink"):
        spec(dead_letters=SINK)


def test_credentials_are_one_line_of_a_file(tmp_path):
    file = tmp_path / "credentials"
    file.write_text("ada:a:secret\n")
    assert login_of(spec(credentials=str(file))) == ("ada", "a:secret")
    assert login_of(spec()) is None
    for wrong in ("secret", "ada:", "a:b\nc:d"):
        file.write_text(wrong)
        with pytest.raises(InvalidInput, match="holds no credentials") as raised:
            login_of(spec(credentials=str(file)))
        assert "secret" not in str(raised.value)
    with pytest.raises(InvalidInput, match="cannot be read"):
        login_of(spec(credentials=str(tmp_path / "missing")))


def test_a_missing_library_is_named_with_its_extra(monkeypatch):
    monkeypatch.delitem(sys.modules, "jupyter_deploy.streaming.nats_broker", raising=False)
    monkeypatch.setitem(sys.modules, "nats", None)
    with pytest.raises(InvalidInput, match="the library for nats:// is missing") as raised:
        source_of("churn", spec())
    assert raised.value.remedy == "pip install 'nbdeploy[nats]'"
