"""Access to the gateway: hosts, the token, and requests of foreign web pages; with a real Envoy."""

from __future__ import annotations

import json
import shlex
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from jupyter_deploy.domain.errors import TargetError
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.targets.local.gateway.token import token, token_file
from jupyter_deploy.targets.local.http_client import HttpClient
from jupyter_deploy.targets.local.target import LocalTarget
from tests.contract.targets.test_local_target_support import Stage, endpoint_of, eventually, staged

BODY = {"instances": [1]}


@pytest.fixture(scope="module")
def serving() -> Iterator[tuple[Stage, Endpoint, str]]:
    """A stable release and a shadow behind a gateway that knows one more host."""
    with staged(hosts=("hub.example.org", "*.lab.example.org")) as stage:
        one, two = stage.release("aaa"), stage.release("bbb")
        for release in (one, two):
            stage.target.start(release)
        endpoint = endpoint_of(one, two, shadows={two.tag: 100})
        yield stage, endpoint, stage.target.route(endpoint)


@pytest.fixture
def guarded(serving: tuple[Stage, Endpoint, str]) -> Iterator[tuple[Stage, str, str]]:
    """The same with a token, as long as the test runs."""
    stage, endpoint, url = serving
    LocalTarget(stage.settings.model_copy(update={"require_token": True})).route(endpoint)
    yield stage, url, token(stage.home) or ""
    token_file(stage.home).unlink()
    stage.target.route(endpoint)


def predict(url: str, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.post(f"{url}/predict", json=BODY, headers=named, trust_env=False, timeout=20)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost:1", "LOCALHOST", "[::1]:8780", "hub.example.org", "hub.example.org:443",
             "gpu7.lab.example.org"],
)  # fmt: skip
def test_the_gateway_accepts_this_machines_names_and_the_configured_ones(
    serving: tuple[Stage, Endpoint, str], host: str
) -> None:
    assert predict(serving[2], host=host).status_code == 200


@pytest.mark.parametrize("host", ["evil.example.org", "127.0.0.1.evil.org", "lab.example.org", "localhost."])
def test_a_page_with_a_rebound_name_reaches_no_release(serving: tuple[Stage, Endpoint, str], host: str) -> None:
    stage, _, url = serving
    before = len(stage.seen("aaa"))
    answer = predict(url, host=host)
    assert (answer.status_code, answer.headers["content-type"]) == (421, "application/problem+json")
    assert answer.json()["title"] == "Unknown host"
    assert "NBDEPLOY_HOSTS" in answer.json()["detail"]
    assert httpx.get(f"{url}/metadata", headers={"host": host}, trust_env=False).status_code == 421
    assert len(stage.seen("aaa")) == before


def raw_answer(url: str, head: str) -> tuple[int, dict[str, str]]:
    """Return the status and the document that the gateway sends to a request of this head without a body."""
    parts = urlsplit(url)
    with socket.create_connection((str(parts.hostname), parts.port or 80), 20) as connection:
        connection.sendall(f"{head}\r\nconnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    headers, _, body = answer.partition(b"\r\n\r\n")
    return int(headers.split(b" ")[1]), json.loads(body)


@pytest.mark.parametrize("second", ["127.0.0.1", "evil.example.org", "gpu7.lab.example.org"])
def test_a_request_with_two_hosts_is_refused(serving: tuple[Stage, Endpoint, str], second: str) -> None:
    path = urlsplit(serving[2]).path
    for hosts in (("127.0.0.1", second), (second, "127.0.0.1")):
        lines = [f"GET {path}/metadata HTTP/1.1", *(f"host: {host}" for host in hosts)]
        status, document = raw_answer(serving[2], "\r\n".join(lines))
        assert (status, document["detail"]) == (400, "the request has several Host headers; send one")


@pytest.mark.parametrize(
    ("head", "status", "reason"),
    [
        ("GET / HTTP/1.1", 400, "missing_host_header"),
        ("GET /%00 HTTP/1.1\r\nhost: 127.0.0.1", 400, "path_normalization_failed"),
        ("GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nbad name: x", 400, "http1.codec_error"),
        ("OPTIONS * HTTP/1.1\r\nhost: 127.0.0.1", 404, "unknown endpoint"),
        ("CONNECT 127.0.0.1:80 HTTP/1.1\r\nhost: 127.0.0.1", 404, "unknown endpoint"),
        ("GET / HTTP/1.0\r\nhost: 127.0.0.1", 426, "low_version"),
        ("GET / HTTP/1.1\r\nhost: 127.0.0.1\r\ntransfer-encoding: gzip", 501, "http1.invalid_transfer_encoding"),
    ],
)
def test_each_refusal_of_the_gateway_has_a_reason(
    serving: tuple[Stage, Endpoint, str], head: str, status: int, reason: str
) -> None:
    code, document = raw_answer(serving[2], head)
    assert code == status
    assert document["detail"].endswith(reason)


def test_a_release_sees_no_cookie_and_no_credentials(serving: tuple[Stage, Endpoint, str]) -> None:
    stage, _, url = serving
    predict(url, cookie="_xsrf=2|secret", authorization="token secret", x_nbdeploy_token="secret", x_request_id="bare")
    for version in ("aaa", "bbb"):
        (seen,) = eventually(lambda v=version: [s for s in stage.seen(v) if s["headers"].get("x-request-id") == "bare"])
        assert "secret" not in json.dumps(seen)


def test_without_the_token_nothing_answers(guarded: tuple[Stage, str, str]) -> None:
    stage, url, secret = guarded
    before = len(stage.seen("aaa"))
    for headers in ({}, {"authorization": f"Bearer {secret}x"}, {"authorization": secret}, {"x_nbdeploy_token": ""}):
        answer = predict(url, **headers)
        assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
        assert answer.headers["www-authenticate"] == 'Bearer realm="nbdeploy"'
        assert answer.headers["x-request-id"]
        assert answer.json()["title"] == "The token is missing or wrong"
        assert secret not in answer.text
    assert httpx.post(f"{url}/feedback", json={}, trust_env=False).status_code == 401
    for path in ("", "/livez", "/metadata"):
        assert httpx.get(f"{url}{path}", trust_env=False).status_code == 401
    root = url.rpartition("/")[0]
    assert httpx.get(f"{root}/another", trust_env=False).status_code == 401
    assert len(stage.seen("aaa")) == before


def test_with_the_token_it_answers_and_neither_release_nor_shadow_sees_it(guarded: tuple[Stage, str, str]) -> None:
    stage, url, secret = guarded
    for number, headers in enumerate(({"authorization": f"Bearer {secret}"}, {"x_nbdeploy_token": secret})):
        assert predict(url, x_request_id=f"with-{number}", **headers).status_code == 200
    for version in ("aaa", "bbb"):
        eventually(lambda v=version: any(s["headers"].get("x-request-id") == "with-1" for s in stage.seen(v)))
    # A kernel's client sends a hub's own credentials too.
    assert predict(url, authorization="token of-the-hub", x_nbdeploy_token=secret).status_code == 200
    socket = stage.runtime / "edge.sock"
    client = HttpClient(socket=lambda: socket)
    assert client.post(f"{url}/predict", BODY, stage.target.header_file)[0] == 200
    holding = [
        path
        for folder in (stage.home, stage.runtime, stage.root / "tumour")
        for path in folder.rglob("*")
        if path.is_file() and secret in path.read_text(errors="replace")
    ]
    assert sorted(path.name for path in holding) == ["edge.json", "token.header"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in holding} == {0o600}


def test_the_printed_line_sends_the_token_without_showing_it(guarded: tuple[Stage, str, str]) -> None:
    stage, url, secret = guarded
    line = HttpClient().command(f"{url}/predict", BODY, stage.target.header_file)
    assert secret not in line
    _, _, where, *options = shlex.split(line)
    given = [options[index + 1] for index, word in enumerate(options) if word == "-H"]
    # curl reads the header lines of -H @FILE from the file.
    lines = [Path(text[1:]).read_text().strip() if text.startswith("@") else text for text in given]
    headers = dict(header.split(": ", 1) for header in lines)
    answer = httpx.post(where, content=options[options.index("-d") + 1], headers=headers, trust_env=False)
    assert answer.json() == {"predictions": ["aaa"]}


def test_settings_without_the_option_leave_the_token_required(guarded: tuple[Stage, str, str]) -> None:
    stage, url, secret = guarded
    endpoint = endpoint_of(stage.release("aaa"), revision=2)
    stage.target.route(endpoint)  # its settings have no require_token
    assert predict(url).status_code == 401
    assert predict(url, x_nbdeploy_token=secret).status_code == 200


def test_a_file_that_holds_no_token_is_refused_and_the_old_one_stays_in_force(
    guarded: tuple[Stage, str, str],
) -> None:
    stage, url, secret = guarded
    token_file(stage.home).write_text("x-nbdeploy-token: short\n")
    with pytest.raises(TargetError, match="does not hold a gateway token") as refused:
        stage.target.route(endpoint_of(stage.release("aaa"), revision=3))
    assert "short" not in str(refused.value)
    assert predict(url, x_nbdeploy_token=secret).status_code == 200


def test_a_token_that_others_could_read_is_taken_from_them(tmp_path: Path) -> None:
    token_file(tmp_path).write_text("x-nbdeploy-token: 0123456789abcdef\n")
    token_file(tmp_path).chmod(0o644)
    assert token(tmp_path) == "0123456789abcdef"
    assert stat.S_IMODE(token_file(tmp_path).stat().st_mode) == 0o600


def test_a_shell_with_another_port_gets_the_running_one(serving: tuple[Stage, Endpoint, str]) -> None:
    stage, endpoint, url = serving
    elsewhere = LocalTarget(stage.settings.model_copy(update={"port": stage.settings.port + 1}))
    assert elsewhere.observe(endpoint).url == url
    assert elsewhere.route(endpoint) == url
    assert predict(elsewhere.observe(endpoint).url).status_code == 200


def test_feedback_goes_to_stable_alone_and_is_no_prediction(serving: tuple[Stage, Endpoint, str]) -> None:
    stage, endpoint, url = serving
    with_canary = endpoint_of(*endpoint.releases, canary="tumour:bbb", canary_percent=100, revision=10)
    with_shadow = endpoint_of(*endpoint.releases, shadows={"tumour:bbb": 100}, revision=11)
    forged = {"x-rollout-role": "stable", "x-rollout-record": "off", "x-request-id": "told"}
    for routed in (with_canary, with_shadow):
        stage.target.route(routed)
        answers = [
            httpx.post(f"{url}/feedback", json={}, headers=forged, trust_env=False, timeout=20) for _ in range(5)
        ]
        assert {answer.headers["x-model-version"] for answer in answers} == {"aaa"}
        seen = answers[0].json()
        assert (seen["path"], seen["role"], seen["headers"]["x-rollout-record"]) == ("/feedback", "", "full")
    predict(url, x_request_id="afterwards")
    for ledger in (stage.edge, stage.shadow):
        eventually(lambda read=ledger: "afterwards" in {line["request_id"] for line in read()})
        assert "told" not in {line["request_id"] for line in ledger()}
