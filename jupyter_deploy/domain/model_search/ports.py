"""The port of a search for models."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from .requests import AutomlRequest
from .search import SearchNote, Task, Trial


class PreparedSearch(Protocol):
    """A table that was read and checked, with its split."""

    @property
    def task(self) -> Task: ...

    @property
    def metric(self) -> str:
        """The metric as the table of candidates names it."""

    @property
    def greater_is_better(self) -> bool: ...

    @property
    def method(self) -> str: ...

    @property
    def rows(self) -> int: ...

    @property
    def held_out(self) -> int: ...

    @property
    def split(self) -> str: ...

    @property
    def notes(self) -> Sequence[SearchNote]: ...

    def trials(self, deadline: float | None) -> Iterator[Trial]:
        """Try one model after another, as long as the caller asks for more.

        ``deadline``: of ``time.monotonic``; no fold of cross-validation begins after it.
        """

    def names(self, best: Sequence[Trial]) -> tuple[str, ...]:
        """Return the variables of the notebook's models: the best of each family, the ensemble, the baseline."""

    def notebook(
        self,
        best: Sequence[Trial],
        words: str,
        constraints: Sequence[str],
        endpoint: str | None,
        *,
        native_only: bool,
    ) -> str:
        """Return the notebook as text.

        Parameters
        ----------
        words
            A paragraph on the search.
        endpoint
            An endpoint whose stable release is measured too.
        """

    def cells(self, best: Sequence[Trial]) -> tuple[str, ...]:
        """Return the notebook's code up to its models."""

    def saved_answers(self, best: Sequence[Trial]) -> AbstractContextManager[Path]:
        """Fit the models of the notebook, and yield a file with their answers to the held-out rows."""

    def validation(
        self, best: Sequence[Trial], notebook: str, endpoint: str, model: str
    ) -> tuple[str, tuple[str, ...]]:
        """Return a validation notebook on the held-out rows, as text, and its gates.

        Parameters
        ----------
        notebook
            The name of the notebook that trains the models.
        model
            The variable of the endpoint's model.
        """


class ModelSearch(Protocol):
    def prepare(self, request: AutomlRequest, notebook: Path) -> PreparedSearch:
        """Read and check the table, before slow work.

        Parameters
        ----------
        notebook
            The notebook's future path: it names the data relative to its folder.

        Raises InvalidInput: the file, the label, a column, the metric or the engine cannot be used, or the label leaks.
        """

    def columns(self, path: Path) -> tuple[str, ...]:
        """Return the names of a table's columns, by the head of its file.

        Raises InvalidInput: it cannot be read, or libraries are missing.
        """

    def require_label(self, columns: Sequence[str], name: str) -> None:
        """Raise InvalidInput, with near names, unless a column has this name."""
