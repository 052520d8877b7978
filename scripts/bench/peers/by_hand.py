"""From a trained model in a warm process to its first right answer, as others' documentation says that one does it."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from scripts.bench.world import TABLE

from . import bentoml, fastapi, mlflow
from .environments import environment

# Told a model's regularisation, it says how many seconds it took. What a person writes once is there already, and the
# end of what was served before is not counted.
_LOOP = """
import http.client, json, os, signal, socket, subprocess, sys, time, urllib.error, urllib.request
row = X.iloc[0].to_dict()
bin = Path(sys.executable).parent

def until_answered(url, body):
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    while True:
        try:
            with urllib.request.urlopen(request, timeout=2) as answer:
                return answer.read()
        except (OSError, http.client.HTTPException):
            time.sleep(0.005)

%s

print("ready", flush=True)
for line in sys.stdin:
    model = trained(float(line))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    began = time.perf_counter()
    command, path, body = deploy(model, port)
    served = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    until_answered(f"http://127.0.0.1:{port}{path}", body)
    print(time.perf_counter() - began, flush=True)
    os.killpg(served.pid, signal.SIGTERM)
    served.wait()
"""
_FASTAPI = """
import joblib
Path("by_hand.py").write_text('''
import joblib
import pandas as pd
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()
model = joblib.load("model.joblib")

class Asked(BaseModel):
    instances: list[dict[str, float]]

@app.post("/predict")
async def predict(asked: Asked):
    return {"predictions": model.predict(pd.DataFrame(asked.instances)).tolist()}
''')

def deploy(model, port):
    joblib.dump(model, "model.joblib")
    command = [bin / "python", "-m", "uvicorn", "--port", str(port), "by_hand:app"]
    return command, "/predict", {"instances": [row]}
"""
_BENTOML = """
import bentoml, joblib
Path("service.py").write_text('''
import bentoml, joblib, pandas as pd

@bentoml.service
class ByHand:
    model_ref = bentoml.models.BentoModel("byhand:latest")
    def __init__(self):
        self.model = joblib.load(self.model_ref.path_of("model.joblib"))
    @bentoml.api
    def predict(self, instances: list[dict]) -> list[int]:
        return self.model.predict(pd.DataFrame(instances)).tolist()
''')
Path("bentofile.yaml").write_text('''
service: "service:ByHand"
include: ["service.py"]
python:
  packages: [scikit-learn, pandas, joblib]
  lock_packages: false
''')

def deploy(model, port):
    with bentoml.models.create("byhand") as ref:
        joblib.dump(model, ref.path_of("model.joblib"))
    subprocess.run([bin / "bentoml", "build"], check=True, stdout=subprocess.DEVNULL)
    command = [bin / "bentoml", "serve", "by_hand:latest", "--host", "127.0.0.1", "--port", str(port)]
    return command, "/predict", {"instances": [row]}
"""
_MLFLOW = """
import mlflow
from mlflow.models import infer_signature

def deploy(model, port):
    with mlflow.start_run():
        signature = infer_signature(X, model.predict(X))
        logged = mlflow.sklearn.log_model(model, name="model", signature=signature)
    command = [bin / "mlflow", "models", "serve", "-m", logged.model_uri, "-h", "127.0.0.1", "-p", str(port),
               "--env-manager", "local"]
    return command, "/invocations", {"dataframe_records": [row]}
"""


@dataclass(frozen=True)
class Script:
    """What a person would run."""

    name: str
    environment: tuple[str, tuple[str, ...]]
    code: str
    note: str

    @contextlib.contextmanager
    def warm(self, folder: Path) -> Iterator[Warm]:
        """A process that has all imported and a model trained, in a folder of its own."""
        python = environment(*self.environment)
        folder.mkdir(parents=True)
        (folder / "script.py").write_text(TABLE + _LOOP % self.code)
        variables = {**os.environ, "PATH": f"{python.parent}:{os.environ['PATH']}", "HOME": str(folder)}
        variables |= {"BENTOML_HOME": f"{folder}-bentoml", "BENTOML_DO_NOT_TRACK": "true"}
        with (folder / "script.log").open("w") as log:
            process = subprocess.Popen(
                [python, "script.py"], cwd=folder, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=log, text=True, start_new_session=True,
            )  # fmt: skip
        try:
            warm = Warm(process, folder / "script.log")
            warm.said()
            yield warm
        finally:
            # What it serves is in a session of its own, and may have children.
            for one in [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.terminate()
            process.communicate()


@dataclass(frozen=True)
class Warm:
    """A script that is ready to deploy."""

    process: subprocess.Popen[str]
    log: Path

    def seconds(self, c: float) -> float:
        """What one more deploy takes, of a model with this regularisation."""
        if self.process.stdin is None:
            raise RuntimeError("it has no input")
        self.process.stdin.write(f"{c}\n")
        self.process.stdin.flush()
        return float(self.said())

    def said(self) -> str:
        """Its next line."""
        line = self.process.stdout.readline() if self.process.stdout else ""
        if not line:
            raise RuntimeError(f"the script ended\n{self.log.read_text()[-4000:]}")
        return line


SCRIPTS = (
    Script("FastAPI by hand", fastapi.ENVIRONMENT, _FASTAPI, "`joblib.dump`, and uvicorn with a script that loads it"),
    Script(
        "a script of BentoML's own commands", bentoml.ENVIRONMENT, _BENTOML,
        "save the model, `bentoml build` without locking, `bentoml serve`",
    ),
    Script("MLflow", mlflow.ENVIRONMENT, _MLFLOW, "`log_model`, `mlflow models serve --env-manager local`"),
)  # fmt: skip
