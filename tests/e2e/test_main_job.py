"""From notebooks to releases by the command line, under load and with failures on the way."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

import jupyter_deploy
from jupyter_deploy.targets.local.supervisor.identities import Identities
from tests import notebooks
from tests.e2e.conftest import ROW, Load, deploy_notebook, until
from tests.e2e.processes import at_once, processes, running


@pytest.fixture
def in_process(home, deploy, monkeypatch):
    """The Python face, in this process, over the test's home."""
    for name in ("NBDEPLOY_HOME", "BENTOML_HOME"):
        monkeypatch.setenv(name, home.environment[name])


def test_thirty_changes_under_load_lose_no_request_and_each_answer_is_recorded_once(home, deploy, in_process):
    first, second = deploy(1.0), deploy(0.001)
    assert (first["role"], second["role"]) == ("stable", "shadow")
    tag = second["release"]
    with Load(first["url"]) as load:
        for number in range(30):
            if number % 2 == 0:
                jupyter_deploy.traffic("churn", canary={tag: 10 + number})
            else:
                jupyter_deploy.traffic("churn", shadow={tag: 100})
            load.wait_for(5)
    assert load.failures == []
    assert {version for _, version in load.answers} == {first["release"], tag}
    records = home.json("logs", "churn")
    answered = Counter(r["request_id"] for r in records if r["role"] in ("stable", "canary"))
    assert answered == Counter(request_id for request_id, _ in load.answers)
    by_release = {r["request_id"]: r["release"] for r in records if r["role"] in ("stable", "canary")}
    assert by_release == dict(load.answers)
    shadows = Counter(r["pair_id"] for r in records if r["role"] == "shadow")
    assert set(shadows.values()) == {1}
    assert home.json("describe", "churn")["revision"] == 32


def test_promote_and_rollback_under_load_lose_no_request(home, deploy):
    first, second = deploy(1.0), deploy(0.001)
    with Load(first["url"]) as load:
        home.run("promote", "churn")
        load.wait_for(20)
        assert load.answers[-1][1] == second["release"]
        home.run("rollback", "churn")
        load.wait_for(20)
        assert load.answers[-1][1] == first["release"]
    assert load.failures == []


def test_a_rerun_is_a_no_op_and_a_changed_model_replaces_its_own_candidate(home, deploy):
    first = deploy(1.0, "--strict")
    again = deploy(1.0)
    assert (again["changed"], again["revision"], again["release"]) == (False, 1, first["release"])
    second = deploy(0.01)
    third = deploy(0.001)
    assert third["replaced"] == second["release"]
    kept = deploy(0.0001, "--keep")
    described = home.json("describe", "churn")
    assert described["traffic"]["shadows"] == {third["release"]: 100.0, kept["release"]: 100.0}
    assert {r["tag"] for r in described["releases"] if r["role"] == "idle"} == {second["release"]}


def test_a_release_without_traffic_is_stopped_after_some_revisions_and_restarted_by_a_rollback(home, deploy):
    home.environment["NBDEPLOY_KEEP_REVISIONS"] = "1"
    first, second = deploy(1.0), deploy(0.001)
    home.run("promote", "churn")
    home.run("traffic", "churn", "--shadow", f"{first['release']}=100")
    home.run("traffic", "churn", "--shadow", f"{first['release']}=0")
    home.run("traffic", "churn", "--shadow", f"{second['release']}=50", check=False)
    home.run("rollback", "churn", "--to", "1")
    described = home.json("describe", "churn")
    assert [r["tag"] for r in described["releases"] if r["role"] == "stable"] == [first["release"]]
    assert home.json("predict", "churn")["status"] == 200


def test_the_endpoint_answers_what_the_notebook_answered_and_refuses_what_it_cannot_understand(served):
    home, deployed = served
    url = deployed["url"]
    assert home.json("predict", "churn")["body"]["predictions"] == deployed["captured"]["predictions"]
    with httpx.Client(trust_env=False) as client:
        for body, status, words in [
            (b"{", 400, "JSON"),
            (b'{"instances": [{"age": 3, "weight": NaN}]}', 400, "NaN"),
            (json.dumps({"instances": [{"age": 3}]}).encode(), 422, "weight"),
            (json.dumps({"instances": [ROW, {**ROW, "sex": "f"}]}).encode(), 422, "sex"),
            (json.dumps({"instances": [ROW, {**ROW, "age": "old"}]}).encode(), 422, "age"),
            (json.dumps({"instances": [{**ROW, "weight": None}]}).encode(), 422, "weight"),
        ]:
            answer = client.post(f"{url}/predict", content=body, headers={"content-type": "application/json"})
            assert answer.status_code == status
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["x-request-id"]
            assert answer.headers["x-model-version"].startswith("churn:")
            assert words in answer.text
        assert client.post(f"{url}/predict", json={"instances": []}).json() == {"predictions": []}
        unknown = client.get(url.replace("churn", "nobody") + "/metadata")
        assert (unknown.status_code, unknown.headers["content-type"]) == (404, "application/problem+json")
    statuses = Counter(r["status"] for r in home.json("logs", "churn"))
    assert statuses[422] == 4
    assert statuses[400] == 2


def test_a_candidate_of_another_signature_is_refused_before_anything_starts(served, tmp_path):
    home, _ = served
    shares = notebooks.write(tmp_path / "shares.ipynb", "def clf(age, weight):\n    return [0.25, 0.75]")
    ended = deploy_notebook(home, shares, example=repr(ROW), check=False)
    assert ended.returncode == 2
    error = json.loads(ended.stderr.splitlines()[-1])["error"]
    assert "cannot follow churn:" in error["message"]
    assert "answer: the candidate has array, stable string" in error["details"]
    assert len(home.json("describe", "churn")["releases"]) == 1


def test_a_foreign_snapshot_is_shown_and_only_loaded_when_trusted(home, deploy, tmp_path):
    deployed = deploy()
    home.run("down")
    home.environment["NBDEPLOY_HOME"] = str(tmp_path / "another")
    refused = home.run("deploy", deployed["snapshot"], check=False)
    assert refused.returncode == 1
    assert "was not captured by this store" in refused.stderr
    assert "train.ipynb" in refused.stderr
    trusted = home.json("deploy", deployed["snapshot"], "--trust")
    assert trusted["role"] == "stable"
    home.run("down")


def test_a_changed_snapshot_is_never_started(home, deploy):
    own_copy(home)
    deployed = deploy()
    home.run("stop", "churn")
    pickled = (
        Path(home.environment["BENTOML_HOME"]) / "models" / "churn" / deployed["snapshot"].split(":")[1] / "model.pkl"
    )
    pickled.write_bytes(pickled.read_bytes() + b".")
    ended = home.run("rollback", "churn", check=False)
    assert ended.returncode == 3
    assert "changed after it was captured" in ended.stderr
    assert home.json("describe", "churn")["running"] is False


def test_an_environment_that_changed_is_named_with_the_difference(home, deploy):
    own_copy(home)
    deployed = deploy()
    home.run("stop", "churn")
    version = deployed["snapshot"].split(":")[1]
    path = Path(home.environment["BENTOML_HOME"]) / "models" / "churn" / version / "snapshot.json"
    document = json.loads(path.read_text())
    document["environment"]["distributions"]["scikit-learn"] = "0.1"
    path.write_text(json.dumps(document))
    ended = home.run("rollback", "churn", check=False)
    assert ended.returncode == 3
    assert "scikit-learn: captured 0.1, installed" in ended.stderr


def own_copy(home):
    """A BentoML home for this test, which may damage its files."""
    shared, own = home.environment["BENTOML_HOME"], home.path / "bentoml"
    shutil.copytree(shared, own)
    home.environment["BENTOML_HOME"] = str(own)


def test_two_processes_that_change_one_endpoint_at_once_lose_no_update(home, deploy):
    deploy(1.0)
    tag = deploy(0.001)["release"]
    racers = [("traffic", "churn", "--if-revision", "2", "--canary", f"{tag}={share}") for share in (10, 20)]
    ended = at_once(home, *racers)
    assert sorted(one.returncode for one in ended) == [0, 1]
    assert any("revision" in one.stderr for one in ended)
    winner = (10, 20)[[one.returncode for one in ended].index(0)]
    assert home.json("describe", "churn")["traffic"]["canary_percent"] == winner


def test_a_notebook_is_run_headless_and_its_variable_deployed_and_a_rerun_is_a_no_op(home, train):
    notebook = train()
    first = json.loads(deploy_notebook(home, notebook).stdout)
    provenance = first["captured"]["provenance"]
    assert provenance["source"] == {"notebook": str(notebook), "variable": "clf"}
    assert len(provenance["cells"]) == 1
    assert "LogisticRegression" in provenance["cells"][0]
    assert provenance["notebook_sha256"]
    again = json.loads(deploy_notebook(home, notebook).stdout)
    assert (again["changed"], again["revision"], again["release"]) == (False, 1, first["release"])


def test_errors_of_the_capture_in_the_notebooks_kernel_reach_the_command_line(home, tmp_path):
    notebook = notebooks.write(tmp_path / "train.ipynb", "X = [1, 2, 3]\nclf = sum")
    ended = deploy_notebook(home, notebook, model="classifier", check=False)
    assert ended.returncode == 2
    error = json.loads(ended.stderr.splitlines()[-1])["error"]
    assert error["code"] == "unknown_source"
    assert "no variable 'classifier'" in error["message"]


def test_a_notebook_with_a_failing_cell_is_an_error_that_names_it(home, tmp_path):
    broken = notebooks.write(tmp_path / "broken.ipynb", "a = 1", "1 / 0")
    ended = home.run("deploy", broken, "--name", "churn", "--model", "a", check=False)
    assert ended.returncode == 3
    assert "cell 2 of broken.ipynb raises ZeroDivisionError" in ended.stderr


def test_a_kernel_that_dies_ends_with_138(home, tmp_path):
    deadly = notebooks.write(tmp_path / "deadly.ipynb", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    ended = home.run("deploy", deadly, "--name", "churn", "--model", "a", check=False)
    assert ended.returncode == 138
    assert "the kernel died" in ended.stderr


# Answers at once, unless it is to hang: then it says that somebody waits for it.
HANGS = """
def clf(x):
    import pathlib, time
    folder, tries = pathlib.Path({folder!r}), 1200
    while (folder / 'hang').exists() and (tries := tries - 1):
        (folder / 'hangs').touch()
        time.sleep(0.05)
    return x
"""


def test_ctrl_c_while_a_release_starts_leaves_nothing_half_made(home, tmp_path):
    notebook = notebooks.write(tmp_path / "hangs.ipynb", HANGS.format(folder=str(tmp_path)))
    process = subprocess.Popen(
        ["env", "--default-signal=INT",  # a background job of a shell ignores it
         sys.executable, "-m", "jupyter_deploy", "deploy", str(notebook), "--name", "churn", "--model", "clf",
         "--example", "1"],
        env=home.environment, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    for line in process.stderr:
        if "building" in line:  # the kernel and the clean process have answered; the release is asked next
            (tmp_path / "hang").touch()
        if "starting churn:" in line:
            break
    until((tmp_path / "hangs").exists)
    os.killpg(process.pid, signal.SIGINT)
    (tmp_path / "hang").unlink()  # or its end would wait for the answer
    rest = process.communicate(timeout=180)[1]
    assert process.returncode == 130, rest
    assert "nothing half-made is left" in rest
    assert home.json("list") == []
    assert running(home) == []


def test_a_deploy_killed_while_it_starts_a_release_is_cleared_up_by_reconcile(home, deploy, plain_snapshots):
    first = deploy()
    command = [sys.executable, "-m", "jupyter_deploy", "deploy", plain_snapshots[0][0.001], "--trust"]
    process = subprocess.Popen(command, env=home.environment, stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if "starting churn:" in line:
            break
    # Of all processes a list takes longer than a release needs to be ready.
    identities = Identities(Path(home.environment["NBDEPLOY_HOME"]))
    until(lambda: len(identities.running("release-*")) == 2)
    process.kill()
    process.communicate()
    home.run("reconcile")
    assert len([p for p in running(home) if "container.py" in p]) == 1
    described = home.json("describe", "churn")
    assert described["traffic"]["stable"] == first["release"]
    assert home.json("predict", "churn")["status"] == 200


def test_down_stops_every_process_and_reconcile_brings_all_back_under_the_same_url(home, deploy):
    url = deploy()["url"]
    home.run("down")
    assert running(home) == []
    assert home.json("describe", "churn")["releases"][0]["healthy"] is False
    with socket.create_server(("127.0.0.1", urlsplit(url).port)) as stranger:
        stranger.setblocking(False)
        ended = home.run("predict", "churn", check=False)
        assert (ended.returncode, "does not run" in ended.stderr) == (3, True)
        with pytest.raises(BlockingIOError):  # it got no data
            stranger.accept()
    home.run("reconcile")
    assert home.json("describe", "churn")["url"] == url
    assert home.json("predict", "churn")["status"] == 200


def test_stop_keeps_records_and_history_and_a_rollback_brings_the_endpoint_back(home, deploy):
    url = deploy()["url"]
    home.run("predict", "churn")
    home.run("stop", "churn")
    assert running(home) == []
    assert [r["role"] for r in home.json("logs", "churn")] == ["stable"]
    home.run("rollback", "churn")
    assert httpx.post(f"{url}/predict", json={"instances": [ROW]}, trust_env=False).status_code == 200


def test_an_unhealthy_candidate_is_not_promoted(home, deploy):
    deploy(1.0)
    second = deploy(0.001)
    version = second["release"].split(":")[1]
    lines = ((process, " ".join(process.cmdline())) for process in processes(home))
    worker = next(process for process, line in lines if version in line and "container.py" in line)
    worker.suspend()
    try:
        ended = home.run("promote", "churn", check=False)
    finally:
        worker.resume()
    assert ended.returncode == 1
    assert "is not healthy" in ended.stderr


def test_logs_follow_new_records(served):
    home, _ = served
    follower = subprocess.Popen(
        [sys.executable, "-m", "jupyter_deploy", "logs", "churn", "--follow", "-o", "json", "--role", "stable"],
        env=home.environment, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        seen = []
        import threading

        reader = threading.Thread(target=lambda: seen.append(follower.stdout.readline()), daemon=True)
        reader.start()

        def asked():
            home.run("predict", "churn")
            return seen

        assert json.loads(until(asked)[0])["outputs"]
    finally:
        follower.terminate()
        follower.wait()


def test_state_and_records_are_readable_by_the_user_alone(served):
    home, _ = served
    home.run("predict", "churn")
    for path in (home.path / "nbdeploy").rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # a temporary file, or one that was compacted
            assert path.stat().st_mode & 0o077 == 0, path


@pytest.fixture(autouse=True)
def nothing_left(home):
    """No test may leave a process."""
    yield
    home.down()
    until(lambda: running(home) == [], timeout=60)
