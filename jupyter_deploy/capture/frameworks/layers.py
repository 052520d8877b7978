"""The rows that a torch module takes, as far as its layers say."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jupyter_deploy.capture.static_attributes import own

if TYPE_CHECKING:
    from jupyter_deploy.capture.candidates.tables import TableVariable


def rows_for(module: Any, table: TableVariable, namespace: Mapping[str, Any]) -> tuple[str | None, float]:
    """Return an expression of rows that the module's first layer accepts, and its score."""
    layer = _first_layer(module)
    if table.form == "tensor":
        fits = layer is None or _suits(layer, table)
        return (table.sliced if fits else None), 7.0
    library = sys.modules["torch"]
    torch = next((name for name, value in namespace.items() if value is library), None)
    if layer is None or torch is None or table.form not in ("array", "frame") or not _suits(layer, table):
        return None, 0.0
    if table.form == "frame" and any(getattr(dtype, "kind", "f") not in "biuf" for dtype in table.value.dtypes):
        return None, 0.0
    rows = f"{table.sliced}.to_numpy()" if table.form == "frame" else table.sliced
    kind = "long" if layer[0] == "num_embeddings" else "float32"
    return f"{torch}.tensor({rows}, dtype={torch}.{kind})", 4.0


def _suits(layer: tuple[str, int, int], table: TableVariable) -> bool:
    name, size, ndim = layer
    if name == "num_embeddings":
        return "int" in str(getattr(table.value, "dtype", "")) and table.ndim == 2
    if name == "in_channels":
        return table.ndim == ndim and table.value.shape[1] == size
    return table.width == size


def _first_layer(module: Any) -> tuple[str, int, int] | None:
    """Return attribute, size and dimensions of the first layer's input; None: unknown."""
    parts = own(module)
    for name in ("in_features", "in_channels", "num_embeddings"):
        if type(parts.get(name)) is int:
            kernel = parts.get("kernel_size")
            return name, parts[name], 2 + len(kernel) if type(kernel) is tuple else 2
    inner = parts.get("_modules")
    for part in inner.values() if isinstance(inner, dict) else ():
        if part is not None and (layer := _first_layer(part)) is not None:
            return layer
    return None
