"""Bodies of tables and tensors with a few wrong bytes, sent to a real front in processes that may die."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import io
import json
import mmap
import os
import random
import resource
import signal
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from jupyter_deploy.serving import Front
from jupyter_deploy.serving.asgi.bare_app import bare_app
from tests.fuzzing import ARRAY, FRAME, modelled

STREAM, FILE, PARQUET = (f"application/vnd.apache.{kind}" for kind in ("arrow.stream", "arrow.file", "parquet"))

BODY_SECONDS = 20
"""A body that takes longer counts as a lost worker."""

MEMORY_BYTES = 4 << 30
"""Address space of a worker: a body that needs more gets 503, which counts as a fault."""

_METADATA_BYTES = 1500
"""The part of a file's end, or of a stream's beginning, that holds metadata."""

OPTIONAL, REQUIRED = b"\x25\x02\x18", b"\x25\x00\x18"
"""The repetition of a column in a Parquet file's schema, before its name."""


@dataclass(frozen=True)
class Body:
    """A request: model, path, media type, content."""

    model: str
    path: str
    media_type: str
    content: bytes


@dataclass
class Campaign:
    """Figures of a campaign.

    Attributes
    ----------
    lost
        The numbers of the bodies at which a worker died, each with the signal.
    errors
        The numbers of the bodies that were answered with 500 or above.
    slowest
        The longest time of an answer in seconds, with the number of its body.
    """

    bodies: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    lost: list[tuple[int, int]] = field(default_factory=list)
    errors: list[int] = field(default_factory=list)
    slowest: tuple[float, int] = (0.0, 0)


def unreadable_column() -> bytes:
    """Return a Parquet file that reads well but for its column's metadata, which end a process that looks at them.

    The column is declared as required, and its histogram of definition levels is an optional column's.
    """
    sink = io.BytesIO()
    pq.write_table(pa.table({"age": [30, 41]}), sink)
    content = sink.getvalue()
    assert content.count(OPTIONAL + b"\x03age") == 1
    return content.replace(OPTIONAL + b"\x03age", REQUIRED + b"\x03age")


def _tables() -> Iterator[tuple[str, bytes]]:
    frame = pd.concat([FRAME] * 20, ignore_index=True).astype({"sex": "category"})
    for rows in (2, 40):
        table = pa.Table.from_pandas(frame[:rows], preserve_index=False)
        for options in (
            {}, {"compression": "zstd"}, {"compression": "gzip"}, {"use_dictionary": False}, {"row_group_size": 5},
            {"data_page_version": "2.0"}, {"data_page_size": 64}, {"write_page_index": True},
        ):  # fmt: skip
            sink = io.BytesIO()
            pq.write_table(table, sink, **options)
            yield PARQUET, sink.getvalue()
        for kind, new in ((STREAM, pa.ipc.new_stream), (FILE, pa.ipc.new_file)):
            for compression in (None, "lz4", "zstd"):
                sink = io.BytesIO()
                with new(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
                    writer.write_table(table)
                yield kind, sink.getvalue()


def _nested() -> bytes:
    lists = pa.FixedSizeListArray.from_arrays(pa.array(ARRAY.ravel()), 2)
    table = pa.table({"x": pa.FixedSizeListArray.from_arrays(lists, 1)})
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def valid_bodies() -> list[Body]:
    """Return the bodies that are mutated; nine of ten are tables."""
    bodies = [Body("frame", "/predict", kind, content) for kind, content in _tables()]
    bodies += [Body("frame", "/invocations", kind, content) for kind, content in _tables()][::4]
    bodies.append(Body("array", "/predict", STREAM, _nested()))
    rows = json.loads(FRAME.to_json(orient="records", date_format="iso"))
    bodies.append(Body("frame", "/predict", "application/json", json.dumps({"instances": rows}).encode()))
    bodies.append(Body("frame", "/invocations", "text/csv", FRAME.to_csv(index=False).encode()))
    tensor = {"name": "x", "datatype": "FP32", "shape": list(ARRAY.shape), "data": ARRAY.ravel().tolist()}
    infer = json.dumps({"inputs": [tensor]}).encode()
    bodies.append(Body("array", "/v2/models/array/infer", "application/json", infer))
    return bodies


def hostile_body(valid: list[Body], seed: int, number: int) -> Body:
    """Return a campaign's body by its number: one of the valid ones, mutated."""
    choice = random.Random(f"{seed} {number}")
    return mutated(choice.choice(valid), choice)


_WORDS = [-1, 0, 1, 2, 2**20, 2**31 - 1, -(2**31)]


def mutated(body: Body, choice: random.Random) -> Body:
    """Return a body with one to six changes, most of them in its metadata."""
    content = bytearray(body.content)
    for _ in range(choice.choice([1, 1, 1, 2, 3, 6])):
        _change(content, body.media_type, choice)
    if choice.random() < 0.03:
        del content[choice.randrange(len(content)) :]
    return Body(body.model, body.path, body.media_type, bytes(content))


def _change(content: bytearray, media_type: str, choice: random.Random) -> None:
    if media_type == PARQUET and choice.random() < 0.05:
        _change_repetition(content, choice)
        return
    length = len(content)
    first, last = _zone(content, media_type, choice)
    at = choice.randrange(first, max(first + 1, last))
    match choice.randrange(6):
        case 0:
            content[at] ^= 1 << choice.randrange(8)
        case 1:
            content[at] = (content[at] + choice.choice([1, 2, -1, -2])) & 255
        case 2 if media_type in (STREAM, FILE) and at + 4 <= length:
            content[at : at + 4] = struct.pack("<i", choice.choice(_WORDS))
        case 3:
            content[at] = choice.choice([0, 1, 0x7F, 0x80, 0xFF, 0x15, 0x1C])
        case _:
            content[at] = choice.randrange(256)


def _zone(content: bytearray, media_type: str, choice: random.Random) -> tuple[int, int]:
    """Return the bounds of the bytes to change: mostly metadata."""
    length = len(content)
    if choice.random() < 0.25 or media_type not in (STREAM, FILE, PARQUET):
        return 0, length
    if media_type == PARQUET:
        footer = length - 8 - struct.unpack("<I", content[-8:-4])[0]
        if 0 < footer < length - 8:
            return choice.choice([(4, min(60, length)), (footer, length - 8), (footer, length)])
    if media_type == STREAM or choice.random() < 0.5:
        return 0, min(_METADATA_BYTES, length)
    return max(0, length - _METADATA_BYTES), length


def _change_repetition(content: bytearray, choice: random.Random) -> None:
    """Declare a column as required instead of optional, which the metadata of its chunks contradict."""
    places = [at for at in range(len(content) - 2) if content[at : at + 3] == OPTIONAL]
    if places:
        at = choice.choice(places)
        content[at : at + 3] = REQUIRED


def run_campaign(
    count: int,
    seed: int,
    *,
    body_of: Callable[[int], Body] | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Campaign:
    """Send bodies to the front of a frame's and an array's model, in a worker that is replaced if it dies.

    Parameters
    ----------
    body_of
        Default: the mutation of a valid body by ``seed`` and its number.
    """
    campaign = Campaign()
    body_of = body_of or partial(hostile_body, valid_bodies(), seed)
    models = {name: modelled(name) for name in ("frame", "array")}
    shared = mmap.mmap(-1, 4 * count)
    while campaign.bodies < count:
        first = campaign.bodies
        pid = os.fork()
        if not pid:
            _serve(models, body_of, range(first, count), shared)
        _, status = os.waitpid(pid, 0)
        answers = np.frombuffer(shared, np.int16)[2 * first :: 2]
        answered = int((answers != 0).argmin()) if (answers == 0).any() else len(answers)
        campaign.bodies += answered
        if os.WIFSIGNALED(status) or campaign.bodies < count:
            campaign.lost.append((campaign.bodies, os.WTERMSIG(status)))
            campaign.bodies += 1
            progress(f"body {campaign.lost[-1][0]}: a worker ended by signal {campaign.lost[-1][1]}")
    _count(campaign, np.frombuffer(shared, np.int16).reshape(count, 2))
    return campaign


def _count(campaign: Campaign, answers: Any) -> None:
    """Count the statuses, of which each is followed by the hundredths of a second that the answer took."""
    statuses = answers[:, 0]
    campaign.statuses = Counter(statuses[statuses != 0].tolist())
    campaign.errors = np.flatnonzero(statuses >= 500).tolist()
    slowest = int(answers[:, 1].argmax())
    campaign.slowest = (float(answers[slowest, 1]) / 100, slowest)


def _serve(models: dict[str, Any], body_of: Callable[[int], Body], numbers: range, shared: mmap.mmap) -> None:
    """Answer bodies in this process and end it."""
    faulthandler.disable()
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.environ["NBDEPLOY_FEEDBACK"] = ""
    with contextlib.suppress(BaseException):
        asyncio.run(_answer(models, body_of, numbers, shared))
        os._exit(0)
    os._exit(1)


async def _answer(models: dict[str, Any], body_of: Callable[[int], Body], numbers: range, shared: mmap.mmap) -> None:
    fronts = {name: Front(bare_app, model=model) for name, model in models.items()}
    for number in numbers:
        signal.alarm(BODY_SECONDS)
        body = body_of(number)
        began = time.perf_counter()
        status = await status_of(fronts[body.model], body)
        hundredths = min(int((time.perf_counter() - began) * 100), 2**15 - 1)
        struct.pack_into("<hh", shared, 4 * number, status, hundredths)
    signal.alarm(0)


async def status_of(front: Front, body: Body) -> int:
    """Return the status of a front's answer to a body."""
    headers = [(b"content-type", body.media_type.encode()), (b"content-length", b"%d" % len(body.content))]
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": body.path, "raw_path": body.path.encode(), "root_path": "", "query_string": b"",
        "headers": [*headers, (b"host", b"model")], "client": None, "server": None,
    }  # fmt: skip
    messages = [{"type": "http.request", "body": body.content, "more_body": False}]
    statuses: list[int] = []

    async def receive() -> Any:
        if messages:
            return messages.pop()
        return await asyncio.get_running_loop().create_future()  # the client stays connected

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await front(scope, receive, send)
    return statuses[0]
