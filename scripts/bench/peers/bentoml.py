"""BentoML's own service."""

from __future__ import annotations

from typing import Any

from .peer import Peer

# `bentoml build` asks for uv, and installs it by pip, which such an environment lacks.
ENVIRONMENT = ("bentoml", ("bentoml>=1.4.40,<1.5", "joblib", "numpy", "pandas", "scikit-learn", "uv"))

SERVER = """\
import bentoml


@bentoml.service
class Mlp:
    def __init__(self):
        from model import predict

        self.ask = predict

    @bentoml.api
    def predict(self, instances: list[list[float]]) -> dict:
        return {"predictions": self.ask(instances)}
"""
RUN = ["{bin}/bentoml", "serve", "server:Mlp", "--host", "127.0.0.1", "--port", "{port}"]
VARIABLES = {"BENTOML_HOME": "{folder}", "BENTOML_DO_NOT_TRACK": "true"}
# All that its documentation lets one switch off, an `async def`, and an answer of a type that pydantic writes. Its
# adaptive batching would make a lone client wait for 40 ms, and makes it no faster.
TUNED = """\
import bentoml


@bentoml.service(logging={"access": {"enabled": False}}, metrics={"enabled": False}, tracing={"sample_rate": 0.0})
class Mlp:
    def __init__(self):
        from model import predict

        self.ask = predict

    @bentoml.api
    async def predict(self, instances: list[list[float]]) -> list[list[float]]:
        return self.ask(instances)
"""


def _predictions(answer: Any) -> Any:
    return answer


BENTOML = (
    Peer("BentoML", ENVIRONMENT, {"server.py": SERVER}, RUN, variables=VARIABLES),
    Peer("BentoML, tuned", ENVIRONMENT, {"server.py": TUNED}, RUN, variables=VARIABLES, read=_predictions),
)
