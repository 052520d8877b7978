"""CatBoost's models: their binary files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any


def load(folder: Path, name: str, kind: Any, state: Callable[[], dict[str, Any]]) -> Any:
    """The model in a file, of its own class and with its parameters."""
    model = kind.__new__(kind)
    model.__setstate__({})  # what CatBoost itself makes ready before it unpickles a model
    model.load_model(str(folder / name), format="cbm")
    vars(model).update(state())
    return model
