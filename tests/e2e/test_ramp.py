"""Ramps behind a running gateway, whose drivers are killed; the requests that were served badly are printed."""

import json
import os
import re
import signal
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from tests.e2e.conftest import until

STABLE, GOOD, FAILING, SLOW, SHIFTED = 1.0, 0.01, 2.0, 3.0, 4.0
DIFFERENT = 0.0001
SUM = 90.0
"""Of age and weight in all requests: stable and the others answer "no", the different one "yes"."""

SLOW_SECONDS = 0.09


class Clients:
    """Clients whose requests all differ, a twentieth of them with an age below 0.

    Counts answers by release and outcome; a wrong one is "yes".
    """

    def __init__(self, url, clients=3):
        self.url = f"{url}/predict"
        self.counts = Counter()
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(clients)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, number):
        age = (number + 1) * 100_000_000
        with httpx.Client(trust_env=False, timeout=120) as client:
            while not self._stop.is_set():
                age += 1
                began = time.monotonic()
                sent = age if age % 20 else -age
                answer = client.post(self.url, json={"instances": [{"age": sent, "weight": SUM - sent}]})
                slow = time.monotonic() - began > SLOW_SECONDS
                outcome = "failed" if answer.status_code >= 500 else "slow" if slow else "good"
                if outcome != "failed" and answer.json()["predictions"] != ["no"]:
                    outcome = "wrong"
                with self._lock:
                    self.counts[answer.headers.get("x-model-version", "none"), outcome] += 1

    def served(self, outcome, release=None):
        """The requests with this outcome, of one release or of all."""
        return sum(n for (who, what), n in self.counts.items() if what == outcome and release in (None, who))


class Ramp:
    """An endpoint whose ramp is driven with quick looks, and whose notifications are in a file."""

    def __init__(self, home, snapshots):
        self.home, (self.tags, home.environment["BENTOML_HOME"]) = home, snapshots
        self.notified = home.path / "notified.jsonl"
        home.environment["NBDEPLOY_RAMP_EVERY"] = "0.5"
        home.environment["NBDEPLOY_NOTIFY"] = f"tee -a {self.notified}"
        self.url = self.deploy(STABLE)["url"]

    def deploy(self, model):
        return self.home.json("deploy", self.tags[model], "--trust", "--name", "churn", "--keep")

    def begin(self, *options, steps="30,60,100"):
        return self.home.json("ramp", "churn", "--steps", steps, "--per-step", "1s", *options)

    def status(self):
        return self.home.json("ramp", "churn")

    def describe(self):
        return self.home.json("describe", "churn")

    def history(self):
        return self.home.json("history", "churn")

    def pid(self):
        """The driver's process id; 0: none runs."""
        file = Path(self.home.environment["NBDEPLOY_HOME"]) / "supervised" / "ramp-churn@0"
        try:
            pid = int(file.read_text().split()[0])
            os.kill(pid, 0)
        except (OSError, ValueError, IndexError):
            return 0
        return pid

    def kill(self):
        """Kill the driver, and wait for its successor."""
        pid = until(self.pid)
        os.kill(pid, signal.SIGKILL)
        until(lambda: self.pid() not in (0, pid))

    def ended(self):
        return until(lambda: (now := self.status())["phase"] not in ("running", "shadow") and now, timeout=200)

    def types(self):
        """The types of the ramp's notifications but for holds, whose number depends on the load."""
        documents = self.notified.read_text().replace("}{", "}\n{").splitlines()
        types = [json.loads(document)["type"] for document in documents]
        # A watch may notify of drift too: the clients' rows are not the training table's.
        ours = [kind.removeprefix("nbdeploy.ramp.") for kind in types if kind.startswith("nbdeploy.ramp.")]
        return [kind for kind in ours if kind != "held"]


@pytest.fixture
def ramp(home, plain_snapshots):
    return Ramp(home, plain_snapshots)


@pytest.fixture
def webhook():
    """The URL of a webhook, and the content types and documents that it got."""
    received = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            received.append((self.headers["content-type"], json.loads(body)))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/services/T0KEN", received
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.timeout(600)
def test_a_good_candidate_is_promoted_and_a_failing_one_goes_back_although_their_drivers_are_killed(ramp):
    good = ramp.deploy(GOOD)["release"]
    begun = ramp.begin()
    assert (begun["phase"], begun["percent"], begun["candidate"]) == ("running", 30, good)
    held = until(lambda: (ramp.describe()["ramp"] or {})["looked"] and ramp.describe()["ramp"])
    assert "waits for 100 clusters: 0" in held["reason"]
    assert "step 1 of 3, 30 %, for" in ramp.home.run("list").stdout
    with Clients(ramp.url) as clients:
        ramp.kill()
        ended = ramp.ended()
        assert ended["phase"] == "finished", ended["reason"]
        assert ramp.describe()["traffic"] == {"stable": good, "canary": None, "canary_percent": 0, "shadows": {}}
    assert clients.served("failed") == 0
    print(f"\na good candidate: {clients.counts.total()} requests, {clients.served('failed')} failed")
    until(lambda: ramp.pid() == 0)  # it notifies before it ends
    assert ramp.types() == ["advanced", "finished"]

    failing = ramp.deploy(FAILING)["release"]
    ramp.begin()
    with Clients(ramp.url) as clients:
        ramp.kill()
        ended = ramp.ended()
        assert (ended["phase"], ended["percent"]) == ("rolled back", 0)
    assert f"{failing} is worse: errors: evidence" in ended["reason"]
    assert ramp.describe()["traffic"]["stable"] == good
    assert ramp.describe()["traffic"]["canary"] is None
    assert "errors: evidence" in ramp.history()[0]["reason"]
    print(f"a candidate that fails 2 %: {clients.served('failed')} of {clients.counts.total()} requests failed")
    assert 0 < clients.served("failed", failing) < 100
    until(lambda: ramp.pid() == 0)
    assert ramp.types()[2:] in (["rolled-back"], ["advanced", "rolled-back"])


@pytest.mark.exhaustive
def test_a_slow_candidate_goes_back_although_its_driver_is_killed(ramp):
    slow = ramp.deploy(SLOW)["release"]
    ramp.begin()
    with Clients(ramp.url) as clients:
        ramp.kill()
        ended = ramp.ended()
    print(f"\na candidate that is slow in 10 %: {clients.served('slow', slow)} of {clients.counts.total()} were slow")
    assert (ended["phase"], "slow answers: evidence" in ended["reason"]) == ("rolled back", True)
    assert clients.served("failed") == 0


@pytest.mark.exhaustive
def test_a_candidate_that_differs_goes_back_as_a_shadow_and_an_equal_one_is_given_clients(ramp):
    options = ("--shadow-first", "--require", "agreement >= 0.9")
    ramp.deploy(DIFFERENT)
    begun = ramp.begin(*options, steps="50,100")
    assert (begun["phase"], begun["step"]) == ("shadow", 0)
    with Clients(ramp.url) as clients:
        ramp.kill()
        ended = ramp.ended()
        assert (ended["phase"], ended["step"]) == ("rolled back", 0)
        good = ramp.deploy(GOOD)["release"]
        ramp.begin(*options, "--candidate", good, steps="50,100")
        ramp.kill()
        assert ramp.ended()["phase"] == "finished"
        assert ramp.describe()["traffic"]["stable"] == good
    assert clients.served("failed") == 0


@pytest.mark.exhaustive
def test_a_candidate_that_differs_in_one_declared_segment_never_answers_a_client(ramp, webhook):
    """A seventh of a twentieth of all requests: 99.3 % agree, which alone would let it answer clients."""
    ramp.home.environment["NBDEPLOY_NOTIFY"], received = webhook
    ramp.home.run("traffic", "churn", "--segment", "age: <0, >=0")
    shifted = ramp.deploy(SHIFTED)["release"]
    ramp.begin("--shadow-first", steps="30,100")
    with Clients(ramp.url) as clients:
        ramp.kill()
        ended = ramp.ended()
    assert (ended["phase"], ended["step"]) == ("rolled back", 0)
    assert f"{shifted} differs: segments, most in age: <0: evidence" in ended["reason"]
    assert clients.served("wrong") == clients.served("failed") == 0
    assert not any(who == shifted for who, _ in clients.counts)
    compared = ramp.home.json("compare", "churn", "--candidate", shifted)
    wrong = compared["flip_count"]
    print(f"\nshifted in a segment: {wrong} of {compared['pairs']} copies answered otherwise, 0 answers to clients")
    assert compared["agreement"]["value"] > 0.98
    assert 0 < wrong < 100
    of_ramps = re.compile(r"nbdeploy\.ramp\.(?!held)")
    told = until(lambda: [event for event in received if of_ramps.match(event[1]["type"])])
    assert [(kind, event["type"]) for kind, event in told] == [
        ("application/cloudevents+json; charset=utf-8", "nbdeploy.ramp.rolled-back")
    ]
    assert told[0][1]["data"]["reason"] == ended["reason"]


@pytest.mark.exhaustive
def test_a_person_who_changes_the_share_and_a_stop_end_the_ramp_and_its_driver(ramp):
    good = ramp.deploy(GOOD)["release"]
    ramp.begin(steps="1,100")
    until(ramp.pid)
    ramp.home.run("traffic", "churn", "--canary", f"{good}=40")
    assert ramp.status()["phase"] == "superseded"
    until(lambda: ramp.pid() == 0)
    ramp.begin(steps="1,100")
    pid = until(ramp.pid)
    ramp.home.run("down")
    until(lambda: ramp.pid() == 0)
    ramp.home.run("reconcile")
    assert until(ramp.pid) != pid
    ramp.home.run("ramp", "churn", "--pause", "--reason", "lunch")
    assert "paused at step 1 of 2, 1 %" in ramp.home.run("describe", "churn").stdout
    ramp.home.run("stop", "churn")
    until(lambda: ramp.pid() == 0)
    assert ramp.status()["phase"] == "superseded"
