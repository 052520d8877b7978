"""``pytest --nbdeploy``: each run of a validation notebook is an item; a failure shows the validation's own report.

Without ``--nbdeploy`` only this module is imported: pytest loads it in every project of the environment.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from jupyter_deploy.domain.ports import Ports
    from jupyter_deploy.domain.validation.requests import ValidateRequest
    from jupyter_deploy.domain.validation.validation import Validation
    from jupyter_deploy.verbs.run_plan import Planned


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of ``nbdeploy validate``; ``-p`` and ``-n`` are pytest's own."""
    group = parser.getgroup("nbdeploy", "validation notebooks")
    group.addoption("--nbdeploy", action="store_true", help="Collect validation notebooks: each run of one is an item.")
    group.addoption(
        "--nbdeploy-snapshot", metavar="NAME", help="The model of model(): a snapshot's tag or an endpoint."
    )
    group.addoption(
        "--nbdeploy-parameter", metavar="KEY=VALUE", action="append", default=[], help="A parameter (repeatable)."
    )
    group.addoption(
        "--nbdeploy-matrix",
        metavar="KEY=VALUE,…",
        action="append",
        default=[],
        help="One item per value (repeatable).",
    )
    group.addoption(
        "--nbdeploy-gate", metavar="EXPR", action="append", default=[], help="What must hold, too (repeatable)."
    )
    group.addoption("--nbdeploy-timeout", metavar="TIME", help="A cell may take 90s, 15m, … (default: any time).")
    group.addoption(
        "--nbdeploy-inconclusive",
        choices=("fail", "skip"),
        default="fail",
        help="The outcome of a run with too few rows for a verdict (default: fail).",
    )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect a validation notebook, and any notebook that is named itself, to report its missing calls."""
    if file_path.suffix != ".ipynb" or not parent.config.getoption("nbdeploy"):
        return None
    if not parent.session.isinitpath(file_path) and not _ports(parent.config).project.validates(file_path):
        return None
    collector: pytest.Collector = NotebookFile.from_parent(parent, path=file_path)
    return collector


class NotebookFile(pytest.File):
    """A validation notebook, with an item for each run: of nbdeploy.yaml, of a matrix, or a single one."""

    def collect(self) -> Iterator[NotebookItem]:
        """Yield the items, in the same order in all workers."""
        from jupyter_deploy.domain.errors import DeployError  # only with --nbdeploy
        from jupyter_deploy.domain.validation.validation import titles
        from jupyter_deploy.verbs.validate import runs_of

        try:
            request = _request(self.config, self.path)
            planned = runs_of(request, _ports(self.config))
        except DeployError as error:
            raise self.CollectError(str(error)) from error
        names = titles([(self.path.stem, one.parameters) for one in planned])
        for name, one in zip(names, planned, strict=True):
            yield NotebookItem.from_parent(self, name=name.replace(" [", "["), planned=one, request=request)


class NotebookItem(pytest.Item):
    """One run of a validation notebook."""

    def __init__(self, *, planned: Planned, request: ValidateRequest, **more: Any) -> None:
        super().__init__(**more)
        self._planned, self._request = planned, request

    def runtest(self) -> None:
        """Validate the notebook; its metrics become properties, such as ``accuracy`` or ``accuracy[sex=F]``."""
        from jupyter_deploy.domain.gates.gate import metric_label
        from jupyter_deploy.verbs.validate import validate_one

        validation = validate_one(self._planned, self._request, _ports(self.config), lambda _: None)
        self.user_properties += [
            (metric_label(m.name, m.group), m.value) for run in validation.runs for m in run.metrics
        ]
        if validation.verdict == "inconclusive" and self.config.getoption("nbdeploy_inconclusive") == "skip":
            undecided = [g.sentence for run in validation.runs for g in run.gates if g.verdict == "inconclusive"]
            pytest.skip("; ".join(undecided))
        if validation.verdict != "pass":
            raise NotPassedError(validation)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show a validation's sentences and failing cell, or a DeployError's message, without a call stack."""
        from jupyter_deploy.domain.errors import DeployError
        from jupyter_deploy.faces.render.commands import escape_commands

        if isinstance(excinfo.value, NotPassedError):
            from jupyter_deploy.faces.render.render import text

            return escape_commands(text(excinfo.value.validation))
        if isinstance(excinfo.value, DeployError):
            return escape_commands(str(excinfo.value))
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Return the place for the headline of a failure."""
        return self.path, None, self.name


class NotPassedError(Exception):
    """A validation that failed or is undecided; its first gate that does not hold is the message."""

    def __init__(self, validation: Validation) -> None:
        self.validation = validation
        sentences = [g.sentence for run in validation.runs for g in run.gates if g.verdict == validation.verdict]
        super().__init__(sentences[0] if sentences else validation.verdict)


_PORTS: pytest.StashKey[Ports] = pytest.StashKey()


def _ports(config: pytest.Config) -> Ports:
    """Return the ports of this process, made once."""
    if _PORTS not in config.stash:
        from jupyter_deploy.domain.errors import DeployError
        from jupyter_deploy.wiring import Wiring

        try:
            config.stash[_PORTS] = Wiring().ports
        except DeployError as error:  # an invalid setting
            raise pytest.UsageError(str(error)) from error
    return config.stash[_PORTS]


def _request(config: pytest.Config, path: Path) -> ValidateRequest:
    from jupyter_deploy.domain.validation.requests import ValidateRequest
    from jupyter_deploy.faces.request_fields import request_from

    given = {
        "notebooks": (str(path),),
        "snapshot": config.getoption("nbdeploy_snapshot"),
        "parameter": tuple(config.getoption("nbdeploy_parameter")),
        "matrix": tuple(config.getoption("nbdeploy_matrix")),
        "gate": tuple(config.getoption("nbdeploy_gate")),
        "timeout": config.getoption("nbdeploy_timeout"),
    }
    return request_from(ValidateRequest, given)
