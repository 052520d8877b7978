"""Problems in the fields of a deploy form, found while the user types; neither slow code nor the model runs."""

from __future__ import annotations

import ast
import builtins
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from jupyter_deploy.domain.capture.findings import Finding
from jupyter_deploy.domain.capture.ports import Live
from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.ports import Ports
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.requests import DeployRequest
from jupyter_deploy.faces.render.problems import problem_of
from jupyter_deploy.faces.views.deploy_problems import DeployFields
from jupyter_deploy.faces.views.form_documents import FieldProblem
from jupyter_deploy.verbs.spare import start_replay_for

from .kernel import live_from_object
from .notebook_state import unknown_variable
from .stale_cache import stale_findings

_OF_EXAMPLE = ("features", "missing-values")
_EXPRESSIONS = ("model", "example", "signature", "training", "lookup")


def problems_in(document: str, shell: Any, ports: Ports) -> tuple[list[FieldProblem], bool]:
    """Return the problems of a ``DeployRequest`` as JSON, each with its field; an item of a list is ``gate.0``.

    With them, whether that is all: False while a search goes on; its findings come with the next, equal call.
    """
    fields = _Fields(ports, shell)
    request = fields.read(document)
    fields.check_values(request, fields.check(request))
    return fields.problems, fields.complete


class _Fields(DeployFields):
    def __init__(self, ports: Ports, shell: Any) -> None:
        super().__init__(ports)
        self._shell = shell
        self.complete = True

    def read(self, document: str) -> DeployRequest:
        """Read the request without its invalid fields, and note these. Raises InvalidInput if it is not a document."""
        try:
            return DeployRequest.model_validate_json(document)
        except ValidationError as error:
            wrong = {str(one["loc"][0]): one for one in problem_of(error).errors if one["loc"]}
            for one in wrong.values():
                self.note(".".join(map(str, one["loc"])), one["msg"], "")
            rest = {name: value for name, value in _fields(document).items() if name not in wrong}
            return DeployRequest.model_validate(rest)

    def _requests(self, live: Live, before: Endpoint | None) -> None:
        """Check that the model takes the example, and the requests that the endpoint's clients send."""
        schema = self._ports.finder.request_schema(live)
        stable = self._ports.store.remembered(before.traffic.stable) if before else None
        if before is None or stable is None or schema is None or live.signature is not None:
            return
        refused = stable.manifest.signature.refused_by(schema)
        if refused:
            self.note(
                "name",
                f"clients of {before.name} send requests that this model refuses: {'; '.join(refused)}",
                "choose another name, or an example with the columns that they send",
            )

    def check_values(self, request: DeployRequest, before: Endpoint | None) -> None:
        """Check model and example, as far as they can be evaluated without side effects."""
        values = {name: self._value(name, getattr(request, name)) for name in _EXPRESSIONS}
        model, example = values["model"], values["example"]
        if model is None:
            return
        with self.noted("method" if request.method else "model"):
            self._ports.finder.require_method(model[0], request.method)
        live = live_from_object(
            model[0], example[0] if example else None, request, variable=request.model, shell=self._shell
        )
        if example is not None and not {one.field for one in self.problems} & {"example", "model", "method"}:
            with self.noted("example"):
                self._requests(live, before)
        with self.noted("include"):
            self._ports.finder.require_included(live)
        if not self.problems and example is not None:
            start_replay_for(live, self._ports)  # it imports while the user reads on
        finder, live = self._ports.finder, replace(live, in_cell=False)
        staleness = stale_findings(live, finder)
        self.complete = staleness is not None
        for finding in (*(staleness or ()), *finder.fast_findings(live)):
            if finding.check not in request.waive:
                self.note("example" if finding.check in _OF_EXAMPLE else "model", *_words(finding), finding)

    def _value(self, field: str, expression: str | None) -> tuple[Any] | None:
        if not expression:
            if field in ("model", "example"):
                self.note(field, f"there is no {field}", _HINTS[field])
            return None
        try:
            tree = ast.parse(expression.strip(), mode="eval")
        except (SyntaxError, ValueError) as error:
            self.note(field, f"'{expression}' is no Python expression: {getattr(error, 'msg', error)}", _HINTS[field])
            return None
        namespace: Mapping[str, Any] = self._shell.user_ns
        missing = next((name for name in _read(tree) if name not in namespace and not hasattr(builtins, name)), None)
        if missing is not None:
            self.note(field, *unknown_variable(missing, namespace))
            return None
        value = self._ports.finder.evaluate(expression, namespace)
        if field == "example" and value is not None:
            table = self._ports.finder.first_rows(value[0])
            if table.problem:
                self.note(field, table.problem, table.remedy)
        return value


_HINTS = {
    "model": "choose one of the models that were found, or name a variable",
    "example": "write the model's input, such as X_test[:5]",
    "signature": "name a pydantic model of one instance",
    "lookup": "name the definition made by jupyter_deploy.feature_lookup",
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
