"""The sketch of the training table and of the model's answers on it: the reference for drift.

Rows are drawn by a fixed seed and encoded as a request's instances, so that the same capture gives the same sketch. The
sketch has no row of the table (``domain/drift/sketch.py``).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jupyter_deploy.domain.capture.artifacts import REFERENCE
from jupyter_deploy.domain.capture.ports import Live
from jupyter_deploy.domain.drift.sketch import MOST_ROWS, Group, ReferenceSketch
from jupyter_deploy.domain.drift.watch import reference_of
from jupyter_deploy.serving.values import codec
from jupyter_deploy.system.digests import sha256

from .examples import selected_rows
from .inspection import Inspected, answers_to
from .training_table import TrainingTable, TrainingUnknown

_SEED = 20261201
_MOST_VALUES = 3_000_000
"""The most values in all sampled rows together."""

_LEAST_ROWS = 50
_ANSWER_SECONDS = 5.0
"""A slow model answers only the first 100 or 1,000 of the sampled rows."""

_STEPS = (100, 1_000, MOST_ROWS)


def write_reference(
    live: Live, seen: Inspected, training: TrainingTable | TrainingUnknown | None, folder: Path
) -> dict[str, str]:
    """Write the sketch into a snapshot's folder; return its SHA-256 by name, nothing if there is no usable table.

    Columns in ``live.redact`` are left out. An unusual table must not prevent a deploy.
    """
    if not isinstance(training, TrainingTable):
        return {}
    try:
        sketch = _sketch(live, seen, training)
    except Exception:  # noqa: BLE001 - a table and a model may raise any error of their library
        return {}
    if sketch is None:
        return {}
    content = sketch.model_dump_json().encode()
    (folder / REFERENCE).write_bytes(content)
    return {REFERENCE: sha256(content)}


def _sketch(live: Live, seen: Inspected, training: TrainingTable) -> ReferenceSketch | None:
    signature = seen.signature
    native = _sampled(training.source, seen)
    if native is None:
        return None
    instances = codec.instances_of(native, signature.container, signature.parameters, seen.prototype)
    if len(instances) < _LEAST_ROWS:
        return None
    origin: dict[Group, str] = {"inputs": f"{len(instances):,} of {training.table.rows:,} rows of the training table"}
    rows: dict[Group, Sequence[Any]] = {"inputs": [_without(live.redact, instance) for instance in instances]}
    notes = []
    answers, problem = _answers(live, seen, native)
    if answers:
        rows["answers"] = answers
        origin["answers"] = f"the model's answers on {len(answers):,} rows of the training table"
    elif problem:
        notes.append(f"the model's answers on the training table are unknown: {problem}")
    return reference_of(rows, origin, notes=notes)


def _sampled(source: Any, seen: Inspected) -> Any:
    """Return rows of the training table as a batch of the model; None: the model's input has another form."""
    count = len(source) if hasattr(source, "__len__") else 0
    is_call = seen.signature.container == "call"
    batch = None
    if count >= _LEAST_ROWS:
        batch = _as_calls(source, seen) if is_call else _as_batch(source, seen)
    if batch is None:
        return None
    width = int(np.prod(batch.shape[1:])) if hasattr(batch, "shape") else 1
    most = min(MOST_ROWS, max(_LEAST_ROWS, _MOST_VALUES // max(width, 1)))
    places = np.arange(count)
    if count > most:
        places = np.sort(np.random.default_rng(_SEED).choice(count, most, replace=False))
    return selected_rows(batch, "list" if is_call else seen.signature.container, places)


def _as_calls(source: Any, seen: Inspected) -> list[dict[str, Any]] | None:
    """Return the rows of a data frame as a function's arguments by name; None: it lacks one of the parameters."""
    names = list(seen.example[0])
    if type(source).__name__ != "DataFrame" or not set(names) <= {str(column) for column in source.columns}:
        return None
    columns = [source[name].to_list() for name in names]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _as_batch(source: Any, seen: Inspected) -> Any:
    """Return the table with the model's columns alone, in the form of the example; None: it has another form."""
    container, columns, example = seen.signature.container, seen.signature.columns, seen.example
    if container == "frame" and type(source) is type(example):
        own = [column for column in source.columns if str(column) in columns]
        return source[own] if len(own) == len(columns) else None
    if container == "list":
        rows = list(source.tolist() if hasattr(source, "tolist") else source)
        return rows if isinstance(rows[0], type(example[0])) else None
    if container == "array" and hasattr(source, "to_numpy"):
        source = source.to_numpy()
    if container in ("array", "tensor") and type(source) is type(example):
        return source if source.shape[1:] == example.shape[1:] else None
    return None


def _answers(live: Live, seen: Inspected, native: Any) -> tuple[list[Any], str]:
    """Return the model's answers to as many rows as it answers in a few seconds, or the reason why there are none.

    A function is not called: it may have effects.
    """
    if seen.signature.container == "call":
        return [], ""
    answers: list[Any] = []
    count = len(native)
    for most in _STEPS:
        rows = selected_rows(native, seen.signature.container, np.arange(min(most, count)))
        began = time.monotonic()
        try:
            answers = answers_to(live.model, seen.method, rows, seen.signature.container)
        except Exception as error:  # noqa: BLE001 - a model may raise any error
            return answers, f"it raises {type(error).__name__}"
        if most >= count or (time.monotonic() - began) * 10 > _ANSWER_SECONDS:
            break
    return answers, ""


def _without(columns: Sequence[str], instance: Any) -> Any:
    if not isinstance(instance, dict):
        return instance
    return {name: value for name, value in instance.items() if name not in columns}
