"""Train a kind of model, translate it, and compare both on further rows."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from jupyter_deploy.capture.inspection import inspect_model
from jupyter_deploy.capture.translation.engine import translate
from jupyter_deploy.capture.translation.proof import compared
from jupyter_deploy.domain.capture.artifacts import Tolerance
from jupyter_deploy.domain.errors import NotTranslated
from jupyter_deploy.domain.evidence.sequential import proportion

from .kinds import Kind

PAGE = Path(__file__).parents[2] / "docs" / "translation.md"
CHECKED = 100_000
CHUNK = 10_000
CALLS = 15
SEED = 7


@dataclass(frozen=True)
class Row:
    """A line of the table; ``translated``: it may say that the two are equal."""

    translated: bool
    text: str


def measure(kind: Kind) -> Row:
    """Train, translate and compare a model."""
    model = kind.model.fit(kind.table, *([] if kind.target is None else [kind.target]), **dict(kind.options))
    method = "predict_proba" if hasattr(model, "predict_proba") else "predict"
    try:
        seen = inspect_model(model, kind.table[:5], method)
        served, proof = translate(model, seen, kind.table, Tolerance())
    except NotTranslated as error:
        why = error.message.partition(": ")[2] or error.message
        return Row(False, f"| {kind.library} | {kind.name} | no: {_cell(why)} | – | – | – | – |")
    original, answer = getattr(model, method), getattr(served, method)
    wrong, flips, largest = check(original, answer, check_rows(kind.table))
    if wrong:
        equal = f"**no**: {wrong:,} of {CHECKED:,} rows differ, by up to {largest:.1g}"
    else:
        equal = "to the last bit" if largest == 0 else f"within {largest:.1g}"
    estimate = proportion(flips, CHECKED).estimate(0.95)
    most = estimate.interval.high if estimate else 1.0
    native, translated = timed(original, answer, kind.table[:1])
    sizes = f"{len(pickle.dumps(model)) / 1000:,.0f} → {len(vars(served.session)['_model_bytes']) / 1000:,.0f}"
    text = (
        f"| {kind.library} | {kind.name} | {equal} | {proof.total:,} rows | {flips} (≤ {most * 100:.2g} %) | "
        f"{native:,.0f} → {translated:,.0f} ({native / translated:.0f} ×) | {sizes} |"
    )
    return Row(not wrong, text)


def check(original: Callable[[Any], Any], answer: Callable[[Any], Any], table: Any) -> tuple[int, int, float]:
    """Return the rows beyond the tolerance, the flips, and the largest difference.

    Rows that the original refuses must be refused by the translation; they count as wrong if it answers.
    """
    wrong = flips = 0
    largest = 0.0
    for begin in range(0, len(table), CHUNK):
        chunk = table[begin : begin + CHUNK]
        expected, found = np.asarray(original(chunk)), np.asarray(answer(chunk))
        result = compared(expected, found, Tolerance())
        wrong += int(result.wrong.sum())
        largest = max(largest, result.largest)
        labels = expected.dtype.kind != "f"
        several = expected.ndim == 2 and expected.shape[1] > 1
        if labels or several:
            ours, theirs = (found, expected) if labels else (found.argmax(axis=1), expected.argmax(axis=1))
            flips += int((ours != theirs).reshape(len(chunk), -1).any(axis=1).sum())
    return wrong, flips, largest


def check_rows(table: Any) -> Any:
    """Rows like the training table's: a third as they are, a third with noise, a third of values shuffled by column.

    The noise of a text is letters, and its values are its words.
    """
    chance = np.random.default_rng(SEED)
    parts = CHECKED // 3
    if isinstance(table, list):
        return _text_rows(table, chance)
    if hasattr(table, "columns"):
        rows = table.iloc[chance.integers(0, len(table), CHECKED)].reset_index(drop=True)
        for name in rows.columns:
            column = rows[name].copy()
            if column.dtype.kind == "f":
                column[:parts] += chance.normal(0, column.std() / 10, parts)
            mixed = table[name].iloc[chance.integers(0, len(table), parts)].to_numpy()
            column[parts : 2 * parts] = mixed
            rows[name] = column
        return rows
    values = np.asarray(table, np.float64)
    rows = values[chance.integers(0, len(values), CHECKED)]
    low = np.nanmin(values, axis=0)
    rows[:parts] += chance.normal(0, 0.1, (parts, rows.shape[1])) * np.nanstd(values, axis=0)
    rows[:parts] = np.maximum(rows[:parts], low)
    for column in range(rows.shape[1]):
        rows[parts : 2 * parts, column] = values[chance.integers(0, len(values), parts), column]
    return rows


def _text_rows(table: list[str], chance: np.random.Generator) -> list[str]:
    chosen = [table[place] for place in chance.integers(0, len(table), CHECKED).tolist()]
    words = sorted({word for text in table for word in text.split()})
    letters = sorted({*"".join(table), *" ,.!'-\nİßé\u0301"})
    parts = CHECKED // 3
    for row in range(2 * parts):
        text = list(chosen[row])
        if row < parts:
            text[int(chance.integers(len(text)))] = letters[int(chance.integers(len(letters)))]
            chosen[row] = "".join(text)
        else:
            chosen[row] = " ".join(words[place] for place in chance.integers(0, len(words), 8).tolist())
    return chosen


def timed(original: Callable[[Any], Any], answer: Callable[[Any], Any], row: Any) -> tuple[float, float]:
    """Return the microseconds of one call of each, in turns."""
    seconds: dict[Callable[[Any], Any], list[float]] = {original: [], answer: []}
    for _ in range(CALLS):
        for call, times in seconds.items():
            begun = time.perf_counter()
            call(row)
            times.append(time.perf_counter() - begun)
    native, translated = (median(times) * 1e6 for times in seconds.values())
    return native, translated


def _cell(words: str) -> str:
    return " ".join(words.replace("|", "/").split())[:200]
