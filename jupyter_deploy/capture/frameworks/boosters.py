"""What XGBoost, LightGBM and CatBoost share: a booster goes into a file of its library's own format."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from jupyter_deploy.capture.static_attributes import has_method, own
from jupyter_deploy.system.digests import file_sha256

from .sklearn import Sklearn


class Boosted(Sklearn):
    """A library of boosters, and of estimators that keep theirs as ``_Booster``."""

    def is_fitted(self, model: Any) -> bool:
        """An estimator has its booster by the fit; a booster is what a training returns."""
        parts = own(model)
        if "_Booster" in parts and has_method(model, "fit"):
            return parts["_Booster"] is not None
        return super().is_fitted(model)


class BoosterFiles:
    """A NativeWriter of boosters, one file each: ``booster.SUFFIX``, ``booster-2.SUFFIX`` and so on.

    Parameters
    ----------
    folder : Path
        The snapshot's.
    format_ : str
        The format's name, which is its loader's in ``serving.natives``.
    suffix : str
        Of the files' names, such as ``ubj``.
    kinds : tuple of type
        The classes of its boosters; none while the library is not imported.
    write : callable
        Writes a booster to a path and returns the state that the file lacks and the loader's other arguments; hashable.
        It may raise ``Unwritable``.
    """

    def __init__(
        self,
        folder: Path,
        format_: str,
        suffix: str,
        kinds: tuple[type, ...],
        write: Callable[[Any, Path], tuple[Any, ...]],
    ) -> None:
        self.format = format_
        self._folder = folder
        self._suffix = suffix
        self._kinds = kinds
        self._write = write
        self._written: list[str] = []

    def takes(self, kind: type) -> bool:
        """Boosters; a subclass that says itself how it is pickled is left to the pickle."""
        known = next((base for base in self._kinds if issubclass(kind, base)), None)
        return known is not None and all(
            getattr(kind, name, None) is getattr(known, name, None) for name in ("__getstate__", "__reduce__")
        )

    def take(self, part: Any) -> tuple[Any, ...] | None:
        """Write it; the file's name, its class, and what the format does not hold."""
        count = len(self._written) + 1
        name = f"booster{'' if count == 1 else f'-{count}'}.{self._suffix}"
        try:
            state, *rest = self._write(part, self._folder / name)
        except Unwritable:
            return None
        self._written.append(name)
        return (name, type(part), held(state), *rest)

    def finish(self) -> dict[str, str]:
        """Its files, already written, with their SHA-256."""
        return {name: file_sha256(self._folder / name) for name in self._written}


def held(state: dict[str, Any]) -> Callable[[], dict[str, Any]]:
    """Attributes as part of a reference, which must be hashable."""
    return partial(dict, state)


class Unwritable(Exception):
    """Nothing is in it yet that could be written."""
