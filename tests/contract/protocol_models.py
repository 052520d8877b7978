"""Models of each container behind the front door, in this process."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import numpy as np
import pandas as pd
import torch

from jupyter_deploy.serving import Front
from jupyter_deploy.serving.asgi.bare_app import bare_app
from jupyter_deploy.serving.snapshot import Model, load
from tests.contract.serving.test_serving_snapshot import write_snapshot

FRAME = pd.DataFrame({"age": [30, 40], "weight": [60.5, 70.0], "sex": ["F", "M"], "member": [True, False]})


def score(frame: Any) -> Any:
    return (frame["age"] * frame["weight"] + frame["member"]).to_numpy()


def both(frame: Any) -> Any:
    return pd.DataFrame({"score": score(frame), "label": np.where(frame["sex"] == "F", "a", "b")})


def stretched(array: Any) -> Any:
    return np.hstack([array * 2, array[:, :1]])


def upper(texts: Any) -> Any:
    return [text.upper() for text in texts]


def nested(rows: Any) -> Any:
    return [{"count": len(row["words"]), "words": row["words"]} for row in rows]


def add(left: float, right: float) -> float:
    return left + right


def counted(upto: int) -> Any:
    if upto < 0:
        raise ValueError("nothing to count")
    for number in range(upto):
        if number == 50:
            raise RuntimeError("secret: fifty is too many")
        yield {"number": number}


async def slowly(upto: int) -> Any:
    for number in range(upto):
        await asyncio.sleep(0)
        yield number


ROWS = np.array([[1.0, 2.0], [3.0, 4.5]], np.float32)

# name -> the model, its example, its container, and what else is known of it
MODELS: dict[str, tuple[Any, Any, str, dict[str, Any]]] = {
    "frame": (score, FRAME, "frame", {"prototype": FRAME[:0]}),
    "both": (both, FRAME, "frame", {"prototype": FRAME[:0]}),
    "array": (stretched, ROWS, "array", {"prototype": ROWS[:0]}),
    "tensor": (torch.nn.Identity(), torch.tensor(ROWS), "tensor", {"prototype": torch.tensor(ROWS)[:0]}),
    "list": (upper, ["a", "b"], "list", {}),
    "nested": (nested, [{"words": ["a", "b"]}, {"words": []}], "list", {}),
    "call": (add, {"left": 1.0, "right": 2.5}, "call", {"parameters": ("left", "right"), "answers": [3.5]}),
    "counted": (counted, {"upto": 2}, "call", {"parameters": ("upto",), "answers": [[{"number": 0}, {"number": 1}]]}),
    "slowly": (slowly, {"upto": 2}, "call", {"parameters": ("upto",), "answers": [[0, 1]]}),
}


def made(folder: Any, name: str) -> Model:
    """Capture and load a model."""
    native, example, container, more = MODELS[name]
    answers = more.get("answers")
    known = {key: value for key, value in more.items() if key != "answers"}
    place = folder / name / "v1"
    write_snapshot(place, native, example, native(example) if answers is None else answers, container, **known)
    return load(place)


def front_of(folder: Any, name: str, **more: Any) -> Front:
    return Front(bare_app, model=made(folder, name), **more)


def ask(app: Any, method: str, path: str, **options: Any) -> httpx.Response:
    """Return the response to one request, without httpx's default headers."""

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://model") as client:
            client.headers.pop("accept-encoding")
            client.headers.pop("accept")
            return await client.request(method, path, **options)

    return asyncio.run(send())
