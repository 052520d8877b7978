"""Converters by entry point: what makes an ONNX graph of a library's model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import metadata
from typing import Any, Protocol

import numpy as np

from jupyter_deploy.serving.natives.words import Words

GROUP = "nbdeploy.converters"


class NotTranslatable(Exception):
    """The model cannot be translated; the message is the reason, in words."""


@dataclass(frozen=True)
class GraphInput:
    """The input of a graph.

    Attributes
    ----------
    width
        The number of columns.
    kinds
        ``number`` or ``text`` by column, of a graph with one input a column; None: the graph has one input ``X`` of n
        rows and ``width`` 64-bit numbers.
    """

    width: int
    kinds: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Graph:
    """An ONNX graph: its bytes, and the name of the output that answers.

    ``missing_text`` stands for a missing text in its input. ``known``: the texts that the original takes, by column, of
    columns where it raises on others. ``draws``: of labels with equally many votes the original draws one at random.
    ``frames``: the original answers frames and lists of texts, as R does, and not arrays alone. ``words``: how the
    words of a text are found, by the input that takes them with a blank between two. ``rows_at_once``: the most rows of
    one call; 0: any.
    """

    content: bytes
    output: str
    converter: str
    missing_text: str = ""
    known: Mapping[str, list[str]] = field(default_factory=dict)
    draws: bool = False
    frames: bool = False
    words: Mapping[str, Words] = field(default_factory=dict)
    rows_at_once: int = 0


class Converter(Protocol):
    """Makes graphs of one library's models; an entry point in the group ``nbdeploy.converters`` names the class."""

    def takes(self, model: Any) -> bool:
        """Whether it knows models of this class. Imports nothing that the process has not imported."""

    def by_column(self, model: Any) -> bool:
        """Whether the model takes its columns by name, so that the graph has one input a column."""

    def convert(self, model: Any, method: str, inputs: GraphInput) -> Graph:
        """Make the graph. Raises NotTranslatable."""

    def critical_rows(self, model: Any, base: Any, generator: np.random.Generator) -> dict[str, Any]:
        """Return tables by origin: rows of ``base``, changed to where a graph of this model most easily differs."""


@lru_cache(maxsize=1)
def converters() -> tuple[Converter, ...]:
    """All that are installed, by name."""
    found = {entry.name: entry for entry in metadata.entry_points(group=GROUP)}
    return tuple(entry.load()() for _, entry in sorted(found.items()))


def converter_of(model: Any) -> Converter:
    """The first converter that takes a model. Raises NotTranslatable."""
    for converter in converters():
        if converter.takes(model):
            return converter
    raise NotTranslatable(f"no converter knows {type(model).__module__}.{type(model).__qualname__}")
