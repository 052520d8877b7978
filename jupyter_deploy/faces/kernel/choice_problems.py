"""Problems in the form of a choice among models, found before a notebook runs; no model runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from pydantic import ValidationError

from jupyter_deploy.domain.errors import DeployError, InvalidInput
from jupyter_deploy.domain.model_selection.constraints import parse_constraints
from jupyter_deploy.domain.model_selection.requests import CandidatesRequest
from jupyter_deploy.faces.render.problems import problem_of
from jupyter_deploy.faces.render.shell import namespace_of
from jupyter_deploy.faces.views.form_documents import FieldProblem
from jupyter_deploy.verbs.change import find
from jupyter_deploy.verbs.model_selection.candidates import require_models
from jupyter_deploy.wiring import Wiring

from .choice_data import require_served, rows_in, subgroups_of, truth_of
from .fits import fits_by_name, titled
from .notebook_state import unknown_variable
from .scoring import scoring_of


def choice_problems(document: str, shell: Any, wiring: Wiring) -> list[FieldProblem]:
    """Return the problems of a ``CandidatesRequest`` as JSON whose ``models`` are variables, each with its field.

    An expression that has side effects is not evaluated, so what depends on it is not checked.
    """
    try:
        request = CandidatesRequest.model_validate_json(document)
    except ValidationError as error:
        return [
            FieldProblem(field=".".join(map(str, one["loc"])), message=one["msg"]) for one in problem_of(error).errors
        ]
    choice = _Choice(namespace_of(shell), wiring)
    choice.check(request)
    return choice.problems


class _Choice:
    def __init__(self, namespace: Mapping[str, Any], wiring: Wiring) -> None:
        self._namespace, self._wiring = namespace, wiring
        self.problems: list[FieldProblem] = []

    def check(self, request: CandidatesRequest) -> None:
        """Note the problems of all fields."""
        fits = self._models(request)
        with self._noted("endpoint"):
            if request.endpoint:
                find(self._wiring.ports, request.endpoint)
        table = self._value("x", request.x)
        rows, truth, subgroups = None, None, None
        with self._noted("x"):
            rows = rows_in(table[0]) if table else None
        y = self._value("y", request.y)
        with self._noted("y"):
            truth = truth_of(y[0], rows) if y and rows is not None else None
        if table is None or truth is None:
            return
        grouped = True
        if request.by:
            grouped = request.by in getattr(table[0], "columns", ())
            by = (request.by,) if grouped else self._value("by", request.by)
            grouped = by is not None
            with self._noted("by"):
                subgroups = subgroups_of(by[0], table[0]) if by else None
        if not fits or self._wrong("by"):
            return
        scoring = None
        with self._noted("metric"):
            metric = self._namespace.get(request.metric or "")
            scoring = scoring_of(
                metric if callable(metric) else request.metric or None, truth, titled(fits), None, request.method
            )
        groups: list[str] = []
        with self._noted("by"):
            groups = scoring.groups(len(truth), subgroups) if scoring else []
        with self._noted("constraint"):
            if scoring and grouped:
                parse_constraints(
                    request.constraint,
                    scoring.name,
                    has_stable=bool(request.endpoint),
                    groups=groups,
                    priced=self._wiring.settings.cost is not None,
                )

    def _models(self, request: CandidatesRequest) -> Mapping[str, Sequence[Any]]:
        """Return the models with their fits; those that cannot be served are left out and noted."""
        known = {}
        for name in request.models:
            with self._noted("models"):
                if name not in self._namespace:
                    raise InvalidInput(*unknown_variable(name, self._namespace))
                for model in fits_by_name({name: self._namespace[name]})[name]:
                    require_served(name, model, request.method, self._wiring.ports.finder)
                known[name] = self._namespace[name]
        if not request.models:
            self._note("models", "no model is chosen", "choose the models to compare")
        with self._noted("models"):
            if known:
                require_models(known)
        return fits_by_name(known) if known else {}

    def _value(self, field: str, expression: str) -> tuple[Any] | None:
        """Return an expression's value in a tuple; None: it is not known, or wrong, which is noted."""
        if not expression.strip():
            self._note(field, *_HINTS[field])
            return None
        if expression.strip().isidentifier() and expression.strip() not in self._namespace:
            self._note(field, *unknown_variable(expression.strip(), self._namespace))
            return None
        return self._wiring.ports.finder.evaluate(expression, self._namespace)

    def _wrong(self, field: str) -> bool:
        return any(problem.field == field for problem in self.problems)

    @contextmanager
    def _noted(self, field: str) -> Iterator[None]:
        try:
            yield
        except DeployError as error:
            self._note(field, error.message, error.remedy)

    def _note(self, field: str, message: str, remedy: str) -> None:
        self.problems.append(FieldProblem(field=field, message=message, remedy=remedy))


_HINTS = {
    "x": ("there are no rows to compare the models on", "name a table that they were not trained on, such as X_test"),
    "y": ("there are no true answers", "name those of the rows, such as y_test"),
    "by": ("there are no subgroups", "name a column of the rows"),
}
