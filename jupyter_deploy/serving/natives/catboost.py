"""CatBoost models in CatBoost's binary format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any


def load(folder: Path, name: str, kind: Any, state: Callable[[], dict[str, Any]]) -> Any:
    """Load a model with its own class and parameters."""
    model = kind.__new__(kind)
    model.__setstate__({})  # as CatBoost does before it unpickles a model
    model.load_model(str(folder / name), format="cbm")
    vars(model).update(state())
    return model
