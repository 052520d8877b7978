"""What the operations need of the outside world, as Protocols; ``wiring`` chooses who plays each part."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from .capture.artifacts import Bento, Environment, Manifest, Snapshot, Source
from .capture.candidates import ModelCandidate, Table
from .capture.findings import Finding
from .capture.source_changes import Cell
from .evidence.ground_truth import GroundTruth
from .images.ports import Imaging
from .jobs import Jobs
from .release.ports import Target
from .release.resources import Resources
from .requests import Step
from .results import AtBoot
from .store_ports import InferenceLog, Store
from .validation.ports import Judge, ModelServers, Project, Reports, ValidationRunner
from .validation.scaffold_ports import Starter
from .validation.validation import Underway, ValidationSpec

Report = Callable[[Step | Underway], None]
"""Told of the steps of a long operation, and of each notebook among several."""


@dataclass(frozen=True)
class Live:
    """A live object in a running kernel, with what is needed to capture it.

    Attributes
    ----------
    cells
        Source of the executed cells, in order of execution: the first is In [1].
    failed
        Those of them that raised: number of the cell -> the line (from 1) that did, 0 where it is not known.
    project
        The folder whose modules and files are the user's own.
    namespace
        The notebook's variables, to be looked at only.
    signature, training
        A pydantic model of one instance, and the table that the model was fitted on, where they were named.
    include
        Files and folders that go in although they are not the project's.
    began
        When cells began to run, by execution count, in seconds since 1970; only those that were watched.
    in_cell
        The last of the cells is the one that deploys; else somebody clicked beside them.
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


@dataclass(frozen=True)
class Staged:
    """A snapshot on its way: files in a temporary folder, not yet proved nor stored.

    Attributes
    ----------
    changed
        Files that the model wrote to while it was asked in the notebook.
    """

    folder: Path
    manifest: Manifest
    fingerprint: str
    changed: frozenset[Path] = frozenset()


class Capturer(Protocol):
    """From a live object to a snapshot in the model store, by way of a clean process.

    After an OSError, of a full disk and the like, nothing is left behind.
    """

    def check(self) -> None:
        """Raise StoreError before slow work if the stores are not writable. Creates nothing."""

    def stage(self, live: Live, name: str) -> Staged:
        """Write model, example and answers into a temporary folder.

        Raises InvalidExample, NotCapturable, UnknownSource (no such method).
        """

    def replay(self, staged: Staged, live: Live, report: Callable[[str], None] = lambda _: None) -> Staged:
        """Answer the example in a clean process, and return the snapshot with the lock and the replay's results.

        Files that the clean process lacks may be added and are passed to ``report``. Raises ReplayFailed.
        """

    def keep(self, staged: Staged, remember: Callable[[Snapshot], None]) -> Snapshot:
        """Store it under an exact tag and have it remembered; if that fails, it is not stored either."""

    def move(self, snapshot: Snapshot, environment: Environment, remember: Callable[[Snapshot], None]) -> Snapshot:
        """The same model, proved and to be served in another environment with the same lock: another snapshot.

        One that is there is used as it is. Raises ReplayFailed.
        """

    def stand_by(self) -> None:
        """Have what the next replay in this process needs start now; does nothing if there was none yet."""

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

    def load(self, tag: str) -> Snapshot:
        """A snapshot in the model store, its digests verified; nothing is unpickled.

        Raises UnknownSource, StoreError.
        """


class Finder(Protocol):
    """Finds candidates among a notebook's variables without running the user's code, except where noted."""

    def models(
        self, namespace: Mapping[str, Any], cells: Sequence[str], failed: Mapping[int, int]
    ) -> list[ModelCandidate]:
        """Return the models, best first, each with examples; the parameters are as in ``Live``."""

    def first_rows(self, value: Any) -> Table:
        """Return an example's first rows, and its problem if it is no valid example."""

    def evaluate(self, expression: str, namespace: Mapping[str, Any]) -> tuple[Any] | None:
        """Evaluate an expression if it has no side effects, in a tuple; else return None."""

    def require_method(self, model: Any, method: str | None) -> None:
        """Raise UnknownSource if the object is no model or has no such method; reads the object's attributes."""

    def require_included(self, live: Live) -> None:
        """Raise InvalidInput for a requested file that cannot be packed."""

    def fast_findings(self, live: Live) -> tuple[Finding, ...]:
        """Return findings without a call of the model, a hash of a table, or the notebook's file."""

    def stale_findings(self, live: Live) -> tuple[Finding, ...]:
        """Return the findings of ``stale-kernel``, which takes seconds for hundreds of cells."""


class Environments(Protocol):
    def ensure(self, captured: Environment, *, kernel: bool = False) -> Environment:
        """An environment of its own with the same lock; one that is there is used.

        With ``kernel`` notebooks can be run in it. Raises EnvironmentNotBuilt.
        """


class Builder(Protocol):
    def build(self, snapshot: Snapshot) -> Bento:
        """The bento of a snapshot; an existing one is returned as it is.

        Raises StoreError; nothing half-made is left, nor after a full disk's OSError.
        """

    def prepared(self) -> AbstractContextManager[None]:
        """Within, a build may begin at once: what it needs is made ready meanwhile, in the background."""

    def stand_by(self) -> None:
        """Have what the next build in this process needs start now."""


class NotebookRunner(Protocol):
    def cells(self, notebook: Path) -> tuple[str, ...]:
        """Return the sources of the code cells. Raises UnknownSource."""

    def masked(self, cells: Sequence[str]) -> tuple[str, ...]:
        """Return the cells with their secrets masked, as in a snapshot."""
        ...

    def run(
        self, notebook: Path, last_cell: str, on_cell: Callable[[str], None], expressions: Sequence[str] = ()
    ) -> Mapping[str, Any]:
        """Run a notebook headless, then ``last_cell`` in the same kernel; what that cell displayed by MIME type.

        ``on_cell`` is told in words which cell begins. The notebook's own deploys are left out; a cell that raises for
        that reason is passed over, and told, unless it makes something that ``expressions`` come from.

        Raises UnknownSource, NotebookFailed, KernelDied.
        """

    def predict_again(
        self,
        snapshot: Snapshot,
        cells: Sequence[str],
        on_cell: Callable[[str], None],
        *,
        folder: Path,
        interpreter: str,
    ) -> Mapping[str, Any]:
        """Run cells, and ask what they leave in the snapshot's variable its example: see ``rerun.display_answers``.

        They run in a folder, by an interpreter in whose environment nbdeploy need not be. A cell that raises
        stops nothing; ``raised`` has them in words. Raises NotebookFailed, KernelDied.
        """


class Client(Protocol):
    def post(self, url: str, body: Any) -> tuple[int, Mapping[str, str], Any]:
        """POST JSON; status, headers (lower-case names) and the parsed body (its text, if it is not JSON).

        Raises TargetError when nobody listens.
        """

    def public(self, url: str) -> str | None:
        """Where people and programs elsewhere find what is at ``url`` on this machine; None: nowhere."""

    def command(self, url: str, body: Any) -> str:
        """A line for a shell that posts JSON to ``url``, or to its public address; with no secret in it."""

    def header_file(self) -> Path | None:
        """A file whose one line is the header that requests must carry; None: they need none."""


class Boot(Protocol):
    def switch(self, *, on: bool) -> AtBoot:
        """Have the endpoints brought back after each boot, or no longer. Raises StoreError."""


class Ports(Protocol):
    """All parts; each may be made when it is first asked for."""

    @property
    def home(self) -> Path:
        """Where all state is."""

    @property
    def capturer(self) -> Capturer: ...

    @property
    def finder(self) -> Finder: ...

    @property
    def environments(self) -> Environments: ...

    @property
    def builder(self) -> Builder: ...

    @property
    def notebooks(self) -> NotebookRunner: ...

    @property
    def targets(self) -> Mapping[str, Target]: ...

    @property
    def store(self) -> Store: ...

    @property
    def log(self) -> InferenceLog: ...

    @property
    def truth(self) -> GroundTruth: ...

    @property
    def client(self) -> Client: ...

    @property
    def boot(self) -> Boot: ...

    @property
    def validations(self) -> ValidationRunner: ...

    @property
    def starter(self) -> Starter: ...

    @property
    def specs(self) -> Sequence[ValidationSpec]:
        """What ``nbdeploy.yaml`` wants validated, with absolute paths."""

    @property
    def redact(self) -> Sequence[str]:
        """The columns that ``nbdeploy.yaml`` wants redacted."""

    @property
    def servers(self) -> ModelServers: ...

    @property
    def judge(self) -> Judge: ...

    @property
    def reports(self) -> Reports: ...

    @property
    def project(self) -> Project: ...

    @property
    def jobs(self) -> Jobs: ...

    @property
    def images(self) -> Imaging: ...

    @property
    def keep_revisions(self) -> int: ...

    @property
    def stands_by(self) -> bool:
        """Whether processes may be started ahead for the next deploy."""

    @property
    def resources(self) -> Resources:
        """What a release may use where a deploy does not say it; only what was said."""
