"""A model that was translated to ONNX: it takes the tables that the original takes, and answers in the same form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NotRequired, TypedDict

import numpy as np

from ..values.validation import InvalidInstances
from .words import Words, splitter

BEYOND_R = "beyond R's whole numbers (32 bits)"

UNUSUAL: dict[str, Callable[[Any], Any]] = {
    "missing": np.isnan,
    "infinite": np.isinf,
    "too large for 32 bits": lambda values: np.isfinite(values) & (np.abs(values) > np.finfo(np.float32).max),
    BEYOND_R: lambda values: np.abs(values) > np.iinfo(np.int32).max,
}
"""Numbers that some models refuse, by kind, with the function that finds them."""


class TranslatedAnswer(TypedDict, total=False):
    """How an array becomes an answer of R.

    ``names``: it is a data frame with columns of these names. ``listed``: it is a list of texts, and ``missing_text``
    becomes None.
    """

    names: list[str]
    listed: bool


class TranslatedForm(TranslatedAnswer):
    """The form of a translated model's input and answer, as plain values.

    ``columns`` are the names of the columns in the model's order; None: the model takes an array. ``kinds`` has, for a
    graph with one input a column, the kind of each by name: ``number`` or ``text``; None: the graph takes one array,
    ``X``. With kinds and without columns the model takes a list of texts, and so does the graph's one input.
    ``dtype`` and ``ndim`` are those of the original's answers. ``missing_text`` is the text by which the graph knows a
    missing one; ``known`` has, for columns where the original raises on other texts, those that it takes; ``refused``
    the positions of the columns where it raises on a number, by its kind in ``UNUSUAL``. ``table``: the dtypes of a
    data frame's columns (``TableTypes``); absent: the model takes an array, or a frame that only pandas can make.
    ``words``: how the words of a text are found, by the input that takes words. ``rows_at_once``: the most rows of one
    call of the graph; absent: any.
    """

    method: str
    output: str
    columns: list[str] | None
    kinds: dict[str, str] | None
    dtype: str
    ndim: int
    missing_text: NotRequired[str]
    known: NotRequired[dict[str, list[str]]]
    refused: NotRequired[dict[str, list[int]]]
    table: NotRequired[dict[str, str]]
    words: NotRequired[dict[str, Words]]
    rows_at_once: NotRequired[int]


class TranslatedModel:
    """An ``InferenceSession`` with the original's method."""

    def __init__(self, session: Any, form: TranslatedForm) -> None:
        self.session = session
        self.form = form
        self._splitters = {name: splitter(words) for name, words in form.get("words", {}).items()}

    def __getattr__(self, name: str) -> Callable[[Any], Any]:
        if name == self.__dict__.get("form", {}).get("method"):
            return self._answer
        raise AttributeError(f"the translated model has no '{name}'")

    def _answer(self, table: Any) -> Any:
        """Answer a table of n rows: n answers, as the original's method gives them."""
        answer = self._run(self.feeds(table))
        if self.form["ndim"] == 1 or answer.ndim == 1:
            answer = answer.reshape((-1, 1)[: self.form["ndim"]])
        answer = answer.astype(self.form["dtype"])
        if names := self.form.get("names"):
            import pandas as pd

            return pd.DataFrame(answer, columns=names)
        if self.form.get("listed"):
            return [None if text == self.form.get("missing_text") else text for text in answer.tolist()]
        return answer

    def _run(self, feeds: dict[str, Any]) -> Any:
        """Return the graph's output, in parts of ``rows_at_once`` rows."""
        outputs, most = [self.form["output"]], self.form.get("rows_at_once")
        count = len(next(iter(feeds.values()))) if most else 0
        if not most or count <= most:
            return np.asarray(self.session.run(outputs, feeds)[0])
        parts = ({name: feed[begin : begin + most] for name, feed in feeds.items()} for begin in range(0, count, most))
        return np.concatenate([self.session.run(outputs, part)[0] for part in parts])

    def feeds(self, table: Any) -> dict[str, Any]:
        """Return the graph's inputs of a table of n rows: arrays of n rows by name; a missing text is ``missing_text``.

        Raises
        ------
        ValueError
            The original raises on such a row.
        InvalidInstances
            The original, a model of R, cannot be given such a number.
        """
        columns, kinds = self.form["columns"], self.form["kinds"]
        if columns is None and kinds is not None:
            return {name: self._words(name, table) for name in kinds}
        if columns is not None and hasattr(table, "columns"):
            table = table[columns]
        if kinds is None:
            values = _matrix(table, columns)
            self._check(values)
            return {"X": np.ascontiguousarray(values)}
        return {
            name: self._numbers(table[name], column) if kind == "number" else self._texts(name, table[name])
            for column, (name, kind) in enumerate(kinds.items())
        }

    def _numbers(self, values: Any, column: int) -> Any:
        numbers = (
            values.to_numpy(dtype="float64", na_value=np.nan)
            if hasattr(values, "to_numpy")
            else values.astype(np.float64, copy=False)
        ).reshape(-1, 1)
        self._check(numbers, column)
        return numbers

    def _words(self, name: str, values: Any) -> Any:
        """Return the words of each text, n rows by 1."""
        split = self._splitters[name]
        words = np.empty((len(values), 1), object)
        for row, text in enumerate(values):
            try:
                words[row, 0] = split(text)
            except (AttributeError, TypeError) as error:
                raise ValueError(f"a {type(text).__name__} is no text in row {row}") from error
        return words

    def _texts(self, name: str, values: Any) -> Any:
        if name in self._splitters:
            return self._words(name, values)
        missing_text = self.form.get("missing_text")
        if hasattr(values, "to_numpy"):
            texts: Any = values.astype(str).to_numpy(dtype=object)
            missing = values.isna().to_numpy(dtype=bool)
        else:
            texts = np.array([str(value) for value in values.tolist()], dtype=object)
            missing = np.array([value is None for value in values.tolist()], dtype=bool)
        if missing_text is None and missing.any():
            raise ValueError(f"the column '{name}' is missing in a row, and the model takes texts there")
        texts[missing] = missing_text
        known = self.form.get("known", {}).get(name)
        unknown = [] if known is None else sorted(set(texts.tolist()).difference(known))
        if unknown:
            shown = "a missing value" if unknown[0] == missing_text else f"'{unknown[0]}'"
            raise ValueError(f"the column '{name}' has {shown}, which the model does not know")
        return texts.reshape(-1, 1)

    def _check(self, numbers: Any, first: int = 0) -> None:
        """Raise on numbers on which the original raises. ``first``: the position of their first column."""
        for kind, columns in self.form.get("refused", {}).items():
            for row, place in np.argwhere(UNUSUAL[kind](numbers)).tolist():
                column = first + place
                if column not in columns:
                    continue
                name = self.form["columns"][column] if self.form["columns"] else column
                if kind == BEYOND_R:  # no error of the model: a data frame of R cannot hold it
                    problem = f"is {numbers[row, place]:.0f}, {kind}"
                    raise InvalidInstances([{"loc": ["instances", row, name], "msg": problem}])
                shown = f"'{name}'" if self.form["columns"] else name
                raise ValueError(f"the column {shown} is {kind} in row {row}, and the model does not take that")


def _matrix(table: Any, columns: list[str] | None) -> Any:
    """Return a table as 64-bit numbers, n rows by its columns; the table may be arrays by column."""
    if hasattr(table, "to_numpy"):
        return table.to_numpy(dtype="float64")
    if isinstance(table, dict):
        return np.column_stack([table[name] for name in columns or table]).astype(np.float64, copy=False)
    return np.asarray(table, "float64")
