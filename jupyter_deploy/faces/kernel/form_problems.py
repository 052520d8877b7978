"""Problems in the fields of a deploy form, found while the user types; neither slow code nor the model runs."""

from __future__ import annotations

import ast
import builtins
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from jupyter_deploy.domain.capture.artifacts import checked_name
from jupyter_deploy.domain.capture.findings import Finding, require_waivable
from jupyter_deploy.domain.capture.ports import Live
from jupyter_deploy.domain.errors import DeployError, InvalidInput, InvalidName
from jupyter_deploy.domain.gates.figures import is_figure, require_figure, unknown_figure
from jupyter_deploy.domain.gates.parser import parse_gate
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.release.labels import checked_label
from jupyter_deploy.domain.requests import DeployRequest
from jupyter_deploy.faces.render.problems import problem_of
from jupyter_deploy.faces.views.form_documents import FieldProblem
from jupyter_deploy.verbs.deploy import require_role, require_share
from jupyter_deploy.verbs.gates.endpoint_gates import OFF, gate_source
from jupyter_deploy.verbs.gates.enforce_gates import require_reason
from jupyter_deploy.verbs.spare import start_replay_for

from .kernel import live_from_object
from .notebook_state import unknown_variable
from .stale_cache import stale_findings

# Remedies for a form, which has no options to omit.
_REMEDIES = {
    "role": "choose auto for the first release of an endpoint",
    "percent": "leave it empty, or give a number above 0 and up to 100",
    "reason": "write the reason; it is stored",
}

_OF_EXAMPLE = ("features", "missing-values")
_EXPRESSIONS = ("model", "example", "signature", "training")


def problems_in(document: str, shell: Any, ports: Ports) -> tuple[list[FieldProblem], bool]:
    """Return the problems of a ``DeployRequest`` as JSON, each with its field; an item of a list is ``gate.0``.

    With them, whether that is all: False while a search goes on; its findings come with the next, equal call.
    """
    fields = _Fields(ports, shell)
    fields.check(fields.read(document))
    return fields.problems, fields.complete


class _Fields:
    def __init__(self, ports: Ports, shell: Any) -> None:
        self._ports, self._shell = ports, shell
        self.problems: list[FieldProblem] = []
        self.complete = True

    def read(self, document: str) -> DeployRequest:
        """Read the request without its invalid fields, and note these. Raises InvalidInput if it is not a document."""
        try:
            return DeployRequest.model_validate_json(document)
        except ValidationError as error:
            wrong = {str(one["loc"][0]): one for one in problem_of(error).errors if one["loc"]}
            for one in wrong.values():
                self._note(".".join(map(str, one["loc"])), one["msg"], "")
            rest = {name: value for name, value in _fields(document).items() if name not in wrong}
            return DeployRequest.model_validate(rest)

    def check(self, request: DeployRequest) -> None:
        """Check all fields."""
        before = self._named(request)
        first = before is None and request.percent is not None and request.role in ("auto", "stable")
        with self._noted("percent" if first else "role", "leave it empty" if first else ""):
            require_role(request, before)
        with self._noted("percent"):
            require_share(request)
        with self._noted("label"):
            checked_label(request.label)
        known = not self._unknown_checks(request)
        with self._noted("reason" if known else "waive"):
            require_waivable(request.waive, request.reason)
        with self._noted("reason"):
            require_reason(request)
        self._gates(request, before)
        self._values(request, before)

    def _named(self, request: DeployRequest) -> Endpoint | None:
        with self._noted("name"):
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
                self._note(f"validate.{place}", f"there is no notebook {path}", "choose one that is there")
        if chosen and len(chosen) < len(request.validate):
            self._note("validate", "'off' removes all validations", "name nothing else with it")
        if any(problem.field.startswith("validate") for problem in self.problems):
            return
        specs = (*(before.validations if before else ()), *self._ports.specs)
        measured = bool(chosen) or any(spec.notebook for spec in specs)
        for place, text in enumerate(request.gate):
            with self._noted(f"gate.{place}"):
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

    def _requests(self, live: Live, before: Endpoint | None) -> None:
        """Check that the model takes the example, and the requests that the endpoint's clients send."""
        schema = self._ports.finder.request_schema(live)
        stable = self._ports.store.remembered(before.traffic.stable) if before else None
        if before is None or stable is None or schema is None or live.signature is not None:
            return
        refused = stable.manifest.signature.refused_by(schema)
        if refused:
            self._note(
                "name",
                f"clients of {before.name} send requests that this model refuses: {'; '.join(refused)}",
                "choose another name, or an example with the columns that they send",
            )

    def _values(self, request: DeployRequest, before: Endpoint | None) -> None:
        """Check model and example, as far as they can be evaluated without side effects."""
        values = {name: self._value(name, getattr(request, name)) for name in _EXPRESSIONS}
        model, example = values["model"], values["example"]
        if model is None:
            return
        with self._noted("method" if request.method else "model"):
            self._ports.finder.require_method(model[0], request.method)
        live = live_from_object(
            model[0], example[0] if example else None, request, variable=request.model, shell=self._shell
        )
        if example is not None and not {one.field for one in self.problems} & {"example", "model", "method"}:
            with self._noted("example"):
                self._requests(live, before)
        with self._noted("include"):
            self._ports.finder.require_included(live)
        if not self.problems and example is not None:
            start_replay_for(live, self._ports)  # it imports while the user reads on
        finder, live = self._ports.finder, replace(live, in_cell=False)
        staleness = stale_findings(live, finder)
        self.complete = staleness is not None
        for finding in (*(staleness or ()), *finder.fast_findings(live)):
            if finding.check not in request.waive:
                self._note("example" if finding.check in _OF_EXAMPLE else "model", *_words(finding), finding)

    def _value(self, field: str, expression: str | None) -> tuple[Any] | None:
        if not expression:
            if field in ("model", "example"):
                self._note(field, f"there is no {field}", _HINTS[field])
            return None
        try:
            tree = ast.parse(expression.strip(), mode="eval")
        except (SyntaxError, ValueError) as error:
            self._note(field, f"'{expression}' is no Python expression: {getattr(error, 'msg', error)}", _HINTS[field])
            return None
        namespace: Mapping[str, Any] = self._shell.user_ns
        missing = next((name for name in _read(tree) if name not in namespace and not hasattr(builtins, name)), None)
        if missing is not None:
            self._note(field, *unknown_variable(missing, namespace))
            return None
        value = self._ports.finder.evaluate(expression, namespace)
        if field == "example" and value is not None:
            table = self._ports.finder.first_rows(value[0])
            if table.problem:
                self._note(field, table.problem, table.remedy)
        return value

    @contextmanager
    def _noted(self, field: str, remedy: str = "") -> Iterator[None]:
        try:
            yield
        except DeployError as error:
            remedy = remedy or _REMEDIES.get(field, error.remedy)
            self._note(field, error.message, remedy, details=error.details)

    def _note(
        self, field: str, message: str, remedy: str, finding: Finding | None = None, *, details: str = ""
    ) -> None:
        text = f"{message}\n{details}" if details else message
        document = finding.model_dump(mode="json") if finding else None
        self.problems.append(FieldProblem(field=field, message=text, remedy=remedy, finding=document))


_HINTS = {
    "model": "choose one of the models that were found, or name a variable",
    "example": "write the model's input, such as X_test[:5]",
    "signature": "name a pydantic model of one instance",
    "training": "name the table that the model was fitted on",
}


def _words(finding: Finding) -> tuple[str, str]:
    return finding.message, finding.remedy


def _read(tree: ast.Expression) -> Iterator[str]:
    """Yield the names that an expression reads and does not bind."""
    nodes = list(ast.walk(tree))
    bound = {node.id for node in nodes if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
    bound |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    yield from (node.id for node in nodes if isinstance(node, ast.Name) and node.id not in bound)


def _fields(document: str) -> dict[str, Any]:
    try:
        fields = json.loads(document)
    except ValueError as error:
        raise InvalidInput("the document to check is not JSON", "send the fields of a deploy") from error
    if not isinstance(fields, dict):
        raise InvalidInput("the document to check is not a JSON object", "send the fields of a deploy")
    return fields
