"""Candidates for a deploy in a notebook: models, examples for them, and the first rows of an example."""

from __future__ import annotations

from jupyter_deploy.domain.base import Value


class ExampleGuess(Value):
    """An expression for an example. ``placeholder``: its values are made up by the parameters' types."""

    expression: str
    words: str
    placeholder: bool = False


class ModelCandidate(Value):
    """A model in the kernel.

    Attributes
    ----------
    cell
        The last executed cell that made or changed it; None: unknown.
    unusual
        A form asks whether it is the one, even if it ranks first: it is not fitted, a transformer, a plain callable
        object, or a detector of outliers that is not the only model.
    """

    variable: str
    kind: str
    framework: str
    methods: tuple[str, ...]
    method: str | None
    examples: tuple[ExampleGuess, ...]
    why: str = ""
    cell: int | None = None
    unusual: bool = False


class Table(Value):
    """The first rows of an example as shortened texts."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: str
    problem: str = ""
    remedy: str = ""
