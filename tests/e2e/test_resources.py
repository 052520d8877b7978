"""Resources from the command line to the processes that a release has."""

import re
import subprocess
import sys

import httpx

from tests.e2e.conftest import ROW


def counted(url):
    text = httpx.get(f"{url}/metrics", trust_env=False).text
    return sum(float(n) for n in re.findall(r'nbdeploy_requests_total\{[^}]*role="stable",status="200"\} (\S+)', text))


def test_workers_answer_share_the_model_and_are_counted_together(home, deploy):
    first = deploy(1.0, "--name", "churn", "--resources", "workers=3", "--resources", "memory=4GB")
    assert first["limits"][0] == "3 workers, forked from one process that has loaded the model"
    assert any(line.startswith("memory 4 GB, ") for line in first["limits"])
    with httpx.Client(trust_env=False) as client:
        for _ in range(40):
            assert client.post(f"{first['url']}/predict", json={"instances": [ROW]}).status_code == 200
    assert {counted(first["url"]) for _ in range(10)} == {40.0}, "a worker tells its own requests alone"
    text = httpx.get(f"{first['url']}/metrics", trust_env=False).text
    samples = re.findall(r"^(nbdeploy_requests_(?:running|waiting))\{.*\} (\S+)$", text, re.MULTILINE)
    assert sorted(samples) == [("nbdeploy_requests_running", "0.0"), ("nbdeploy_requests_waiting", "0.0")]
    assert len([one for one in home.json("logs", "churn") if one["role"] == "stable"]) == 40
    told = home.json("describe", "churn")["releases"][0]
    assert told["resources"] == {
        "cpu": None,
        "memory": 4 * 10**9,
        "gpu": None,
        "workers": 3,
        "threads": None,
        "idle_after": None,
        "replicas": None,
    }
    assert "memory 4 GB, " in home.run("describe", "churn").stdout

    assert not deploy(1.0, "--name", "churn")["changed"]  # as it was asked for before
    wider = deploy(1.0, "--name", "churn", "--resources", "workers=2")
    assert wider["changed"]
    assert home.json("describe", "churn")["releases"][0]["resources"]["workers"] == 2
    assert "workers" in home.json("history", "churn")[0]["change"]
    assert httpx.post(f"{wider['url']}/predict", json={"instances": [ROW]}, trust_env=False).status_code == 200


def test_what_a_machine_cannot_give_is_refused_before_anything_is_made(home, snapshots):
    tags, home.environment["BENTOML_HOME"] = snapshots
    for option, words in (("cpu=100000", "more than this machine has"), ("memory=12 parsecs", "memory cannot be")):
        ended = subprocess.run(
            [sys.executable, "-m", "jupyter_deploy", "deploy", tags[1.0], "--trust", "--resources", option],
            env=home.environment, cwd=home.path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert ended.returncode == 2
        assert words in ended.stderr
    assert home.json("list") == []


def test_nbdeploy_yaml_says_what_new_releases_get(home, deploy):
    (home.path / "nbdeploy.yaml").write_text("resources:\n  threads: 1\n  memory: 3GB\n")
    found = deploy(1.0, "--name", "churn", "--resources", "memory=any")
    assert found["limits"] == ["1 thread a worker, by the libraries' own settings"]
