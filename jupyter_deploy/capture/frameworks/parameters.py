"""Hyperparameters as JSON: what a model was made with, in a form that two captures of it have in common."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from typing import Any

from jupyter_deploy.domain.secret_names import hide_secrets

LONGEST = 50
"""The most items of a list or an array; a longer one is replaced by its size and a digest."""

TEXT_LIMIT = 200
_DEPTH = 4
_COLLECTIONS = (Mapping, list, tuple, set, frozenset)
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def parameters_of(estimator: Any) -> dict[str, Any]:
    """The result of ``get_params``, nested estimators' as ``step__name``; empty if it raises.

    An estimator as a value is replaced by its class. Values under the name of a secret are not kept.
    """
    try:
        found = dict(estimator.get_params(deep=True))
    except Exception:  # noqa: BLE001 - a class of the user's own may break the convention; that hinders no capture
        return {}
    return {str(name): hide_secrets(str(name), as_json(value)) for name, value in sorted(found.items())}


def as_json(value: Any, depth: int = 0) -> Any:
    """A hyperparameter as a JSON value, else as text without what differs from one process to the next."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):  # numpy's float64 is one too
        plain = int(value) if isinstance(value, int) else float(value)
        return plain if math.isfinite(plain) else str(plain)
    if hasattr(value, "dtype") and hasattr(value, "tolist") and not isinstance(value, type):  # numpy's scalars, arrays
        return as_json(value.tolist(), depth) if getattr(value, "size", 1) <= LONGEST else _array(value)
    return _items(value, depth) if _is_short_collection(value, depth) else _text(value)


def _is_short_collection(value: Any, depth: int) -> bool:
    return depth < _DEPTH and isinstance(value, _COLLECTIONS) and len(value) <= LONGEST


def _items(value: Any, depth: int) -> Any:
    if isinstance(value, Mapping):
        return {str(key): as_json(item, depth + 1) for key, item in value.items()}
    items = [as_json(item, depth + 1) for item in value]
    return sorted(items, key=str) if isinstance(value, set | frozenset) else items


def _text(value: Any) -> str:
    if isinstance(value, type) or (callable(value) and hasattr(value, "__qualname__")):
        return f"{value.__module__}.{value.__qualname__}"
    if hasattr(value, "get_params"):
        return type(value).__name__
    text = str(value) if isinstance(value, str) else _ADDRESS.sub("", repr(value))
    if len(text) <= TEXT_LIMIT:
        return text
    return f"{type(value).__name__} of {len(text)} characters, {_digest(text)}"


def _array(value: Any) -> str:
    shape = "x".join(map(str, getattr(value, "shape", ())))
    return f"{type(value).__name__} of {shape} {value.dtype}, {_digest(repr(value.tolist()))}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
