"""What the end-to-end tests share: small training notebooks and a client."""

import shutil
import threading

import httpx
import pytest

from tests import forks, notebooks
from tests.conftest import make_home
from tests.images import once
from tests.waiting import until

from .image import base, built, engine  # noqa: F401
from .registry import desk, registry_world  # noqa: F401 - fixtures of several modules

TRAIN = """
import os
import numpy as np, pandas as pd
from sklearn.linear_model import LogisticRegression
rng = np.random.default_rng(0)
X = pd.DataFrame({"age": rng.integers(20, 80, 200), "weight": rng.normal(70, 10, 200).round(1)})
y = np.where(X["age"] + X["weight"] > 120, "yes", "no")
clf = LogisticRegression(C=%s).fit(X, y)
"""

ROW = {"age": 30, "weight": 60.5}

# Captured once for all tests of a session, as a notebook would: 'variable' is what decides which candidate replaces
# which. Neither asks for scikit-learn, which each process of a release would import.
CAPTURE = """
from pathlib import Path
from jupyter_deploy.domain.capture.ports import Live
from jupyter_deploy.domain.capture.artifacts import Source
from jupyter_deploy.domain.requests import DeployRequest
from jupyter_deploy.verbs.capture import capture
from jupyter_deploy.verbs.build import build
from jupyter_deploy.wiring import Wiring
ports = Wiring().ports
for number, (model, example) in models.items():
    source = Source(notebook="/home/ada/train.ipynb", variable="clf")
    live = Live(model, example, source, project=Path.cwd(), training=globals().get("training"))
    snapshot = capture(live, "churn", DeployRequest(), ports, lambda *_: None)
    build(snapshot, ports)
    print(number, snapshot.tag)
"""

TABLES = """
import numpy as np, pandas as pd
X = pd.DataFrame({"age": [30, 64, 51], "weight": [60.5, 70.0, 81.5]})
class Above:
    def __init__(self, limit):
        self.limit = limit
    def predict(self, X):
        return np.where(X["age"] + X["weight"] > self.limit, "yes", "no")
class Odd:
    def predict(self, X):
        return np.where(X["age"] % 2 == 1, "yes", "no")
limits = {1.0: 120, 0.01: 120.2, 0.001: 120.4, 0.0001: 135}
models = {number: (Above(limit), X) for number, limit in limits.items()} | {0.0: (Odd(), X)}
"""

CALLS = f"""
import time
def above(limit):
    def clf(age, weight):
        return "yes" if age + weight > limit else "no"
    return clf
def faulty(fails, slow):
    def clf(age, weight):
        if fails and age % 50 == 7:
            raise ValueError("no rule for this age")
        if slow and age % 10 == 7:
            time.sleep(0.1)
        return "yes" if age + weight > 120 else "no"
    return clf
def shifted():
    def clf(age, weight):
        return "yes" if age + weight > 120 or age < 0 and age % 140 == 0 else "no"
    return clf
limits = {{1.0: 120, 0.01: 110, 0.001: 100, 0.0001: 80}}
models = {{number: (above(limit), {ROW}) for number, limit in limits.items()}}
models |= {{4.0: (shifted(), {ROW})}}
models |= {{2.0: (faulty(True, False), {ROW}), 3.0: (faulty(False, True), {ROW})}}
"""


def captured_once(factory, name, script):
    """The tags that a script prints by their numbers, and a BentoML home of this worker with these snapshots.

    One worker of the session runs the script; each has a copy.
    """

    def make(folder):
        workshop = make_home(folder / "home")
        ended = forks.run_code(script, environment=workshop.environment, cwd=workshop.path, timeout=240)
        assert ended.returncode == 0, ended.stderr
        return {
            "tags": [line.split() for line in ended.stdout.splitlines()],
            "home": workshop.environment["BENTOML_HOME"],
        }

    found = once(factory, name, make)
    own = factory.mktemp(name) / "bentoml"
    shutil.copytree(found["home"], own)
    return {float(number): tag for number, tag in found["tags"]}, str(own)


@pytest.fixture(scope="session")
def snapshots(tmp_path_factory):
    """Captured models of a table with their bentos, by number, and the BentoML home that holds them.

    1.0 is right, 0.01 and 0.001 nearly always, 0.0001 often wrong, and 0.0 has learned nothing.
    """
    return captured_once(tmp_path_factory, "snapshots", TABLES + CAPTURE)


@pytest.fixture(scope="session")
def plain_snapshots(tmp_path_factory):
    """The same of functions of two parameters, whose releases start in less time.

    By the age, 2.0 fails in 2 % of the requests, and 3.0 takes 0.1 s in 10 %. 4.0 says "yes" if the age is below 0 and
    a multiple of 140.
    """
    return captured_once(tmp_path_factory, "plain-snapshots", CALLS + CAPTURE)


@pytest.fixture(scope="session")
def churn_home(tmp_path_factory, snapshots):
    """An endpoint ``churn`` with a stable release (1.0) and a shadow (0.01), for tests that change nothing of it."""
    made = make_home(tmp_path_factory.mktemp("churn") / "home")
    tags, made.environment["BENTOML_HOME"] = snapshots
    for c in (1.0, 0.01):
        made.run("deploy", tags[c], "--trust", "--name", "churn")
    yield made
    made.down()


@pytest.fixture(scope="module")
def served(shared_home, plain_snapshots):
    """A home with an endpoint of one release, for tests that change nothing of it; and what its deploy printed."""
    tags, shared_home.environment["BENTOML_HOME"] = plain_snapshots
    return shared_home, shared_home.json("deploy", tags[1.0], "--trust")


@pytest.fixture
def deploy(home, plain_snapshots):
    """Deploy one of the captured functions by its tag; the JSON document."""
    tags, home.environment["BENTOML_HOME"] = plain_snapshots  # a test may choose another one afterwards

    def run(c=1.0, *options):
        return home.json("deploy", tags[c], "--trust", *options)

    return run


@pytest.fixture
def train(tmp_path):
    """Write a notebook that trains ``clf``; another C makes another model."""

    def write(c=1.0, name="train.ipynb"):
        return notebooks.write(tmp_path / name, TRAIN % c)

    return write


def deploy_notebook(home, notebook, *options, model="clf", example="X[:3]", check=True):
    """``nbdeploy deploy`` of a notebook's variable, run headless."""
    arguments = ("deploy", notebook, "--name", "churn", "--model", model, "--example", example, "-o", "json", *options)
    return home.run(*arguments, check=check)


@pytest.fixture(scope="module")
def browser():
    """Chromium, without a page."""
    from playwright.sync_api import expect, sync_playwright

    from tests.e2e.lab import launch

    expect.set_options(timeout=60_000)  # a busy machine is no fault
    with sync_playwright() as playwright:
        started = launch(playwright)
        yield started
        started.close()


@pytest.fixture(scope="module")
def seat(browser, lab, shared_home):
    """The page of the module's ``lab`` that its tests share."""
    from tests.e2e.person import Seat

    made = Seat(browser, lab, shared_home)
    yield made
    made.leave()


@pytest.fixture
def person(seat):
    """A user before an empty JupyterLab, with its token: one load of the page takes some eight processor seconds."""
    return seat.take()


PAUSE_SECONDS = 0.01


class Load:
    """Clients that send requests in sequence until they are stopped; every answer is kept.

    Between requests they pause a moment: without, they would take the processors from what the test is about.
    """

    def __init__(self, url, clients=3, row=ROW):
        self.url = f"{url}/predict"
        self._body = {"instances": [row]}
        self.answers = []
        self.failures = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(clients)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        self.wait_for(10)
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, more):
        """Until so many more requests were answered."""
        goal = len(self.answers) + more
        until(lambda: len(self.answers) >= goal or self.failures)

    @staticmethod
    def clients(outcomes):
        """The numbers of the clients that these answers or failures belong to, each once."""
        return sorted({name.split("-")[1] for name, *_ in outcomes})

    def _ask(self, number):
        count = 0
        with httpx.Client(trust_env=False, timeout=120) as client:
            while not self._stop.wait(PAUSE_SECONDS):
                count += 1
                request_id = f"load-{number}-{count}"
                try:
                    answer = client.post(self.url, json=self._body, headers={"x-request-id": request_id})
                except httpx.HTTPError as error:
                    self.failures.append((request_id, repr(error)))
                    continue
                if answer.status_code == 200:
                    self.answers.append((request_id, answer.headers["x-model-version"]))
                else:
                    self.failures.append((request_id, answer.status_code, answer.text))
