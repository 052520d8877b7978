"""The verbs: plain functions ``(request, ports, report) -> domain object``, in the one table that all faces walk.

Imports domain alone. The table itself imports the standard library alone, since ``import jupyter_deploy`` reads it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple, get_type_hints

_PACKAGE = __name__.rpartition(".")[0]


class Operation(NamedTuple):
    """A verb with the data that the faces need. No other module lists verbs or the types of their results.

    A ``module.attribute`` is imported when it is first used, so that help and completion import none.

    Attributes
    ----------
    request_type
        ``module.class`` of the request model, in ``domain``.
    place
        ``module.function`` of the verb, in this package. Its return annotation is the type of the result.
    label
        The name of its command in JupyterLab; a command with a form ends in an ellipsis.
    page
        ``module.function`` that makes the page of a result, in ``faces.render``. If a verb
        returns an iterable, its items have pages too.
    title
        ``module.function`` that makes a job's title of a request, in this package; default: the verb and its subject.
    exit_code
        ``module.function`` that makes the exit code of a result, in ``faces.render``; default: 0.
    charts
        ``module.function`` that makes the charts of a result, in ``faces.render``; default: none.
    yaml
        ``module.function`` that makes the YAML document of a result, in ``faces.render``; default: there is none.
    slow
        It takes seconds: a face shows its progress, and JupyterLab's server runs it as a job.
    safe
        It changes nothing and its request fits into a query, so HTTP's GET calls it too.
    destructive
        It stops or removes something: a form warns of it.
    heard_once
        The command line handles one Ctrl-C, and shows the result of the finished work.
    """

    name: str
    request_type: str
    place: str
    label: str
    page: str
    title: str = ""
    exit_code: str = ""
    charts: str = ""
    yaml: str = ""
    slow: bool = False
    safe: bool = False
    destructive: bool = False
    heard_once: bool = False

    @property
    def summary(self) -> str:
        """The first line of the request's documentation, from its source: an import would build its model."""
        module, _, name = self.request_type.rpartition(".")
        found = re.search(rf'^class {name}\(\w+\):\n    """(.+?)(?:"""|\n)', _source(module), re.MULTILINE)
        return found[1] if found else str(self.request.__doc__).partition("\n")[0]

    @property
    def request(self) -> type[Any]:
        """The request model."""
        request: type[Any] = attribute(f"{_PACKAGE}.domain.{self.request_type}")
        return request

    @property
    def function(self) -> Callable[..., Any]:
        """The verb."""
        function: Callable[..., Any] = attribute(f"{__name__}.{self.place}")
        return function

    @property
    def result(self) -> Any:
        """The type of the result."""
        function = self.function
        # Types of the parameters, such as those of the ports, need not be importable.
        returned = type("Returned", (), {"__annotations__": {"it": function.__annotations__["return"]}})
        return get_type_hints(returned, vars(import_module(function.__module__)))["it"]

    @property
    def outputs(self) -> tuple[str, ...]:
        """The forms of its result on a command line."""
        return ("text", "json", "yaml") if self.yaml else ("text", "json")

    def job_title(self, request: Any) -> str:
        """The title of a job, such as ``deploy clf as churn`` or ``purge churn``."""
        if self.title:
            title: str = attribute(f"{__name__}.{self.title}")(request)
            return title
        subject = getattr(request, "name", None) or getattr(request, "tag", None)
        return f"{self.name} {subject}" if subject else self.name


@cache
def _source(module: str) -> str:
    """The source of a module of ``domain``; empty: it is installed without sources."""
    found = find_spec(f"{_PACKAGE}.domain.{module}")
    source = getattr(found.loader, "get_source", None) if found else None
    return (source(f"{_PACKAGE}.domain.{module}") or "") if source else ""


def attribute(place: str) -> Any:
    """The attribute that a dotted text names; its module is imported."""
    module, _, name = place.rpartition(".")
    return getattr(import_module(module), name)


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "deploy",
        "requests.DeployRequest",
        "deploy.deploy",
        label="Deploy Model…",
        page="deployment_page.deployment_page",
        title="job_titles.deploy",
        slow=True,
    ),
    Operation(
        "validate",
        "validation.requests.ValidateRequest",
        "validate.validate",
        label="Validate…",
        page="validation_page.validation_page",
        title="job_titles.validate",
        exit_code="outcomes.of_validation",
        charts="charts.validations.charts_of_validation",
        slow=True,
        heard_once=True,
    ),
    Operation(
        "init",
        "validation.requests.InitRequest",
        "init.init",
        label="Set Up Validation in CI…",
        page="setup_page.setup_page",
    ),
    Operation(
        "list",
        "requests.ListRequest",
        "status.list_",
        label="List Endpoints",
        page="endpoint_page.endpoints_page",
        safe=True,
    ),
    Operation(
        "describe",
        "requests.DescribeRequest",
        "status.describe",
        label="Describe Endpoint…",
        page="endpoint_page.endpoint_page",
        yaml="endpoint_yaml.endpoint_yaml",
        safe=True,
    ),
    Operation(
        "plan",
        "release.document_requests.PlanRequest",
        "apply.plan",
        label="Plan Endpoints of a File…",
        page="document_page.document_page",
        title="job_titles.plan",
        exit_code="outcomes.of_plan",
        slow=True,
    ),
    Operation(
        "apply",
        "release.document_requests.ApplyRequest",
        "apply.apply",
        label="Apply Endpoints of a File…",
        page="document_page.document_page",
        title="job_titles.apply",
        exit_code="outcomes.of_plan",
        slow=True,
    ),
    Operation(
        "traffic",
        "requests.TrafficRequest",
        "traffic.traffic",
        label="Change Traffic…",
        page="traffic_page.traffic_page",
        title="job_titles.traffic",
        slow=True,
    ),
    Operation(
        "promote",
        "requests.PromoteRequest",
        "traffic.promote",
        label="Promote Candidate…",
        page="traffic_page.traffic_page",
        title="job_titles.promote",
        slow=True,
    ),
    Operation(
        "rollback",
        "requests.RollbackRequest",
        "traffic.rollback",
        label="Roll Back…",
        page="traffic_page.traffic_page",
        title="job_titles.rollback",
        slow=True,
    ),
    Operation(
        "history",
        "requests.HistoryRequest",
        "history.history",
        label="Show History…",
        page="traffic_page.history_page",
        safe=True,
    ),
    Operation(
        "compare",
        "requests.CompareRequest",
        "compare.compare",
        label="Compare Candidate with Stable…",
        page="comparison_page.comparison_page",
        exit_code="outcomes.of_comparison",
        charts="charts.comparison.charts_of_comparison",
        safe=True,
    ),
    Operation(
        "diff",
        "requests.DiffRequest",
        "difference.diff",
        label="Compare Two Models…",
        page="difference_page.difference_page",
        title="job_titles.diff",
        slow=True,
    ),
    Operation(
        "logs",
        "requests.LogsRequest",
        "logs.logs",
        label="Show Records…",
        page="records_page.records_page",
        safe=True,
    ),
    Operation(
        "predict",
        "requests.PredictRequest",
        "predict.predict",
        label="Try an Endpoint…",
        page="records_page.prediction_page",
        exit_code="outcomes.of_prediction",
    ),
    Operation(
        "feedback",
        "requests.FeedbackRequest",
        "feedback.feedback",
        label="Send Feedback…",
        page="feedback_page.feedback_page",
        slow=True,
    ),
    Operation(
        "reproduce",
        "requests.ReproduceRequest",
        "reproduce.reproduce",
        label="Reproduce a Snapshot…",
        page="reproduction_page.reproduction_page",
        exit_code="outcomes.of_reproduction",
        slow=True,
    ),
    Operation(
        "publish",
        "images.requests.PublishRequest",
        "images.publish.publish",
        label="Publish…",
        page="images_page.published_page",
        title="job_titles.publish",
        slow=True,
    ),
    Operation(
        "verify",
        "images.requests.VerifyRequest",
        "images.verify.verify",
        label="Verify an Image…",
        page="images_page.verified_page",
        title="job_titles.verify",
        exit_code="outcomes.of_verification",
        slow=True,
    ),
    Operation(
        "compose",
        "images.requests.ComposeRequest",
        "images.compose.compose",
        label="Write a Compose File…",
        page="compose_page.composed_page",
        slow=True,
    ),
    Operation(
        "images",
        "images.requests.ImagesRequest",
        "images.image_list.images",
        label="List Images…",
        page="images_page.image_list_page",
    ),
    Operation(
        "gc",
        "images.requests.GcRequest",
        "gc.gc",
        label="Remove Unused Images…",
        page="images_page.collected_page",
        title="job_titles.gc",
        slow=True,
        destructive=True,
    ),
    Operation(
        "purge",
        "requests.PurgeRequest",
        "purge.purge",
        label="Purge Records…",
        page="records_page.purged_page",
        slow=True,
        destructive=True,
    ),
    Operation(
        "label",
        "requests.LabelRequest",
        "label.label",
        label="Label Release…",
        page="lifecycle_page.labelled_page",
    ),
    Operation(
        "stop",
        "requests.StopRequest",
        "stop.stop",
        label="Stop Endpoint…",
        page="lifecycle_page.stopped_page",
        slow=True,
        destructive=True,
    ),
    Operation(
        "delete",
        "deletion.DeleteRequest",
        "delete.delete",
        label="Delete Endpoint…",
        page="lifecycle_page.deleted_page",
        slow=True,
        destructive=True,
    ),
    Operation(
        "down",
        "requests.DownRequest",
        "down.down",
        label="Stop Everything…",
        page="lifecycle_page.stopped_page",
        slow=True,
        destructive=True,
    ),
    Operation(
        "doctor",
        "health.DoctorRequest",
        "doctor.doctor",
        label="Check nbdeploy's Health…",
        page="health_page.health_page",
        exit_code="health_page.exit_code_of_health",
        slow=True,
    ),
    Operation(
        "reconcile",
        "requests.ReconcileRequest",
        "reconcile.reconcile",
        label="Reconcile…",
        page="lifecycle_page.reconciled_page",
        exit_code="outcomes.of_reconciliation",
        slow=True,
    ),
)

BY_NAME = {operation.name: operation for operation in OPERATIONS}
