"""Validations: runs of notebooks with their metrics and checks, the results of gates, and the verdict. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import PurePath
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from jupyter_deploy.domain.base import Value, one_line
from jupyter_deploy.domain.evidence.inference import Interval
from jupyter_deploy.domain.secret_names import hide_secrets

from .parameters import Matrix, Texts, plain_keys

Verdict = Literal["pass", "fail", "inconclusive"]

State = Literal["waiting", "running", "pass", "fail", "inconclusive", "not run"]

Trigger = Literal["validate", "deploy", "traffic", "promote", "batch"]

RunStatus = Literal["done", "raised", "timeout", "died", "interrupted", "not run"]


class Metric(Value):
    """A figure that a notebook measured.

    The value is the ``statistic`` of ``rows``, one number a row, in the notebook's order; they pair a candidate with
    stable. ``replicates`` are bootstrap replicates of a figure without per-row numbers, such as an area under a curve;
    replicate i has the same resampled rows in every run over as many rows. ``clusters`` numbers each row's cluster,
    such as its patient: rows of one cluster are alike. Documents have none of these.
    """

    name: str
    value: float
    n: int | None = Field(default=None, description="Of how many rows; None: not said.")
    group: dict[str, str] = Field(default={}, description="The subgroup that it is of, such as {'sex': 'F'}.")
    statistic: str = "mean"
    rows: tuple[float, ...] | None = Field(default=None, exclude=True, repr=False)
    replicates: tuple[float, ...] | None = Field(default=None, exclude=True, repr=False)
    share: bool = Field(default=False, exclude=True, description="Of a value without rows: a share of n rows.")
    informative: int | None = Field(default=None, exclude=True, description="Of replicates: rows of the rarer class.")
    clusters: tuple[int, ...] | None = Field(default=None, exclude=True, repr=False)
    undefined: dict[str, str] = Field(default={}, exclude=True, description="Subgroups without a value, and why.")
    cell: int | None = Field(default=None, description="Which cell of the notebook, from 1.")
    interval: Interval | None = Field(default=None, description="Of the value; None: it was given without rows.")


class Check(Value):
    """A condition that a notebook checked."""

    name: str
    passed: bool
    detail: str = ""
    cell: int | None = None


class GateResult(Value):
    """A gate and whether it holds; ``sentence`` explains it in one line, ``method`` names the statistic behind it."""

    expression: str
    origin: str = Field(default="", description="Where it stands: the notebook, nbdeploy.yaml, the endpoint, …")
    verdict: Verdict
    sentence: str
    method: str = ""
    value: float | None = None
    interval: Interval | None = None
    stable: float | None = None
    threshold: float | None = None
    n: int | None = None
    attempt: int = Field(default=1, description="Attempts at this gate since its last pass, this one included.")
    e_value: float | None = Field(default=None, exclude=True, description="The evidence against the gate.")


class CellError(Value):
    """The error of a cell; ``traceback`` has no colours and no secrets."""

    cell: int
    ename: str
    evalue: str
    traceback: str = ""


class Run(Value):
    """One validation notebook, run once with one set of parameters."""

    notebook: str
    parameters: dict[str, Any] = {}
    kernel: str = ""
    status: RunStatus
    seconds: float = 0.0
    metrics: tuple[Metric, ...] = ()
    stable_metrics: tuple[Metric, ...] = Field(default=(), description="Of the same notebook, asked of stable.")
    checks: tuple[Check, ...] = ()
    gates: tuple[GateResult, ...] = ()
    error: CellError | None = None
    detail: str = Field(default="", description="Why it was not run, or not to its end.")
    executed: str | None = Field(default=None, description="The notebook as it ran.")
    executed_stable: str | None = None
    key: str = Field(default="", description="A digest of all that its result depends on; empty: not to be reused.")

    @property
    def verdict(self) -> Verdict:
        """Fail if the run did not end well, a check failed or a gate failed; else the worst verdict of its gates."""
        if self.status != "done" or not all(check.passed for check in self.checks):
            return "fail"
        return worst(gate.verdict for gate in self.gates)

    @property
    def unjudged(self) -> tuple[GateResult, ...]:
        """Gates without a figure because the notebook did not run to its end."""
        if self.status == "done":
            return ()
        return tuple(gate for gate in self.gates if gate.verdict != "pass" and gate.value is None)

    @property
    def title(self) -> str:
        """The notebook's name and its parameters; see ``titles`` for several runs."""
        return titles([(self.notebook, self.parameters)])[0]


class Validation(Value):
    """A run of validation notebooks against gates.

    ``snapshot`` was validated (None: the notebooks call no model) and compared with ``stable``. ``trigger`` is the
    verb that started it; ``forced`` is the reason of ``--force``.
    """

    id: str
    at: datetime
    by: str = ""
    trigger: Trigger = "validate"
    snapshot: str | None = None
    endpoint: str | None = None
    stable: str | None = None
    runs: tuple[Run, ...]
    live: tuple[GateResult, ...] = Field(default=(), description="Gates on the comparison of live traffic.")
    seconds: float = 0.0
    report: str | None = Field(default=None, description="An HTML page with all of it.")
    unreported: str = Field(default="", description="Which report could not be written, and why.")
    forced: str | None = None
    notes: tuple[str, ...] = Field(default=(), description="What else is to be known, such as what was left out.")
    stopped: Literal["interrupted", "terminated"] | None = Field(
        default=None, description="It was ended before all had run: by Ctrl-C, or by a polite kill."
    )
    verdict: Verdict = Field(description="The worst of its runs and gates.")

    @property
    def passed(self) -> bool:
        return self.verdict == "pass"

    def unreported_since(self, why: str) -> Validation:
        """Return the validation with a report that could not be written."""
        return self.model_copy(update={"unreported": "; ".join(filter(None, (self.unreported, why)))})


class ValidationSpec(Value):
    """A validation that each release of an endpoint has to pass.

    ``notebook`` None: gates on the comparison of live traffic alone. ``traffic``: the amount of recorded traffic for
    the notebook, such as ``1h``.
    """

    notebook: str | None = None
    parameters: Annotated[dict[str, Any], BeforeValidator(plain_keys)] = {}
    matrix: Matrix = Field(default={}, description="One run for each combination of these values of parameters.")
    gates: Texts = ()
    traffic: str | None = None

    @property
    def words(self) -> str:
        """The validation in short: ``checks.ipynb: accuracy >= 0.93``."""
        title = titles([(self.notebook, self.parameters)])[0] if self.notebook else "live traffic"
        return f"{title}: {', '.join(self.gates)}" if self.gates else title

    def within(self, folder: PurePath) -> ValidationSpec:
        """The validation with its notebook's path below a folder; absolute paths and addresses stay."""
        if not self.notebook or "://" in self.notebook:
            return self
        return self.model_copy(update={"notebook": str(folder / self.notebook)})

    @property
    def without_secrets(self) -> ValidationSpec:
        """The validation without parameters that are secret by name, for display; only the store keeps these."""
        parameters = {name: hide_secrets(name, value) for name, value in self.parameters.items()}
        return self.model_copy(update={"parameters": parameters})


def words_of(specs: Iterable[ValidationSpec]) -> str:
    """Describe the validations of an endpoint in short."""
    return " and ".join(spec.words for spec in specs) or "none"


class Underway(Value):
    """Progress of one notebook among several: ``cell`` of ``cells`` runs (0: its kernel starts).

    ``words`` is the cell's first line; ``side`` is the release behind ``model()``.
    """

    run: int
    title: str
    state: State
    cell: int = 0
    cells: int = 0
    words: str = ""
    side: Literal["candidate", "stable"] = "candidate"
    seconds: float = 0.0


def titles(runs: Sequence[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """Return the titles of runs: the shortest end of each notebook's path that is unique, and the parameters."""
    paths = [PurePath(notebook).parts for notebook, _ in runs]
    result = []
    for path, (_, parameters) in zip(paths, runs, strict=True):
        others = [other for other in paths if other != path]
        length = next((n for n in range(1, len(path)) if all(o[-n:] != path[-n:] for o in others)), len(path))
        parameters_text = ", ".join(
            f"{name}={one_line(str(hide_secrets(name, value)), 40)}" for name, value in parameters.items()
        )
        result.append(str(PurePath(*path[-length:])) + (f" [{parameters_text}]" if parameters_text else ""))
    return result


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the worst verdict: fail, else inconclusive, else pass; no verdicts are a pass."""
    present = set(verdicts)
    return "fail" if "fail" in present else "inconclusive" if "inconclusive" in present else "pass"
