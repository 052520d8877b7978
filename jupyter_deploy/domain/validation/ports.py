"""The ports of validations; see ``domain.ports``."""

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
    """A validation notebook as it was read, before it runs.

    Attributes
    ----------
    defaults
        The variables of its ``parameters`` cell with their literal defaults, None for other defaults; None: it has no
        such cell.
    gates
        The gates in its metadata.
    source
        The text of its cells of code.
    digest
        The digest of all that runs: each cell of code with its tags, which say whether it runs and may raise.
    cells, lines
        The number of its cells of code, and the first line of each, for the progress.
    tags
        The tags in its metadata; runs can be selected by them.
    origin
        Its path, or its address without secrets.
    document
        The whole notebook as it was read: the runner runs this document.
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
    """One run of a notebook: the inputs of its kernel, and the path of the executed notebook.

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
    """The outcome of a job; ``executed`` is written after a failure too."""

    status: RunStatus
    seconds: float
    metrics: tuple[Metric, ...] = ()
    checks: tuple[Check, ...] = ()
    error: CellError | None = None
    detail: str = ""
    executed: Path | None = None


class ValidationRunner(Protocol):
    """Cells of code are counted from 1, as their author sees them, without those that Papermill adds."""

    def read(self, path: str, kernel: str | None = None) -> Notebook:
        """Read a notebook from any place that Papermill supports; ``kernel`` replaces its own kernel.

        Raises
        ------
        UnknownSource
            The notebook does not exist or is not of format 4, or the kernel does not exist.
        InvalidInput
            The kernel has another language, or nbdeploy's part of the notebook's metadata is wrong.
        """

    def require_parameters(self, notebook: Notebook, parameters: Mapping[str, Any]) -> None:
        """Raise one InvalidInput for all parameters that the notebook lacks or that have another type."""

    def expect(self, notebooks: Iterable[tuple[Notebook, Path | None]]) -> None:
        """Announce the notebooks that will run, each with its working directory (None: its own folder).

        Until ``close``, kernels of this Python are forked from a process with the same imports, if that makes no
        difference to them. Other notebooks run in a kernel that starts from nothing.
        """

    def run(self, job: Job, on_cell: Callable[[int], None]) -> Ran:
        """Run a job in its own kernel and return its outcome; a failure is an outcome, a full disk too.

        Calls ``on_cell`` at the start of each cell of code. Several threads may call ``run`` at once. A run whose
        output another one writes fails; "not run" means that ``cancel`` prevented its start.
        """

    def cancel(self) -> None:
        """End all runs, from any thread: their kernels end, and each ``run`` returns as interrupted within seconds.

        No later run starts. Call it at Ctrl-C or SIGTERM, before joining the threads of the runs.
        """

    def close(self) -> None:
        """``cancel``, and end the spare processes."""


class Project(Protocol):
    """The files around validation notebooks."""

    def notebooks(self, place: str, leave_out: Sequence[Path] = ()) -> list[str]:
        """List the validation notebooks in a folder and below; any other place is returned unchanged.

        A validation notebook has a parameters cell or gates. Raises UnknownSource if the folder has none.
        """

    def validates(self, path: Path) -> bool:
        """Whether a file is a validation notebook, by the same rule."""

    def parameters(self, file: str) -> dict[str, Any]:
        """Read the parameters in a YAML file. Raises InvalidInput."""

    def parsed(self, text: str) -> dict[str, Any]:
        """Parse the parameters in a YAML text. Raises InvalidInput."""

    def changed_since(self, revision: str, notebooks: Sequence[Notebook]) -> set[Path]:
        """Return the notebooks that changed since a git revision, or whose dependencies did.

        The dependencies are their own modules, found statically and transitively, and ``nbdeploy.yaml``. Raises
        InvalidInput if there is no such revision or no repository.
        """


class Served(Protocol):
    """A snapshot that is served over HTTP. While it starts, its clients wait."""

    def url_for(self, job: str) -> str:
        """Return the address for one run, such as ``http://127.0.0.1:…/<secret>/<job>``, with /predict and /metadata.

        ``job`` has letters, digits, ``.``, ``_`` and ``-``; ``calls(job)`` returns the calls at this address.
        """

    def calls(self, job: str) -> Calls:
        """Return the calls of that run so far; also after the server's end."""

    def check(self, *, wait: bool = False) -> None:
        """Raise StartFailed or EnvironmentChanged if the server failed or ended; ``wait``: until it answers."""


class ModelServers(Protocol):
    def serving(self, snapshot: Snapshot) -> AbstractContextManager[Served]:
        """Serve the snapshot within the context as a release is served: on loopback, with a secret in its path.

        Returns at once, while the server starts. No request is kept after the context.
        """


class Judge(Protocol):
    def interval(self, metric: Metric) -> Interval | None:
        """Return the interval of a metric's value; None: the metric has neither rows nor replicates."""

    def judge(
        self, gate: Gate, metrics: Sequence[Metric], stable: Sequence[Metric] | None, attempt: int = 1
    ) -> GateResult:
        """Judge a gate by a run's metrics; ``stable`` None: there is no stable release to compare with.

        ``attempt`` counts the attempts at this gate without a pass, this one included (``domain.validation.attempts``).
        """


class Reports(Protocol):
    """Writers of reports, each replacing the former file in one step. They raise StoreError if they cannot write."""

    def folder(self, validation: str) -> Path:
        """Make the folder of a validation's notebooks and page, with mode 0700."""

    def html(self, validation: Validation, history: Iterable[Validation], folder: Path) -> Path:
        """Write the page, ``folder/report.html`` (0600); return its path. ``history``: earlier validations."""

    def publish(self, validation: Validation, folder: Path) -> Path:
        """Copy the page, as ``index.html``, and the notebooks that it links to into a folder."""

    def junit(self, validation: Validation, path: Path) -> None:
        """Write JUnit's XML."""

    def github(self, validation: Validation) -> None:
        """Write annotations to stderr, which GitHub reads, and the job's summary; outside GitHub both to stderr."""

    def size(self, validations: Collection[str]) -> int:
        """Return the bytes of the files of these validations."""

    def remove(self, validations: Collection[str]) -> None:
        """Remove the files of these validations; a missing folder is no error."""

    def clear(self, kept: Collection[str]) -> None:
        """Remove the oldest validations' folders beyond a number; those in ``kept`` stay and do not count."""
