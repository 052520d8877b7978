"""A second ``%deploy`` in a kernel goes by processes that wait for it, and nothing is left of them afterwards."""

import json
import os
import signal
from pathlib import Path

import psutil

from tests.e2e.conftest import until
from tests.e2e.processes import words
from tests.kernels import kernel

TRAINED = """
%load_ext jupyter_deploy
import numpy as np, pandas as pd
from sklearn.linear_model import LogisticRegression
rng = np.random.default_rng(0)
X = pd.DataFrame({"age": rng.integers(20, 80, 200), "weight": rng.normal(70, 10, 200).round(1)})
y = np.where(X["age"] + X["weight"] > 120, "yes", "no")
"""
DEPLOYED = """
clf = LogisticRegression(C=%s).fit(X, y)
%%deploy clf --name churn --example X[:3] --role stable
"""
LESS = """
def rule(frame):
    return ["yes" if row.age > 50 else "no" for row in frame.itertuples()]
%deploy rule --name churn --example X[:3] --role stable
"""

_SECONDS = 120

ROW = json.dumps({"instances": [{"age": 70, "weight": 80.0}]})


def test_a_second_deploy_is_what_waited_for_it(home, tmp_path):
    home.environment["NBDEPLOY_STANDBY"] = "true"
    with kernel(home.environment, tmp_path / "work") as notebook:
        notebook.run(TRAINED, DEPLOYED % 1.0)
        runtime = Path(json.loads((home.path / "nbdeploy" / "gateway.json").read_text())["runtime"])
        clean = psutil.Process(notebook.manager.provisioner.pid).children()
        assert sum("serving.spare" in " ".join(words(child)) for child in clean) == 1

        notebook.run(DEPLOYED % 0.1)
        (zygote,) = (runtime / "pids").glob("zygote-*@0")
        forks = psutil.Process(int(zygote.read_text())).children()
        (stable,) = [one for one in home.json("describe", "churn")["releases"] if one["role"] == "stable"]
        process = the_process(runtime, stable["tag"])
        assert process in forks
        assert '"yes"' in home.run("predict", "churn", "--data", ROW, "-o", "json").stdout

        os.kill(process.pid, signal.SIGKILL)
        until(lambda: the_process(runtime, stable["tag"]) not in (None, process), _SECONDS)
        until(lambda: home.run("predict", "churn", "--data", ROW, check=False).returncode == 0, _SECONDS)

        notebook.run(LESS)  # of another kind of model, with a zygote of its own
        assert len(list((runtime / "pids").glob("zygote-*@0"))) == 2
        assert '"yes"' in home.run("predict", "churn", "--data", ROW, "-o", "json").stdout
        left = psutil.Process(notebook.manager.provisioner.pid).children(recursive=True)
    until(lambda: not [one for one in left if "serving.spare" in " ".join(words(one))], _SECONDS)
    home.run("down")
    assert not [one for one in psutil.process_iter(["cmdline"]) if str(runtime) in " ".join(one.info["cmdline"] or ())]


def the_process(runtime, tag):
    """A release's process, by the lock that it holds."""
    (path,) = (runtime / "pids").glob(f"release-*{tag.partition(':')[2]}*@0")
    pid = int(path.read_text().strip() or 0)
    return psutil.Process(pid) if pid and psutil.pid_exists(pid) else None
