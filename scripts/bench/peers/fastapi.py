"""FastAPI, as most write it by hand: an `async def` that asks the model, or a `def`, which runs in a thread."""

from __future__ import annotations

from .peer import Peer

ENVIRONMENT = ("fastapi", ("fastapi[standard]", "joblib", "numpy", "pandas", "scikit-learn"))

SERVER = """\
from fastapi import FastAPI
from model import predict as ask
from pydantic import BaseModel

app = FastAPI()


class Asked(BaseModel):
    instances: list[list[float]]


@app.post("/predict")
{function} predict(asked: Asked):
    return {{"predictions": ask(asked.instances)}}
"""
# What its documentation says of speed: with a return type, pydantic writes the answer to JSON itself. And of uvicorn's:
# no access log.
TUNED = (
    SERVER.replace("\n@app", "\nclass Answer(BaseModel):\n    predictions: list[list[float]]\n\n\n@app")
    .replace("(asked: Asked)", "(asked: Asked) -> Answer")
    .replace('{{"predictions": ask(asked.instances)}}', "Answer(predictions=ask(asked.instances))")
)
RUN = ["{bin}/fastapi", "run", "server.py", "--host", "127.0.0.1", "--port", "{port}"]
RUN_TUNED = ["{bin}/python", "-m", "uvicorn", "--port", "{port}", "--no-access-log", "server:app"]


def _peer(name: str, function: str, server: str, run: list[str]) -> Peer:
    return Peer(name, ENVIRONMENT, {"server.py": server.format(function=function)}, run)


FASTAPI = (
    _peer("FastAPI async", "async def", SERVER, RUN),
    _peer("FastAPI async, tuned", "async def", TUNED, RUN_TUNED),
    _peer("FastAPI sync", "def", SERVER, RUN),
    _peer("FastAPI sync, tuned", "def", TUNED, RUN_TUNED),
)
