"""A model that was translated to ONNX: it takes the tables that the original takes, and answers in the same form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypedDict

import numpy as np


class TranslatedForm(TypedDict):
    """The form of a translated model's input and answer, as plain values.

    ``columns`` are the names of the columns in the model's order; None: the model takes an array. ``kinds`` has, for a
    graph with one input a column, the kind of each by name: ``number`` or ``text``; None: the graph takes one array,
    ``X``.
    ``dtype`` and ``ndim`` are those of the original's answers. ``missing_text`` is the text by which the graph knows a
    missing one; ``known`` has, for columns where the original raises on other texts, those that it takes.
    """

    method: str
    output: str
    columns: list[str] | None
    kinds: dict[str, str] | None
    dtype: str
    ndim: int
    missing_text: str
    known: dict[str, list[str]]


class TranslatedModel:
    """An ``InferenceSession`` with the original's method."""

    def __init__(self, session: Any, form: TranslatedForm) -> None:
        self.session = session
        self.form = form

    def __getattr__(self, name: str) -> Callable[[Any], Any]:
        if name == self.__dict__.get("form", {}).get("method"):
            return self._answer
        raise AttributeError(f"the translated model has no '{name}'")

    def _answer(self, table: Any) -> Any:
        """Answer a table of n rows: n answers, as the original's method gives them."""
        (answer,) = self.session.run([self.form["output"]], self._feeds(table))
        answer = np.asarray(answer)
        if self.form["ndim"] == 1:
            answer = answer.reshape(-1)
        return answer.astype(self.form["dtype"])

    def _feeds(self, table: Any) -> dict[str, Any]:
        columns, kinds = self.form["columns"], self.form["kinds"]
        if columns is not None and hasattr(table, "columns"):
            table = table[columns]
        if kinds is None:
            values = table.to_numpy(dtype="float64") if hasattr(table, "to_numpy") else np.asarray(table, "float64")
            return {"X": np.ascontiguousarray(values)}
        return {name: self._column(table[name], kind) for name, kind in kinds.items()}

    def _column(self, values: Any, kind: str) -> Any:
        if kind == "number":
            return values.to_numpy(dtype="float64", na_value=np.nan).reshape(-1, 1)
        texts = values.astype(str).to_numpy(dtype=object)
        texts = np.where(values.isna().to_numpy(dtype=bool), self.form["missing_text"], texts)
        if values.name in self.form["known"]:
            unknown = sorted(set(texts.tolist()).difference(self.form["known"][values.name]))
            if unknown:
                shown = "a missing value" if unknown[0] == self.form["missing_text"] else f"'{unknown[0]}'"
                raise ValueError(f"the column '{values.name}' has {shown}, which the model does not know")
        return texts.reshape(-1, 1)
