"""FastAPI, as who knows it writes it by hand: an ``async def``, since a ``def`` costs a thread for each request."""

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
async def predict(asked: Asked):
    return {"predictions": ask(asked.instances)}
"""
# What its documentation says of speed: with a return type, pydantic writes the answer to JSON itself. And of uvicorn's:
# no access log.
TUNED = (
    SERVER.replace("\n@app", "\nclass Answer(BaseModel):\n    predictions: list[list[float]]\n\n\n@app")
    .replace("(asked: Asked)", "(asked: Asked) -> Answer")
    .replace('{"predictions": ask(asked.instances)}', "Answer(predictions=ask(asked.instances))")
)
RUN = ["{bin}/fastapi", "run", "server.py", "--host", "127.0.0.1", "--port", "{port}"]
RUN_TUNED = ["{bin}/python", "-m", "uvicorn", "--port", "{port}", "--no-access-log", "server:app"]


FASTAPI = (
    Peer("FastAPI async", ENVIRONMENT, {"server.py": SERVER}, RUN),
    Peer("FastAPI async, tuned", ENVIRONMENT, {"server.py": TUNED}, RUN_TUNED),
)
