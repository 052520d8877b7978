"""The Open Inference Protocol (V2) with its binary extension, as KServe's and Triton's clients use it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from ..asgi import body
from ..asgi.messages import Response
from ..asgi.problems import Problem
from ..dispatch.parsed_request import ParsedRequest
from ..dispatch.predictions import Predictions
from ..values.codec import BadAnswer
from ..values.decoding import Decoder
from .outputs import Part, outputs_of, part_of
from .plain import is_json, unknown_type
from .protocol import with_error
from .request import Request
from .tables import Rows
from .tensors import InputTensor, Tensor, in_bytes, input_tensor, tensor_of, tensor_problem

HEADER_LENGTH = b"inference-header-content-length"

BINARY = "application/octet-stream"

DEFAULT = "input-0"


@dataclass(slots=True)
class OutputSelection:
    """The outputs that a request selects, by name, each with whether it is sent as bytes; None: all outputs."""

    id: str | None = None
    outputs: dict[str, bool] | None = None
    binary: bool = False

    def binary_for(self, tensor: Tensor) -> bool | None:
        """Return whether an output is sent as bytes; None: not selected."""
        return self.binary if self.outputs is None else self.outputs.get(tensor.name)


class V2:
    """The protocol at ``/v2/models/<name>/infer``.

    Parameters
    ----------
    name, version
        The model's name and version in responses.
    keys
        The JSON Schema of the key of each lookup.
    prototype
        The codec's, with the dtype of an array.
    """

    def __init__(
        self,
        decoder: Decoder,
        signature: Mapping[str, Any],
        prototype: Any,
        name: str,
        version: str,
        *,
        keys: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    ) -> None:
        self._decoder = decoder
        self._name, self._version = name, version
        self._container: str = signature["container"]
        rows = Rows(signature["instance_schema"])
        self._by_column = bool(rows.names) and len(signature.get("parameters") or ()) != 1
        self.inputs = inputs_of(signature, rows, prototype, by_column=self._by_column)
        self.outputs = outputs_of(signature)
        # A key of a lookup may be sent in place of its features.
        self._known = {name: tensor_of(name, schema) for name, schema in keys.items()}
        self._known |= {tensor.name: tensor for tensor in self.inputs}

    def metadata(self, platform: str) -> dict[str, Any]:
        """Return the model's metadata."""
        return {
            "name": self._name,
            "versions": [self._version],
            "platform": platform,
            "inputs": [tensor.metadata() for tensor in self.inputs],
            "outputs": [tensor.metadata() for tensor in self.outputs],
        }

    def example(self, instances: Sequence[Any]) -> dict[str, Any]:
        """Return a request with these instances."""

        def column(tensor: Tensor) -> list[Any]:
            values = [row[tensor.name] for row in instances] if self._by_column else list(instances)
            return [json.dumps(value) for value in values] if tensor.as_json else values

        return {
            "inputs": [
                {"name": t.name, "shape": [len(instances), *t.sizes], "datatype": t.datatype, "data": column(t)}
                for t in self.inputs
            ]
        }

    def parse(self, content: bytes, request: Request) -> ParsedRequest:
        header, rest = self._split(content, request)
        document = body.parse(header)
        if not isinstance(document, dict) or not isinstance(document.get("inputs"), list):
            raise _unfit('must be an object such as {"inputs": [{"name": …, "shape": …, "datatype": …, "data": …}]}')
        request.kept = self._selection(document)
        inputs: dict[str, InputTensor] = {}
        for number, item in enumerate(document["inputs"]):
            sent, size = input_tensor(item, number, rest)
            rest = rest[size:]
            if sent.name in inputs:
                raise tensor_problem(sent.name, "is repeated")
            inputs[sent.name] = sent
        if len(rest):
            raise _unfit(f"has {len(rest)} bytes that belong to no tensor")
        return self._parse_inputs(inputs)

    def answer(self, parsed: ParsedRequest, native: Any, predictions: Predictions, request: Request) -> Response:
        selection: OutputSelection = request.kept
        parts: list[tuple[Part, bool]] = []
        for tensor in self.outputs:
            binary = selection.binary_for(tensor)
            if binary is not None:
                one = len(self.outputs) == 1
                parts.append((part_of(tensor, parsed.rows, native if one else None, predictions, one=one), binary))
        about = {"model_name": self._name, "model_version": self._version}
        if selection.id is not None:
            about["id"] = selection.id
        rendered, tail = [], []
        for part, binary in parts:
            if binary:
                tail.append(_in_bytes(part))
                rendered.append(part.render(b'"parameters":' + _json({"binary_data_size": len(tail[-1])})))
            else:
                rendered.append(part.render(b'"data":' + part.data()))
        document = _json(about)[:-1] + b',"outputs":[' + b",".join(rendered) + b"]}"
        if not tail:
            return Response(200, document)
        length = str(len(document)).encode("ascii")
        return Response(200, b"".join([document, *tail]), BINARY, ((HEADER_LENGTH, length),))

    def problem(self, problem: Problem, request_id: str) -> Response:
        return with_error(problem, request_id)

    def _split(self, content: bytes, request: Request) -> tuple[bytes, memoryview]:
        """Split a body into the JSON and the tensors' bytes behind it."""
        length = request.header(HEADER_LENGTH)
        if not length:
            if not (is_json(request) or _is_api_client(request)):
                words = "JSON, with the header 'content-type: application/json', or binary data behind it, with "
                raise unknown_type(request, f"{words}'inference-header-content-length'")
            return content, memoryview(b"")
        if not (length.isascii() and length.isdecimal()) or len(length) > 18 or int(length) > len(content):
            raise Problem(
                400, f"the header inference-header-content-length says {length[:40]!r} of {len(content)} bytes"
            )
        return content[: int(length)], memoryview(content)[int(length) :]

    def _selection(self, document: Mapping[str, Any]) -> OutputSelection:
        parameters = _object(document, "parameters")
        selection = OutputSelection(binary=parameters.get("binary_data_output") is True)
        if "id" in document:
            if not isinstance(document["id"], str):
                raise _unfit("must have a text as its id", "id")
            selection.id = document["id"]
        outputs = document.get("outputs")
        if not outputs:
            return selection
        if not isinstance(outputs, list):
            raise _unfit("must have a list of outputs", "outputs")
        names = [tensor.name for tensor in self.outputs]
        selection.outputs = {}
        for item in outputs:
            name = item.get("name") if isinstance(item, dict) else None
            if name not in names:
                raise _unfit(
                    f"selects the unknown output {str(name)[:80]!r}; the outputs are {', '.join(names)}", "outputs"
                )
            own = _object(item, "parameters")
            if own.get("classification"):
                raise _unfit("selects a classification, which is not supported; select the output itself", "outputs")
            selection.outputs[name] = own.get("binary_data", selection.binary) is True
        return selection

    def _parse_inputs(self, inputs: dict[str, InputTensor]) -> ParsedRequest:
        if self._by_column or len(inputs) != 1:  # a single tensor may have any name
            self._check_names(inputs)
        if len({sent.rows for sent in inputs.values()}) > 1:
            raise _unfit("must have the same number of rows in each tensor")
        if not self._by_column:
            return self._one(self.inputs[0], next(iter(inputs.values())))
        columns = [sent.single_column() for sent in inputs.values()]
        if self._container == "frame" and all(isinstance(sent.values, np.ndarray) for sent in columns):
            return self._decoder.columns({sent.name: sent.values for sent in columns})
        lists = {sent.name: _values(self._known[sent.name], sent) for sent in columns}
        return self._decoder.instances(
            [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]
        )

    def _check_names(self, inputs: Mapping[str, InputTensor]) -> None:
        if unknown := [name for name in inputs if name not in self._known]:
            raise _unfit(f"has the unknown input '{unknown[0][:80]}'; the model takes {self._names()}")
        if not inputs:
            raise _unfit(f"has no inputs; the model takes {self._names()}")

    def _names(self) -> str:
        names = ", ".join(tensor.name for tensor in self.inputs[:10])
        return f"{names}, …" if len(self.inputs) > 10 else names

    def _one(self, tensor: Tensor, sent: InputTensor) -> ParsedRequest:
        if not tensor.sizes:
            sent = sent.single_column()
        if isinstance(sent.values, np.ndarray) and self._container in ("array", "tensor"):
            return self._decoder.array(sent.array() if tensor.sizes else sent.values)
        return self._decoder.instances(sent.nested() if tensor.sizes else _values(tensor, sent))


def _values(tensor: Tensor, sent: InputTensor) -> list[Any]:
    """Return the elements of a tensor with one element a row."""
    values = sent.listed()
    if not tensor.as_json:
        return values
    if not all(isinstance(text, str) for text in values):
        raise tensor_problem(sent.name, "must be of BYTES: each element the JSON of one value")
    return [_parsed(sent.name, text) for text in values]


def inputs_of(signature: Mapping[str, Any], rows: Rows, prototype: Any, *, by_column: bool) -> list[Tensor]:
    """Return the model's input tensors: one a column or parameter, or one in all."""
    schema = signature["instance_schema"]
    parameters: Sequence[str] = signature.get("parameters") or ()
    if by_column:
        return [tensor_of(name, rows.kinds[name]) for name in rows.names]
    name = parameters[0] if len(parameters) == 1 else DEFAULT
    dtype = getattr(prototype, "dtype", None) if signature["container"] == "array" else None
    if signature["container"] == "tensor":
        dtype = np.float32 if prototype.dtype.itemsize == 4 and prototype.dtype.is_floating_point else None
    return [tensor_of(name, schema, dtype)]


def _unfit(words: str, *loc: str) -> Problem:
    return Problem(400, f"the request {words}", [{"loc": list(loc), "msg": words}])


def _is_api_client(request: Request) -> bool:
    """Return whether a body without a type comes from no web page: Triton's client sends JSON without a type."""
    return not request.headers.keys() & {b"content-type", b"origin", b"sec-fetch-site"}


def _object(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = document.get(key) or {}
    if not isinstance(value, dict):
        raise _unfit(f"must have an object of {key}", key)
    return value


def _parsed(name: str, text: str) -> Any:
    try:
        return body.parse(text.encode("utf-8"))
    except Problem as problem:
        raise tensor_problem(name, f"holds an element that is not JSON: {problem.detail}") from problem


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def _in_bytes(part: Part) -> bytes:
    try:
        return in_bytes(part.values(), part.datatype)
    except (TypeError, ValueError, OverflowError) as error:
        raise BadAnswer(f"the output {part.name} cannot be written as {part.datatype} in bytes: {error}") from error
