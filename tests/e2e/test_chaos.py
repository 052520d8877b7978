"""A short campaign of kills, and single cases; ``make chaos`` runs a long campaign."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.e2e.conftest import until
from tests.e2e.processes import processes

pytestmark = pytest.mark.exhaustive

ROOT = Path(__file__).parents[2]
SEED = 20


def test_a_short_campaign_of_kills_loses_nothing(snapshots):
    tags, bentoml_home = snapshots
    options = ["--seed", str(SEED), "--minutes", "0.5", "--workers", "1", "--bentoml-home", bentoml_home]
    ended = subprocess.run(
        [sys.executable, "-m", "scripts.chaos", *options, "--tags", *list(tags.values())[:3]],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert f"seed {SEED}: as promised" in ended.stdout
    for line in ("lost: 0", "doubled: 0", "failed unexplained: 0", "faults: 0"):
        assert line in ended.stdout
    assert len(re.findall("killed", ended.stdout)) >= 3


def test_after_a_reboot_the_first_change_brings_every_endpoint_back(home, deploy, snapshots):
    tag = deploy(1.0)["release"]
    url = home.json("describe", "churn")["url"]
    home.run("deploy", tag, "--name", "other")
    runtime = psutil.Process(processes(home)[0].pid).cwd().removesuffix("/empty")
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for process in processes(home):
            os.kill(process.pid, number)
    until(lambda: processes(home) == [])
    shutil.rmtree(runtime)
    listed = home.run("list")
    assert listed.stdout.count("'nbdeploy reconcile' starts it") == 2
    deploy(0.001)
    found = {e["name"]: e for e in home.json("list")}
    assert found["churn"]["url"] == url
    assert all(e["gateway"] and all(r["healthy"] for r in e["releases"]) for e in found.values())
    assert home.json("predict", "other")["status"] == 200
