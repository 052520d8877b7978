"""What a model is asked and answers, as JSON Schema, and whether a successor can take its place."""

from __future__ import annotations

from typing import Literal

from jupyter_deploy.domain.base import Value

from .schema import Schema, infer_schema, types_of, with_seen
from .schema_compatibility import Sides, not_accepted

__all__ = ["Container", "Schema", "Signature", "infer_schema", "types_of", "with_seen"]

Container = Literal["frame", "array", "tensor", "list", "call"]


class Signature(Value):
    """How requests become the model's arguments and its answer becomes predictions.

    Attributes
    ----------
    container
        What the model is called with. ``frame`` (pandas, polars), ``array`` (numpy), ``tensor`` (torch)
        and ``list`` (rows or texts) take a whole batch, an instance being one row;
        with ``call`` one instance is one call.
    parameters
        The function's parameter names (``call`` only). With one, the instance is its value.
    instance_schema, answer_schema
        JSON Schema of one instance and of one answer.
    answer_dtype
        NumPy's name of the answers' type (``int64``, ``float32``, ``str``, …); it decides how
        closely a replay must agree.
    """

    container: Container
    parameters: tuple[str, ...] = ()
    instance_schema: Schema
    answer_schema: Schema
    answer_dtype: str

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of what an instance is made of; none where it is a list or one value."""
        return tuple(self.instance_schema.get("properties", ()))

    def mismatches(self, successor: Signature) -> list[str]:
        """Why ``successor`` cannot stand in for this signature; empty when it can.

        A successor may accept more (a number where stable takes an integer, a missing value where stable takes none)
        and answer less (an integer where stable answers a number), but not the other way round.
        """
        found = not_accepted(self.instance_schema, successor.instance_schema, "instance", _ASKING)
        # Clients understand what stable answers; less than that they understand too.
        answers = not_accepted(successor.answer_schema, self.answer_schema, "answer", _ANSWERING)
        return found + answers


_ASKING = Sides("stable", "the candidate")
_ANSWERING = Sides("the candidate", "stable")
