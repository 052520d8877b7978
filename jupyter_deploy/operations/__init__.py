"""The verbs: plain functions ``(request, ports, report) -> domain object``, in the one table that all faces walk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jupyter_deploy.domain import requests as r

from .deploy import deploy
from .lifecycle import down, reconcile, stop
from .observe import compare, describe, history, list_, logs, predict
from .traffic import promote, rollback, traffic


@dataclass(frozen=True)
class Operation:
    """A verb. ``slow``: it takes seconds, so a face shows its progress."""

    name: str
    request: type[r.Request]
    function: Callable[..., Any]
    slow: bool = False


OPERATIONS: tuple[Operation, ...] = (
    Operation("deploy", r.DeployRequest, deploy, slow=True),
    Operation("list", r.ListRequest, list_),
    Operation("describe", r.DescribeRequest, describe),
    Operation("traffic", r.TrafficRequest, traffic),
    Operation("promote", r.PromoteRequest, promote, slow=True),
    Operation("rollback", r.RollbackRequest, rollback, slow=True),
    Operation("history", r.HistoryRequest, history),
    Operation("compare", r.CompareRequest, compare),
    Operation("logs", r.LogsRequest, logs),
    Operation("predict", r.PredictRequest, predict),
    Operation("stop", r.StopRequest, stop, slow=True),
    Operation("down", r.DownRequest, down, slow=True),
    Operation("reconcile", r.ReconcileRequest, reconcile, slow=True),
)
