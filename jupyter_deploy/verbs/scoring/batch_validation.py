"""Validation notebooks that judge what a batch has written: they read the answers in its sink."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Self

from jupyter_deploy.domain.batch.requests import BatchRequest
from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.release.endpoint import Release
from jupyter_deploy.domain.requests import Step
from jupyter_deploy.domain.validation.requests import ValidateRequest
from jupyter_deploy.domain.validation.validation import Validation
from jupyter_deploy.verbs.recorded_requests import with_recorded
from jupyter_deploy.verbs.run_plan import Planned, compares
from jupyter_deploy.verbs.validate import candidate_of, runs_of
from jupyter_deploy.verbs.validation import run_all
from jupyter_deploy.verbs.validation_runs import Candidate, RunOptions

SINK = "sink"
"""The parameter of a notebook that is given the folder of the answers."""


class BatchValidation(NamedTuple):
    """The planned runs of notebooks, and the release whose answers they judge."""

    planned: Sequence[Planned]
    candidate: Candidate
    release: Release

    @classmethod
    def of(cls, request: BatchRequest, sink: str, release: Release, ports: Ports) -> Self | None:
        """Return the validation of a request; None: it names no notebook.

        Raises
        ------
        InvalidInput
            There are gates without a notebook, a notebook cannot be read or has no parameter ``sink``, a gate is wrong,
            or compares with stable.
        Untrusted, UnknownSource
            The release's snapshot is not here, or has changed.
        """
        planned = planned_validation(request, sink, ports)
        if not planned:
            return None
        reference = any(one.asks_reference for one in planned)
        return cls(planned, candidate_of(release.tag, ports, with_stable=reference), release)

    def judge(self, ports: Ports, report: Report) -> Validation:
        """Run the notebooks and judge what they measured; Ctrl-C is raised after the finished runs were stored."""
        report(Step(number=1, total=1, title=f"validating the answers of {self.release.tag}"))
        with with_recorded(self.planned, None, None, self.release.endpoint, ports, report=report) as runnable:
            return run_all(runnable, self.candidate, RunOptions(trigger="batch"), ports, report)


def planned_validation(request: BatchRequest, sink: str, ports: Ports) -> Sequence[Planned]:
    """Return the planned runs of a request's notebooks; see ``BatchValidation.of``."""
    if not request.validate:
        if request.gate:
            raise InvalidInput("--gate needs a notebook that measures the answers", "add --validate NOTEBOOK")
        return ()
    wanted = ValidateRequest(notebooks=request.validate, gate=request.gate, parameter={SINK: sink})
    planned = runs_of(wanted, ports)
    for gate in (gate for one in planned for gate, _ in one.gates):
        if compares(gate):
            raise InvalidInput(
                f"the gate '{gate.expression}' compares with stable, and a batch has the answers of one release",
                "leave stable out; shadows of a batch are compared by --role shadow and 'nbdeploy compare --require'",
            )
    return planned
