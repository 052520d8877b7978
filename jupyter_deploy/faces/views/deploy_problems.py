"""Problems in the fields of a deploy form that need no kernel: the endpoint's name, its role, gates, words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jupyter_deploy.domain.capture.artifacts import checked_name
from jupyter_deploy.domain.capture.findings import Finding, require_waivable
from jupyter_deploy.domain.errors import DeployError, InvalidName
from jupyter_deploy.domain.gates.figures import is_figure, require_figure, unknown_figure
from jupyter_deploy.domain.gates.parser import parse_gate
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.release.labels import checked_label
from jupyter_deploy.domain.requests import DeployRequest
from jupyter_deploy.settings import load_settings
from jupyter_deploy.verbs.deploy import require_role, require_share
from jupyter_deploy.verbs.gates.endpoint_gates import OFF, gate_source
from jupyter_deploy.verbs.gates.enforce_gates import require_reason
from jupyter_deploy.wiring import Wiring

from .form_documents import DeployProblemsView, FieldProblem
from .requests import DeployProblemsRequest

# Remedies for a form, which has no options to omit.
_REMEDIES = {
    "role": "choose auto for the first release of an endpoint",
    "percent": "leave it empty, or give a number above 0 and up to 100",
    "reason": "write the reason; it is stored",
}


def deploy_problems(request: DeployProblemsRequest, ports: Ports) -> DeployProblemsView:
    """Return the problems of the fields of a notebook's deploy that need no kernel; nothing slow is done."""
    if request.notebook:
        folder = Path(request.notebook).parent
        ports = Wiring(load_settings(notebook_folder=folder, home=ports.home), folder=folder).ports  # as its job
    fields = DeployFields(ports)
    fields.check(request.deploy)
    return DeployProblemsView(problems=tuple(fields.problems))


class DeployFields:
    """The fields of a deploy; ``problems`` are those found so far, an item of a list as ``gate.0``."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self.problems: list[FieldProblem] = []

    def check(self, request: DeployRequest) -> Endpoint | None:
        """Check the fields; return the endpoint, or None if there is none yet."""
        before = self._named(request)
        first = before is None and request.percent is not None and request.role in ("auto", "stable")
        with self.noted("percent" if first else "role", "leave it empty" if first else ""):
            require_role(request, before)
        with self.noted("percent"):
            require_share(request)
        with self.noted("label"):
            checked_label(request.label)
        known = not self._unknown_checks(request)
        with self.noted("reason" if known else "waive"):
            require_waivable(request.waive, request.reason)
        with self.noted("reason"):
            require_reason(request)
        self._gates(request, before)
        return before

    def _named(self, request: DeployRequest) -> Endpoint | None:
        with self.noted("name"):
            if not request.name:
                raise InvalidName("the endpoint needs a name", "write a short word, such as churn")
            return self._ports.store.endpoint(checked_name(request.name))
        return None

    def _unknown_checks(self, request: DeployRequest) -> bool:
        try:
            require_waivable(request.waive, "a reason")
        except DeployError:
            return True
        return False

    def _gates(self, request: DeployRequest, before: Endpoint | None) -> None:
        chosen = [one for one in request.validate if one != OFF]
        for place, path in enumerate(request.validate):
            if path != OFF and "://" not in path and not Path(path).exists():
                self.note(f"validate.{place}", f"there is no notebook {path}", "choose one that is there")
        if chosen and len(chosen) < len(request.validate):
            self.note("validate", "'off' removes all validations", "name nothing else with it")
        if any(problem.field.startswith("validate") for problem in self.problems):
            return
        specs = (*(before.validations if before else ()), *self._ports.specs)
        measured = bool(chosen) or any(spec.notebook for spec in specs)
        for place, text in enumerate(request.gate):
            with self.noted(f"gate.{place}"):
                gate = parse_gate(text)
                if measured:
                    self._require_measured(text, request, before)
                elif not is_figure(gate):
                    raise unknown_figure(gate)
                else:
                    require_figure(gate)

    def _require_measured(self, gate: str, request: DeployRequest, before: Endpoint | None) -> None:
        """Raise InvalidInput for a gate of a metric that the notebooks do not record, such as a typo."""
        name = request.name or "endpoint"
        try:
            gate_source(request.model_copy(update={"gate": ()}), name, before, self._ports)
        except DeployError:  # a fault of the notebooks: the deploy reports it
            return
        gate_source(request.model_copy(update={"gate": (gate,)}), name, before, self._ports)

    @contextmanager
    def noted(self, field: str, remedy: str = "") -> Iterator[None]:
        """Within, an error becomes a problem of the field."""
        try:
            yield
        except DeployError as error:
            remedy = remedy or _REMEDIES.get(field, error.remedy)
            self.note(field, error.message, remedy, details=error.details)

    def note(self, field: str, message: str, remedy: str, finding: Finding | None = None, *, details: str = "") -> None:
        """Add a problem."""
        text = f"{message}\n{details}" if details else message
        document = finding.model_dump(mode="json") if finding else None
        self.problems.append(FieldProblem(field=field, message=text, remedy=remedy, finding=document))
