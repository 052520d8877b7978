"""Graphs of R's ``lm`` and ``glm``, and of ``glmnet``: sums of products, and a link."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arithmetic import Arithmetic
from .converters import NotTranslatable
from .r_design import RGraph
from .r_links import INVERSE_LINKS


class LinearGraph(RGraph):
    """The graph of one design: a block of columns for each term, their products with the coefficients, and the link."""

    def answer(self, first: str) -> str:
        """Add all; return the output's name. ``first``: the name of an input, which has the number of rows."""
        coefficients = [None if one is None else float.fromhex(one) for one in self._document["coefficients"]]
        begin = int(self._document["intercept"])
        eta = self._math.number(coefficients[0] or 0.0) if begin else self._math.number(0.0)
        for term in self._document["terms"]:
            block, width = self._block(term)
            chosen = coefficients[begin : begin + width]
            begin += width
            eta = self._added(eta, block, chosen)
        if begin != len(coefficients):
            raise NotTranslatable(f"its {len(coefficients)} coefficients are not those of its terms, {begin}")
        for offset in self._document["offsets"]:
            eta = self._math.operation("+", eta, self._expression(offset))
        eta = self._writer.node("Expand", [eta, self._writer.node("Shape", [first], version=15)])
        return INVERSE_LINKS[self._document["link"]](self._math, eta)

    def _added(self, eta: str, block: str, coefficients: list[float | None]) -> str:
        """Add a term; an aliased column has no coefficient, and R does not read it, so that it may be NA."""
        used = [place for place, one in enumerate(coefficients) if one is not None]
        if not used:
            return eta
        if len(used) < len(coefficients):
            block = self._writer.node("Gather", [block, self._writer.constant("used", np.array(used))], axis=1)
        column = np.array([[coefficients[place]] for place in used], np.float64)
        product = self._writer.node("MatMul", [block, self._writer.constant("coefficients", column)])
        return self._math.operation("+", eta, product)

    def _block(self, term: dict[str, Any]) -> tuple[str, int]:
        """Add a term's columns: of an interaction the products, the first variable's columns fastest."""
        block, width = "", 1
        for place, full in zip(term["variables"], term["full"], strict=True):
            one, columns = self._columns(self._document["variables"][place], full=full)
            if block:
                inner = self._writer.node("Unsqueeze", [block, self._writer.constant("axis", np.array([1]))])
                outer = self._writer.node("Unsqueeze", [one, self._writer.constant("axis", np.array([2]))])
                product = self._writer.node("Mul", [inner, outer])
                shape = self._writer.constant("shape", np.array([-1, width * columns]))
                one = self._writer.node("Reshape", [product, shape])
            block, width = one, width * columns
        return block, width

    def _columns(self, variable: dict[str, Any], *, full: bool) -> tuple[str, int]:
        """Add a variable's columns; return their name and number. ``full``: a dummy for each level."""
        match variable["kind"]:
            case "levels":
                return self._coded(variable, _coding(variable, full=full))
            case "logical":
                false, true = _coding(variable, full=full)
                value = self._expression(variable["expression"])
                steps = self._writer.constant("steps", (true - false).reshape(1, -1))
                start = self._writer.constant("start", false.reshape(1, -1))
                return self._writer.node("Add", [self._writer.node("Mul", [value, steps]), start]), len(false)
            case "poly":
                return self._poly(variable)
            case "powers":
                x = self._expression(variable["expression"])
                powers = [self._math.operation("^", x, float(power)) for power in range(1, int(variable["degree"]) + 1)]
                return self._together(powers)
            case _:
                return self._expression(variable["expression"]), 1

    def _coded(self, variable: dict[str, Any], coding: NDArray[np.float64]) -> tuple[str, int]:
        code = self._codes(variable["column"], variable["levels"])
        table = np.vstack([coding, np.full((1, coding.shape[1]), np.nan)])  # NA has no level
        return self._writer.node("Gather", [self._writer.constant("coding", table), code], axis=0), coding.shape[1]

    def _poly(self, variable: dict[str, Any]) -> tuple[str, int]:
        """Add orthogonal polynomials by the recurrence of R's ``poly``."""
        alpha, norm2 = ([float.fromhex(one) for one in variable[name]] for name in ("alpha", "norm2"))
        x = self._expression(variable["expression"])
        values = [self._math.number(1.0), self._math.operation("-", x, alpha[0])]
        for power in range(1, len(alpha)):
            moved = self._math.operation("*", self._math.operation("-", x, alpha[power]), values[power])
            share = self._math.operation("*", values[power - 1], norm2[power + 1] / norm2[power])
            values.append(self._math.operation("-", moved, share))
        scaled = zip(values[1:], norm2[2:], strict=True)
        return self._together([self._math.operation("/", value, norm**0.5) for value, norm in scaled])

    def _together(self, columns: list[str]) -> tuple[str, int]:
        return self._writer.node("Concat", columns, axis=1), len(columns)


def _logit_of_glmnet(math: Arithmetic, eta: str) -> str:
    odds = math.function("exp", math.negative(eta))
    return math.operation("/", math.number(1.0), math.operation("+", odds, 1.0))


_GLMNET_LINKS: Mapping[str, Callable[[Arithmetic, str], str]] = {
    **INVERSE_LINKS,
    "logit of glmnet": _logit_of_glmnet,
    "log of glmnet": lambda math, eta: math.function("exp", eta),
}
"""Those of R, for a family as an object, and glmnet's own of a family by name, which have no bounds."""


class GlmnetGraph(RGraph):
    """The graph of a glmnet at one penalty, of the columns that R's product with the coefficients reads."""

    def answer(self, first: str) -> str:
        """Add all; return the output's name. ``first``: the name of an input, which has the number of rows."""
        shape = self._writer.node("Shape", [first], version=15)
        etas = [self._writer.node("Expand", [self._eta(place), shape]) for place in range(len(self._document["start"]))]
        if self._document["answer"] == "label":
            zero = self._writer.node("Expand", [self._math.number(0.0), shape])
            scores = self._writer.node("Concat", etas if len(etas) > 1 else [zero, *etas], axis=1)
            best = self._writer.node("ArgMax", [scores], axis=1, keepdims=0)
            return self._or_missing(self._texts(self._document["classes"], best), scores)
        return _GLMNET_LINKS[self._document["link"]](self._math, etas[0])

    def _eta(self, place: int) -> str:
        start = self._math.number(float.fromhex(self._document["start"][place]))
        used = self._document["used"][place]
        if not used:
            return start
        coefficients = [float.fromhex(one) for one in self._document["coefficients"][place]]
        table = self._writer.node("Concat", [self._document["columns"][column] for column in used], axis=1)
        weights = self._writer.constant("coefficients", np.array([[coefficients[column]] for column in used]))
        return self._math.operation("+", start, self._writer.node("MatMul", [table, weights]))


def _coding(variable: dict[str, Any], *, full: bool) -> NDArray[np.float64]:
    """Return the rows of a factor's levels: dummies, or contrasts."""
    rows = variable["contrasts"]
    return np.eye(len(rows)) if full else np.array([[float.fromhex(one) for one in row] for row in rows])
