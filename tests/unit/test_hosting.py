"""Where a container listens and what it records, decided from arguments and variables."""

import asyncio

import pytest

from jupyter_deploy.serving.hosting.options import Hosting, Misconfigured, hosting
from jupyter_deploy.serving.hosting.outer_app import Contained
from jupyter_deploy.serving.hosting.startup_responder import State
from jupyter_deploy.serving.telemetry.recording import Recording


def decided(*arguments, folders=(), **variables):
    return hosting(arguments, variables, lambda folder: folder in folders)


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
    assert decided(**variables).port == port
    assert decided("serve", **variables).port == port


@pytest.mark.parametrize("text", ["x", "0", "65536", "-1", "8080 ", "٨٠", "1" * 5000])
def test_what_is_no_port_is_refused(text):
    with pytest.raises(Misconfigured, match="a port is a number from 1 to 65535"):
        decided(PORT=text)


def test_behind_a_gateway_no_port_matters():
    assert decided("--uds", "/run/s", PORT="x").uds == "/run/s"
    with pytest.raises(Misconfigured, match="a unix socket's path has at most 102 bytes"):
        decided("--uds", "/" + "x" * 102)


@pytest.mark.parametrize("arguments", [("train",), ("--uds",), ("--uds", ""), ("--port", "80"), ("serve", "x")])
def test_other_arguments_are_refused(arguments):
    with pytest.raises(Misconfigured, match="is not understood"):
        decided(*arguments)


def test_records_go_where_there_is_a_folder_or_it_is_said():
    assert decided().records is None
    assert decided(folders=["/records"]).records == "/records"
    assert decided(folders=["/records", "/r"], NBDEPLOY_RECORDS="/r").records == "/r"
    assert decided(folders=["/records"], NBDEPLOY_RECORDS="stdout").records == "stdout"
    assert decided(folders=["/records"], NBDEPLOY_RECORD="off").records is None
    with pytest.raises(Misconfigured, match="there is no folder that this user may write to"):
        decided(folders=["/records"], NBDEPLOY_RECORDS="/r")


def test_what_is_kept_is_said_by_two_variables():
    assert decided().recording == Recording()
    assert decided(NBDEPLOY_RECORD="meta").recording == Recording("meta")
    assert decided(NBDEPLOY_REDACT="a, b,,a").recording == Recording(redact=("a", "b"))
    with pytest.raises(Misconfigured, match="NBDEPLOY_RECORD=some: it has to be full, meta or off"):
        decided(NBDEPLOY_RECORD="some")


def test_a_column_that_the_model_lacks_cannot_be_redacted():
    decided(NBDEPLOY_REDACT="age").lacking(["age", "sex"])
    with pytest.raises(Misconfigured, match="the model has no column 'Age'; its columns are age, sex"):
        decided(NBDEPLOY_REDACT="Age").lacking(["age", "sex"])
    with pytest.raises(Misconfigured, match="it takes none by name"):
        decided(NBDEPLOY_REDACT="Age").lacking([])


def test_vertex_ai_names_paths():
    assert decided(AIP_PREDICT_ROUTE="/p", AIP_HEALTH_ROUTE="/h").routes == {"/p": "/predict", "/h": "/readyz"}
    with pytest.raises(Misconfigured, match="AIP_PREDICT_ROUTE=p: a path begins with '/'"):
        decided(AIP_PREDICT_ROUTE="p")
    with pytest.raises(Misconfigured, match="they have to differ"):
        decided(AIP_PREDICT_ROUTE="/p", AIP_HEALTH_ROUTE="/p")


def test_yes_and_no_are_said_in_a_few_words():
    assert decided(NBDEPLOY_ACCESS_LOG="True").access_log
    assert not decided(NBDEPLOY_ACCESS_LOG="0").access_log
    with pytest.raises(Misconfigured, match="NBDEPLOY_ACCESS_LOG=on: it has to be true or false"):
        decided(NBDEPLOY_ACCESS_LOG="on")


def asked(path, state, chosen, **headers):
    """The status of the answer, and what the bento's application sees."""
    seen, sent = [], []

    async def app(scope, receive, send):
        seen.append(scope)
        await send({"type": "http.response.start", "status": 200})

    async def send(message):
        sent.append(message)

    told = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "path": path, "raw_path": path.encode(), "headers": told}
    asyncio.run(Contained(app, chosen, state)(scope, None, send))
    return sent[0]["status"], *seen


@pytest.mark.parametrize("path", ["/readyz", "/ping", "/v2/health/ready", "/v2/models/churn/ready", "/healthy"])
def test_one_that_is_ending_is_not_ready_and_answers_all_else(path):
    chosen = Hosting(routes={"/healthy": "/readyz"})
    assert asked(path, State(ending=True), chosen) == (503,)
    assert asked(path, State(), chosen)[0] == 200
    assert asked("/livez", State(ending=True), chosen)[0] == 200
    assert asked("/predict", State(ending=True), chosen)[0] == 200


def test_what_a_gateway_says_only_a_gateway_may_say():
    forged = {"x_rollout_role": "shadow", "x_pair_id": "p", "x_request_id": "r"}
    _, seen = asked("/predict", State(), Hosting(recording=Recording("meta")), **forged)
    assert seen["headers"] == [(b"x-request-id", b"r"), (b"x-rollout-record", b"meta")]
    _, seen = asked("/predict", State(), Hosting(uds="/s", recording=Recording("meta")), **forged)
    assert [name for name, _ in seen["headers"]] == [b"x-rollout-role", b"x-pair-id", b"x-request-id"]
