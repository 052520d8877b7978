"""The table of views: each one's name, request, document and function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from jupyter_deploy.domain.base import Value
from jupyter_deploy.domain.monitoring.monitor import MonitorRequest
from jupyter_deploy.domain.requests import CompareRequest, Request

from . import candidate_documents as c
from . import documents as d
from . import form_documents as f
from . import monitor_documents as m
from . import record_documents as rd
from . import requests as r


@dataclass(frozen=True)
class View:
    """One view: ``GET /nbdeploy/views/<name>?…`` and ``POST``, whose body is the request.

    Attributes
    ----------
    place
        ``module.function`` in this package, which takes ``(request, ports)``; imported when it is first called.
    """

    name: str
    request: type[Request]
    document: type[Value]
    place: str

    @property
    def function(self) -> Callable[..., Any]:
        module, _, name = self.place.partition(".")
        function: Callable[..., Any] = getattr(import_module(f"{__package__}.{module}"), name)
        return function


_ENTRIES: tuple[View, ...] = (
    View("endpoints", r.EndpointsRequest, d.EndpointsView, "endpoints.endpoints"),
    View("health", r.HealthRequest, d.HealthView, "health.health"),
    View("endpoint", r.EndpointRequest, d.EndpointView, "endpoints.endpoint"),
    View("preview", r.PreviewRequest, d.Preview, "preview.preview"),
    View("form", r.FormRequest, f.FormView, "form.form"),
    View("comparison", CompareRequest, d.ComparisonView, "comparison.comparison"),
    View("validations", r.ValidationsRequest, d.ValidationsView, "validations.validations"),
    View("live", r.LiveRequest, d.LiveView, "live.live"),
    View("monitor", MonitorRequest, m.MonitorView, "monitor.monitor"),
    View("performance", MonitorRequest, m.PerformanceView, "monitor.performance"),
    View("records", r.RecordsRequest, rd.RecordsView, "records.records"),
    View("record", r.RecordRequest, rd.RecordView, "records.record"),
    View("release_log", r.ReleaseLogRequest, rd.ReleaseLogView, "release_log.release_log"),
    View("candidates", r.CandidatesViewRequest, c.CandidatesView, "candidates.candidates"),
    View("drawing", r.DrawingRequest, d.DrawingView, "drawing.drawing"),
    View("publish_form", r.PublishFormRequest, f.PublishFormView, "publish_form.publish_form"),
    View("search_form", r.SearchFormRequest, f.SearchFormView, "search_form.search_form"),
    View("deploy_problems", r.DeployProblemsRequest, f.DeployProblemsView, "deploy_problems.deploy_problems"),
    View("r_kernel", r.RKernelRequest, f.RKernelView, "r_kernel.r_kernel"),
    View("result_page", r.ResultPageRequest, d.ResultPageView, "result_page.result_page"),
    View("notebook_context", r.NotebookContextRequest, f.NotebookContextView, "notebook_context.notebook_context"),
)
"""One line each, such as ``View("live", LiveRequest, LiveView, "live.live")``; the requests are in ``requests.py``."""

VIEWS: dict[str, View] = {view.name: view for view in _ENTRIES}
