"""LightGBM boosters in LightGBM's text format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any


def load(folder: Path, name: str, kind: type, state: Callable[[], dict[str, Any]]) -> Any:
    """Load a booster with its own class; its state holds the best iteration, among others."""
    booster = kind(model_file=folder / name)
    vars(booster).update(state())
    return booster
