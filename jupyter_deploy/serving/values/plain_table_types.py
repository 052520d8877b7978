"""The prototype of a table without pandas; see ``plain_tables``."""

from __future__ import annotations

from collections.abc import Mapping

TEXT = "text"


class TableTypes:
    """The columns of a translated model's table.

    Parameters
    ----------
    types
        By column, in the model's order, NumPy's name of the dtype, or ``TEXT``.
    matrix
        Whether the graph has one input for all columns.
    """

    def __init__(self, types: Mapping[str, str], *, matrix: bool) -> None:
        self.types = dict(types)
        self.matrix = matrix
