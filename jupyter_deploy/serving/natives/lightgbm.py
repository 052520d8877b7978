"""LightGBM's boosters: their text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any


def load(folder: Path, name: str, kind: type, state: Callable[[], dict[str, Any]]) -> Any:
    """The booster in a file, of its own class; its state says which iteration is the best, among others."""
    booster = kind(model_file=folder / name)
    vars(booster).update(state())
    return booster
