"""MLServer, with a runtime of one's own, as its documentation says for a model that it knows not; by V2."""

from __future__ import annotations

import json
from typing import Any

from .peer import Peer, Rows

# Its workers ask for an event loop that uvloop makes no more since 0.22: by default it would not start with that.
ENVIRONMENT = ("mlserver", ("mlserver", "numpy", "uvloop<0.22"))

RUNTIME = """\
import numpy as np
import torch
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse
from model import model


class Mlp(MLModel):
    async def load(self):
        return True

    async def predict(self, payload):
        rows = self.decode(payload.inputs[0], default_codec=NumpyCodec)
        with torch.inference_mode():
            found = model(torch.from_numpy(np.asarray(rows, dtype=np.float32))).numpy()
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output("predictions", found)])
"""
SETTINGS = json.dumps({"name": "mlp", "implementation": "runtime.Mlp"})
PORTS = {
    "MLSERVER_HOST": "127.0.0.1",
    "MLSERVER_HTTP_PORT": "{port}",
    "MLSERVER_GRPC_PORT": "{port2}",
    "MLSERVER_METRICS_PORT": "{port3}",
}
# Its documentation: no worker process where the models of one server do not starve each other; no debugging, no gzip.
TUNED = {"MLSERVER_PARALLEL_WORKERS": "0", "MLSERVER_DEBUG": "false", "MLSERVER_GZIP_ENABLED": "false"}


def v2(rows: Rows) -> bytes:
    data = [value for row in rows for value in row]
    tensor = {"name": "rows", "shape": [len(rows), len(rows[0])], "datatype": "FP32", "data": data}
    return json.dumps({"inputs": [tensor]}).encode()


def from_v2(answer: Any) -> Rows:
    found = answer["outputs"][0]
    rows, width = found["shape"]
    return [found["data"][row * width : (row + 1) * width] for row in range(rows)]


def _peer(name: str, variables: dict[str, str]) -> Peer:
    return Peer(
        name, ENVIRONMENT, {"runtime.py": RUNTIME, "model-settings.json": SETTINGS},
        ["{bin}/mlserver", "start", "."], "/v2/models/mlp/infer", variables=variables, body=v2, read=from_v2,
        reload="/v2/repository/models/mlp/load",
    )  # fmt: skip


MLSERVER = (_peer("MLServer", PORTS), _peer("MLServer, tuned", PORTS | TUNED))
