"""The rows that a torch module takes, as far as its layers say."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jupyter_deploy.capture.static_attributes import own

if TYPE_CHECKING:
    from jupyter_deploy.capture.candidates.tables import TableFound


def rows_for(module: Any, table: TableFound, namespace: Mapping[str, Any]) -> tuple[str | None, float]:
    """An expression of the rows that a module's first layer takes, and how well it fits."""
    wanted = _first_layer(module)
    if table.form == "tensor":
        fits = wanted is None or _suits(wanted, table)
        return (table.sliced if fits else None), 7.0
    library = sys.modules["torch"]
    torch = next((name for name, value in namespace.items() if value is library), None)
    if wanted is None or torch is None or table.form not in ("array", "frame") or not _suits(wanted, table):
        return None, 0.0
    if table.form == "frame" and any(getattr(dtype, "kind", "f") not in "biuf" for dtype in table.value.dtypes):
        return None, 0.0
    rows = f"{table.sliced}.to_numpy()" if table.form == "frame" else table.sliced
    kind = "long" if wanted[0] == "num_embeddings" else "float32"
    return f"{torch}.tensor({rows}, dtype={torch}.{kind})", 4.0


def _suits(wanted: tuple[str, int, int], table: TableFound) -> bool:
    name, size, ndim = wanted
    if name == "num_embeddings":
        return "int" in str(getattr(table.value, "dtype", "")) and table.ndim == 2
    if name == "in_channels":
        return table.ndim == ndim and table.value.shape[1] == size
    return table.width == size


def _first_layer(module: Any) -> tuple[str, int, int] | None:
    """What the first of its layers says of its input: the attribute, the size and the dimensions; None: nothing."""
    parts = own(module)
    for name in ("in_features", "in_channels", "num_embeddings"):
        if type(parts.get(name)) is int:
            kernel = parts.get("kernel_size")
            return name, parts[name], 2 + len(kernel) if type(kernel) is tuple else 2
    inner = parts.get("_modules")
    for part in inner.values() if isinstance(inner, dict) else ():
        if part is not None and (found := _first_layer(part)) is not None:
            return found
    return None
