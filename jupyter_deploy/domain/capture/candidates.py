"""What a notebook's variables offer: models, examples for them, rows to score them by, an example's first rows."""

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


class LabelledRows(Value):
    """Variables of rows and of their true answers, by which models are scored. ``words``: the rows' size."""

    x: str
    y: str
    words: str


class Table(Value):
    """The first rows of an example as shortened texts."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: str
    problem: str = ""
    remedy: str = ""
