"""Several processes at one endpoint, and their state when one of them fails or is killed."""

import json
import os
import signal
import subprocess

import httpx
import pytest

from tests import notebooks
from tests.e2e.conftest import ROW, Load, deploy_notebook, until
from tests.e2e.processes import at_once, command, running, start


@pytest.fixture(autouse=True)
def nothing_left(home):
    """No test may leave a process."""
    yield
    home.down()
    until(lambda: running(home) == [], timeout=60)


def test_a_reconcile_does_not_stop_what_a_deploy_is_starting(home, deploy):
    home.environment["NBDEPLOY_KEEP_REVISIONS"] = "0"
    first, second = deploy(1.0), deploy(0.001)
    home.run("traffic", "churn", "--shadow", f"{second['release']}=0")
    for tag in (second["release"], first["release"], second["release"]):
        both = at_once(home, ("deploy", tag, "--role", "stable"), ("reconcile",))
        assert [ended.returncode for ended in both] == [0, 0], both
        assert home.json("describe", "churn")["traffic"]["stable"] == tag
        assert home.json("predict", "churn")["status"] == 200


def test_a_rollback_during_a_stop_ends_with_a_running_endpoint(home, deploy):
    url = deploy(1.0)["url"]
    codes = [one.returncode for one in at_once(home, ("stop", "churn"), ("rollback", "churn", "--to", "1"))]
    described = home.json("describe", "churn")
    if described["running"]:
        assert described["releases"][0]["healthy"], codes
        assert httpx.post(f"{url}/predict", json={"instances": [ROW]}, trust_env=False).status_code == 200
    else:
        home.run("rollback", "churn")
        assert home.json("predict", "churn")["status"] == 200


def test_deploying_again_after_down_brings_the_whole_endpoint_back(home, deploy):
    first, second = deploy(1.0), deploy(0.001)
    assert "target kubernetes" not in home.run("down").stderr  # it is off
    again = deploy(1.0)
    assert (again["changed"], again["url"]) == (False, first["url"])
    described = home.json("describe", "churn")
    assert described["gateway"]
    assert [r["tag"] for r in described["releases"] if r["healthy"]] == [first["release"], second["release"]]
    assert home.json("predict", "churn")["status"] == 200


@pytest.mark.exhaustive  # its guard: the deploy of test_main_job.py that is killed while it starts a release
def test_a_deploy_of_a_tag_that_serves_elsewhere_too_is_cleared_up_when_it_was_killed(home, deploy):
    tag = deploy(1.0)["release"]
    process = start(home, "deploy", tag, "--name", "other", stderr=subprocess.PIPE)
    until(lambda: len(command(home, "container.py")) == 2)
    process.kill()
    process.wait()
    home.run("reconcile")
    assert len(command(home, "container.py")) == 1
    assert [e["name"] for e in home.json("list")] == ["churn"]


def test_a_gateway_that_cannot_start_fails_the_deploy_and_leaves_nothing_running(home, plain_snapshots):
    tags, home.environment["BENTOML_HOME"] = plain_snapshots
    home.environment["NBDEPLOY_ENVOY"] = "/bin/false"
    ended = home.run("deploy", tags[1.0], "--trust", check=False)
    assert ended.returncode == 3
    assert "Envoy did not start" in ended.stderr
    assert "there is no endpoint 'churn'" in home.run("describe", "churn", check=False).stderr
    until(lambda: running(home) == [], timeout=60)


def test_a_missing_gateway_is_an_error_before_slow_work(home, train):
    home.environment["NBDEPLOY_ENVOY"] = "/nowhere/envoy"
    ended = deploy_notebook(home, train(), check=False)
    assert ended.returncode == 3
    assert json.loads(ended.stderr)["error"]["code"] == "envoy_missing"


WEDGED = """
def clf(x):
    import os, time
    tries = 1200
    while os.path.exists(%r) and (tries := tries - 1):
        time.sleep(0.05)
    return x
"""


def test_a_shadow_that_is_ready_but_hangs_on_requests_is_not_promoted(home, tmp_path):
    plain = notebooks.write(tmp_path / "plain.ipynb", "def clf(x):\n    return x")
    wedged = notebooks.write(tmp_path / "wedged.ipynb", WEDGED % str(tmp_path / "hang"))
    first = json.loads(deploy_notebook(home, plain, example="1").stdout)
    deploy_notebook(home, wedged, example="1")
    (tmp_path / "hang").touch()
    home.environment["NBDEPLOY_PREDICT_TIMEOUT"] = "2"  # both had the usual time for their start
    assert all(r["healthy"] for r in home.json("describe", "churn")["releases"])
    ended = home.run("promote", "churn", check=False)
    assert ended.returncode == 1
    (tmp_path / "hang").unlink()  # or its end would wait for the answer
    assert "does not answer its example" in ended.stderr
    assert home.json("describe", "churn")["traffic"]["stable"] == first["release"]


def test_stable_cannot_be_deployed_as_its_own_candidate(served):
    home, deployed = served
    ended = home.run("deploy", deployed["release"], "--role", "canary", "--percent", "20", check=False)
    assert ended.returncode == 2
    assert "is stable" in ended.stderr
    assert home.json("describe", "churn")["revision"] == 1


def test_a_body_that_is_too_large_is_a_413_through_the_gateway(served):
    _, deployed = served
    url = deployed["url"]
    answer = httpx.post(
        f"{url}/predict", content=b" " * (33 << 20), headers={"content-type": "application/json"}, trust_env=False,
        timeout=120,
    )  # fmt: skip
    assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")


@pytest.mark.exhaustive  # its guard: Ctrl-C in test_main_job.py
def test_a_polite_kill_of_a_deploy_leaves_no_folder_and_no_process(home, tmp_path):
    notebook = notebooks.write(tmp_path / "train.ipynb", "def clf(x):\n    return x")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    home.environment["TMPDIR"] = str(scratch)
    process = start(
        home, "deploy", notebook, "--name", "churn", "--model", "clf", "--example", "1", stderr=subprocess.PIPE
    )
    for line in process.stderr:
        if "building" in line or "starting" in line:
            break
    process.terminate()
    assert process.wait(60) == 143
    assert [path.name for path in scratch.iterdir() if path.name.startswith("nbdeploy-")] == []
    assert home.json("list") == []


def test_a_notebook_with_an_unknown_kernel_gets_the_list_of_kernels(home, train):
    notebook = train()
    document = json.loads(notebook.read_text())
    document["metadata"]["kernelspec"]["name"] = "julia"
    notebook.write_text(json.dumps(document))
    ended = deploy_notebook(home, notebook, check=False)
    assert ended.returncode == 2
    error = json.loads(ended.stderr.splitlines()[-1])["error"]
    assert "needs the kernel 'julia'" in error["message"]
    assert "python3" in error["remedy"]


def test_a_worker_killed_under_load_comes_back_by_itself(home, deploy):
    url = deploy(1.0)["url"]
    (pid,) = command(home, "container.py")
    with Load(url, clients=2) as load:
        os.kill(pid, signal.SIGKILL)
        until(lambda: command(home, "container.py") not in ([], [pid]))
        before = len(load.answers)
        until(lambda: load.clients(load.answers[before:]) == ["0", "1"])
        # Of each client, the request in flight and one that the dying process still accepted; later ones wait.
        assert len(load.failures) <= 4, load.failures
        load.failures.clear()
        load.wait_for(20)
    assert load.failures == []
