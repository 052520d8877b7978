"""The program that measures one model: it answers one line of JSON on standard output to each on standard input.

The first line has the settings, and its answer means that the model is loaded. Then ``{"op": "answers", …}`` answers
all instances, ``{"op": "answer", …}`` given ones, ``{"op": "time", …}`` times calls, ``{"op": "memory"}`` tells the
largest memory, and ``{"op": "classes"}`` the classes that the object names. What the model prints goes to standard
error.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Mapping
from itertools import cycle
from pathlib import Path
from typing import Any, TextIO


class _Measurement:
    """One loaded model with the instances to call it with."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        if settings["processor"] is not None and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {settings["processor"]})
        from .snapshot import load  # errors of imports are answers

        self._model = load(settings["snapshot"], settings["digest"])
        file = settings["instances"]
        self._instances: list[Any] = json.loads(Path(file).read_bytes()) if file else []
        self._bodies: dict[int, Any] = {}

    def classes(self) -> dict[str, Any]:
        """Return the classes that the object names, each as ``repr``; None: it names none."""
        found: Any = getattr(self._model.native, "classes_", None)
        labels = found.tolist() if hasattr(found, "tolist") else found
        return {"classes": [repr(one) for one in labels] if isinstance(labels, list | tuple) else None}

    def answers(self, rows: int) -> dict[str, Any]:
        """Answer all instances in batches of ``rows``."""
        found: list[Any] = []
        for begin in range(0, len(self._instances), rows):
            found += self._model.answer(self._instances[begin : begin + rows])
        return {"answers": found}

    def answer(self, instances: list[Any]) -> dict[str, Any]:
        """Answer these instances in one call."""
        return {"answers": self._model.answer(instances)}

    def time(self, rows: int, calls: int, seconds: float) -> dict[str, Any]:
        """Time calls with ``rows`` rows each: ``calls`` of them, fewer if they take longer than ``seconds``."""
        from .dispatch.predictions import predictions_of
        from .role import in_role

        if rows not in self._bodies:
            self._bodies[rows] = cycle(self._requests(rows))
        bodies, model = self._bodies[rows], self._model
        durations: list[float] = []
        end = time.perf_counter() + seconds
        with in_role("direct"):
            while len(durations) < calls:
                body = next(bodies)
                began = time.perf_counter()
                parsed = model.decoder.json(body)
                native = model.call_native(model.decoder.batch([parsed]))
                _ = predictions_of(native, parsed.rows).json
                ended = time.perf_counter()
                durations.append(ended - began)
                if ended > end:
                    break
        return {"seconds": durations}

    def memory(self) -> dict[str, Any]:
        """Return the largest resident memory of this process in bytes; None: the system does not say."""
        try:
            status = Path("/proc/self/status").read_text("ascii", errors="replace")
        except OSError:
            return {"bytes": None}
        line = next((line for line in status.splitlines() if line.startswith("VmHWM:")), None)
        return {"bytes": int(line.split()[1]) * 1024 if line else None}

    def _requests(self, rows: int) -> list[bytes]:
        """Make requests of ``rows`` rows each, from different instances where there are enough."""
        count, most = len(self._instances), 256
        starts = range(0, max(count - rows + 1, 1), max(rows, 1))
        parts = [[self._instances[(start + at) % count] for at in range(rows)] for start in starts[:most]]
        return [json.dumps({"instances": part}).encode() for part in parts]


def main() -> None:
    """Serve requests until standard input ends."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what the model prints is no answer
    requests = os.fdopen(os.dup(0), encoding="utf-8")
    serve(requests, channel)


def serve(requests: TextIO, channel: TextIO) -> None:
    """Answer requests, one line each."""
    measurement: _Measurement | None = None
    for line in requests:
        request = json.loads(line)
        try:
            if measurement is None:
                measurement, result = _Measurement(request), {}
            else:
                result = getattr(measurement, request.pop("op"))(**request)
            answer: dict[str, Any] = {"result": result}
        except Exception as error:  # noqa: BLE001 - any error is an answer
            answer = {"error": str(error) or type(error).__name__, "kind": type(error).__name__}
            traceback.print_exc(file=sys.stderr)
        channel.write(json.dumps(answer) + "\n")
        channel.flush()
