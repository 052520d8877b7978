"""The signature of a model: JSON Schemas of instances and answers, and compatibility with a successor."""

from __future__ import annotations

from typing import Literal

from jupyter_deploy.domain.base import Value

from .schema import Schema, infer_schema, types_of, with_seen
from .schema_compatibility import SchemaOwners, incompatibilities

__all__ = ["Container", "Schema", "Signature", "infer_schema", "types_of", "with_seen"]

Container = Literal["frame", "array", "tensor", "list", "call"]


class Signature(Value):
    """The conversion of requests to the model's arguments, and of its result to predictions.

    Attributes
    ----------
    container
        The type of the model's input. ``frame`` (pandas, polars), ``array`` (numpy), ``tensor`` (torch) and ``list``
        (rows or texts) take a whole batch, an instance being one row; with ``call`` one instance is one call.
    parameters
        The function's parameter names (``call`` only). With a single parameter, the instance is its value.
    instance_schema, answer_schema
        JSON Schema of one instance and of one answer.
    answer_dtype
        NumPy's name of the answers' type (``int64``, ``float32``, ``str``, …); it selects the tolerance of a replay.
    """

    container: Container
    parameters: tuple[str, ...] = ()
    instance_schema: Schema
    answer_schema: Schema
    answer_dtype: str

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of an instance's columns; none if it is a list or a single value."""
        return tuple(self.instance_schema.get("properties", ()))

    def mismatches(self, successor: Signature) -> list[str]:
        """Return the reasons why ``successor`` cannot replace this signature; empty if it can.

        A successor may accept more (a number where stable takes an integer, a missing value where stable takes none)
        and answer less (an integer where stable answers a number), but not the reverse.
        """
        instances = self.refused_by(successor.instance_schema)
        # Clients understand stable's answers, and so any narrower ones.
        answers = incompatibilities(successor.answer_schema, self.answer_schema, "answer", _ANSWERS)
        return instances + answers

    def refused_by(self, instance_schema: Schema) -> list[str]:
        """Return the reasons why requests of this signature's clients do not match another schema of instances."""
        return incompatibilities(self.instance_schema, instance_schema, "instance", _REQUESTS)


_REQUESTS = SchemaOwners("stable", "the candidate")
_ANSWERS = SchemaOwners("the candidate", "stable")
