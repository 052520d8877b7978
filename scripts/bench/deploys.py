"""A second deploy in a warm kernel, against what people do by hand."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import psutil

from .figures import Figure, median
from .peers.by_hand import SCRIPTS
from .world import world

ROUNDS = 3
_IDLE_PERCENT, _SETTLED_SECONDS = 10.0, 20.0

# All clocks start with the trained model in a warm process and stop at the first answer of the new version.
ASK = """
import json, httpx
row = X.iloc[0].to_dict()

def until_answered(url, right, client=httpx.Client(trust_env=False, timeout=2)):
    while True:
        try:
            answer = client.post(url, json={"instances": [row]})
            if answer.status_code == 200 and right(answer):
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.005)
"""
OURS = """
model = trained(%(c)s)
began = time.perf_counter()
found = jupyter_deploy.deploy(model, name="ours", example=X[:3], role="stable")
until_answered(found.url + "/predict", lambda answer: answer.headers["x-model-version"] == found.release)
ours = time.perf_counter() - began
"""
AIMS = {"FastAPI by hand": 1.0, "a script of BentoML's own commands": 0.4, "MLflow": 0.1}


def deploys() -> Iterator[Figure]:
    """To the first answer of a second version, in turns; the first round of all only warms."""
    ours: list[float] = []
    others: dict[str, list[float]] = {script.name: [] for script in SCRIPTS}
    with contextlib.ExitStack() as running:
        here = running.enter_context(world(standby=True))
        here.run(ASK)
        scripts = {
            script.name: running.enter_context(script.warm(here.folder / f"script-{number}"))
            for number, script in enumerate(SCRIPTS)
        }
        for number in range(ROUNDS + 1):
            c = 1.0 / (number + 1)
            here.run(OURS % {"c": c})
            settled()  # what waits for the next deploy imports now; a person thinks meanwhile
            taken = {name: script.seconds(c) for name, script in scripts.items()}
            if number:
                ours.append(here.run("", "ours"))
                for name, seconds in taken.items():
                    others[name].append(seconds)
    subject = "second deploy in a warm kernel"
    note = "capture, replay in a clean process, build, start, probe, route"
    yield Figure(subject, "to the first right answer", median(ours), "s", note=note)
    for script in SCRIPTS:
        times = others[script.name]
        yield Figure(subject, script.name, median(times), "s", note=f"{script.note}; nothing is proved or recorded")
        ratios = [one / other for one, other in zip(ours, times, strict=True)]
        note = f"median of {ROUNDS} rounds, all in turns"
        yield Figure(subject, f"ours / {script.name}", median(ratios), "×", AIMS[script.name], note)


def settled() -> None:
    """Wait until this machine has nothing to do."""
    deadline = time.monotonic() + _SETTLED_SECONDS
    while psutil.cpu_percent(interval=0.5) > _IDLE_PERCENT and time.monotonic() < deadline:
        pass
