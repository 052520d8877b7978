"""``lm`` and ``glm`` of R by an exact graph of their designs, which ``design.R`` describes at the capture."""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jupyter_deploy import __version__
from jupyter_deploy.capture.r import DESIGN

from .arithmetic import Arithmetic
from .converters import Graph, GraphInput, NotTranslatable
from .graph_parts import GraphParts
from .imputation import MISSING_TEXT
from .r_links import INVERSE_LINKS

_ROWS = 2_000
_WIDER = (3.0, 30.0, 1e4)
"""How far beyond the seen ranges rows are, so that an inverse link is compared at its bounds."""

_WHOLE = 2**31 - 1


class RConverter:
    """The Converter of R's linear and generalised linear models."""

    def takes(self, model: Any) -> bool:
        """Whether the model is one of R's."""
        kind = getattr(sys.modules.get("jupyter_deploy.serving.natives.r"), "RModel", ())
        return isinstance(model, kind)

    def by_column(self, model: Any) -> bool:
        """Formulas name their columns."""
        del model
        return True

    def convert(self, model: Any, method: str, inputs: GraphInput) -> Graph:
        """Make the graph of an ``lm`` or ``glm``."""
        del method  # the design has the type of the captured predict
        design = _design_of(model)
        try:
            import onnx  # noqa: F401 - GraphParts writes the graph by it
        except ImportError as error:
            raise NotTranslatable("onnx is not installed: pip install 'nbdeploy[onnx]'") from error
        made = _Graph(design)
        kinds = inputs.kinds or {}
        answer = made.response(next(iter(kinds)))
        return Graph(made.parts.content(kinds, answer), answer, f"nbdeploy {__version__}", MISSING_TEXT, made.known)

    def critical_rows(self, model: Any, base: Any, generator: np.random.Generator) -> dict[str, Any]:
        """Return rows beyond the seen ranges, where inverse links have bounds, and rows with missing numbers."""
        numbers = [
            column["name"] for column in model.about["columns"] if column["kind"] in ("double", "integer", "logical")
        ]
        if not numbers:
            return {}
        wide = _sampled(base, numbers, _ROWS, generator)
        for column in model.about["columns"]:
            if column["kind"] in ("double", "integer"):
                seen = base[column["name"]].to_numpy(np.float64, na_value=np.nan)
                values = _wider(seen[np.isfinite(seen)], generator)
                wide[column["name"]] = np.rint(values).clip(-_WHOLE, _WHOLE) if column["kind"] == "integer" else values
        missing = _sampled(base, numbers, 2 * len(numbers), generator)
        for place, name in enumerate(numbers):
            missing.loc[[2 * place, 2 * place + 1], name] = np.nan
        return {"beyond": wide, "missing": missing}


def _sampled(base: Any, numbers: list[str], rows: int, generator: np.random.Generator) -> Any:
    """Return rows of the base whose numbers are of 64 bits, so that one may be missing."""
    frame = base.iloc[generator.integers(0, len(base), rows)].reset_index(drop=True).copy()
    for name in numbers:
        frame[name] = frame[name].to_numpy(np.float64, na_value=np.nan)
    return frame


def _wider(seen: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.float64]:
    low, high = (seen.min(), seen.max()) if len(seen) else (0.0, 1.0)
    half = max((high - low) / 2, 1.0)
    return np.asarray((low + high) / 2 + half * generator.choice(_WIDER, _ROWS) * generator.uniform(-1, 1, _ROWS))


def _design_of(model: Any) -> dict[str, Any]:
    path = model.folder / DESIGN
    if not path.is_file():
        raise NotTranslatable("its capture wrote no design")
    design: dict[str, Any] = json.loads(path.read_text("utf-8"))
    if "refused" in design:
        raise NotTranslatable(design["refused"])
    return design


class _Graph:
    """The graph of one design: a block of columns for each term, their products with the coefficients, and the link."""

    def __init__(self, design: dict[str, Any]) -> None:
        self.parts = GraphParts()
        self.known = {
            variable["column"]: [*variable["levels"], MISSING_TEXT]
            for variable in design["variables"]
            if variable["kind"] == "levels"
        }
        self._design = design
        self._writer = self.parts.writer
        self._math = Arithmetic(self._writer)

    def response(self, first: str) -> str:
        """Add all; return the output's name. ``first``: the name of an input, which has the number of rows."""
        coefficients = [None if one is None else float.fromhex(one) for one in self._design["coefficients"]]
        begin = int(self._design["intercept"])
        eta = self._math.number(coefficients[0] or 0.0) if begin else self._math.number(0.0)
        for term in self._design["terms"]:
            block, width = self._block(term)
            chosen = coefficients[begin : begin + width]
            begin += width
            eta = self._added(eta, block, chosen)
        if begin != len(coefficients):
            raise NotTranslatable(f"its {len(coefficients)} coefficients are not those of its terms, {begin}")
        for offset in self._design["offsets"]:
            eta = self._math.operation("+", eta, self._expression(offset))
        eta = self._writer.node("Expand", [eta, self._writer.node("Shape", [first], version=15)])
        return INVERSE_LINKS[self._design["link"]](self._math, eta)

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
            one, columns = self._columns(self._design["variables"][place], full=full)
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
        levels = variable["levels"]
        codes = {"keys_strings": levels, "values_int64s": list(range(len(levels))), "default_int64": len(levels)}
        code = self._writer.node("LabelEncoder", [variable["column"]], version=2, **codes)
        code = self._writer.node("Reshape", [code, self._writer.constant("shape", np.array([-1]))])
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

    def _expression(self, expression: dict[str, Any]) -> str:
        if "column" in expression:
            return str(expression["column"])
        if "number" in expression:
            return self._math.number(float.fromhex(expression["number"]))
        parts = [self._expression(part) for part in expression["parts"]]
        made = self._math.called(expression["call"], parts)
        wraps = expression["whole"] and expression["call"] in ("+", "-", "*")
        return self._math.whole(made) if wraps else made


def _coding(variable: dict[str, Any], *, full: bool) -> NDArray[np.float64]:
    """Return the rows of a factor's levels: dummies, or contrasts."""
    rows = variable["contrasts"]
    return np.eye(len(rows)) if full else np.array([[float.fromhex(one) for one in row] for row in rows])
