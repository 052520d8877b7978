"""The ports of the operations, as Protocols; ``wiring`` chooses the implementations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from .batch.ports import BatchRunner, ClusterBatchRunner
    from .capture.artifacts import Bento, Environment, Snapshot
    from .capture.ports import Capturer, Finder, RNotebooks
    from .evidence.ground_truth import GroundTruth
    from .explanation import ModelAnswers
    from .export import Exporter
    from .health import Examiner, Part
    from .images.ports import Imaging
    from .jobs import Jobs
    from .manifests import Manifester
    from .model_search.ports import ModelSearch
    from .model_selection.ports import Measurer, ScoreIntervals
    from .monitoring.monitor import Monitor
    from .release.document_requests import Documents
    from .release.ports import Target
    from .release.resources import Resources
    from .requests import Step
    from .store_ports import DriftLog, InferenceLog, RecordCounts, Store
    from .stream.ports import StreamBrokers
    from .user_session import Boot, Notifier
    from .validation.ports import Judge, ModelServers, Project, Reports, ValidationRunner
    from .validation.scaffold_ports import Starter
    from .validation.validation import Underway, ValidationSpec

Report = Callable[["Step | Underway"], None]
"""Gets the steps of a long operation, and the progress of each of several notebooks."""


class Secrets(Protocol):
    def values(self, references: Mapping[str, str]) -> dict[str, str]:
        """Return the values of references by variable. Raises SecretMissing."""

    def set(self, name: str, value: str) -> str:
        """Store a value for references ``keyring:NAME``; return where, in words."""

    def names(self) -> Mapping[str, str]:
        """Return where each stored secret is, ``keyring`` or ``file``, by its name."""

    def remove(self, name: str) -> bool:
        """Remove a stored value; return whether there was one."""


class Environments(Protocol):
    def ensure(self, captured: Environment, *, kernel: bool = False) -> Environment:
        """Return an isolated environment with the same lock; an existing one is reused.

        With ``kernel`` it can run notebooks. Raises EnvironmentNotBuilt.
        """


class Builder(Protocol):
    def build(self, snapshot: Snapshot) -> Bento:
        """Return the bento of a snapshot; an existing one is not built again.

        Raises StoreError. After an error, also a full disk's OSError, no partial bento remains.
        """

    def prepared(self, tag: str | None = None) -> AbstractContextManager[None]:
        """Within, a background process prepares a build, so that it can begin at once.

        ``tag``: of a stored snapshot; if it has a bento already, nothing is prepared.
        """

    def start_spare(self) -> None:
        """Start the process of the next build now, unless one waits."""


class NotebookRunner(Protocol):
    def cells(self, notebook: Path) -> tuple[str, ...]:
        """Return the sources of the code cells. Raises UnknownSource."""

    def masked(self, cells: Sequence[str]) -> tuple[str, ...]:
        """Return the cells with their secrets masked, as in a snapshot."""
        ...

    def run(
        self,
        notebook: Path,
        last_cell: str,
        on_progress: Callable[[str], None],
        expressions: Sequence[str] = (),
        variables: Mapping[str, str] = ...,
    ) -> Mapping[str, Any]:
        """Run a notebook headless, then ``last_cell`` in the same kernel; return that cell's output by MIME type.

        ``on_progress`` gets a description of each cell that begins, and of each step of an operation in it. The
        notebook's own deploys are skipped; a cell that raises for that reason is skipped with a message, unless
        ``expressions`` depend on it. ``variables``: further environment variables of the kernel.

        Raises UnknownSource, NotebookFailed, KernelDied.
        """

    def execute(
        self, notebook: Path, text: str, last_cell: str, on_progress: Callable[[str], None]
    ) -> Mapping[str, Any]:
        """Write a notebook and run all of its cells, its verbs too, then ``last_cell``; return that cell's output.

        The file gets the outputs of its own cells. After an error it stays without outputs.

        Raises InvalidInput (it cannot be written), NotebookFailed, KernelDied.
        """

    def predict_again(
        self,
        snapshot: Snapshot,
        cells: Sequence[str],
        on_progress: Callable[[str], None],
        *,
        folder: Path,
        interpreter: str,
    ) -> Mapping[str, Any]:
        """Run cells, and call the resulting model with the snapshot's example: see ``rerun.display_answers``.

        They run in a folder, by an interpreter whose environment may lack nbdeploy. A cell that raises does not stop
        the others; ``raised`` lists them. Raises NotebookFailed, KernelDied.
        """


class Client(Protocol):
    """Requests to endpoints. ``header_file``: see ``Target.header_file``."""

    def post(self, url: str, body: Any, header_file: Path | None = None) -> tuple[int, Mapping[str, str], Any]:
        """POST JSON; return status, headers (lower-case names) and the parsed body (its text, if it is not JSON).

        Raises TargetError if no process listens, or the file holds no token.
        """

    def public(self, url: str) -> str | None:
        """Return the address of ``url`` for other machines; None: there is none."""

    def command(self, url: str, body: Any, header_file: Path | None = None) -> str:
        """Return a shell command that posts JSON to ``url``, or to its public address, without secrets."""


class MonitorReports(Protocol):
    def write(self, monitor: Monitor, page: Path, notebook: Path | None) -> None:
        """Write a page that needs no other file, and a notebook that draws its figures; existing files are replaced.

        Raises InvalidInput: a file cannot be written.
        """


class Ports(Protocol):
    """All ports; each may be made at its first use."""

    @property
    def home(self) -> Path:
        """The folder of all state."""

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
    def r_notebooks(self) -> RNotebooks: ...

    @property
    def targets(self) -> Mapping[str, Target]: ...

    @property
    def store(self) -> Store: ...

    @property
    def log(self) -> InferenceLog: ...

    @property
    def record_counts(self) -> RecordCounts: ...

    @property
    def drift(self) -> DriftLog: ...

    @property
    def batches(self) -> BatchRunner: ...

    @property
    def cluster_batches(self) -> ClusterBatchRunner: ...

    @property
    def streams(self) -> StreamBrokers: ...

    @property
    def model_answers(self) -> ModelAnswers: ...

    @property
    def measurer(self) -> Measurer: ...

    @property
    def score_intervals(self) -> ScoreIntervals: ...

    @property
    def model_search(self) -> ModelSearch: ...

    @property
    def cost(self) -> float | None:
        """The price of a core-hour; None: it is not set."""

    @property
    def truth(self) -> GroundTruth: ...

    @property
    def client(self) -> Client: ...

    @property
    def boot(self) -> Boot: ...

    @property
    def notifier(self) -> Notifier: ...

    @property
    def validations(self) -> ValidationRunner: ...

    @property
    def manifester(self) -> Manifester: ...

    @property
    def starter(self) -> Starter: ...

    @property
    def specs(self) -> Sequence[ValidationSpec]:
        """The validations of ``nbdeploy.yaml``, with absolute paths."""

    @property
    def redact(self) -> Sequence[str]:
        """The columns that ``nbdeploy.yaml`` redacts."""

    @property
    def secret_references(self) -> Mapping[str, str]:
        """The references to secrets of ``nbdeploy.yaml``, by variable."""

    @property
    def secrets(self) -> Secrets: ...

    @property
    def servers(self) -> ModelServers: ...

    @property
    def judge(self) -> Judge: ...

    @property
    def reports(self) -> Reports: ...

    @property
    def monitor_reports(self) -> MonitorReports: ...

    @property
    def project(self) -> Project: ...

    @property
    def examiners(self) -> Mapping[Part, Examiner]:
        """The checks of nbdeploy's own parts but the store and the endpoints."""

    @property
    def documents(self) -> Documents: ...

    @property
    def jobs(self) -> Jobs: ...

    @property
    def images(self) -> Imaging: ...

    @property
    def exporter(self) -> Exporter: ...

    @property
    def keep_revisions(self) -> int: ...

    @property
    def starts_spares(self) -> bool:
        """Whether spare processes may be started for the next deploy."""

    @property
    def resources(self) -> Resources:
        """The default resources of releases; only those that are set."""
