"""ONNX models, run by onnxruntime."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .translated import TranslatedForm, TranslatedModel

_DTYPES = {
    "tensor(float)": "float32", "tensor(double)": "float64", "tensor(float16)": "float16", "tensor(bool)": "bool",
    "tensor(string)": "object", "tensor(int8)": "int8", "tensor(int16)": "int16", "tensor(int32)": "int32",
    "tensor(int64)": "int64", "tensor(uint8)": "uint8", "tensor(uint16)": "uint16", "tensor(uint32)": "uint32",
    "tensor(uint64)": "uint64",
}  # fmt: skip

Settings = tuple[int, int, int, int, tuple[str, ...]]
"""Threads in an operation, threads between operations (0: onnxruntime's choice), execution mode, optimisation level,
and the providers in their order.
"""


class OnnxModel:
    """An ``InferenceSession`` that takes a batch, or arrays by input name.

    A batch is an array for a model of one input, or a data frame, of which a model of several inputs takes one column
    each, by name. Numbers are cast to the inputs' types, unless a cast would lose more than precision.

    The answer of a model with one output is that output. With several outputs each row's answer is an object by output
    name, of the outputs that have one value a row; ``--method OUTPUT`` selects a single output as the answer.
    """

    def __init__(self, session: Any) -> None:
        self.session = session
        self._inputs = {parameter_of(one.name): one for one in session.get_inputs()}
        self._outputs = [one.name for one in session.get_outputs()]

    @property
    def parameters(self) -> inspect.Signature:
        """The inputs as parameters of a call; characters that a Python name cannot have become ``_``."""
        kind = inspect.Parameter.KEYWORD_ONLY
        return inspect.Signature([inspect.Parameter(name, kind) for name in self._inputs])

    def __call__(self, *batch: Any, **inputs: Any) -> Any:
        """Answer a batch, or a call's arrays by input name."""
        return self._answer(None, *batch, **inputs)

    def __getattr__(self, name: str) -> Any:
        if name in self.__dict__.get("_outputs", ()):
            return lambda *batch, **inputs: self._answer([name], *batch, **inputs)
        raise AttributeError(f"the model has no output '{name}'; it has: {', '.join(self.__dict__['_outputs'])}")

    def _answer(self, outputs: list[str] | None, *batch: Any, **inputs: Any) -> Any:
        feeds = self._from_batch(*batch) if batch else self._from_arrays(inputs)
        names = outputs or self._outputs
        values = dict(zip(names, self.session.run(names, feeds), strict=True))
        if len(values) == 1:
            return values.popitem()[1]
        if not batch:
            return values
        rows = len(batch[0])
        by_row = {name: value for name, value in values.items() if len(value) == rows}
        if not by_row:
            raise ValueError(f"none of the outputs {', '.join(names)} has one value a row")
        if len(by_row) == 1:
            return by_row.popitem()[1]
        return [{name: value[row] for name, value in by_row.items()} for row in range(rows)]

    def _from_batch(self, batch: Any) -> dict[str, Any]:
        if hasattr(batch, "columns") and len(self._inputs) > 1:
            # Converters replace characters of a column's name that an input's name must not have with "_".
            columns = {parameter_of(str(column)): column for column in batch.columns}
            missing = [one.name for name, one in self._inputs.items() if name not in columns]
            if missing:
                raise ValueError(f"the model's input '{missing[0]}' is not a column of the data frame")
            return {one.name: _cast(batch[columns[name]].to_numpy(), one) for name, one in self._inputs.items()}
        if len(self._inputs) != 1:
            names = ", ".join(self._inputs)
            raise TypeError(f"the model takes {names}: give a data frame with these columns, or a dict of arrays")
        (one,) = self._inputs.values()
        return {one.name: _cast(batch.to_numpy() if hasattr(batch, "columns") else batch, one)}

    def _from_arrays(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        if len(self._inputs) == 1:  # the feed of a session, a dict of one array, is accepted as the parameter's value
            inputs = {
                name: value.get(name, value) if isinstance(value, dict) else value for name, value in inputs.items()
            }
        return {self._inputs[name].name: _cast(value, self._inputs[name]) for name, value in inputs.items()}


def parameter_of(name: str) -> str:
    """Return an input's name as a parameter's name, such as ``input_1`` for ``input.1``."""
    mended = re.sub(r"\W", "_", name)
    return mended if mended.isidentifier() else f"_{mended}"


def _cast(values: Any, model_input: Any) -> Any:
    """Cast to the input's type if only precision is lost; add a column axis if the model takes one column."""
    dtype = np.dtype(_DTYPES.get(model_input.type, "object"))
    array = np.asarray(values)
    if array.dtype != dtype:
        if array.dtype.hasobject:  # a frame of several types: its values decide
            array = np.array(array.tolist())
        array = array.astype(dtype, casting="unsafe" if dtype.hasobject else "same_kind")
    return (
        array.reshape(-1, 1) if array.ndim == 1 and len(model_input.shape) == 2 and model_input.shape[1] == 1 else array
    )


def settings_of(session: Any) -> Settings:
    """Return a session's settings as plain values."""
    options = session.get_session_options()
    return (
        options.intra_op_num_threads,
        options.inter_op_num_threads,
        int(options.execution_mode),
        int(options.graph_optimization_level),
        tuple(session.get_providers()),
    )


def session_of(source: str | bytes, settings: Settings | None = None) -> Any:
    """Create a session of a file or its bytes with ``settings`` (None: onnxruntime's defaults).

    Raises
    ------
    RuntimeError
        onnxruntime lacks a provider of the settings; without it the session would be slow without notice.
    """
    import onnxruntime as ort  # only these models need it

    if settings is None:
        return ort.InferenceSession(source, providers=["CPUExecutionProvider"])
    within, between, mode, level, providers = settings
    missing = set(providers) - set(ort.get_available_providers())
    if missing:
        raise RuntimeError(f"onnxruntime lacks {', '.join(sorted(missing))}, which the model used; install it")
    options = ort.SessionOptions()
    # If the notebook left the threads to onnxruntime, the release's limit applies (see ``pool``).
    options.intra_op_num_threads = within or int(os.environ.get("NBDEPLOY_THREADS", "0"))
    options.inter_op_num_threads = between
    options.execution_mode, options.graph_optimization_level = (
        ort.ExecutionMode(mode),
        ort.GraphOptimizationLevel(level),
    )
    return ort.InferenceSession(source, options, providers=list(providers))


def load(folder: Path, file: str, settings: Settings, wrapped: bool | TranslatedForm) -> Any:
    """Load the session, or (``wrapped``) the ``OnnxModel`` or, by its form, the ``TranslatedModel`` around it."""
    session = session_of(str(folder / file), settings)
    if isinstance(wrapped, dict):
        return TranslatedModel(session, wrapped)
    return OnnxModel(session) if wrapped else session
