"""What R describes of a fit at its capture, and what the graphs of all such designs share."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jupyter_deploy.capture.r import DESIGN, DESIGN_ARRAYS

from .arithmetic import Arithmetic
from .converters import NotTranslatable
from .graph_parts import GraphParts
from .imputation import MISSING_TEXT


@dataclass(frozen=True)
class RDesign:
    """A design: the document that R wrote, and the vectors of trees by name, of 64-bit numbers."""

    document: dict[str, Any]
    arrays: dict[str, NDArray[np.float64]]

    def wholes(self, name: str) -> NDArray[np.int64]:
        """Return a vector of whole numbers."""
        return self.arrays[name].astype(np.int64)


def read_design(folder: Path) -> RDesign:
    """Read the design in a capture's folder.

    Raises
    ------
    NotTranslatable
        There is none, or R refused to describe the model.
    """
    path = folder / DESIGN
    if not path.is_file():
        raise NotTranslatable("its capture wrote no design")
    document: dict[str, Any] = json.loads(path.read_text("utf-8"))
    if "refused" in document:
        raise NotTranslatable(document["refused"])
    lengths = document.get("arrays") or {}
    values = np.fromfile(folder / DESIGN_ARRAYS, "<f8") if lengths else np.empty(0)
    parts = np.split(values, np.cumsum(list(lengths.values())[:-1])) if lengths else []
    return RDesign(document, dict(zip(lengths, parts, strict=True)))


class RGraph(ABC):
    """The graph of a design.

    Attributes
    ----------
    parts
        The nodes and constants so far.
    known
        The texts that R takes, by column, where it raises on others.
    kind, width
        Of the answer: ``number`` or ``text``, and how many columns it has.
    """

    kind = "number"
    width = 1

    def __init__(self, design: RDesign) -> None:
        self.parts = GraphParts()
        self.known: dict[str, list[str]] = {}
        self._design, self._document = design, design.document
        self._writer = self.parts.writer
        self._math = Arithmetic(self._writer)
        for variable in self._document.get("variables", ()):
            if variable["kind"] == "levels" and variable.get("unknown", "refused") == "refused":
                missing = [] if self._document.get("missing") == "refused" else [MISSING_TEXT]
                self.known[variable["column"]] = [*variable["levels"], *missing]

    @abstractmethod
    def answer(self, first: str) -> str:
        """Add all; return the output's name. ``first``: the name of an input, which has the number of rows."""

    def _codes(self, column: str, levels: list[str], *, first: int = 0, missing: int | None = None) -> str:
        """Add the codes of texts: n whole numbers from ``first``; any other text has the one after the last.

        ``missing``: the code of a missing text, if it has one of its own.
        """
        keys, values = list(levels), list(range(first, first + len(levels)))
        if missing is not None:
            keys, values = [*keys, MISSING_TEXT], [*values, missing]
        codes: dict[str, Any] = {"keys_strings": keys, "values_int64s": values, "default_int64": first + len(levels)}
        code = self._writer.node("LabelEncoder", [column], version=2, **codes)
        return self._writer.node("Reshape", [code, self._writer.constant("shape", np.array([-1]))])

    def _expression(self, expression: dict[str, Any]) -> str:
        if "column" in expression:
            return str(expression["column"])
        if "number" in expression:
            return self._math.number(float.fromhex(expression["number"]))
        parts = [self._expression(part) for part in expression["parts"]]
        made = self._math.called(expression["call"], parts)
        wraps = expression["whole"] and expression["call"] in ("+", "-", "*")
        return self._math.whole(made) if wraps else made

    def _texts(self, classes: list[str], places: str) -> str:
        """Add the answer of texts: those of the classes at n places."""
        self.kind = "text"
        return self._writer.node(
            "Gather", [self._writer.constant("classes", np.array(classes, object)), places], axis=0
        )

    def _is_missing(self, table: str) -> str:
        """Add whether a row has a missing value: n rows of one condition."""
        from onnx import TensorProto

        missing = self._writer.node("Cast", [self._writer.node("IsNaN", [table])], to=TensorProto.DOUBLE)
        most = self._writer.node("ReduceMax", [missing], axes=[1], keepdims=1)
        return self._math.is_more(most, 0.0)

    def _or_missing(self, texts: str, table: str) -> str:
        """Add n texts, where a row of the table has a missing value ``MISSING_TEXT`` instead."""
        shape = self._writer.constant("shape", np.array([-1]))
        condition = self._writer.node("Reshape", [self._is_missing(table), shape])
        return self._math.choose(condition, self._writer.constant("missing", np.array([MISSING_TEXT], object)), texts)
