"""What the end-to-end tests share: small training notebooks and a client."""

import threading
import time

import httpx
import pytest

from tests import notebooks

TRAIN = """
import numpy as np, pandas as pd
from sklearn.linear_model import LogisticRegression
rng = np.random.default_rng(0)
X = pd.DataFrame({"age": rng.integers(20, 80, 200), "weight": rng.normal(70, 10, 200).round(1)})
y = np.where(X["age"] + X["weight"] > 120, "yes", "no")
clf = LogisticRegression(C=%s).fit(X, y)
"""


@pytest.fixture
def train(tmp_path):
    """Write a notebook that trains ``clf``; another C makes another model."""

    def write(c=1.0, name="train.ipynb", folder=None):
        folder = folder or tmp_path / "project"
        folder.mkdir(exist_ok=True)
        return notebooks.write(folder / name, TRAIN % c)

    return write


def deploy(home, notebook, *options, name="churn", example="X[:3]"):
    """``nbdeploy deploy`` of the notebook's ``clf``; the JSON document."""
    return home.json("deploy", notebook, "--name", name, "--model", "clf", "--example", example, *options)


ROW = {"age": 30, "weight": 60.5}


class Load:
    """Clients that ask one after the other until they are told to stop; every answer is kept."""

    def __init__(self, url, clients=4):
        self.url = f"{url}/predict"
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
                    answer = client.post(self.url, json={"instances": [ROW]}, headers={"x-request-id": request_id})
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
