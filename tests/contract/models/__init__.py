"""Models that people deploy: a builder each, for the contract tests and for docs/supported-models.md.

One file a library, or a few related ones (``boosters.py``), in this folder. A builder trains its model when it is
called, with a seed, on few rows, so that a fresh process builds the same. It stands in the table as ``library``,
``kind``::

    @model("xgboost", "Booster")
    def booster():
        return Built(xgb.train(…), X[:5])
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any


@dataclass(frozen=True)
class Built:
    """A model in a kernel, with the example and the method that its owner would name."""

    model: Any
    example: Any
    method: str | None = None


@dataclass(frozen=True)
class Kind:
    """One line of the table."""

    library: str
    kind: str
    build: Callable[[], Built]

    @property
    def id(self) -> str:
        return f"{self.library}: {self.kind}"


_KINDS: list[Kind] = []


def model(library: str, kind: str) -> Callable[[Callable[[], Built]], Callable[[], Built]]:
    """Enter a builder into the table."""

    def enter(build: Callable[[], Built]) -> Callable[[], Built]:
        _KINDS.append(Kind(library, kind, build))
        return build

    return enter


def kinds() -> list[Kind]:
    """All of them, by file and in the order of their definition."""
    for module in sorted(found.name for found in iter_modules([str(Path(__file__).parent)])):
        import_module(f"{__name__}.{module}")
    return list(_KINDS)
