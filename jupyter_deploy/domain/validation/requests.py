"""The requests of the verbs on validation notebooks; see ``domain.requests``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from jupyter_deploy.domain.base import FilePath
from jupyter_deploy.domain.parsing import Duration, Moment
from jupyter_deploy.domain.requests import Request

from .parameters import Matrix, Parameters, Texts


class ValidateRequest(Request):
    """Run validation notebooks and judge what they measured by gates.

    A validation notebook is an ordinary notebook that calls metric() and check(); model() in it is the snapshot under
    test, answering as it will be served. The exit code is 0 when all gates hold, 1 when one fails or a notebook raises,
    4 when one is undecided, 138 when a kernel died.

    A gate is of a metric, "accuracy >= 0.93"; against the stable release, "accuracy >= stable - 0.01" or
    "cost <= 1.2 * stable"; of rows enough, "accuracy >= 0.93 over 200"; of a subgroup, "accuracy[sex=F] >= 0.9".
    Without a line of code there are latency_p95_ms (p50, p99), error_rate and, with stable's answers, agreement.

    For example: nbdeploy validate checks.ipynb --snapshot churn -p rows 200 --gate "accuracy >= stable - 0.01"

    Several at once, each with two seeds, and a page: nbdeploy validate checks/ -n 2 --matrix seed=1,2 --html report

    A first notebook: nbdeploy init. All of it: docs/validation.md.
    """

    notebooks: Annotated[Texts, FilePath()] = Field(
        default=(),
        description="Notebooks, or folders of them (default: those that nbdeploy.yaml names).",
        json_schema_extra={"positional": True},
    )
    parameter: Parameters = Field(
        default=(),
        description="KEY=VALUE, or two words KEY VALUE, for the notebook's parameters cell (repeatable).",
        json_schema_extra={"short": "-p", "pairs": True},
    )
    parameters_yaml: Texts = Field(
        default=(), description="Parameters as a YAML text (repeatable).", json_schema_extra={"short": "-y"}
    )
    parameters_file: Annotated[Texts, FilePath()] = Field(
        default=(), description="Parameters from a YAML file (repeatable).", json_schema_extra={"short": "-f"}
    )
    matrix: Matrix = Field(
        default=(), description="KEY=VALUE,VALUE,…: one run a value; of several keys one a combination (repeatable)."
    )
    gate: Texts = Field(default=(), description="What must hold, such as 'accuracy >= stable - 0.01' (repeatable).")
    snapshot: str | None = Field(
        default=None, description="What model() is: a snapshot's tag, or an endpoint's name for its candidate."
    )
    traffic: str | None = Field(
        default=None, description="Give the notebooks this endpoint's recorded requests, by recorded()."
    )
    since: Moment | None = Field(
        default=None, description="With --traffic: only requests of the last 1h, 7d, … or since 2026-11-25T12:00."
    )
    kernel: str | None = Field(default=None, description="The kernel's name (default: the notebook's own).")
    cwd: Annotated[str | None, FilePath()] = Field(
        default=None, description="The folder that notebooks run in (default: each one's own)."
    )
    workers: int = Field(
        default=1, ge=1, le=64, description="So many notebooks at once.", json_schema_extra={"short": "-n"}
    )
    timeout: Duration | None = Field(default=None, description="A cell may take 90s, 15m, … (default: any time).")
    fail_fast: bool = Field(default=False, description="After the first failure start no other notebook.")
    select: str | None = Field(
        default=None,
        description="Only runs whose title or tags this expression is true of, such as 'price and not slow'.",
    )
    last_failed: bool = Field(default=False, description="Only what did not pass the last time; all, if all did.")
    changed_since: str | None = Field(
        default=None, description="Only notebooks that changed since this git revision, or whose own modules did."
    )
    cold: bool = Field(default=False, description="Start each kernel from nothing, not from a process with imports.")
    executed: Annotated[str | None, FilePath(written=True)] = Field(
        default=None, description="Folder for the notebooks as they ran (default: with the report, in the home)."
    )
    junit: Annotated[str | None, FilePath(written=True)] = Field(default=None, description="Write a JUnit XML file.")
    html: Annotated[str | None, FilePath(written=True)] = Field(
        default=None, description="Write the report into this folder too, as one HTML page."
    )
    github: bool = Field(default=False, description="Annotations and a job summary, in a GitHub workflow.")


class InitRequest(Request):
    """Write what a project needs to have its models validated: in GitHub's CI, at each commit, and by hand.

    A workflow, a pre-commit hook, nbdeploy.yaml, and a first validation notebook for each model that a notebook here
    deploys ('%deploy', 'deploy(…)'). A file that is there is never changed: you are shown what to add to it.
    """

    folder: Annotated[str, FilePath()] = Field(
        default=".",
        description="The project; within a git repository its top is meant.",
        json_schema_extra={"positional": True},
    )
    notebook: str | None = Field(
        default=None,
        description="Only this training notebook (default: all that deploy a model, or the one that fits one).",
    )
    name: str | None = Field(default=None, description="Its endpoint's name (default: as it says).")
    model: str | None = Field(default=None, description="Its variable that holds the model (default: as it says).")
    example: str | None = Field(
        default=None, description="What the model is called with, such as 'X_test[:5]' (default: as it says)."
    )
    monitoring: bool = Field(
        default=False,
        description="Write the files for Prometheus, Alertmanager and Grafana instead, into the folder monitoring.",
    )
    without_ci: bool = Field(
        default=False,
        description="Write the validation notebooks and nbdeploy.yaml alone, into this very folder: no workflow, no "
        "hook and no requirements.",
    )
    dry_run: bool = Field(default=False, description="Show the files, and write none.")
