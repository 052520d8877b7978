"""What validations need of the outside world, as Protocols; see ``ports``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from jupyter_deploy.domain.capture.artifacts import Snapshot
from jupyter_deploy.domain.evidence.inference import Interval
from jupyter_deploy.domain.gates.gate import Gate

from .model_calls import Calls
from .validation import CellError, Check, GateResult, Metric, RunStatus, Validation


@dataclass(frozen=True)
class Notebook:
    """A validation notebook as it was read, before anything runs.

    Attributes
    ----------
    defaults
        The variables of its ``parameters`` cell with their defaults where they are literals, None where they are not;
        None: it has no such cell.
    gates
        Those of its metadata.
    source
        The text of its cells of code.
    digest
        Of all of it that is run: each cell of code with its tags, which say whether it is run and may raise.
    cells, lines
        How many of code it has, and the first line of each, to be shown while it runs.
    tags
        Of its metadata; runs can be selected by them.
    origin
        Where it was read from, as it may be shown: its path, or an address without what is secret in it.
    document
        The whole notebook as it was read, for the runner: what was looked at is what is run.
    """

    path: Path
    kernel: str
    language: str
    cells: int
    source: str
    defaults: Mapping[str, Any] | None
    gates: tuple[str, ...] = ()
    traffic: str | None = None
    tags: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    origin: str = ""
    digest: str = ""
    document: Any = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Job:
    """One run of a notebook: what its kernel is given, and where the notebook as it ran is written.

    ``variables`` go to the kernel's environment (the addresses of the models are in them).
    """

    notebook: Notebook
    parameters: Mapping[str, Any]
    output: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    timeout: float | None = None


@dataclass(frozen=True)
class Ran:
    """What came of a job; ``executed`` is written whatever came."""

    status: RunStatus
    seconds: float
    metrics: tuple[Metric, ...] = ()
    checks: tuple[Check, ...] = ()
    error: CellError | None = None
    detail: str = ""
    executed: Path | None = None


class ValidationRunner(Protocol):
    """Cells are counted as their author sees them: those of code, from 1, without what Papermill puts in."""

    def read(self, path: str, kernel: str | None = None) -> Notebook:
        """A notebook from any place that Papermill reads; by ``kernel`` instead of its own.

        Raises
        ------
        UnknownSource
            It is not there, not a notebook of format 4, or there is no such kernel.
        InvalidInput
            The kernel speaks another language, or what the notebook's metadata say of nbdeploy is wrong.
        """

    def require_parameters(self, notebook: Notebook, parameters: Mapping[str, Any]) -> None:
        """Raise InvalidInput for parameters that the notebook does not have or of another type, all at once."""

    def expect(self, notebooks: Iterable[tuple[Notebook, Path | None]]) -> None:
        """Be told which will run, each with its working directory (None: its own folder).

        Until ``close``, kernels of this Python are had from a process that has imported once what they import, where
        that changes nothing. What was not expected runs in a kernel that is started from nothing.
        """

    def run(self, job: Job, on_cell: Callable[[int], None]) -> Ran:
        """Run it in a kernel of its own; what fails is in what is returned, a full disk too.

        ``on_cell`` is told of each cell of code that begins. May be called from several threads at once.
        A run whose output another one writes fails; "not run" is only what ``cancel`` kept from beginning.
        """

    def cancel(self) -> None:
        """End what runs, from any thread: their kernels go, and each ``run`` returns, as interrupted, within seconds.

        What would begin after it is not run. To be called when Ctrl-C or a polite kill comes, before the threads
        in which notebooks run are waited for.
        """

    def close(self) -> None:
        """``cancel``, and end whatever is kept ready for the next run."""


class Project(Protocol):
    """The files around validation notebooks."""

    def notebooks(self, place: str, leave_out: Sequence[Path] = ()) -> list[str]:
        """The validation notebooks in a folder and those below; what is no folder is returned as it is.

        A validation notebook has a parameters cell, or gates. Raises UnknownSource: the folder has none.
        """

    def validates(self, path: Path) -> bool:
        """Whether a file is a validation notebook, by the same rule."""

    def parameters(self, file: str) -> dict[str, Any]:
        """What a YAML file says. Raises InvalidInput."""

    def parsed(self, text: str) -> dict[str, Any]:
        """What a YAML text says. Raises InvalidInput."""

    def changed_since(self, revision: str, notebooks: Sequence[Notebook]) -> set[Path]:
        """Those of the notebooks that changed since a git revision, or something did that they depend on.

        That are their own modules, found statically and transitively, and ``nbdeploy.yaml``. Raises InvalidInput: no
        such revision, or no repository.
        """


class Served(Protocol):
    """One snapshot that answers over HTTP. It may still be starting: who asks meanwhile waits."""

    def url_for(self, job: str) -> str:
        """Where one run asks it, such as ``http://127.0.0.1:…/<secret>/<job>``: below are /predict and /metadata.

        ``job`` is of letters, digits, ``.``, ``_`` and ``-``; what is asked there is told by ``calls(job)``.
        """

    def calls(self, job: str) -> Calls:
        """What was asked by that run until now; also after the server's end."""

    def check(self, *, wait: bool = False) -> None:
        """Raise StartFailed or EnvironmentChanged if it could not be started, or ended; ``wait``: until it answers."""


class ModelServers(Protocol):
    def serving(self, snapshot: Snapshot) -> AbstractContextManager[Served]:
        """Within, the snapshot answers as it will be served: on loopback, with a secret in its path.

        Returns at once, while it starts. Nothing of what is asked is left when the context ends.
        """


class Judge(Protocol):
    def interval(self, metric: Metric) -> Interval | None:
        """Of a metric's value; None: nothing is known of how it would vary. Needs its rows or replicates."""

    def judge(self, gate: Gate, metrics: Sequence[Metric], stable: Sequence[Metric] | None) -> GateResult:
        """Whether a gate holds of a run's metrics; ``stable`` None: there is no stable release to compare with."""


class Reports(Protocol):
    """What is written replaces what was there before in one step. Raises StoreError: it cannot be written."""

    def folder(self, validation: str) -> Path:
        """Where a validation's notebooks and its page lie; made with mode 0700."""

    def html(self, validation: Validation, history: Iterable[Validation], folder: Path) -> Path:
        """Write the page, ``folder/report.html`` (0600); returns its path. ``history``: earlier ones, in any order."""

    def publish(self, validation: Validation, folder: Path) -> Path:
        """Copy the page that was written, as ``index.html``, and the notebooks that it links to into a folder."""

    def junit(self, validation: Validation, path: Path) -> None:
        """Write JUnit's XML."""

    def github(self, validation: Validation) -> None:
        """Annotations on stderr, which GitHub reads too, and the job's summary; elsewhere both on stderr."""

    def clear(self, kept: Collection[str]) -> None:
        """Remove the oldest validations' folders beyond a number; those named in ``kept`` stay and do not count."""
