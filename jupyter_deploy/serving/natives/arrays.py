"""Large NumPy arrays, memory-mapped."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np

from .mapped import buffer


def load(  # noqa: PLR0917 - the arguments are stored in the pickle
    folder: Path, file: str, name: str, dtype: Any, shape: tuple[int, ...], order: Literal["C", "F"], writeable: bool
) -> Any:
    """Return the array with its original memory layout."""
    data, begin, _ = buffer(folder / file, name)
    array: np.ndarray[Any, Any] = np.ndarray(shape, dtype, buffer=data, offset=begin, order=order)
    array.flags.writeable = writeable
    return array
