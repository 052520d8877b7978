"""A snapshot behind HTTP on loopback, called as in a validation notebook."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.domain.capture.artifacts import Tolerance
from jupyter_deploy.domain.errors import EnvironmentChanged, InvalidInput, StartFailed, TargetError
from jupyter_deploy.domain.evidence.agreement import Rule
from jupyter_deploy.domain.validation.model_calls import metrics_of_calls
from jupyter_deploy.faces.kernel import served_model as asking
from jupyter_deploy.faces.kernel.served_model import ServedModel
from jupyter_deploy.targets.local.supervisor.launch import alive
from jupyter_deploy.validation.model_servers import SnapshotServers
from tests.contract.capturing import FRAME, NUMBERS, capture
from tests.e2e.conftest import until

pytestmark = pytest.mark.usefixtures("forked_replays")

LABELS = np.array(["no", "yes", "no", "yes"])


def act(what, n):
    """Behave as the parameters say, like the models that validations test."""
    sys.stdout.write(f"asked to {what}\n")
    sys.stdout.flush()
    if what == "end":
        os._exit(3)
    if what == "raise":
        raise ValueError("no such customer")
    return {"what": what, "twice": 2 * n}


@pytest.fixture(scope="module")
def captured(tmp_path_factory):
    """Capture a classifier of frames, one of arrays, and a function of two parameters."""
    capturer = ModelCapturer(tmp_path_factory.mktemp("bentoml"), Tolerance(), replay_timeout=120)
    numbers = NUMBERS.to_numpy("float32")
    return {
        "frame": capture(capturer, LogisticRegression().fit(NUMBERS, LABELS), NUMBERS),
        "array": capture(capturer, LinearRegression().fit(numbers, [1.0, 2.0, 3.0, 4.0]), numbers),
        "call": capture(capturer, act, {"what": "twice", "n": 2}),
    }


@pytest.fixture(scope="module")
def servers(captured):
    """Serve all snapshots at once."""
    with (
        SnapshotServers(60).serving(captured["frame"]) as frame,
        SnapshotServers(60).serving(captured["array"]) as array,
        SnapshotServers(60).serving(captured["call"]) as call,
    ):
        yield {"frame": frame, "array": array, "call": call}


@pytest.fixture
def ask(servers, captured, request):
    """Return a served model by kind, with the test's own job."""

    def model(kind):
        return ServedModel(servers[kind].url_for(request.node.name.split("[")[0][:90]), captured[kind].tag)

    return model


def test_a_model_of_frames_answers_as_in_its_notebook_whatever_the_rows_come_in(ask):
    clf = ask("frame")
    expected = LogisticRegression().fit(NUMBERS, LABELS).predict(NUMBERS)
    for rows in (NUMBERS, NUMBERS.to_dict("records"), NUMBERS.to_numpy(), NUMBERS.to_numpy().tolist()):
        answers = clf.predict(rows)
        assert isinstance(answers, np.ndarray)
        assert (answers == expected).all()
    assert (pd.Series(expected, index=[7, 8, 9, 10]) == clf(NUMBERS)).all()
    assert clf.predict(NUMBERS.iloc[:0]).shape == (0,)


def test_a_model_of_arrays_answers_numbers_of_its_own_type(ask):
    model = ask("array")
    answers = model.predict(NUMBERS.to_numpy("float32"))
    assert answers.dtype == np.float32
    assert (model.predict(NUMBERS) == answers).all()  # a frame, whose names mean nothing to it
    assert (answers >= 0).all()


def test_a_function_is_called_as_in_its_notebook_and_many_calls_are_one_request(ask):
    function = ask("call")
    assert function("twice", n=3) == {"what": "twice", "twice": 6}
    assert function.predict({"what": "a", "n": 1}) == {"what": "a", "twice": 2}
    assert function.predict(("a", 1)) == {"what": "a", "twice": 2}
    calls = pd.DataFrame({"what": ["a", "b"], "n": [1, 2]})
    assert function.predict(calls) == function.predict([("a", 1), ("b", 2)])
    assert [answer["twice"] for answer in function.predict(calls)] == [2, 4]
    with pytest.raises(InvalidInput, match="takes what, n, each once"):
        function("a", 1, what="b")


def test_invalid_rows_are_named_by_row_and_feature_in_several_requests_too(ask, monkeypatch):
    clf = ask("frame")
    monkeypatch.setattr(asking, "MOST_BYTES", 60)  # two rows a request
    many = pd.concat([NUMBERS] * 3)
    assert (clf.predict(many) == np.tile(clf.predict(NUMBERS), 3)).all()
    wrong = many.astype({"age": object})
    wrong.iloc[5, 0] = "old"
    with pytest.raises(InvalidInput, match=r"churn:\w+ does not take this: row 5, 'age': must be"):
        clf.predict(wrong)
    with pytest.raises(InvalidInput, match="row 0, 'sex': unknown"):
        clf.predict(FRAME)
    with pytest.raises(InvalidInput, match="rows of 1 values, for columns age, weight"):
        clf.predict(NUMBERS.to_numpy()[:, :1])


def test_a_batch_is_sent_in_enough_requests_to_judge_latencies(servers, captured):
    model = ServedModel(servers["frame"].url_for("many"), captured["frame"].tag)
    for rows, requests in ((4, 1), (12, 3), (480, 96), (1200, 100)):
        before = len(servers["frame"].calls("many").calls)
        assert (model.predict(pd.concat([NUMBERS] * (rows // 4))) == np.tile(model.predict(NUMBERS), rows // 4)).all()
        assert len(servers["frame"].calls("many").calls) == before + requests + 1


def test_only_the_served_method_exists(ask):
    with pytest.raises(AttributeError, match=r"has no 'predict_proba' here.* one method, which is predict;.*--method"):
        ask("frame").predict_proba(NUMBERS)
    assert not hasattr(ask("frame"), "_repr_html_")


def test_a_models_exception_is_shown_with_its_output(ask):
    with pytest.raises(TargetError) as failed:
        ask("call")("raise", 1)
    assert "failed on this request (500)" in str(failed.value)
    assert "asked to raise" in str(failed.value)
    assert "ValueError: no such customer" in str(failed.value)


def test_only_a_client_with_the_secret_is_answered_and_nothing_shows_the_secret(servers, captured, ask):
    url = servers["frame"].url_for("secret")
    address, secret, _ = url.rsplit("/", 2)
    wrong = ("y" if secret[0] == "x" else "x") + secret[1:]
    for path in (f"{address}/metadata", f"{address}/{wrong}/job/metadata", f"{address}/{secret}/..%2f/metadata"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(path)
    assert json.load(urllib.request.urlopen(f"{url}/metadata"))["release"] == captured["frame"].tag
    process = psutil.Process(servers["frame"]._process.pid)
    told = [*process.cmdline(), *process.environ().values(), servers["frame"]._log, repr(ask("frame"))]
    assert not any(secret in text for text in told)
    assert {connection.laddr.ip for connection in process.net_connections()} == {"127.0.0.1"}


def test_runs_have_separate_call_logs_that_make_metrics(servers, captured):
    server, rule = servers["frame"], Rule.of("str", None, None)
    one, other = (ServedModel(server.url_for(job), captured["frame"].tag) for job in ("01", "01.stable"))
    for rows in (NUMBERS, NUMBERS[:2], NUMBERS[:1]):
        one.predict(rows)
    other.predict(NUMBERS[:2])
    other.predict(NUMBERS)
    with pytest.raises(InvalidInput):
        one.predict([{"age": "old", "weight": 1.0}])
    calls = server.calls("01")
    assert [(call.status, call.answers and len(call.answers)) for call in calls.calls] == [
        (200, 4), (200, 2), (200, 1), (422, None)
    ]  # fmt: skip
    assert server.calls("never").calls == ()
    found = {metric.name: metric for metric in metrics_of_calls(calls, server.calls("01.stable"), rule, ())}
    assert found["latency_p95_ms"].n == 4
    assert 0 < found["latency_p50_ms"].value <= found["latency_p99_ms"].value < 200_000
    assert found["error_rate"].value == 0.0  # a refusal is none
    assert (found["agreement"].value, found["agreement"].n) == (1.0, 6)


def test_beyond_the_limits_calls_are_counted_without_answers(tmp_path):
    from jupyter_deploy.serving.standalone import MAX_ANSWER_BYTES, MAX_CALLS, CallLog
    from jupyter_deploy.serving.telemetry.records import Entry

    log = CallLog(tmp_path / "calls")
    log._calls["a"] = MAX_CALLS - 1
    log._bytes["b"] = MAX_ANSWER_BYTES
    for job in ("a", "a", "b"):
        assert log.write_all([Entry("r", job, 1, "direct", 200, 1.0, 1, [1], [2])])
    assert (tmp_path / "calls" / "a").read_text().count("\n") == 2
    assert (tmp_path / "calls" / "a").read_text().endswith('"answers": [2]}\n\n')
    assert '"answers": null' in (tmp_path / "calls" / "b").read_text()
    assert (tmp_path / "calls" / "a").stat().st_mode & 0o777 == 0o600


def test_equal_instances_have_equal_digests_however_their_json_is_written(tmp_path):
    from jupyter_deploy.serving.dispatch.parsed_request import Raw
    from jupyter_deploy.serving.standalone import CallLog
    from jupyter_deploy.serving.telemetry.records import Entry

    log = CallLog(tmp_path / "calls")
    asked = ([{"a": "é"}], Raw(b'[ {"a":\n"\\u00e9"} ]'), Raw('[{"a": "é"}]'.encode()), [{"a": "e"}])
    log.write_all([Entry("r", "job", 1, "direct", 200, 1.0, 1, inputs, Raw(b"[2]")) for inputs in asked])
    lines = [json.loads(line) for line in (tmp_path / "calls" / "job").read_text().splitlines()]
    assert [line["asked"] == lines[0]["asked"] for line in lines] == [True, True, True, False]
    assert [line["answers"] for line in lines] == [[2]] * 4


def test_a_model_that_ends_its_process_is_reported_and_its_calls_are_kept(captured):
    with SnapshotServers(60).serving(captured["call"]) as server:
        model = ServedModel(server.url_for("01"), captured["call"].tag)
        assert model("twice", 1)["twice"] == 2
        with pytest.raises(TargetError, match="no longer answers"):
            model("end", 1)
        until(lambda: server._process.poll() is not None)
        with pytest.raises(StartFailed, match=r"ended \(exit code 3\) during a request[\s\S]*asked to end"):
            server.check()
        assert len(server.calls("01").calls) == 1
        with pytest.raises(TargetError, match="no longer answers"):
            model("twice", 1)


def test_another_environment_than_the_captured_one_is_refused_as_for_a_release(captured):
    snapshot = captured["frame"]
    path = Path(snapshot.path) / "snapshot.json"
    before = path.read_text()
    manifest = json.loads(before)
    manifest["environment"]["distributions"]["numpy"] = "1.0"
    import hashlib

    path.write_text(json.dumps(manifest))
    try:
        digest = f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
        changed = snapshot.model_copy(update={"digest": digest})
        with SnapshotServers(60).serving(changed) as server, pytest.raises(EnvironmentChanged, match="numpy"):
            server.check(wait=True)
    finally:
        path.write_text(before)
    with (
        SnapshotServers(60).serving(snapshot.model_copy(update={"digest": "sha256:0"})) as server,
        pytest.raises(StartFailed, match=r"could not be served[\s\S]*changed after it was captured"),
    ):
        server.check(wait=True)


STARTS = """
import os, sys, time
from jupyter_deploy.validation.model_servers import SnapshotServers
from jupyter_deploy.domain.capture.artifacts import Snapshot
with SnapshotServers(60).serving(Snapshot.model_validate_json(sys.argv[1])) as server:
    if sys.argv[2] == "wait":
        server.check(wait=True)
    other = os.fork() if sys.argv[2] == "with a fork" else 0  # which holds the pipe to the server's standard input
    if other == 0 and sys.argv[2] == "with a fork":
        time.sleep(600)
    print(server._process.pid, server._root, other, flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("when", ["wait", "at once", "with a fork"])
def test_a_server_ends_with_its_parent_and_leaves_no_folder(captured, when):
    document = captured["frame"].model_dump_json()
    parent = subprocess.Popen(
        [sys.executable, "-c", STARTS, document, when], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    pid, root, other = parent.stdout.readline().split()
    server = psutil.Process(int(pid))
    assert Path(root).stat().st_mode & 0o777 == 0o700
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    try:
        until(lambda: not alive(server.pid))
        until(lambda: not Path(root).exists())
    finally:
        if int(other):
            os.kill(int(other), signal.SIGKILL)


def test_a_request_during_the_start_waits_and_is_answered(captured):
    began = time.monotonic()
    with SnapshotServers(60).serving(captured["frame"]) as server:
        assert time.monotonic() - began < 30
        assert not (server._root / "state.json").exists()  # it has not even imported what it needs
        assert len(ServedModel(server.url_for("01"), captured["frame"].tag).predict(NUMBERS)) == 4
        server.check(wait=True)
