"""Large numpy arrays, mapped."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np

from .mapped import buffer


def load(  # noqa: PLR0917 - called with what stands in the pickle
    folder: Path, file: str, name: str, dtype: Any, shape: tuple[int, ...], order: Literal["C", "F"], writeable: bool
) -> Any:
    """The array, with the layout in memory that it had."""
    data, begin, _ = buffer(folder / file, name)
    array: np.ndarray[Any, Any] = np.ndarray(shape, dtype, buffer=data, offset=begin, order=order)
    array.flags.writeable = writeable
    return array
