"""``python -m scripts.bench.decoding``: from bytes to batches and from answers to bytes, by several ways.

CPU time in µs, the best of interleaved rounds. orjson is asked only where it is installed.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from itertools import chain
from operator import itemgetter
from typing import Any

import numpy as np
import pandas as pd
from pydantic_core import SchemaValidator
from pydantic_core import core_schema as cs

from jupyter_deploy.serving.asgi import body
from jupyter_deploy.serving.dispatch.json_answers import strict_json
from jupyter_deploy.serving.values.codec import Codec, encode
from jupyter_deploy.serving.values.decoding import Decoder

NAMES = [f"mean feature {at}" for at in range(30)]
ROUNDS = 5
Way = Callable[[], Any]


def main() -> None:
    """Print both tables."""
    print("| container | rows | slow way | decoder | pydantic_core | orjson and checks | json alone |")
    print("|---|---|---|---|---|---|---|")
    for rows in (1, 100, 10_000):
        for container in ("frame", "array"):
            found = measured(decodings(container, rows), rounds_of(rows))
            print(f"| {container} | {rows} | {' | '.join(found)} |")
    print("\n| answer | rows | json.dumps | strict_json |\n|---|---|---|---|")
    for rows in (1, 100, 10_000):
        for name, answer in answers(rows).items():
            ways: list[Way | None] = [partial(_dumped, answer, rows), partial(strict_json, answer, rows)]
            print(f"| {name} | {rows} | {' | '.join(measured(ways, rounds_of(rows)))} |")


def decodings(container: str, rows: int) -> list[Way | None]:
    """The ways from one request to the batch; the last only parses."""
    draw = random.Random(1)
    values = [[round(draw.uniform(0, 100), 3) for _ in NAMES] for _ in range(rows)]
    number = {"type": "number"}
    if container == "frame":
        instances: list[Any] = [dict(zip(NAMES, row, strict=True)) for row in values]
        schema = {"type": "object", "properties": dict.fromkeys(NAMES, number), "required": NAMES}
        codec = Codec(
            {"container": "frame", "instance_schema": schema | {"additionalProperties": False}},
            pd.DataFrame({name: np.zeros(0) for name in NAMES}),
        )
    else:
        instances = values
        schema = {"type": "array", "items": number, "minItems": 30, "maxItems": 30}
        codec = Codec({"container": "array", "instance_schema": schema}, np.zeros((0, 30)))
    content = json.dumps({"instances": instances}).encode()
    decoder, read = Decoder(codec), itemgetter(*NAMES)

    def built(asked: list[Any]) -> Any:
        flat = np.array([read(row) for row in asked] if container == "frame" else asked)
        return pd.DataFrame(flat, columns=codec.prototype.columns) if container == "frame" else flat

    def by_pydantic() -> Any:
        return built(validator.validate_json(content)["instances"])

    def by_orjson() -> Any:
        asked = loads(content)["instances"]
        rows = [read(row) for row in asked] if container == "frame" else asked
        if {len(row) for row in asked} != {30} or set(map(type, chain.from_iterable(rows))) != {float}:
            raise ValueError("not plain")
        return built(asked)

    validator = SchemaValidator(_of_pydantic(container))
    loads = import_module("orjson").loads if find_spec("orjson") else None
    return [
        lambda: codec.decode(body.instances_in(body.parse(content))),
        lambda: decoder.batch([decoder.json(content)]),
        by_pydantic,
        by_orjson if loads else None,
        partial(json.loads, content),
    ]


def answers(rows: int) -> dict[str, Any]:
    """Usual answers."""
    numbers = np.random.default_rng(1).random((rows, 2))
    return {
        "two float64": numbers,
        "two float32": numbers.astype("float32"),
        "int64": np.arange(rows),
        "labels": np.array(["setosa"] * rows, dtype=object),
        "frame": pd.DataFrame({"label": ["x"] * rows, "score": numbers[:, 0]}),
    }


def _dumped(answer: Any, rows: int) -> bytes:
    text = json.dumps(encode(answer, rows), allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return text.encode()


def _of_pydantic(container: str) -> Any:
    number = cs.float_schema(strict=True, allow_inf_nan=False)
    if container == "frame":
        fields = {name: cs.typed_dict_field(number) for name in NAMES}
        row: Any = cs.typed_dict_schema(fields, extra_behavior="forbid", strict=True)
    else:
        row = cs.list_schema(number, min_length=30, max_length=30, strict=True)
    instances = cs.typed_dict_field(cs.list_schema(row, strict=True))
    return cs.typed_dict_schema({"instances": instances}, extra_behavior="forbid", strict=True)


def rounds_of(rows: int) -> int:
    """How often in a round."""
    return max(1, 300 // rows)


def measured(ways: list[Way | None], times: int) -> list[str]:
    """The best of the rounds for each way, in turns."""
    best = [float("inf")] * len(ways)
    for _ in range(ROUNDS):
        for at, way in enumerate(ways):
            if way is not None:
                begun = time.process_time()
                for _ in range(times):
                    way()
                best[at] = min(best[at], (time.process_time() - begun) / times)
    return ["-" if found == float("inf") else f"{found * 1e6:,.1f}" for found in best]


if __name__ == "__main__":
    main()
