"""MLflow's scoring server, which has no settings of speed but more workers (it once had one that needed MLServer)."""

from __future__ import annotations

import json

from .peer import Peer, Rows

ENVIRONMENT = ("mlflow", ("mlflow", "numpy", "pandas", "scikit-learn"))

SAVE = """\
import mlflow
import numpy as np
from model import model

rows = np.random.default_rng(7).standard_normal((5, 30)).astype(np.float32)
mlflow.pytorch.save_model(model, "saved", input_example=rows)
"""
RUN = ["{bin}/mlflow", "models", "serve", "-m", "saved", "-h", "127.0.0.1", "-p", "{port}", "--env-manager", "local"]


def inputs(rows: Rows) -> bytes:
    return json.dumps({"inputs": rows}).encode()


MLFLOW = (
    Peer("MLflow", ENVIRONMENT, {"save.py": SAVE}, RUN, "/invocations", ["{bin}/python", "save.py"], body=inputs),
)
