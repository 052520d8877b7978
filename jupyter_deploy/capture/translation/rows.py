"""The rows on which an original and its translation are compared."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from .converters import converter_of

_TRAINING = 10_000
_RANDOM = 2_000
_CATEGORIES = 500
_LONGEST = 1_000
"""Words of a random text at most."""

_SEED = 20261201


def proof_rows(model: Any, example: Any, training: Any) -> dict[str, Any]:
    """Return tables by origin: the example, a sample of the training table, random and critical rows, and categories.

    All are seeded, so that a second translation compares the same ones. Raises NotTranslatable if no converter knows
    the model.
    """
    generator = np.random.default_rng(_SEED)
    parts = {"example": example}
    base = example
    if training is not None and _fits(training, example):
        rows = generator.permutation(len(training))[:_TRAINING]
        base = taken(list(training) if isinstance(example, list) else training, rows)
        base = base[list(example.columns)] if hasattr(example, "columns") else base
        parts["training"] = base
    parts["random"] = _random(base, generator)
    critical = converter_of(model).critical_rows(model, base, generator)
    parts.update({origin: table for origin, table in critical.items() if len(table)})
    categories = _categories(base, generator)
    if len(categories):
        parts["category"] = categories
    return parts


def taken(table: Any, places: Any) -> Any:
    """Return the rows at places, of a table, an array or a list."""
    if isinstance(table, list):
        return [table[place] for place in places]
    return table.iloc[places] if hasattr(table, "iloc") else np.asarray(table)[places]


def width_of(example: Any) -> int:
    """Return the number of columns; 1 of a list of texts."""
    return 1 if isinstance(example, list) else int(example.shape[1])


def _categories(base: Any, generator: np.random.Generator) -> Any:
    """Rows with each seen text of a column, one that nobody has seen, and the empty one; none for an array."""
    if not hasattr(base, "columns"):
        return base[:0]
    tables = []
    for name in base.columns:
        if base[name].dtype.kind in "iufb":
            continue
        seen = sorted({str(value) for value in base[name].dropna().unique()[:_CATEGORIES]})
        missing = next(iter(base[name][base[name].isna()]), np.nan)
        texts = [*seen, f"{seen[0]} " if seen else " ", "", missing]
        table = base.iloc[generator.integers(0, len(base), len(texts))].reset_index(drop=True)
        table[name] = table[name].astype(object)
        table[name] = texts
        tables.append(table.astype({name: base[name].dtype}))
    return sys.modules["pandas"].concat(tables, ignore_index=True) if tables else base[:0]


def _fits(training: Any, example: Any) -> bool:
    """Whether the training table has the example's columns."""
    if isinstance(example, list):
        return np.ndim(training) == 1 and all(isinstance(text, str) for text in training)
    if getattr(training, "ndim", None) != 2:
        return False
    if hasattr(example, "columns"):
        return hasattr(training, "iloc") and set(example.columns) <= set(training.columns)
    return not hasattr(training, "columns") and training.shape[1] == example.shape[1]


def _random(base: Any, generator: np.random.Generator) -> Any:
    """Rows whose numbers are uniform within the seen range, and whose other values are seen ones, each by itself."""
    if isinstance(base, list):
        return _texts(base, generator)
    if not hasattr(base, "columns"):
        values = np.asarray(base, np.float64)
        return generator.uniform(np.nanmin(values, axis=0), np.nanmax(values, axis=0), (_RANDOM, values.shape[1]))
    frame = base.iloc[generator.integers(0, len(base), _RANDOM)].reset_index(drop=True).copy()
    for name in frame.columns:
        kind = frame[name].dtype.kind
        seen = base[name].dropna()
        if kind == "f" and len(seen):
            frame[name] = generator.uniform(seen.min(), seen.max(), _RANDOM)
        else:
            frame[name] = base[name].iloc[generator.integers(0, len(base), _RANDOM)].to_numpy()
    return frame


def _texts(base: list[str], generator: np.random.Generator) -> list[str]:
    """Texts of the seen words, each as long as a seen text."""
    words = sorted({word for text in base for word in text.split()}) or [""]
    lengths = [min(len(text.split()), _LONGEST) for text in base]
    chosen = generator.choice(lengths, _RANDOM)
    return [" ".join(words[place] for place in generator.integers(0, len(words), length)) for length in chosen.tolist()]
