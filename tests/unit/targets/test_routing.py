"""The routing share and the clusters that a record has."""

from __future__ import annotations

import json

import pytest

from jupyter_deploy.serving.asgi.messages import RequestContext
from jupyter_deploy.serving.dispatch.parsed_request import Raw
from jupyter_deploy.serving.telemetry.recording import Recording
from jupyter_deploy.serving.telemetry.records import Entry, Recorder
from jupyter_deploy.serving.telemetry.routing import Routing, digest_inputs, hash_key, routing

GIVEN = {"request_id": "r", "pair_id": None, "ts_ns": 1, "role": "canary", "status": 200, "latency_ms": 1.5}


@pytest.fixture
def written(tmp_path):
    recorder = Recorder(tmp_path / "records", "tumour", "tumour:1a2b")

    def write(**fields):
        assert recorder.write_all([Entry(**GIVEN | fields)])
        return json.loads(recorder.path.read_text().splitlines()[-1])

    yield write
    recorder.close()


def test_the_share_in_force_is_read_from_the_gateways_header():
    assert routing(b"tumour:bbb;share=0.05") == Routing("tumour:bbb", 0.05)


@pytest.mark.parametrize(
    "header", [None, b"", b"tumour:bbb", b";share=0.5", b"t:b;share=x", b"t:b;share=0", b"t:b;share=1.5"]
)
def test_a_header_of_another_form_is_no_share(header):
    assert routing(header) is None


def test_a_request_has_the_hash_of_its_key_and_its_share():
    headers = [(b"x-sticky-key", b"ada"), (b"x-rollout-salt", b"s"), (b"x-rollout-canary", b"t:b;share=0.2")]
    context = RequestContext.from_scope({"headers": headers})
    assert (context.routing, context.cluster) == (Routing("t:b", 0.2), hash_key(b"ada", b"s"))
    assert RequestContext.from_scope({"headers": []}).cluster is None


def test_a_key_is_hashed_with_the_salt_and_never_without_one():
    one = hash_key(b"ada", b"salt")
    assert one == hash_key(b"ada", b"salt") != hash_key(b"ada", b"other")
    assert len(one) == 16
    assert hash_key(b"ada", None) is hash_key(b"ada", b"") is hash_key(b"", b"salt") is None


def test_equal_inputs_have_an_equal_digest_and_missing_ones_have_none():
    assert digest_inputs(b"[1]") == digest_inputs(b"[1]") != digest_inputs(b"[2]")
    assert digest_inputs(b"null") is None
    long = b"x" * 300_000
    assert len({digest_inputs(long), digest_inputs(long + b"x"), digest_inputs(b"y" + long[1:])}) == 3


def test_a_record_has_share_cluster_and_digest_of_what_it_keeps(written):
    line = written(routing=Routing("tumour:bbb", 0.05), cluster="0123456789abcdef", inputs=Raw(b'[{"a":1}]'))
    assert (line["canary"], line["share"], line["cluster"]) == ("tumour:bbb", 0.05, "0123456789abcdef")
    assert line["inputs_digest"] == digest_inputs(b'[{"a":1}]')


def test_the_digest_holds_nothing_that_is_not_kept(written):
    assert "inputs_digest" not in written(inputs=[1], mode=Recording("meta"))
    redacted = [written(inputs=[{"ssn": ssn, "a": 1}], mode=Recording(redact=("ssn",))) for ssn in ("1", "2")]
    assert redacted[0]["inputs_digest"] == redacted[1]["inputs_digest"]
