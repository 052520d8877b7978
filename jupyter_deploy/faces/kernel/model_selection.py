"""``jupyter_deploy.candidates(…)`` and ``%deploy_candidates``: a choice among the models of a notebook."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from jupyter_deploy.capture.inspection import method_of
from jupyter_deploy.domain.capture.artifacts import NAME, Snapshot, checked_name
from jupyter_deploy.domain.capture.translation import TRANSLATED
from jupyter_deploy.domain.errors import DeployError, InvalidExample, InvalidInput, UnknownRelease, disk_faults
from jupyter_deploy.domain.model_selection.calibration import calibration_of
from jupyter_deploy.domain.model_selection.constraints import parse_constraints
from jupyter_deploy.domain.model_selection.requests import CandidatesRequest
from jupyter_deploy.domain.model_selection.selection import SELECTION_MIME, Calibration, CandidateModel, ModelSelection
from jupyter_deploy.domain.requests import DeployRequest
from jupyter_deploy.faces.render.charts.model_selection import selection_chart
from jupyter_deploy.faces.render.collision import check_distributions
from jupyter_deploy.faces.render.model_selection_page import model_selection_page
from jupyter_deploy.faces.render.notebook_errors import readable_errors
from jupyter_deploy.faces.render.page import as_html, as_text
from jupyter_deploy.faces.render.render import charted_bundle
from jupyter_deploy.faces.render.shell import current_shell, namespace_of
from jupyter_deploy.faces.request_fields import request_from
from jupyter_deploy.faces.views.candidates import candidates_view
from jupyter_deploy.verbs import BY_NAME
from jupyter_deploy.verbs.capture import ERROR_MIME
from jupyter_deploy.verbs.model_selection.candidates import Contender, SelectionTask, require_models, select_models
from jupyter_deploy.wiring import Wiring

from .choice_data import require_served, rows_in, subgroups_of, truth_of
from .encode import decode_answers, encode_instances
from .fits import fits_by_name, spread_of, titled
from .kernel import error_document, live_from_object
from .notebook_state import evaluate, unknown_variable
from .probabilities import PROBABILITIES, calibration_of_answers
from .python_api import run
from .scoring import Scoring, scoring_of

EXAMPLE_ROWS = 5

VIEW_MIME = "application/vnd.nbdeploy.candidates.v1+json"
"""JupyterLab's extension draws this document with the chart in it; ``{}`` takes the place of the chart's own output."""


class Candidates:
    """The table of a choice, which a notebook shows with its chart; ``deploy`` deploys one of its rows.

    Attributes
    ----------
    table
        The ``ModelSelection``.
    """

    def __init__(self, table: ModelSelection) -> None:
        self.table = table

    def __str__(self) -> str:
        """Return the table as text."""
        return as_text(model_selection_page(self.table))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return as_html(model_selection_page(self.table))

    def _ipython_display_(self) -> None:
        from IPython.display import display  # only where IPython runs already

        view = candidates_view(self.table).model_dump(mode="json")
        display({VIEW_MIME: view, "text/html": self._repr_html_(), "text/plain": str(self)}, raw=True)
        display({VIEW_MIME: {}} | charted_bundle(selection_chart(self.table)), raw=True)

    def deploy(self, candidate: str, *, name: str | None = None, engine: str = "native", **options: Any) -> Any:
        """Deploy the snapshot of a row; the choice is kept with its release.

        Parameters
        ----------
        candidate
            The model's name in the table.
        name
            The endpoint's name (default: the one that was compared with, else the model's name).
        engine
            ``native``, or ``onnx`` for the translation.
        **options
            As of ``deploy``, such as ``role="shadow"`` (default: the first release of an endpoint is stable, a later
            one starts as a shadow) and ``reason``.

        Returns
        -------
        Deployment
            As of ``deploy``.
        """
        with readable_errors():
            row = self._row(candidate, engine)
            endpoint = name or self.table.endpoint or row.tag.partition(":")[0]
            given = {"source": row.tag, "name": checked_name(endpoint), "choice": self.table}
            return run(BY_NAME["deploy"], request_from(DeployRequest, given | options))

    def _row(self, candidate: str, engine: str) -> CandidateModel:
        rows = [row for row in self.table.candidates if candidate in (row.name, row.label)]
        found = [row for row in rows if row.label == candidate != row.name or row.engine == engine]
        if found:
            return found[0]
        why = next((one.why for one in self.table.left_out if (one.name, one.engine) == (candidate, engine)), "")
        raise UnknownRelease(
            f"the table has no row '{candidate}' with the engine {engine}{f': {why}' if why else ''}",
            f"name one of: {', '.join(row.label for row in self.table.candidates)}",
        )


def candidates(
    models: Mapping[str, Any],
    X: Any,  # noqa: N803 - scikit-learn's name
    y: Any,
    *,
    metric: Any = None,
    by: Any = None,
    constraints: str | Sequence[str] = (),
    translated: bool = True,
    endpoint: str | None = None,
    method: str | None = None,
    greater_is_better: bool | None = None,
) -> Candidates:
    """Measure models, each natively and translated, and return one table to choose by. Nothing is deployed.

    Parameters
    ----------
    models : dict
        Fitted models by a short name. A list of fits, such as those of other seeds or of ``cross_validate(…,
        return_estimator=True)``, is one model: its first fit is measured and deployed, and the table has the spread of
        all fits' scores on X.
    X : table or array
        The rows that the models take, not those of their training; the first five become the snapshots' example.
    y : array
        The true answers, one a row.
    metric : str or callable
        A metric by scikit-learn's name, such as ``"f1_macro"``, or with ``method="predict_proba"`` ``"roc_auc"``, or a
        function of truth and answers (default: accuracy for classifiers, the log loss of probabilities, else the mean
        absolute error).
    by : str, list of str, Series or dict
        Columns of X, or values by name, whose subgroups are scored too.
    constraints : list of str
        Conditions on figures, such as ``"latency_p99_ms <= 5"``, ``"memory_mb <= 300"``.
    translated : bool
        Measure each model's translation to ONNX too, if there is a proved one.
    endpoint : str
        An endpoint whose stable release becomes the row ``stable``.
    method : str
        The method to serve (default: predict).
    greater_is_better : bool
        Of a function as the metric (default: True).

    Returns
    -------
    Candidates
        Its ``table`` has the figures; ``deploy("forest", name="churn")`` deploys a row.

    Raises
    ------
    InvalidInput
        The data, a model, the metric or a constraint is wrong; found before slow work.
    """
    with readable_errors():
        check_distributions()
        if not isinstance(models, Mapping):
            raise InvalidInput("the models are no dict", 'write candidates({"logit": m1, "forest": m2}, X, y)')
        require_models(models)
        wiring = Wiring()
        truth = truth_of(y, rows_in(X))
        fits = fits_by_name(models)
        for name, model in ((name, model) for name, several in fits.items() for model in several):
            require_served(name, model, method, wiring.ports.finder)
        subgroups = subgroups_of(by, X)
        scoring = scoring_of(metric, truth, titled(fits), greater_is_better, method)
        texts = [constraints] if isinstance(constraints, str) else list(constraints)
        cost = wiring.settings.cost
        gates = parse_constraints(
            texts,
            scoring.name,
            has_stable=endpoint is not None,
            groups=scoring.groups(len(truth), subgroups),
            priced=cost is not None,
        )
        shell = current_shell()
        contenders = []
        for name, several in fits.items():
            model = several[0]
            snapshot_name = endpoint or _slug(name)
            request = DeployRequest(name=snapshot_name, method=method)
            live = live_from_object(model, X[:EXAMPLE_ROWS], request, variable=None, shell=shell)
            spread = spread_of(name, several, method, X, partial(scoring.value, truth))
            served = method_of(model, method)
            contenders.append(Contender(name, snapshot_name, live, served, _calibration(model, X, truth), spread))
        task = SelectionTask(
            contenders,
            lambda snapshot: encode_instances(X, snapshot.manifest.signature.model_dump())[0],
            lambda answers, snapshot: scoring.metrics(truth, _decoded(answers, snapshot, X), subgroups),
            scoring.name,
            scoring.greater_is_better,
            len(truth),
            ("native", TRANSLATED) if translated else ("native",),
            gates,
            endpoint or "",
            method,
            cost,
            partial(_served_calibration, scoring=scoring, truth=truth, table=X),
            scoring.classes,
        )
        from jupyter_deploy.faces.render.progress import reporter

        with disk_faults(), reporter() as report:
            return Candidates(select_models(task, wiring.ports, report))


def candidates_of_line(request: CandidatesRequest, shell: Any) -> Candidates:
    """Answer ``%deploy_candidates``: the request's texts are names and expressions of the notebook."""
    namespace = namespace_of(shell)
    unknown = next((name for name in request.models if name not in namespace), None)
    if unknown is not None:
        raise InvalidInput(*unknown_variable(unknown, namespace))
    table = evaluate("rows", request.x, namespace, InvalidExample)
    truth = evaluate("truth", request.y, namespace, InvalidInput)
    metric = namespace.get(request.metric or "")
    by: Any = request.by
    if by is not None and by not in getattr(table, "columns", ()):
        by = evaluate("subgroups", by, namespace, InvalidInput)
    return candidates(
        {name: namespace[name] for name in request.models},
        table,
        truth,
        metric=metric if callable(metric) else request.metric,
        by=by,
        constraints=request.constraint,
        translated=not request.native_only,
        endpoint=request.endpoint,
        method=request.method,
    )


def candidates_for_command_line(document: str) -> None:
    """Choose in this kernel for ``nbdeploy candidates NOTEBOOK``; the outcome is displayed by its MIME type."""
    from IPython.display import display

    try:
        table = candidates_of_line(CandidatesRequest.model_validate_json(document), current_shell()).table
    except DeployError as error:
        display({ERROR_MIME: error_document(error), "text/plain": str(error)}, raw=True)
    else:
        display({SELECTION_MIME: table.model_dump(mode="json"), "text/plain": "[a table of candidates]"}, raw=True)


def _calibration(model: Any, table: Any, truth: Any) -> Calibration | None:
    """Return the calibration of a classifier's probabilities; None: it gives none, or not of all the classes in y."""
    classes = getattr(model, "classes_", None)
    if classes is None or not hasattr(model, "predict_proba"):
        return None
    places = {label: place for place, label in enumerate(np.asarray(classes).tolist())}
    truths = truth.tolist()
    if not all(label in places for label in truths):
        return None
    try:
        probabilities = np.asarray(model.predict_proba(table), dtype=float)
    except Exception:  # noqa: BLE001 - such as a support vector machine that was fitted without probabilities
        return None
    if probabilities.shape != (len(truths), len(places)):
        return None
    return calibration_of(probabilities.tolist(), [places[label] for label in truths])


def _served_calibration(
    answers: Sequence[Any], snapshot: Snapshot, *, scoring: Scoring, truth: Any, table: Any
) -> Calibration | None:
    if snapshot.manifest.method != PROBABILITIES or not scoring.classes:
        return None
    return calibration_of_answers(_decoded(answers, snapshot, table), truth, scoring.classes)


def _decoded(answers: Sequence[Any], snapshot: Snapshot, table: Any) -> Any:
    return np.asarray(decode_answers(list(answers), snapshot.manifest.signature.model_dump(), table))


def _slug(name: str) -> str:
    proposal = re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-_")[:63]
    return proposal if NAME.fullmatch(proposal) else "candidate"
