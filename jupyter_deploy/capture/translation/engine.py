"""Translation of a live model for ``deploy --engine``: the graph, and the proof that it answers as the original."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from jupyter_deploy.capture.inspection import Inspected
from jupyter_deploy.domain.capture.artifacts import Tolerance
from jupyter_deploy.domain.capture.translation import Translation
from jupyter_deploy.domain.errors import NotTranslated
from jupyter_deploy.domain.evidence.flips import most_flips
from jupyter_deploy.serving.natives.translated import UNUSUAL, TranslatedForm, TranslatedModel
from jupyter_deploy.serving.values.plain_table_types import TEXT

from .converters import GraphInput, NotTranslatable, converter_of
from .rows import proof_rows

_CHUNK = 5_000
"""Rows of one call, so that the proof of a large forest needs little memory."""

_SHOWN = 3


def translate(
    model: Any, seen: Inspected, training: Any, tolerance: Tolerance, *, redact: Sequence[str] = ()
) -> tuple[TranslatedModel, Translation]:
    """Translate a model, and compare both on the example, training rows, random rows and thresholds.

    Parameters
    ----------
    training
        The training table, a data frame or an array; None: it is not known.
    tolerance
        Two numbers agree within it, as in the replay; labels agree if they are equal.
    redact
        Columns whose values no error names: a job stores it.

    Raises
    ------
    NotTranslated
        The model cannot be translated, or the translation gives other answers; the error names the rows.
    """
    method = seen.method or "predict"
    try:
        converter = converter_of(model)
        example = _table(seen.example)
        by_column = converter.by_column(model)
        kinds = _kinds(example) if by_column else None
        width = int(example.shape[1])
        graph = converter.convert(model, method, GraphInput(width, kinds))
        original: Callable[[Any], Any] = getattr(model, method)
        answer = _array(original(example))
        form: TranslatedForm = {
            "method": method,
            "output": graph.output,
            "columns": [str(name) for name in example.columns] if hasattr(example, "columns") else None,
            "kinds": kinds,
            "dtype": "object" if answer.dtype.kind in "OUS" else answer.dtype.str,
            "ndim": answer.ndim,
            "missing_text": graph.missing_text,
            "known": dict(graph.known),
            "refused": _refused(original, example, kinds),
        }
        if types := _table_types(example, seen.prototype):
            form["table"] = types
        translated = TranslatedModel(_session(graph.content), form)
    except NotTranslatable as error:
        raise NotTranslated(f"{_class_of(seen)} cannot be translated: {error}", _REMEDY) from error
    rows = proof_rows(model, example, training)
    proof = _proved(original, translated, rows, tolerance, graph.converter, redact=redact)
    needs_pandas = form["columns"] is not None and "table" not in form
    return translated, proof.model_copy(update={"needs_pandas": needs_pandas})


_REMEDY = "deploy it without --engine; --engine auto does that by itself, and says why"


def _class_of(seen: Inspected) -> str:
    """Return the class's name without its module, or that of a class of R without R's version."""
    return seen.kind.split(" (")[0].rpartition(".")[2]


def _array(answer: Any) -> Any:
    if not isinstance(answer, np.ndarray):
        raise NotTranslatable(f"it answers a {type(answer).__name__}, and a translation answers an array")
    return answer


def _session(content: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        words = " ".join(str(error).split())[:200]
        raise NotTranslatable(f"ONNX Runtime cannot run its graph: {words}") from error


def _table(example: Any) -> Any:
    if getattr(example, "ndim", None) != 2 or not hasattr(example, "shape"):
        raise NotTranslatable("its example is no table of rows and columns")
    if hasattr(example, "columns") and not hasattr(example, "iloc"):
        raise NotTranslatable("its example is a table of another library than pandas")
    if not hasattr(example, "columns") and np.asarray(example).dtype.kind not in "iufb":
        raise NotTranslatable("its example is an array that has more than numbers")
    return example


def _kinds(example: Any) -> dict[str, str]:
    if not hasattr(example, "columns"):
        raise NotTranslatable("a model that chooses columns needs a data frame as its example")
    kinds = {}
    for name, dtype in example.dtypes.items():
        if dtype.kind in "iufb":
            kinds[str(name)] = "number"
        elif dtype.kind in "OU" or str(dtype) in ("str", "string", "category"):
            kinds[str(name)] = "text"
        else:
            raise NotTranslatable(f"the column '{name}' has the type {dtype}")
    return kinds


def _table_types(example: Any, prototype: Any) -> dict[str, str]:
    """Return the dtypes of a data frame's columns, with which it is served without pandas; empty: it cannot be.

    Values of objects that are no plain JSON, and nullable integers and booleans, are made by pandas alone.
    """
    types: dict[str, str] = {}
    if isinstance(prototype, tuple) or not hasattr(example, "columns"):
        return {}
    for name, dtype in example.dtypes.items():
        if isinstance(dtype, np.dtype) and dtype.kind in "iufb":
            types[str(name)] = dtype.str
        elif dtype.kind == "O" or str(dtype) in ("str", "string", "category"):
            types[str(name)] = TEXT
        else:
            return {}
    return types


def _refused(original: Callable[[Any], Any], example: Any, kinds: Mapping[str, str] | None) -> dict[str, list[int]]:
    """Return the columns where the original raises on numbers of a kind, which a graph would answer.

    A model that takes an array decides for all columns at once; one that chooses columns is asked for each.
    """
    refused: dict[str, list[int]] = {}
    width = range(example.shape[1])
    each = [list(width)] if kinds is None else [[at] for at, kind in enumerate(kinds.values()) if kind == "number"]
    for kind, value in zip(UNUSUAL, (np.nan, np.inf, 1e39, 2.0**31), strict=True):
        for columns in each:
            with contextlib.suppress(Exception), np.errstate(all="ignore"):
                original(_with(example[:1], columns, value))
                continue
            refused.setdefault(kind, []).extend(columns)
    return refused


def _with(row: Any, columns: list[int], value: float) -> Any:
    """Return a copy of a row with a number in some columns."""
    if not hasattr(row, "columns"):
        changed = np.array(row, np.float64)
        changed[:, columns] = value
        return changed
    changed = row.copy()
    for column in columns:
        changed[row.columns[column]] = np.full(len(row), value)
    return changed


def _proved(
    original: Callable[[Any], Any],
    translated: TranslatedModel,
    tables: Mapping[str, Any],
    tolerance: Tolerance,
    converter: str,
    *,
    redact: Sequence[str],
) -> Translation:
    """Compare both on all rows.

    A model may raise on rows that nobody has seen, such as random ones: these prove nothing, and are not counted.

    Raises
    ------
    NotTranslated
        At the first chunk with other answers.
    """
    answer = getattr(translated, translated.form["method"])
    counts: dict[str, int] = {}
    absolute = relative = 0.0
    for origin, table in tables.items():
        for begin in range(0, len(table), _CHUNK):
            chunk = table[begin : begin + _CHUNK]
            try:
                expected = np.asarray(original(chunk))
            except Exception:
                if origin in ("example", "training"):
                    raise
                chunk, expected = (
                    _answered(original, chunk) if origin in ("category", "missing") else (chunk[:0], chunk[:0])
                )
                if not len(chunk):
                    continue
            found = np.asarray(_answer_of(answer, chunk, origin))
            wrong, largest, share = compared(expected, found, tolerance)
            if wrong.any():
                raise _unequal(chunk, expected, found, np.flatnonzero(wrong), origin, redact=redact)
            absolute = max(absolute, largest if origin != "beyond" else 0.0)
            relative = max(relative, share)
            counts[origin] = counts.get(origin, 0) + len(chunk)
    return Translation(
        converter=converter,
        rows=counts,
        largest_difference=absolute,
        largest_relative_difference=relative,
        flips_at_most=most_flips(sum(counts.values())),
    )


def _answer_of(answer: Callable[[Any], Any], table: Any, origin: str) -> Any:
    try:
        return answer(table)
    except Exception as error:
        words = " ".join(str(error).split())[:200]
        raise NotTranslated(f"the translated model cannot answer {origin} rows: {words}", _REMEDY) from error


def _answered(original: Callable[[Any], Any], table: Any) -> tuple[Any, Any]:
    """Return the rows that the original answers one by one, and the answers."""
    rows, answers = [], []
    for row in range(len(table)):
        with contextlib.suppress(Exception):
            answers.append(np.asarray(original(table.iloc[[row]])))
            rows.append(row)
    return table.iloc[rows], np.concatenate(answers) if answers else np.empty(0)


def compared(expected: Any, found: Any, tolerance: Tolerance) -> tuple[Any, float, float]:
    """Return the rows with another answer, the largest difference, and the largest relative one."""
    if expected.dtype.kind != "f":
        return _per_row(expected != found), 0.0, 0.0
    with np.errstate(invalid="ignore"):  # of two infinities
        difference = np.where(expected == found, 0.0, np.abs(expected - found))
    scale = np.maximum(np.abs(expected), np.abs(found))
    single = expected.dtype.itemsize < np.dtype("float64").itemsize
    rtol = tolerance.float32_rtol if single else tolerance.float64_rtol
    # No finite number is near an infinite one.
    near = difference <= (tolerance.float32_atol if single else tolerance.float64_atol) + rtol * np.where(
        np.isfinite(scale), scale, 0.0
    )
    wrong = _per_row(~(near | (np.isnan(expected) & np.isnan(found)))) | _flipped(expected, found)
    shares = np.divide(difference, scale, out=np.zeros_like(difference), where=(scale > 0) & np.isfinite(scale))
    return wrong, float(np.nanmax(difference, initial=0.0)), float(np.nanmax(shares, initial=0.0))


def _per_row(values: Any) -> Any:
    return values.reshape(len(values), -1).any(axis=1)


def _flipped(expected: Any, found: Any) -> Any:
    """Whether the most likely class of a row differs by more than a tie."""
    if expected.ndim != 2 or expected.shape[1] < 2:
        return np.zeros(len(expected), bool)
    best = expected.argmax(axis=1)
    rows = np.arange(len(expected))
    tie = 1e-12 if expected.dtype == np.float64 else 1e-6
    return found[rows, best] < found.max(axis=1) - tie


def _unequal(chunk: Any, expected: Any, found: Any, wrong: Any, origin: str, *, redact: Sequence[str]) -> NotTranslated:
    lines = []
    for row in wrong[:_SHOWN]:
        if hasattr(chunk, "iloc"):
            values = chunk.iloc[row].drop(list(redact), errors="ignore").to_dict()
        else:
            values = np.asarray(chunk[row]).tolist()
        lines.append(f"  {expected[row]} became {found[row]}: {str(values)[:200]}")
    return NotTranslated(
        f"the translated model answers {len(wrong)} of {len(chunk)} {origin} rows otherwise than the original",
        _REMEDY,
        "\n".join(lines),
    )
