"""What a look at a notebook's variables finds: models, examples for them, and the first rows of one."""

from __future__ import annotations

from jupyter_deploy.domain.base import Value


class ExampleGuess(Value):
    expression: str
    words: str


class ModelFound(Value):
    """A model in the kernel. ``cell``: the last executed one that made or changed it; None: not known."""

    variable: str
    kind: str
    framework: str
    methods: tuple[str, ...]
    method: str | None
    examples: tuple[ExampleGuess, ...]
    why: str = ""
    cell: int | None = None


class Table(Value):
    """The first rows of an example, as texts, cut."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: str
    problem: str = ""
    remedy: str = ""
