"""The proof of a translated model: how far its answers are from the original's."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from jupyter_deploy.domain.base import Value

Engine = Literal["native", "onnx", "auto"]
"""What serves a model: the captured object; its translation; the translation if that is proved to be equal."""

ServedEngine = Literal["native", "onnx"]
"""What serves a release: the captured object or its translation."""

TRANSLATED: ServedEngine = "onnx"


class Translation(Value):
    """A translation that was proved; a release without one runs the captured object itself.

    ``rows`` are counted by their origin: ``example``, ``training`` (a sample), ``random`` (within the seen ranges),
    ``threshold`` (values at which a tree decides, and their neighbours in 32 and 64 bits), ``category`` (each text of
    a column, and unseen ones), for models of R ``missing`` (a missing number in each column) and ``beyond`` (far
    outside of the seen ranges).
    """

    engine: Literal["onnx"] = "onnx"
    converter: str = Field(description="Name and version of the library that translated it.")
    rows: dict[str, int]
    largest_difference: float = Field(
        description="Of two numbers, in the answers' unit, not beyond the seen ranges; 0 for labels."
    )
    largest_relative_difference: float = 0.0
    flips: int = Field(default=0, description="Rows with another label, or another most likely class.")
    needs_pandas: bool = Field(default=False, description="Only pandas can make the tables that the model takes.")
    accepted_difference: float = Field(
        default=0.0,
        description="The absolute difference that the deploy accepted, in the answers' unit; 0: the answers are equal "
        "within the tolerance of the replay.",
    )
    flips_at_most: float = Field(description="Share of flips that rows like these have at most, at 95 %.")

    @property
    def total(self) -> int:
        """The number of compared rows."""
        return sum(self.rows.values())

    @property
    def words(self) -> str:
        """``onnx, equal on 12,005 rows (largest difference 1e-16)``."""
        equal = f"within {self.accepted_difference:g}, as accepted," if self.accepted_difference else "equal"
        return f"{self.engine}, {equal} on {self.total:,} rows (largest difference {self.largest_difference:.1g})"
