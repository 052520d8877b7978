"""Typical notebooks: each case is a cell that makes a model, and the notebook's answers with it."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Case:
    """One model of a notebook.

    ``model`` and ``example`` are the expressions of ``%deploy`` (None: its own proposal); ``ask`` is what the notebook
    answers to the example: a list with one JSON value for each instance.
    """

    name: str
    cell: str
    model: str
    example: str | None
    ask: str


@dataclass(frozen=True)
class Project:
    """A folder with a notebook that captures its cases, one after the other, in one kernel, and deploys the last.

    ``files`` are written next to the notebook; ``editable`` is a folder of them that is installed in an environment of
    its own, which the kernel then runs in. ``imported`` are modules that many of its models need.
    """

    name: str
    first_cell: str
    cases: tuple[Case, ...]
    files: dict[str, str] = field(default_factory=dict)
    editable: str | None = None
    imported: tuple[str, ...] = ()
