"""Compressed bodies and responses; decompression bombs are refused early."""

from __future__ import annotations

import gzip
import json
import tracemalloc
import zlib

import pytest
from backports import zstd
from protocol_models import ask, front_of

MIB = 1024 * 1024

BODY = json.dumps({"instances": [f"text {number}" for number in range(1000)]}).encode()
EXPECTED = {"predictions": [f"TEXT {number}" for number in range(1000)]}


@pytest.fixture(scope="module")
def front(tmp_path_factory):
    return front_of(tmp_path_factory.mktemp("models"), "list")


def post(front, content, encoding, **headers):
    told = {"content-type": "application/json", "content-encoding": encoding} | headers
    return ask(front, "POST", "/predict", content=content, headers=told)


PACKED = {
    "gzip": gzip.compress(BODY),
    "x-gzip": gzip.compress(BODY[:50]) + gzip.compress(BODY[50:]),  # as pigz and bgzip write
    "deflate": zlib.compress(BODY),
    "zstd": zstd.compress(BODY[:50]) + zstd.compress(BODY[50:]),
    "identity": BODY,
    "GZIP": gzip.compress(BODY),
}


@pytest.mark.parametrize("encoding", PACKED)
def test_a_body_may_be_compressed(front, encoding):
    assert post(front, PACKED[encoding], encoding).json() == EXPECTED


@pytest.mark.parametrize("path", ["/invocations", "/v1/models/list:predict", "/v2/models/list/infer"])
def test_compressed_bodies_work_with_each_protocol(front, path):
    v2 = {"inputs": [{"name": "input-0", "shape": [1], "datatype": "BYTES", "data": ["a"]}]}
    content = gzip.compress(json.dumps(v2 if "v2" in path else {"instances": ["a"]}).encode())
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    assert b'["A"]' in ask(front, "POST", path, content=content, headers=headers).content


@pytest.mark.parametrize(
    ("accept", "encoding"),
    [("gzip", "gzip"), ("gzip, deflate, br, zstd", "zstd"), ("zstd;q=0.1, gzip;q=0.5", "gzip"), ("br", None),
     ("gzip;q=0", None), ("", None)],
)  # fmt: skip
def test_a_long_response_is_compressed_as_the_client_prefers_and_a_short_one_never(front, accept, encoding):
    long = post(front, BODY, "identity", **{"accept-encoding": accept})
    assert long.headers.get("content-encoding") == encoding
    content = zstd.decompress(long.content) if encoding == "zstd" else long.content  # httpx unpacks gzip itself
    assert json.loads(content) == EXPECTED
    assert ("vary" in long.headers) == (encoding is not None)
    short = post(front, b'{"instances": ["a"]}', "identity", **{"accept-encoding": accept})
    assert "content-encoding" not in short.headers


def bomb(encoding):
    """A GiB of zeros, compressed to about a MiB or less."""
    zeros = b"\0" * (64 * MIB)
    if encoding == "zstd":
        return zstd.compress(zeros) * 16
    if encoding == "gzip":
        return gzip.compress(zeros) * 16
    packer = zlib.compressobj()
    first, other = (packer.compress(zeros) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    return first + other * 15


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
def test_a_decompression_bomb_is_refused_early(front, encoding):
    content = bomb(encoding)
    assert len(content) < 2 * MIB
    tracemalloc.start()
    try:
        response = post(front, content, encoding)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert response.status_code == 413
    assert "larger than 33554432 bytes" in response.json()["detail"]
    assert peak < 160 * MIB  # the limit is 32 MiB; zlib doubles its buffer


def test_the_limit_applies_exactly_to_the_decompressed_size(front, monkeypatch):
    front._predictor._limit = len(BODY)
    assert post(front, gzip.compress(BODY), "gzip").status_code == 200
    front._predictor._limit = len(BODY) - 1
    assert post(front, gzip.compress(BODY), "gzip").status_code == 413
    assert post(front, gzip.compress(BODY[:100]) + gzip.compress(BODY[100:]), "gzip").status_code == 413
    front._predictor._limit = 32 * MIB


@pytest.mark.parametrize(
    ("content", "encoding", "status", "words"),
    [
        (PACKED["gzip"][:-9], "gzip", 400, "ends too early"),
        (PACKED["gzip"] + b"more", "gzip", 400, "the body is not valid gzip"),
        (BODY, "gzip", 400, "the body is not valid gzip"),
        (BODY, "zstd", 400, "the body is not valid zstd"),
        (PACKED["zstd"][:-4], "zstd", 400, "ends too early"),
        (gzip.compress(b"") * 1000, "gzip", 400, "more than 100 members"),
        (b"", "gzip", 400, "ends too early"),
        (BODY, "br", 415, "send gzip, zstd, deflate, or the body uncompressed"),
        (BODY, "gzip, gzip", 415, "is not supported"),
    ],
)
def test_invalid_compression_is_refused_with_the_reason(front, content, encoding, status, words):
    response = post(front, content, encoding)
    assert response.status_code == status
    assert words in response.json()["detail"]
