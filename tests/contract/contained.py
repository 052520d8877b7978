"""Really built bentos for tests of what runs in a container, and the process that runs there."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

from jupyter_deploy.adapters.bento import BentoBuilder
from jupyter_deploy.adapters.capturer import ModelCapturer
from jupyter_deploy.domain.artifacts import Bento, Tolerance
from tests.conftest import free_port
from tests.contract.capturing import FRAME, capture, live

TABLE = Path(__file__).parent / "capturing.py"  # any file of the project will do


class Weighed:
    """A model of a frame that is loaded, and answers, as the variables of its process say."""

    def __getstate__(self):
        return {"factor": 2}

    def __setstate__(self, state):
        import os
        import pathlib
        import time

        self.factor = state["factor"] + float(os.environ.get("ANSWERS_OTHERWISE", "0"))
        if os.environ.get("LOADING_FAILS"):
            raise RuntimeError("the weights are broken")
        while (gate := os.environ.get("LOADED_WHEN")) and not pathlib.Path(gate).exists():
            time.sleep(0.01)

    def __call__(self, frame):
        import os
        import sys

        if words := os.environ.get("SAYS"):
            print(words)
            print("and this", file=sys.stderr)
        return (frame["age"] * self.factor + frame["weight"]).to_numpy()


def waits(path: str) -> str:
    """Answers when there is a file at a path."""
    import pathlib
    import time

    while path and not pathlib.Path(path).exists():
        time.sleep(0.01)
    return path


def greedy(mebibytes: int) -> int:
    """Takes so much memory, and writes to all of it."""
    return len(bytearray(b"x") * (mebibytes << 20)) >> 20


def drawn(frame):
    """Another answer each time."""
    import random

    return [random.random() for _ in range(len(frame))]


def looked_up(frame):
    """Of a file that the snapshot packs."""
    with open(TABLE) as file:
        return [len(file.read())] * len(frame)


MODELS = {
    "churn": (Weighed, FRAME),
    "waits": (lambda: waits, ""),
    "greedy": (lambda: greedy, 1),
    "drawn": (lambda: drawn, FRAME),
    "table": (lambda: looked_up, FRAME),
}


def built(home: Path, name: str) -> Bento:
    """The bento of one of the models, in a BentoML home of its own."""
    make, example = MODELS[name]
    model = make()
    if name == "churn":
        model.__setstate__(model.__getstate__())
    snapshot = capture(ModelCapturer(home, Tolerance(), 60), model, example, name)
    return BentoBuilder(home).build(snapshot)
