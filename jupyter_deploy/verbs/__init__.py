"""The verbs: plain functions ``(request, ports, report) -> domain object``, in the one table that all faces walk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from jupyter_deploy.domain import requests as r
from jupyter_deploy.domain.images import requests as i
from jupyter_deploy.domain.validation import requests as v


@dataclass(frozen=True)
class Operation:
    """A verb.

    Attributes
    ----------
    place
        ``module.function`` in this package; imported when it is first called, so that help and completion need none.
    slow
        It takes seconds, so a face shows its progress.
    """

    name: str
    request: type[r.Request]
    place: str
    slow: bool = False

    @property
    def function(self) -> Callable[..., Any]:
        module, _, name = self.place.partition(".")
        function: Callable[..., Any] = getattr(import_module(f"{__name__}.{module}"), name)
        return function


OPERATIONS: tuple[Operation, ...] = (
    Operation("deploy", r.DeployRequest, "deploy.deploy", slow=True),
    Operation("validate", v.ValidateRequest, "validate.validate", slow=True),
    Operation("init", v.InitRequest, "init.init"),
    Operation("list", r.ListRequest, "observe.list_"),
    Operation("describe", r.DescribeRequest, "observe.describe"),
    Operation("traffic", r.TrafficRequest, "traffic.traffic", slow=True),
    Operation("promote", r.PromoteRequest, "traffic.promote", slow=True),
    Operation("rollback", r.RollbackRequest, "traffic.rollback", slow=True),
    Operation("history", r.HistoryRequest, "observe.history"),
    Operation("compare", r.CompareRequest, "observe.compare"),
    Operation("diff", r.DiffRequest, "difference.diff", slow=True),
    Operation("logs", r.LogsRequest, "observe.logs"),
    Operation("predict", r.PredictRequest, "observe.predict"),
    Operation("feedback", r.FeedbackRequest, "feedback.feedback", slow=True),
    Operation("reproduce", r.ReproduceRequest, "reproduce.reproduce", slow=True),
    Operation("publish", i.PublishRequest, "publish.publish", slow=True),
    Operation("verify", i.VerifyRequest, "verify.verify", slow=True),
    Operation("compose", i.ComposeRequest, "compose.compose", slow=True),
    Operation("images", i.ImagesRequest, "images.images"),
    Operation("gc", i.GcRequest, "images.gc", slow=True),
    Operation("purge", r.PurgeRequest, "purge.purge", slow=True),
    Operation("stop", r.StopRequest, "lifecycle.stop", slow=True),
    Operation("down", r.DownRequest, "lifecycle.down", slow=True),
    Operation("reconcile", r.ReconcileRequest, "lifecycle.reconcile", slow=True),
)
