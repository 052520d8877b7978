"""Requests made from a release's own OpenAPI document, valid and invalid ones, and the responses."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import requests
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from jupyter_deploy.capture.schemas import ExampleForms, instance_schema, prototype_of
from jupyter_deploy.domain.capture.signature import Signature, infer_schema
from jupyter_deploy.serving import Front
from jupyter_deploy.serving.asgi.bare_app import bare_app
from jupyter_deploy.serving.snapshot import Model
from jupyter_deploy.serving.values.codec import instances_of, to_json
from tests.manifests import snapshot

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]

JSON = "application/json"
TABLES = [f"application/vnd.apache.{kind}" for kind in ("arrow.stream", "arrow.file", "parquet")]
POSTS = 5
BENTOMLS_OWN = ("/livez", "/readyz")

FRAME = pd.DataFrame(
    {
        "age": np.array([30, 41], dtype="int16"),
        "weight": [60.5, None],
        "sex": pd.Categorical(["F", "M"], categories=["F", "M", "X"]),
        "seen": pd.to_datetime(["2026-01-01T12:00:00", None]),
        "city": pd.Series(["Bern", None], dtype="str"),
        "member": [True, False],
    }
)
ARRAY = np.array([[[1.0, 2.0]], [[3.0, 4.5]]], np.float32)
CALL = {"text": "a b", "day": date(2026, 1, 2), "weights": [0.5, 1.0], "upto": 3}

OWN: list[BaseException] = []
"""What the models raised by themselves: the one reason for a 500."""


def risk(frame: Any) -> Any:
    """Answer a table with several types of columns."""
    return (frame["weight"].fillna(0) + frame["age"] + frame["seen"].dt.year.fillna(0)).to_numpy()


def stretched(array: Any) -> Any:
    """Answer an array of three dimensions."""
    return np.clip(array[:, 0], -1e6, 1e6) * 2


def picky(text: str, day: date, weights: list[float], upto: int) -> Any:
    """Answer parameters; fails on some requests."""
    if upto > 2**20:
        OWN.append(OverflowError("so many are not counted"))
        raise OWN[-1]
    return {"words": text.split()[:upto], "year": day.year, "sum": float(np.clip(sum(weights), -1e300, 1e300))}


KINDS: dict[str, tuple[Any, Any, str, tuple[str, ...]]] = {
    "frame": (risk, FRAME, "frame", ()),
    "array": (stretched, ARRAY, "array", ()),
    "call": (picky, CALL, "call", ("text", "day", "weights", "upto")),
}


@dataclass
class Found:
    """Results of the cases: counts by path and status, and faults."""

    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    @property
    def cases(self) -> int:
        """The number of cases."""
        return self.statuses.total()


@dataclass
class Asking:
    """One server under test."""

    url: str
    session: requests.Session
    start: int
    found: Found = field(default_factory=Found)

    def ask(self, operation: Any, how: dict[str, Any], share: int) -> None:
        """Send cases of an operation."""

        @seed(self.start)
        @settings(max_examples=share, deadline=None, database=None, phases=[Phase.generate],
                  suppress_health_check=list(HealthCheck))  # fmt: skip
        @given(operation.as_strategy(**how))
        def run(case: Any) -> None:
            before = len(OWN)
            response = case.call(base_url=self.url, session=self.session, timeout=60)
            self.found.statuses[operation.path, response.status_code] += 1
            if response.status_code == 500 and len(OWN) > before:
                return
            try:
                case.validate_response(response, checks=CHECKS)
            except BaseExceptionGroup as group:
                told = [str(failure) for failure in group.exceptions]
                self.found.faults.append("\n".join([case.as_curl_command(), str(response.status_code), *told]))

        run()


def modelled(name: str) -> Model:
    """Return a model as a capture describes it."""
    native, example, container, parameters = KINDS[name]
    shown = [example] if container == "call" else example
    prototype = prototype_of(shown, container, native)
    rows = instances_of(shown, container, parameters, prototype)
    answers = [native(**example)] if container == "call" else to_json(native(example))
    signature = Signature(
        container=container,
        parameters=parameters,
        instance_schema=instance_schema(ExampleForms(shown, container, rows, prototype, native, parameters)),
        answer_schema=infer_schema(answers, fixed_lengths=container == "array"),
        answer_dtype="float64",
    )
    manifest = snapshot(f"{name}:a", name=name, framework="python", method=None, signature=signature,
                        instances=rows, predictions=answers).manifest  # fmt: skip
    content = {"prototype": prototype, "example": example}
    return Model(native, manifest.model_dump(mode="json"), content, f"{name}:a", "sha256:0")


@contextlib.contextmanager
def served(model: Model) -> Iterator[str]:
    """Yield the URL of a real server of the model, on loopback."""
    config = uvicorn.Config(Front(bare_app, model=model), log_level="error", access_log=False, lifespan="on")
    server = uvicorn.Server(config)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            while not server.started and thread.is_alive():
                time.sleep(0.01)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(30)


def fuzzed(name: str, cases: int, *, start: int = 0, told: Callable[[str], None] = lambda _: None) -> Found:
    """Send requests to a model, spread over its operations, half of them invalid on purpose."""
    for kind in ("text/csv", *TABLES):
        schemathesis.openapi.media_type(kind, st.binary(max_size=300))
    with served(modelled(name)) as url, requests.Session() as session:
        session.trust_env = False
        asking = Asking(url, session, start)
        document = session.get(f"{url}/openapi.json").json()
        for made in schemathesis.openapi.from_dict(document).get_all_operations():
            operation = made.ok()
            if operation.path in BENTOMLS_OWN:
                continue
            # Who only reads sends nothing that could be wrong.
            shares = [({}, 1)] if operation.method == "get" else _shares(operation, cases // POSTS)
            for how, share in shares:
                asking.ask(operation, how, share)
            told(f"{name} {operation.label}: {asking.found.cases} cases")
    return asking.found


def _shares(operation: Any, cases: int) -> Iterator[tuple[dict[str, Any], int]]:
    """Generate valid and invalid cases of an operation in each media type, most of them JSON."""
    kinds = [one.media_type for one in operation.body]
    for kind in kinds:
        share = cases if len(kinds) == 1 else cases * 4 // 5 if kind == JSON else cases // 5 // (len(kinds) - 1)
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            yield {"generation_mode": mode, "media_type": kind}, share // 2 + 1
