"""A small table that all models here are fitted on: numbers with gaps, categories, flags, labels, scores and texts."""

import numpy as np
import pandas as pd

_random = np.random.default_rng(7)
ROWS = 120

PEOPLE = pd.DataFrame(
    {
        "age": _random.integers(18, 80, ROWS),
        "income": _random.normal(30.0, 8.0, ROWS).round(2),
        "city": _random.choice(["Bern", "Genf", "Zug"], ROWS),
        "member": _random.random(ROWS) > 0.5,
    }
)
SCORES = (PEOPLE["age"] * 0.3 + PEOPLE["income"] + _random.normal(0, 1, ROWS)).to_numpy()
LABELS = np.where(np.median(SCORES) < SCORES, "yes", "no")
TEXTS = [f"{city} {'often' if label == 'yes' else 'never'}" for city, label in zip(PEOPLE["city"], LABELS, strict=True)]
CATEGORIES = PEOPLE.astype({"city": "category"})
