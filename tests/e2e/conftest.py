"""What the end-to-end tests share: small training notebooks and a client."""

import re
import subprocess
import sys
import threading
import time

import httpx
import pytest

from tests import notebooks
from tests.conftest import make_home

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

# Captured once for all tests of a session, as a notebook would: 'variable' is what decides which candidate replaces
# which.
CAPTURE = (
    TRAIN.replace("C=%s", "C=1.0")
    + """
from jupyter_deploy.domain.ports import Live
from jupyter_deploy.domain.capture.artifacts import Source
from jupyter_deploy.domain.requests import DeployRequest
from jupyter_deploy.verbs.capture import capture
from jupyter_deploy.verbs.build import build
from jupyter_deploy.wiring import Wiring
from pathlib import Path
ports = Wiring().ports
for c in (1.0, 0.01, 0.001, 0.0001, 0.0):
    clf = LogisticRegression(C=c or 1.0).fit(X, y if c else rng.permutation(y))
    live = Live(clf, X[:3], Source(notebook="/home/ada/train.ipynb", variable="clf"), project=Path.cwd())
    snapshot = capture(live, "churn", DeployRequest(), ports, lambda *_: None)
    build(snapshot, ports)
    print(c, snapshot.tag)
"""
)


@pytest.fixture(scope="session")
def snapshots(tmp_path_factory):
    """Captured models with their bentos, by regularisation strength, and the BentoML home that holds them.

    0.0 is one that was fitted on shuffled labels.
    """
    workshop = make_home(tmp_path_factory.mktemp("workshop") / "home")
    ended = subprocess.run(
        [sys.executable, "-c", CAPTURE], env=workshop.environment, cwd=workshop.path, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    tags = dict(line.split() for line in ended.stdout.splitlines())
    return {float(c): tag for c, tag in tags.items()}, workshop.environment["BENTOML_HOME"]


@pytest.fixture(scope="session")
def churn_home(tmp_path_factory, snapshots):
    """An endpoint ``churn`` with a stable release (C=1.0) and a shadow (0.01), for tests that change nothing of it."""
    made = make_home(tmp_path_factory.mktemp("churn") / "home")
    tags, made.environment["BENTOML_HOME"] = snapshots
    for c in (1.0, 0.01):
        made.run("deploy", tags[c], "--trust", "--name", "churn")
    yield made
    made.down()


@pytest.fixture
def deploy(home, snapshots):
    """Deploy one of the captured models by its tag; the JSON document."""
    tags, home.environment["BENTOML_HOME"] = snapshots  # a test may choose another one afterwards

    def run(c=1.0, *options):
        return home.json("deploy", tags[c], "--trust", *options)

    return run


@pytest.fixture
def train(tmp_path):
    """Write a notebook that trains ``clf``; another C makes another model."""

    def write(c=1.0, name="train.ipynb"):
        return notebooks.write(tmp_path / name, TRAIN % c)

    return write


def deploy_notebook(home, notebook, *options, model="clf", check=True):
    """``nbdeploy deploy`` of a notebook's variable, run headless."""
    arguments = ("deploy", notebook, "--name", "churn", "--model", model, "--example", "X[:3]", "-o", "json", *options)
    return home.run(*arguments, check=check)


@pytest.fixture(scope="module")
def browser():
    """Chromium, without a page."""
    from playwright.sync_api import expect, sync_playwright

    from tests.e2e.lab import CHROMIUM, FLAGS

    expect.set_options(timeout=30_000)  # a busy machine is no fault
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


@pytest.fixture
def person(browser, lab, shared_home, request):
    """Who sits before a page of the module's ``lab``, logged in or with its token."""
    from tests.e2e.lab import TOKEN
    from tests.e2e.person import Person

    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    workspace = re.sub(r"\W+", "-", request.node.name)  # what others have opened is not opened again
    context.set_default_timeout(90_000)
    made = Person(context.new_page(), lab.url, shared_home, workspace, "" if lab.password else TOKEN)
    if lab.password:
        made.page.goto(f"{lab.url}/login")
        made.logs_in(lab.password)
    yield made
    context.close()


ROW = {"age": 30, "weight": 60.5}


class Load:
    """Clients that send requests in sequence until they are stopped; every answer is kept."""

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

    def _ask(self, number):
        count = 0
        with httpx.Client(trust_env=False, timeout=30) as client:
            while not self._stop.is_set():
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


def until(condition, timeout=60):
    """Wait for a condition; its value when it holds."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{condition} did not hold within {timeout} s")
