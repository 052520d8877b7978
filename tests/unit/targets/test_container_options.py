"""A container's options, parsed from arguments and variables."""

import asyncio

import pytest

from jupyter_deploy.serving.hosting.options import HostingOptions, InvalidSetting, checked_key, parse_options
from jupyter_deploy.serving.hosting.outer_app import ContainerApp
from jupyter_deploy.serving.hosting.startup_responder import Readiness
from jupyter_deploy.serving.telemetry.recording import Recording

KEY = "k" * 32


def parsed(*arguments, folders=(), **variables):
    return parse_options(arguments, variables, lambda folder: folder in folders)


@pytest.mark.parametrize(
    ("variables", "port"),
    [
        ({}, 8080),
        ({"PORT": "80"}, 80),
        ({"PORT": "", "AIP_HTTP_PORT": "7080"}, 7080),
        ({"PORT": "9000", "AIP_HTTP_PORT": "7080"}, 9000),
    ],
)
def test_the_platforms_variable_names_the_port(variables, port):
    assert parsed(**variables).port == port
    assert parsed("serve", **variables).port == port


@pytest.mark.parametrize("text", ["x", "0", "65536", "-1", "8080 ", "٨٠", "1" * 5000])
def test_an_invalid_port_is_refused(text):
    with pytest.raises(InvalidSetting, match="a port must be a number from 1 to 65535"):
        parsed(PORT=text)


def test_behind_a_gateway_the_port_is_ignored():
    assert parsed("--uds", "/run/s", PORT="x").uds == "/run/s"
    with pytest.raises(InvalidSetting, match="a unix socket's path has at most 102 bytes"):
        parsed("--uds", "/" + "x" * 102)


def test_behind_a_gateway_on_a_port_it_needs_the_gateways_key():
    options = parsed("--tcp", NBDEPLOY_GATEWAY_KEY_FILE="/etc/key", PORT="9000", NBDEPLOY_DRAIN_DELAY="5")
    assert (options.port, options.uds, options.key_file, options.drain_delay) == (9000, None, "/etc/key", 5)
    assert parsed(NBDEPLOY_GATEWAY_KEY_FILE="/etc/key", NBDEPLOY_DRAIN_DELAY="0").key_file is None
    with pytest.raises(InvalidSetting, match="--tcp needs NBDEPLOY_GATEWAY_KEY_FILE"):
        parsed("--tcp")


@pytest.mark.parametrize("text", ["", "short", "x" * 513, "a key with spaces, of some length, that is none", "é" * 40])
def test_a_text_that_is_no_key_is_refused_and_not_shown(text):
    with pytest.raises(InvalidSetting, match="/etc/key holds no key") as refused:
        checked_key(text, "/etc/key")
    assert not text or text not in str(refused.value)
    assert checked_key(f"{KEY}\n", "/etc/key") == KEY


@pytest.mark.parametrize("arguments", [("train",), ("--uds",), ("--uds", ""), ("--port", "80"), ("serve", "x")])
def test_other_arguments_are_refused(arguments):
    with pytest.raises(InvalidSetting, match="is not a valid argument list"):
        parsed(*arguments)


def test_records_go_to_a_mounted_or_named_folder():
    assert parsed().records is None
    assert parsed(folders=["/records"]).records == "/records"
    assert parsed(folders=["/records", "/r"], NBDEPLOY_RECORDS="/r").records == "/r"
    assert parsed(folders=["/records"], NBDEPLOY_RECORDS="stdout").records == "stdout"
    assert parsed(folders=["/records"], NBDEPLOY_RECORD="off").records is None
    with pytest.raises(InvalidSetting, match="no folder that this user may write to"):
        parsed(folders=["/records"], NBDEPLOY_RECORDS="/r")


def test_two_variables_set_the_recording_mode():
    assert parsed().recording == Recording()
    assert parsed(NBDEPLOY_RECORD="meta").recording == Recording("meta")
    assert parsed(NBDEPLOY_REDACT="a, b,,a").recording == Recording(redact=("a", "b"))
    with pytest.raises(InvalidSetting, match="NBDEPLOY_RECORD=some: must be full, meta or off"):
        parsed(NBDEPLOY_RECORD="some")


def test_a_column_that_the_model_lacks_cannot_be_redacted():
    parsed(NBDEPLOY_REDACT="age").require_columns(["age", "sex"])
    with pytest.raises(InvalidSetting, match="the model has no column 'Age'; its columns are age, sex"):
        parsed(NBDEPLOY_REDACT="Age").require_columns(["age", "sex"])
    with pytest.raises(InvalidSetting, match="it has no named columns"):
        parsed(NBDEPLOY_REDACT="Age").require_columns([])


def test_vertex_ai_names_paths():
    assert parsed(AIP_PREDICT_ROUTE="/p", AIP_HEALTH_ROUTE="/h").routes == {"/p": "/predict", "/h": "/readyz"}
    with pytest.raises(InvalidSetting, match="AIP_PREDICT_ROUTE=p: a path must begin with '/'"):
        parsed(AIP_PREDICT_ROUTE="p")
    with pytest.raises(InvalidSetting, match="they must differ"):
        parsed(AIP_PREDICT_ROUTE="/p", AIP_HEALTH_ROUTE="/p")


def test_flags_accept_a_few_spellings():
    assert parsed(NBDEPLOY_ACCESS_LOG="True").access_log
    assert not parsed(NBDEPLOY_ACCESS_LOG="0").access_log
    with pytest.raises(InvalidSetting, match="NBDEPLOY_ACCESS_LOG=on: must be true or false"):
        parsed(NBDEPLOY_ACCESS_LOG="on")


def response(path, readiness, options, **headers):
    """Return the status of the response, and the scope that the bento's application gets."""
    seen, sent = [], []

    async def app(scope, receive, send):
        seen.append(scope)
        await send({"type": "http.response.start", "status": 200})

    async def send(message):
        sent.append(message)

    given = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "path": path, "raw_path": path.encode(), "headers": given}
    asyncio.run(ContainerApp(app, options, readiness)(scope, None, send))
    return sent[0]["status"], *seen


@pytest.mark.parametrize("path", ["/readyz", "/ping", "/v2/health/ready", "/v2/models/churn/ready", "/healthy"])
def test_during_shutdown_it_is_not_ready_and_answers_other_requests(path):
    options = HostingOptions(routes={"/healthy": "/readyz"})
    assert response(path, Readiness(stopping=True), options) == (503,)
    assert response(path, Readiness(), options)[0] == 200
    assert response("/livez", Readiness(stopping=True), options)[0] == 200
    assert response("/predict", Readiness(stopping=True), options)[0] == 200


def test_headers_of_a_gateway_are_dropped_without_a_gateway():
    forged = {"x_rollout_role": "shadow", "x_pair_id": "p", "x_request_id": "r"}
    _, seen = response("/predict", Readiness(), HostingOptions(recording=Recording("meta")), **forged)
    assert seen["headers"] == [(b"x-request-id", b"r"), (b"x-rollout-record", b"meta")]
    _, seen = response("/predict", Readiness(), HostingOptions(uds="/s", recording=Recording("meta")), **forged)
    assert [name for name, _ in seen["headers"]] == [b"x-rollout-role", b"x-pair-id", b"x-request-id"]


def test_on_a_port_the_key_tells_the_gateway_from_a_client():
    options = HostingOptions(key_file="/etc/key", gateway_key=KEY)
    sent = {"x_rollout_role": "shadow", "x_pair_id": "p", "x_request_id": "r"}
    _, seen = response("/predict", Readiness(), options, **sent, x_rollout_key=KEY)
    assert [name for name, _ in seen["headers"]] == [b"x-rollout-role", b"x-pair-id", b"x-request-id"]
    for forged in ({}, {"x_rollout_key": ""}, {"x_rollout_key": KEY[:-1]}, {"x_rollout_key": f"{KEY}k"}):
        assert response("/predict", Readiness(), options, **sent, **forged) == (403,)
        assert response("/feedback", Readiness(), options, **sent, **forged) == (403,)
        _, seen = response("/readyz", Readiness(), options, **sent, **forged)
        assert seen["headers"] == [(b"x-request-id", b"r")]
