"""Graphs of R's ``rpart``, ``randomForest`` and ``ranger``: decisions and sums of 64-bit numbers, in R's order."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from math import inf, nextafter

import numpy as np
from numpy.typing import NDArray

from .converters import NotTranslatable
from .leaves import MOST_LEAVES, Tree, add_leaves, runs_of
from .r_design import RDesign, RGraph

_NO_CODE = -1
"""Stands for a missing level before it becomes NaN."""


class TreesGraph(RGraph):
    """What the graphs of a tree and of a forest share: the matrix on which the trees decide."""

    def _table(self, first: str) -> str:
        """Add the variables as columns of 64-bit numbers; a level is its code from 1."""
        from onnx import TensorProto

        columns = []
        shape = self._writer.constant("shape", np.array([-1, 1]))
        for variable in self._document["variables"]:
            if variable["kind"] == "number":
                columns.append(self._expression(variable["expression"]))
                continue
            codes = self._codes(variable["column"], variable["levels"], first=1, missing=_NO_CODE)
            number = self._writer.node("Cast", [codes], to=TensorProto.DOUBLE)
            column = self._writer.node("Reshape", [number, shape])
            columns.append(self._math.choose(self._math.is_less(column, 0.0), self._math.number(np.nan), column))
        if not columns:
            zero = self._writer.node("Shape", [first], version=15)
            return self._writer.node("Expand", [self._math.number(0.0), zero])
        return self._writer.node("Concat", columns, axis=1)


class RpartGraph(TreesGraph):
    """The graph of an rpart.

    Where the variable of a node's split is missing, R asks the surrogates one after the other, and then goes with the
    majority, or stops at the node: so the answer of a node within the tree is a leaf's, too.
    """

    def answer(self, first: str) -> str:
        """Add all; return the output's name. ``first``: the name of an input, which has the number of rows."""
        tree, rows = rpart_tree(self._design)
        self.width = int(self._document["width"])
        answers = self._design.arrays["answers"].reshape(-1, self.width)[rows]
        places = add_leaves(self._writer, self._table(first), [tree], double=True)
        places = self._writer.node("Reshape", [places, self._writer.constant("shape", np.array([-1]))])
        if classes := self._document["labels"]:
            return self._texts([classes[int(one) - 1] for one in answers[:, 0]], places)
        return self._writer.node("Gather", [self._writer.constant("answers", answers), places], axis=0)


def rpart_tree(design: RDesign) -> tuple[Tree, NDArray[np.int64]]:
    """Return an rpart's tree, and the node of R's frame by leaf."""
    numbers = design.wholes("number").tolist()
    places = {number: place for place, number in enumerate(numbers)}
    splits = _Splits(design)
    tree = Tree()
    frame: dict[int, int] = {}  # by leaf
    roots = [tree.add() for _ in numbers]
    for place, number in enumerate(numbers):
        frame[roots[place]] = place  # of a node that splits, no leaf has this number
        if splits.ends[place]:
            continue
        left, right = places[2 * number], places[2 * number + 1]
        fallback = tree.add()
        frame[fallback] = place
        if splits.by_majority and splits.rows[left] != splits.rows[right]:
            frame[_lead(tree, fallback, roots[left if splits.rows[left] > splits.rows[right] else right])] = place
        chain = splits.of(place)
        nodes = [roots[place], *(tree.add() for _ in chain[1:])]
        for split, node, after in zip(chain, nodes, [*nodes[1:], fallback], strict=True):
            frame.update(dict.fromkeys(splits.add(tree, split, node, (roots[left], roots[right], after)), place))
    return tree, np.array([frame[leaf] for leaf in tree.leaves], np.int64)


class _Splits:
    """The splits of an rpart's nodes."""

    def __init__(self, design: RDesign) -> None:
        document = design.document
        self.ends = design.arrays["leaf"].astype(bool).tolist()
        self.rows = design.wholes("rows").tolist()
        self.by_majority = document["surrogates"] > 1
        self._surrogates = document["surrogates"] > 0
        self._first = design.wholes("first").tolist()
        self._competing = design.wholes("competing").tolist()
        self._surrogate = design.wholes("surrogate").tolist()
        self._variable = design.wholes("variable").tolist()
        self._categories = design.wholes("categories").tolist()
        self._point = design.arrays["point"].tolist()
        self._directions = design.wholes("directions").reshape(-1, max(1, int(document["categories"])))
        self._levels = [len(variable.get("levels", ())) for variable in document["variables"]]

    def of(self, place: int) -> list[int]:
        """The splits of a node: the primary one, and those that stand for it."""
        first = self._first[place]
        begin = first + 1 + self._competing[place]
        return [first, *range(begin, begin + self._surrogate[place] * self._surrogates)]

    def add(self, tree: Tree, split: int, node: int, targets: tuple[int, int, int]) -> list[int]:
        """Add a decision for left, right, or neither; return the leaves that it needs besides."""
        left, right, neither = targets
        variable, kind = self._variable[split], self._categories[split]
        if kind < 2:  # below the point to the left, or with the other sign to the right
            below, above = (left, right) if kind == -1 else (right, left)
            rest = tree.add()
            tree.split(node, variable, nextafter(self._point[split], -inf), below, rest, missing_left=False)
            tree.split(rest, variable, inf, above, neither, missing_left=False)
            return []
        directions = self._directions[int(self._point[split]) - 1]
        ways = {-1: left, 0: neither, 1: right}
        codes = [ways[int(one)] for one in directions[: self._levels[variable]]]
        ends = [(code + 1.5, here) for code, (here, then) in enumerate(pairwise(codes)) if here != then]
        last = tree.add()
        tree.split_by_set(node, variable, ends, last, (0.5, neither))
        return [_lead(tree, last, codes[-1])]


def _lead(tree: Tree, node: int, target: int) -> int:
    """Make a node one that always goes to another, which several may; return the leaf that nothing reaches.

    ONNX Runtime lets several nodes go left to the same one, but to the right each to one of its own.
    """
    leaf = tree.add()
    tree.split(node, 0, inf, target, leaf, missing_left=True)
    return leaf


class ForestGraph(TreesGraph):
    """The graph of a randomForest or a ranger."""

    def answer(self, first: str) -> str:
        """Add all; return the output's name. ``first``: the name of an input, which has the number of rows."""
        trees = list(forest_trees(self._design))
        table = self._table(first)
        places = add_leaves(self._writer, table, trees, double=True)
        leaf = self._design.arrays["left"] < 0
        if self._document["answer"] == "mean":
            made = self._means(self._design.arrays["answers"][leaf].reshape(-1, 1), places, len(trees))
        elif self._document["answer"] == "means":
            answers = self._design.arrays["answers"].reshape(leaf.sum(), -1)
            made = self._means(answers[:, self._document["order"]], places, len(trees))
        else:
            made = self._votes(self._design.arrays["answers"][leaf], places, len(trees))
            if self._document["answer"] == "label":
                return self._label(made, table)
        return self._missing(made, table)

    def _means(self, answers: NDArray[np.float64], places: str, trees: int) -> str:
        """Add the means over the trees of their leaves' answers, a column each."""
        made = self._joined([self._math.operation("/", self._sum(one, places), float(trees)) for one in answers.T])
        if line := self._document.get("line"):
            start, slope = (float.fromhex(one) for one in line)
            made = self._math.operation("+", self._math.number(start), self._math.operation("*", made, slope))
        return made

    def _votes(self, answers: NDArray[np.float64], places: str, trees: int) -> str:
        """Add the classes' shares of the votes, for a label in relation to the class's cutoff."""
        from onnx import TensorProto

        constant = self._writer.constant("votes", answers.astype(np.int64))
        votes = self._writer.node("Gather", [constant, places], axis=0)
        shares = []
        for place in range(len(self._document["classes"])):
            same = self._writer.node("Equal", [votes, self._writer.constant("class", np.array([place]))])
            counted = self._writer.node("Cast", [same], to=TensorProto.DOUBLE)
            axis = self._writer.constant("axis", np.array([1]))
            count = self._writer.node("ReduceSum", [counted, axis], keepdims=1)
            share = self._math.operation("/", count, float(trees))
            if self._document["answer"] == "label":
                share = self._math.operation("/", share, float.fromhex(self._document["cutoff"][place]))
            shares.append(share)
        return self._joined(shares)

    def _label(self, shares: str, table: str) -> str:
        """Add the class with the largest share."""
        self.width = 1
        best = self._writer.node("ArgMax", [shares], axis=1, keepdims=0)
        label = self._texts(self._document["classes"], best)
        return self._or_missing(label, table) if self._document["missing"] == "no answer" else label

    def _joined(self, columns: list[str]) -> str:
        self.width = len(columns)
        return self._writer.node("Concat", columns, axis=1) if len(columns) > 1 else columns[0]

    def _sum(self, values: NDArray[np.float64], places: str) -> str:
        """Add the sum over the trees from the first to the last, as R's packages do."""
        gathered = self._writer.node(
            "Gather", [self._writer.constant("answers", np.ascontiguousarray(values)), places], axis=0
        )
        running = self._writer.node("CumSum", [gathered, self._writer.constant("axis", np.array(1))], version=14)
        return self._writer.node("Gather", [running, self._writer.constant("last", np.array([-1]))], axis=1)

    def _missing(self, made: str, table: str) -> str:
        if self._document["missing"] != "no answer":
            return made
        return self._math.choose(self._is_missing(table), self._math.number(np.nan), made)


def forest_trees(design: RDesign) -> Iterator[Tree]:
    """Yield a forest's trees, without the leaves' answers. Raises NotTranslatable: there are too many leaves."""
    leaves = int((design.arrays["left"] < 0).sum())
    if leaves >= MOST_LEAVES:
        raise NotTranslatable(f"its {leaves:,} leaves are too many for an exact graph")
    cuts = np.cumsum(design.wholes("sizes"))[:-1]
    names = ("left", "right", "variable", "set", "missing_left")
    parts = {name: np.split(design.wholes(name), cuts) for name in names}
    points = np.split(design.arrays["point"], cuts)
    set_goes_left = design.document["missing"] != "by node"  # randomForest's bits; ranger's go right
    for number, point in enumerate(points):
        left, right, variable, sets, missing = (parts[name][number] for name in names)
        tree = Tree(
            feature=np.maximum(variable, 0).tolist(),
            threshold=point.tolist(),
            left=left.tolist(),
            right=right.tolist(),
            missing_left=missing.astype(bool).tolist(),
            values=[0.0] * len(point),
        )
        for node in np.flatnonzero(sets).tolist():
            levels = len(design.document["variables"][tree.feature[node]].get("levels", ()))
            _by_bits(tree, node, levels, int(point[node]), set_goes_left=set_goes_left)
        yield tree


def _by_bits(tree: Tree, node: int, levels: int, bits: int, *, set_goes_left: bool) -> None:
    """Make a node one that decides by a set of levels: bit i is that of code i + 1; further codes have no bit."""
    left, right = tree.left[node], tree.right[node]
    chosen = [code for code in range(levels + 1) if bool(bits >> code & 1) == set_goes_left]
    ends, last = runs_of(chosen, levels + 1, left, right)
    missing = left if 0 in chosen else right
    runs = [(code + 1.5, target) for code, target in ends]
    tree.split_by_set(node, tree.feature[node], runs, last, (0.5, missing))


def splits_of(design: RDesign) -> dict[str, NDArray[np.float64]]:
    """Return the points of the splits by a number that is a column of the input, ascending; none of other designs."""
    kind = design.document["kind"]
    if kind not in ("rpart", "forest"):
        return {}
    if kind == "rpart":
        numeric = design.arrays["categories"] < 2
    else:
        numeric = (design.arrays["left"] >= 0) & (design.arrays["set"] == 0)
    variables, points = design.wholes("variable")[numeric], design.arrays["point"][numeric]
    found: dict[str, NDArray[np.float64]] = {}
    for number, variable in enumerate(design.document["variables"]):
        name = variable.get("expression", {}).get("column")
        own = points[variables == number]
        if name is not None and len(own):
            found[name] = np.unique(np.concatenate([found.get(name, np.empty(0)), own]))
    return found
