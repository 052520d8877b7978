"""A graph that is made node by node, without a library of converters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .writer import GraphWriter

_OPSETS = {"": 17, "ai.onnx.ml": 3}
_IR = 8


class GraphParts:
    """Stands for skl2onnx's scope and container to a ``GraphWriter``, and makes the model of what that adds."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self.writer = GraphWriter(self, self)

    def get_unique_variable_name(self, name: str) -> str:
        """Return a name for a value."""
        return f"{name}_{len(self._nodes)}_{len(self._constants)}"

    get_unique_operator_name = get_unique_variable_name

    def add_node(self, kind: str, inputs: list[str], outputs: list[str], **options: Any) -> None:
        """Add a node; ``options`` are those of skl2onnx's container."""
        from onnx import helper

        domain = options.pop("op_domain")
        options.pop("op_version")
        self._nodes.append(helper.make_node(kind, inputs, outputs, domain=domain, **options))

    def add_initializer(self, name: str, kind: int, shape: Sequence[int], values: Sequence[Any]) -> None:
        """Add a constant."""
        from onnx import helper

        self._constants.append(helper.make_tensor(name, kind, shape, values))

    def content(self, inputs: Mapping[str, str], output: str, *, kind: str = "number", width: int = 1) -> bytes:
        """Return the model's bytes.

        Parameters
        ----------
        inputs
            ``number`` or ``text`` by name; each is a column of n rows.
        output
            The name of the value that answers n rows.
        kind, width
            ``number`` (64 bits, of ``width`` columns) or ``text`` (n of them, in one column or none).
        """
        from onnx import TensorProto, helper

        kinds = {"number": TensorProto.DOUBLE, "text": TensorProto.STRING}
        graph = helper.make_graph(
            self._nodes,
            "model",
            [helper.make_tensor_value_info(name, kinds[kind], [None, 1]) for name, kind in inputs.items()],
            [helper.make_tensor_value_info(output, kinds[kind], None if kind == "text" else [None, width])],
            self._constants,
        )
        opsets = [helper.make_opsetid(domain, version) for domain, version in _OPSETS.items()]
        content: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=_IR).SerializeToString()
        return content
