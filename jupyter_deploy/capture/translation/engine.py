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
from jupyter_deploy.serving.natives.translated import UNUSUAL, TranslatedAnswer, TranslatedForm, TranslatedModel
from jupyter_deploy.serving.values.plain_table_types import TEXT

from .converters import GraphInput, NotTranslatable, converter_of
from .proof import REMEDY, prove
from .rows import proof_rows, width_of
from .vectorizers import TEXTS


def translate(
    model: Any,
    seen: Inspected,
    training: Any,
    tolerance: Tolerance,
    *,
    redact: Sequence[str] = (),
    accepted: float = 0.0,
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
    accepted
        An absolute difference of two numbers, in the answers' unit, that counts as agreement too.

    Raises
    ------
    NotTranslated
        The model cannot be translated, or the translation gives other answers; the error names the rows.
    """
    method = seen.method or "predict"
    try:
        converter = converter_of(model)
        by_column = converter.by_column(model)
        example = _rows(seen.example, by_column=by_column)
        kinds = _kinds(example) if by_column else None
        graph = converter.convert(model, method, GraphInput(width_of(example), kinds))
        original: Callable[[Any], Any] = getattr(model, method)
        answer, shape = _form_of(original(example), frames=graph.frames)
        form: TranslatedForm = {
            "method": method,
            "output": graph.output,
            "columns": [str(name) for name in example.columns] if hasattr(example, "columns") else None,
            "kinds": kinds,
            "dtype": "object" if answer.dtype.kind in "OUS" else answer.dtype.str,
            "ndim": answer.ndim,
            "missing_text": graph.missing_text,
            "known": dict(graph.known),
            "refused": {} if isinstance(example, list) else _refused(original, example, kinds),
        }
        if names := shape.get("names"):
            form["names"] = names
        if graph.words:
            form["words"] = dict(graph.words)
        if graph.rows_at_once:
            form["rows_at_once"] = graph.rows_at_once
        if shape.get("listed"):
            form["listed"] = True
        if types := _table_types(example, seen.prototype):
            form["table"] = types
        translated = TranslatedModel(_session(graph.content), form)
    except NotTranslatable as error:
        raise NotTranslated(f"{_class_of(seen)} cannot be translated: {error}", REMEDY) from error
    if graph.draws:
        _require_no_draw(list(getattr(translated, method)(example)), seen)
    rows = proof_rows(model, example, training)
    proof = prove(
        original, translated, rows, tolerance, graph.converter, redact=redact, draws=graph.draws, accepted=accepted
    )
    needs_pandas = "names" in form or (form["columns"] is not None and "table" not in form)
    return translated, proof.model_copy(update={"needs_pandas": needs_pandas})


def _require_no_draw(labels: list[Any], seen: Inspected) -> None:
    """Raise where the notebook drew another label in a tie: the replay compares its answers with the translation's."""
    for row, (label, drawn) in enumerate(zip(labels, seen.predictions, strict=True)):
        if label != drawn:
            words = f"row {row} of the example has as many votes for another label, and {_class_of(seen)} draws one"
            raise NotTranslated(
                f"{words} at random",
                "pass rows without a tie as the example, or deploy the probabilities",
            )


def _class_of(seen: Inspected) -> str:
    """Return the class's name without its module, or that of a class of R without R's version."""
    name = seen.kind.split(" (")[0]
    return name if seen.framework == "R" else name.rpartition(".")[2]


def _form_of(answer: Any, *, frames: bool) -> tuple[Any, TranslatedAnswer]:
    """Return an answer as an array, and how the array becomes the answer again: R answers frames and lists, too."""
    if isinstance(answer, np.ndarray):
        return answer, {}
    if not frames:
        raise NotTranslatable(f"it answers a {type(answer).__name__}, and a translation answers an array")
    if hasattr(answer, "columns") and all(dtype.kind == "f" for dtype in answer.dtypes):
        return answer.to_numpy(np.float64), {"names": [str(name) for name in answer.columns]}
    if isinstance(answer, list) and all(one is None or isinstance(one, str) for one in answer):
        return np.array(answer, object), {"listed": True}
    raise NotTranslatable(f"it answers a {type(answer).__name__}, and a translation answers numbers or texts")


def _session(content: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        words = " ".join(str(error).split())[:200]
        raise NotTranslatable(f"ONNX Runtime cannot run its graph: {words}") from error


def _rows(example: Any, *, by_column: bool) -> Any:
    """Return the example: a table, or a list of texts for a model that begins with a vectorizer."""
    if isinstance(example, list) and example and all(isinstance(one, str) for one in example):
        if not by_column:
            raise NotTranslatable(
                "its example is a list of texts, and it begins with no vectorizer that has a vocabulary"
            )
        return example
    if getattr(example, "ndim", None) != 2 or not hasattr(example, "shape"):
        raise NotTranslatable("its example is no table of rows and columns")
    if hasattr(example, "columns") and not hasattr(example, "iloc"):
        raise NotTranslatable("its example is a table of another library than pandas")
    if not hasattr(example, "columns") and np.asarray(example).dtype.kind not in "iufb":
        raise NotTranslatable("its example is an array that has more than numbers")
    return example


def _kinds(example: Any) -> dict[str, str]:
    if isinstance(example, list):
        return {TEXTS: "text"}
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
