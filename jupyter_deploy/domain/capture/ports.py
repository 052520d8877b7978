"""The ports of a capture, as Protocols, and the values that pass through them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from jupyter_deploy.domain.deletion import UnusedSnapshot
    from jupyter_deploy.domain.requests import DeployRequest

    from .artifacts import Environment, Manifest, Snapshot, Source
    from .candidates import LabelledRows, ModelCandidate, Table
    from .findings import Finding
    from .signature import Schema
    from .source_changes import Cell
    from .translation import Engine


@dataclass(frozen=True)
class Live:
    """A live object in a running kernel, with the context for its capture.

    Attributes
    ----------
    cells
        Source of the executed cells, in order of execution: the first is In [1].
    failed
        The cells that raised: a cell's number -> the line (from 1) of the error, 0 if it is unknown.
    project
        The folder of the user's own modules and files.
    namespace
        The notebook's variables, read only.
    signature, training
        A pydantic model of one instance, and the training table, if the request names them.
    include
        Files and folders to pack although they are not in the project.
    began
        Start times of the watched cells, by execution count, in seconds since 1970.
    in_cell
        The last cell is the one that deploys; False for a deploy from JupyterLab.
    show_example
        The service's description shows the example's rows.
    expression
        The example's expression; None: it was given as an object.
    lookups
        Definitions of features that are looked up by a key.
    nullable
        Columns whose values may be null in requests, in addition to those of the example.
    engine
        ``onnx``: a translation is captured in the model's place; ``auto``: if it can be proved.
    accepted_difference
        The absolute difference of two numbers that a translation may have, in the answers' unit, if it is larger than
        the tolerance of the replay.
    redact
        Columns whose values are never stored: the sketch for drift leaves them out.
    references, secrets
        The references to the model's secrets, and their values, by variable. No file gets a value.
    notes
        Notes on how the parts were chosen, for the snapshot.
    language
        The cells' language, as the kernel names it.
    """

    model: Any
    example: Any
    source: Source
    method: str | None = None
    cells: Sequence[str] = ()
    project: Path = field(default_factory=Path.cwd)
    namespace: Mapping[str, Any] = field(default_factory=dict)
    signature: Any = None
    training: Any = None
    include: Sequence[Path] = ()
    failed: Mapping[int, int] = field(default_factory=dict)
    began: Mapping[int, float] = field(default_factory=dict)
    in_cell: bool = True
    show_example: bool = False
    expression: str | None = None
    lookups: tuple[Any, ...] = ()
    nullable: tuple[str, ...] = ()
    engine: Engine = "native"
    accepted_difference: float = 0.0
    redact: tuple[str, ...] = ()
    references: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    notes: tuple[str, ...] = ()
    language: str = "python"

    @property
    def python_cells(self) -> Sequence[str]:
        """The cells for static analysis of Python; none of another language."""
        return self.cells if self.language == "python" else ()


@dataclass(frozen=True)
class Staged:
    """An unfinished snapshot: files in a temporary folder, not proved and not stored yet.

    Attributes
    ----------
    changed
        Files that the model wrote during its calls in the notebook.
    """

    folder: Path
    manifest: Manifest
    fingerprint: str
    changed: frozenset[Path] = frozenset()


class Capturer(Protocol):
    """Captures a live object as a snapshot in the model store, proved in a clean process.

    After an OSError, such as a full disk, no files remain.
    """

    def check(self) -> None:
        """Raise StoreError before slow work if the stores are not writable. Creates nothing."""

    def prepared(self, live: Live) -> AbstractContextManager[None]:
        """Start the clean process of the replay, which imports the model's libraries meanwhile; unused, it ends."""

    def start_spare_for(self, live: Live) -> None:
        """Start the clean process of the replay of a live object, unless one for such a model waits."""

    def stage(self, live: Live, name: str) -> Staged:
        """Write model, example and answers into a temporary folder.

        Raises InvalidExample, NotCapturable, UnknownSource (no such method).
        """

    def replay(self, staged: Staged, live: Live, report: Callable[[str], None] = lambda _: None) -> Staged:
        """Answer the example in a clean process, and return the snapshot with the lock and the replay's results.

        Files that the clean process lacks may be added and are passed to ``report``. Raises ReplayFailed.
        """

    def widen(self, snapshot: Snapshot, columns: Sequence[str], remember: Callable[[Snapshot], None]) -> Snapshot:
        """Store the snapshot as another one that accepts null in columns; a clean process answers such rows first.

        Raises InvalidInput (no such column), InvalidExample (the model raises on null).
        """

    def keep(self, staged: Staged, remember: Callable[[Snapshot], None]) -> Snapshot:
        """Store the snapshot under an exact tag and call ``remember``; if that fails, the snapshot is not stored."""

    def move(self, snapshot: Snapshot, environment: Environment, remember: Callable[[Snapshot], None]) -> Snapshot:
        """Prove the model in another environment with the same lock, and store it as another snapshot.

        An existing snapshot is returned. Raises ReplayFailed.
        """

    def start_spare(self) -> None:
        """Start the clean process of the next replay now; does nothing before the first replay."""

    def discard(self, staged: Staged) -> None:
        """Remove the temporary folder; does nothing after ``keep``."""

    def sweep(self) -> None:
        """Remove the temporary folders of processes that were killed."""

    def cells_behind(self, snapshot: Snapshot) -> Sequence[Cell]:
        """Return the executed cells behind the model by static analysis."""

    def sources(self, snapshot: Snapshot) -> dict[str, str]:
        """Return the texts of the project's own files by manifest name, without missing or changed files."""

    def predict(self, snapshot: Snapshot, instances: Sequence[Any]) -> list[Any]:
        """Return the answers to other instances from a clean process. Raises ReplayFailed."""

    def size(self, unused: UnusedSnapshot) -> int:
        """Return the bytes of a snapshot with its bento; 0: there is neither."""

    def remove(self, unused: UnusedSnapshot) -> None:
        """Remove a snapshot with its bento from the stores. Raises StoreError."""

    def load(self, tag: str) -> Snapshot:
        """Load a snapshot from the model store and verify its digests; nothing is unpickled.

        Raises UnknownSource, StoreError.
        """


class RNotebooks(Protocol):
    """Captures in the kernel of a notebook of R."""

    def takes(self, notebook: Path) -> bool:
        """Whether the notebook's kernel is R's. Raises UnknownSource, InvalidInput."""

    def captured(
        self, notebook: Path, request: DeployRequest, secrets: Mapping[str, str], report: Callable[[str], None]
    ) -> AbstractContextManager[Live]:
        """Run the notebook headless and yield its model as a live object, which ends with the context.

        ``secrets`` are the values of the model's secrets by variable, for the kernel and the clean process.

        Raises InvalidInput (also of a request that no notebook of R can have, before it runs), InvalidExample,
        NotCapturable, UnknownSource, NotebookFailed, KernelDied, ReplayFailed.
        """


class Finder(Protocol):
    """Finds candidates among a notebook's variables without running the user's code, except where noted."""

    def models(
        self, namespace: Mapping[str, Any], cells: Sequence[str], failed: Mapping[int, int]
    ) -> list[ModelCandidate]:
        """Return the models, best first, each with examples; the parameters are as in ``Live``."""

    def labelled(self, namespace: Mapping[str, Any]) -> list[LabelledRows]:
        """Return rows with their true answers, those outside the training first."""

    def first_rows(self, value: Any) -> Table:
        """Return an example's first rows, and its problem if it is no valid example."""

    def evaluate(self, expression: str, namespace: Mapping[str, Any]) -> tuple[Any] | None:
        """Evaluate an expression if it has no side effects, in a tuple; else return None."""

    def require_method(self, model: Any, method: str | None) -> None:
        """Raise UnknownSource if the object is no model or lacks the method; reads the object's attributes."""

    def request_schema(self, live: Live) -> Schema | None:
        """Return the JSON Schema of one instance without a call of the model; None: the example is one call.

        Raises InvalidExample, InvalidInput if the model cannot take the example.
        """

    def require_included(self, live: Live) -> None:
        """Raise InvalidInput for an included requested file that cannot be packed."""

    def fast_findings(self, live: Live) -> tuple[Finding, ...]:
        """Return findings without a call of the model, a hash of a table, or the notebook's file."""

    def stale_findings(self, live: Live) -> tuple[Finding, ...]:
        """Return the findings of ``stale-kernel``, which takes seconds for hundreds of cells."""
