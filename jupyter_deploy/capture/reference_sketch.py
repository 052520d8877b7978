"""The sketch of the training table and of the model's answers on it: the reference for drift.

Rows are drawn by a fixed seed and encoded as a request's instances, so that the same capture gives the same sketch. The
sketch has no row of the table (``domain/drift/sketch.py``).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
    batch = _batch(training.source, seen)
    if batch is None:
        return None
    places = _places(batch, len(training.source))
    native = selected_rows(batch, "list" if signature.container == "call" else signature.container, places)
    instances = codec.instances_of(native, signature.container, signature.parameters, seen.prototype)
    if len(instances) < _LEAST_ROWS:
        return None
    origin: dict[Group, str] = {"inputs": f"{len(instances):,} of {training.table.rows:,} rows of the training table"}
    name, moments = _times(training.source, places, live.redact)
    if moments:
        origin["inputs"] += f", with the times of {name}"
    rows: dict[Group, Sequence[Any]] = {"inputs": [_without(live.redact, instance) for instance in instances]}
    notes = []
    answers, problem = _answers(live, seen, native)
    if answers:
        rows["answers"] = answers
        origin["answers"] = f"the model's answers on {len(answers):,} rows of the training table"
    elif problem:
        notes.append(f"the model's answers on the training table are unknown: {problem}")
    return reference_of(rows, origin, notes=notes, moments=moments)


def _batch(source: Any, seen: Inspected) -> Any:
    """Return the training table as a batch of the model; None: the model's input has another form."""
    if not hasattr(source, "__len__") or len(source) < _LEAST_ROWS:
        return None
    return _as_calls(source, seen) if seen.signature.container == "call" else _as_batch(source, seen)


def _places(batch: Any, count: int) -> NDArray[np.int64]:
    """Return the places of the sampled rows, in order."""
    width = int(np.prod(batch.shape[1:])) if hasattr(batch, "shape") else 1
    most = min(MOST_ROWS, max(_LEAST_ROWS, _MOST_VALUES // max(width, 1)))
    places = np.arange(count)
    if count > most:
        places = np.sort(np.random.default_rng(_SEED).choice(count, most, replace=False))
    return places


def _times(source: Any, places: NDArray[np.int64], redacted: Sequence[str]) -> tuple[str, list[datetime]]:
    """Return the name and the values of the frame's times: its index, or its only column of times; else nothing.

    A time without a zone is taken for UTC, as the records have it.
    """
    if type(source).__name__ != "DataFrame" or not hasattr(source, "iloc"):
        return "", []
    columns = [at for at, kind in enumerate(source.dtypes) if getattr(kind, "kind", "") == "M"]
    if type(source.index).__name__ == "DatetimeIndex":
        name, stamps = "its index", source.index[places]
    elif len(columns) == 1 and str(source.columns[columns[0]]) not in redacted:
        name, stamps = f"'{source.columns[columns[0]]}'", source.iloc[places, columns[0]]
    else:
        return "", []
    if stamps.isna().any():
        return "", []
    moments = [stamp.to_pydatetime(warn=False) for stamp in stamps]
    return name, [moment if moment.tzinfo else moment.replace(tzinfo=UTC) for moment in moments]


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
