"""A second deploy in a warm kernel, against what people write by hand with BentoML alone."""

from __future__ import annotations

from collections.abc import Iterator

from .figures import Figure, median
from .world import world

ROUNDS = 5

# Both clocks start with the trained model in the kernel and stop at the first answer of the new version.
ASK = """
import json, httpx, threading, subprocess, socket, sys, shutil
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
SERVICE = """
import bentoml, joblib, numpy as np, pandas as pd

@bentoml.service
class ByHand:
    model_ref = bentoml.models.BentoModel("byhand:latest")
    def __init__(self):
        self.model = joblib.load(self.model_ref.path_of("model.joblib"))
    @bentoml.api
    def predict(self, instances: list[dict]) -> list[int]:
        return self.model.predict(pd.DataFrame(instances)).tolist()
"""
BENTOFILE = """
service: "service:ByHand"
include: ["service.py"]
python:
  packages: [scikit-learn, pandas, joblib]
  lock_packages: false
"""
# The new version takes the port of the old one, whose end is not counted.
BY_HAND = """
model = trained(%(c)s)
import bentoml, joblib
folder = Path("byhand"); folder.mkdir(exist_ok=True)
(folder / "service.py").write_text(SERVICE); (folder / "bentofile.yaml").write_text(BENTOFILE)
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0)); port = probe.getsockname()[1]
tool = str(Path(sys.executable).parent / "bentoml")
began = time.perf_counter()
with bentoml.models.create("byhand") as ref:
    joblib.dump(model, ref.path_of("model.joblib"))
subprocess.run([tool, "build"], cwd=folder, check=True, capture_output=True)
served = subprocess.Popen([tool, "serve", "by_hand:latest", "--host", "127.0.0.1", "--port", str(port)],
    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
until_answered(f"http://127.0.0.1:{port}/predict", lambda answer: True)
by_hand = time.perf_counter() - began
served.terminate(); served.wait()
"""


def deploys() -> Iterator[Figure]:
    """To the first answer of a second version, in turns."""
    ours, by_hand = [], []
    with world() as here:
        here.run(ASK)
        here.run(f"SERVICE, BENTOFILE = {SERVICE!r}, {BENTOFILE!r}")
        here.run(OURS % {"c": 1.0})
        here.run(BY_HAND % {"c": 1.0})
        for number in range(ROUNDS):
            here.run(OURS % {"c": 0.5 / (number + 1)})
            ours.append(here.run("", "ours"))
            here.run(BY_HAND % {"c": 0.5 / (number + 1)})
            by_hand.append(here.run("", "by_hand"))
    ratios = [one / other for one, other in zip(ours, by_hand, strict=True)]
    subject = "second deploy in a warm kernel"
    note = "capture, replay in a clean process, build, start, probe, route"
    yield Figure(subject, "to the first right answer", median(ours), "s", note=note)
    note = "save the model, `bentoml build` without locking, `bentoml serve`; nothing is proved or recorded"
    yield Figure(subject, "a script of BentoML's own commands", median(by_hand), "s", note=note)
    note = f"median of {ROUNDS} pairs of runs"
    yield Figure(subject, "ours / by hand", median(ratios), "×", most=1.0, note=note)
