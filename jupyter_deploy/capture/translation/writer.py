"""Nodes and constants of a graph that skl2onnx makes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .converters import NotTranslatable

_DOMAINS = {"TreeEnsembleRegressor": "ai.onnx.ml", "LabelEncoder": "ai.onnx.ml", "Tokenizer": "com.microsoft"}


class GraphWriter:
    """Adds nodes and constants to skl2onnx's ``container``, with names that are unique in its ``scope``."""

    def __init__(self, scope: Any, container: Any) -> None:
        self._scope = scope
        self._container = container

    def node(
        self, kind: str, inputs: Sequence[str], output: str | None = None, *, version: int = 13, **attributes: Any
    ) -> str:
        """Add a node with one output; return the output's name."""
        name = output or str(self._scope.get_unique_variable_name(kind.lower()))
        self._container.add_node(
            kind,
            list(inputs),
            [name],
            name=self._scope.get_unique_operator_name(kind),
            op_domain=_DOMAINS.get(kind, ""),
            op_version=version,
            **attributes,
        )
        return name

    def constant(self, name: str, values: NDArray[Any]) -> str:
        """Add an array of 64-bit or 32-bit numbers, booleans or texts."""
        from onnx import TensorProto

        unique: str = self._scope.get_unique_variable_name(name)
        if values.dtype.kind in "UO":
            texts = [str(one).encode() for one in values.ravel().tolist()]
            self._container.add_initializer(unique, TensorProto.STRING, list(values.shape), texts)
            return unique
        kinds = {
            "float64": TensorProto.DOUBLE,
            "float32": TensorProto.FLOAT,
            "int64": TensorProto.INT64,
            "bool": TensorProto.BOOL,
        }
        kind = kinds[values.dtype.name]
        self._container.add_initializer(unique, kind, list(values.shape), values.ravel().tolist())
        return unique

    def columns(self, operator: Any) -> str:
        """Return the operator's inputs as one matrix of 64-bit numbers.

        Raises
        ------
        NotTranslatable
            An input has texts.
        """
        if any(type(one.type).__name__ == "StringTensorType" for one in operator.inputs):
            raise NotTranslatable(f"{type(operator.raw_operator).__name__} of texts cannot be translated")
        names = [one.full_name for one in operator.inputs]
        if len(names) > 1:
            return self.node("Concat", names, axis=1)
        return str(names[0])

    def beside_zero(self, score: str) -> str:
        """Add a column of 0 before the one of ``score`` (n rows by 1): the second class is that above 0."""
        zero = self.node("Mul", [score, self.constant("zero", np.zeros(1))])
        return self.node("Concat", [zero, score], axis=1)

    def labels(self, classes: NDArray[Any], scores: str, output: str) -> None:
        """Add the class with the largest of ``scores`` (n rows, a column a class); the first of equal ones.

        Raises
        ------
        NotTranslatable
            The classes are neither integers, booleans nor texts.
        """
        best = self.node("ArgMax", [scores], axis=1, keepdims=0)
        if classes.dtype.kind in "iub":
            table = self.constant("classes", classes.astype(np.int64))
        elif classes.dtype.kind in "UO" and all(isinstance(one, str) for one in classes.tolist()):
            table = self.constant("classes", classes)
        else:
            raise NotTranslatable(f"classes of type {classes.dtype} cannot be translated")
        self.node("Gather", [table, best], output, axis=0)


def classifies(model: Any) -> bool:
    """Whether the model answers classes; CatBoost's regressors have an empty list of them."""
    return len(getattr(model, "classes_", ())) > 0


def set_types(operator: Any) -> None:
    """Set the types of an estimator's outputs, in 64 bits; a function of ``custom_shape_calculators`` of skl2onnx."""
    from skl2onnx.common.data_types import DoubleTensorType, Int64TensorType, StringTensorType

    model = operator.raw_operator
    rows = operator.inputs[0].get_first_dimension()
    if not classifies(model):
        operator.outputs[0].type = DoubleTensorType([rows, 1])
        return
    numbers = np.asarray(model.classes_).dtype.kind in "iub"
    operator.outputs[0].type = (Int64TensorType if numbers else StringTensorType)([rows])
    operator.outputs[1].type = DoubleTensorType([rows, len(model.classes_)])
