"""Decision trees as one node of a graph that gives the index of each tree's leaf.

``TreeEnsembleRegressor`` adds what the leaves hold in 32 bits, and its sums depend on threads. So here its leaves hold
their index, which 32 bits hold exactly below 2^24, and a tree is an output of its own; the leaves' values are gathered
from a table of 64-bit numbers by these indexes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .converters import NotTranslatable
from .writer import GraphWriter

MOST_LEAVES = 2**24


@dataclass
class Tree:
    """A tree: node 0 is the root; ``left`` and ``right`` are numbers of nodes, -1 at a leaf.

    A row goes left if its feature is at most the threshold, or is missing and ``missing_left``. Several nodes may go
    left to the same node.
    """

    feature: list[int] = field(default_factory=list)
    threshold: list[float] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    right: list[int] = field(default_factory=list)
    missing_left: list[bool] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    @property
    def leaves(self) -> list[int]:
        """The numbers of its leaves."""
        return [node for node, left in enumerate(self.left) if left < 0]

    def add(self) -> int:
        """Add a node, a leaf of value 0; return its number."""
        self.feature.append(0)
        self.threshold.append(0.0)
        self.left.append(-1)
        self.right.append(-1)
        self.missing_left.append(False)
        self.values.append(0.0)
        return len(self.left) - 1

    def split(self, node: int, feature: int, threshold: float, left: int, right: int, *, missing_left: bool) -> None:
        """Make a node one that decides."""
        self.feature[node], self.threshold[node] = feature, threshold
        self.left[node], self.right[node], self.missing_left[node] = left, right, missing_left

    def split_by_set(
        self, node: int, feature: int, runs: Sequence[tuple[float, int]], last: int, missing: tuple[float, int]
    ) -> None:
        """Make a node a chain of decisions that ends at one of several nodes.

        Parameters
        ----------
        runs
            Ascending thresholds, each with the node for values above the one before and up to it.
        last
            The node for all values above.
        missing
            A threshold below all others, and the node for values up to it and for missing ones.
        """
        chain = [missing, *runs]
        nodes = [node, *(self.add() for _ in runs)]
        for number, (threshold, target) in enumerate(chain):
            after = nodes[number + 1] if number + 1 < len(nodes) else last
            self.split(nodes[number], feature, threshold, target, after, missing_left=number == 0)


def runs_of(left: Iterable[int], count: int, to_left: int, to_right: int) -> tuple[list[tuple[int, int]], int]:
    """Return the runs of the codes 0 to ``count`` - 1 that go to one node, as (last code, node), and the last node."""
    chosen = set(left)
    targets = [to_left if code in chosen else to_right for code in range(count)]
    ends = [(code, targets[code]) for code in range(count - 1) if targets[code] != targets[code + 1]]
    return ends, targets[-1]


def add_leaves(writer: GraphWriter, table: str, trees: Sequence[Tree], *, double: bool) -> str:
    """Add the index of each tree's leaf, n rows by one column a tree, counted through all trees' leaves.

    Parameters
    ----------
    table
        The features, of 64-bit numbers if ``double``, else of 32-bit ones; so are the thresholds.

    Raises
    ------
    NotTranslatable
        There are too many leaves for an exact index.
    """
    from onnx import TensorProto, helper

    sizes = [len(tree.leaves) for tree in trees]
    if sum(sizes) >= MOST_LEAVES:
        raise NotTranslatable(f"its {sum(sizes):,} leaves are too many for an exact graph")
    nodes: dict[str, list[Any]] = {
        name: []
        for name in ("treeids", "nodeids", "featureids", "modes", "truenodeids", "falsenodeids", "hitrates",
                     "missing_value_tracks_true")
    }  # fmt: skip
    thresholds: list[float] = []
    targets: dict[str, list[int]] = {name: [] for name in ("treeids", "nodeids", "ids")}
    weights: list[float] = []
    for number, tree in enumerate(trees):
        leaf = np.asarray(tree.left) < 0
        count = len(leaf)
        nodes["treeids"] += [number] * count
        nodes["nodeids"] += range(count)
        nodes["featureids"] += np.where(leaf, 0, tree.feature).tolist()
        nodes["modes"] += ["LEAF" if one else "BRANCH_LEQ" for one in leaf]
        nodes["truenodeids"] += np.where(leaf, 0, tree.left).tolist()
        nodes["falsenodeids"] += np.where(leaf, 0, tree.right).tolist()
        nodes["hitrates"] += [1.0] * count
        nodes["missing_value_tracks_true"] += np.where(leaf, 0, tree.missing_left).astype(int).tolist()
        thresholds += np.where(leaf, 0, tree.threshold).astype(float).tolist()
        leaves = tree.leaves
        targets["treeids"] += [number] * len(leaves)
        targets["nodeids"] += leaves
        targets["ids"] += [number] * len(leaves)
        weights += [float(index) for index in range(len(leaves))]
    attributes: dict[str, Any] = {f"nodes_{name}": values for name, values in nodes.items()}
    attributes |= {f"target_{name}": values for name, values in targets.items()}
    attributes |= {"nodes_values": thresholds, "target_weights": weights}
    if double:
        for name in ("nodes_values", "target_weights", "nodes_hitrates"):
            numbers = attributes.pop(name)
            attributes[f"{name}_as_tensor"] = helper.make_tensor(name, TensorProto.DOUBLE, [len(numbers)], numbers)
    attributes |= {"n_targets": len(trees), "aggregate_function": "SUM", "post_transform": "NONE"}
    leaves_ = writer.node("TreeEnsembleRegressor", [table], version=3 if double else 1, **attributes)
    indexes = writer.node("Cast", [leaves_], to=TensorProto.INT64)
    offsets = np.cumsum([0, *sizes[:-1]]).astype(np.int64).reshape(1, -1)
    return writer.node("Add", [indexes, writer.constant("offsets", offsets)])


def floor32(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Round 64-bit numbers to 32 bits, towards minus infinity."""
    with np.errstate(over="ignore"):
        rounded = values.astype(np.float32)
    above = rounded.astype(np.float64) > values
    rounded[above] = np.nextafter(rounded[above], np.float32(-np.inf))
    return rounded
