"""A table of ten thousand rows as Arrow, against the model that is asked for them with nothing around it."""

from __future__ import annotations

import io
import math
import urllib.error
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from .figures import Figure, median
from .peers.peer import post
from .servers import Server
from .world import World
from .wrk import asked

ROWS = 10_000
SUBJECT = f"serving {ROWS:,} × 30 as Arrow, 1 client"
ARROW = {"content-type": "application/vnd.apache.arrow.stream"}
# As the gateway says it where an endpoint keeps no values.
NO_VALUES = {"x-rollout-record": "meta"}
ALONE = """
table = torch.from_numpy(np.random.default_rng(7).standard_normal((%d, 30)).astype(np.float32))
times = []
with torch.inference_mode():
    for _ in range(60):
        began = time.perf_counter()
        model(table)
        times.append((time.perf_counter() - began) * 1000)
"""


def tables(here: World, ours: Server, rounds: int = 3) -> Iterator[Figure]:
    """Thirty columns of numbers, in turns with the model itself in the notebook's kernel."""
    content = arrow(np.random.default_rng(7).standard_normal((ROWS, 30)).astype(np.float32))
    try:
        post(ours.url, content, ARROW)
    except urllib.error.HTTPError as error:
        yield Figure(SUBJECT, "ours: p50", math.nan, note=f"{error}: {error.read()[:300].decode('utf-8', 'replace')}")
        return
    body = ours.folder / "table.arrow"
    body.write_bytes(content)
    alone: list[float] = []
    full: list[float] = []
    meta: list[float] = []
    for _ in range(rounds):
        here.run(ALONE % ROWS)
        alone.append(median(here.run("", "times")))
        for found, headers in ((full, ARROW), (meta, ARROW | NO_VALUES)):
            found.append(asked(ours.url, body, clients=1, seconds=1, headers=headers).p50_ms)
    note = f"median of {rounds} rounds; the model itself {median(alone):.2f} ms"
    for what, found, most in (("with its values recorded", full, 3), ("with no values recorded", meta, 1.5)):
        yield Figure(SUBJECT, f"ours, {what}: p50", median(found), "ms")
        ratio = median([one / other for one, other in zip(found, alone, strict=True)])
        yield Figure(SUBJECT, f"ours, {what} / the model itself", ratio, "×", most, note)


def arrow(values: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> bytes:
    """A stream of one batch, with a column for each of the table's."""
    batch = pa.record_batch([pa.array(column) for column in values.T], [f"f{at}" for at in range(values.shape[1])])
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue()
