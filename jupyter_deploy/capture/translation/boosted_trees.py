"""The form into which the boosted trees of each library are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from numpy.typing import NDArray

from .leaves import Tree

Link = Literal["identity", "exponential", "sigmoid", "sigmoid by class", "softmax", "signed square"]


@dataclass
class Ensemble:
    """Boosted trees, whose sum becomes an answer by a link.

    Attributes
    ----------
    trees
        In the order of addition; tree i adds to group i modulo the number of groups.
    start
        The first summand by group, in the precision of the sums: 64 or 32 bits.
    link
        Makes the answers of the sums; ``sigmoid`` gives the probability of the second of two classes.
    scale
        Of the sum in a sigmoid.
    divisor
        Of the sums, for averages.
    by_sum
        Of two classes the second one is the label if the sum is above 0, not if its probability is the larger one.
    single
        Features and thresholds have 32 bits; always so if the sums have.
    last
        The last summand by group: CatBoost adds its bias at the end.
    """

    trees: list[Tree]
    start: NDArray[Any]
    link: Link = "identity"
    scale: float = 1.0
    divisor: float = 1.0
    by_sum: bool = False
    single: bool = False
    last: NDArray[Any] | None = None
