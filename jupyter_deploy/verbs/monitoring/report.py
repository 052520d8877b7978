"""The verb ``report``: an endpoint in a range of time as a file; its figures are those of JupyterLab's Monitor."""

from __future__ import annotations

from pathlib import Path

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.monitoring.monitor import MonitorReport, ReportRequest
from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.requests import Step

from .monitor import monitored, with_performance


def write_report(request: ReportRequest, ports: Ports, report: Report) -> MonitorReport:
    """Write the page, and a notebook if it is asked for.

    Raises
    ------
    InvalidInput
        The range is empty, or the file is no HTML file or cannot be written.
    """
    path = Path(request.file).expanduser()
    if path.suffix != ".html":
        raise InvalidInput(f"{path.name} is no HTML file", "end its name with .html")
    report(Step(number=1, total=2, title=f"reading the counts and the ground truth of {request.name}"))
    monitor = with_performance(monitored(request, ports), ports)
    report(Step(number=2, total=2, title=f"writing {path.name}"))
    notebook = path.with_suffix(".ipynb") if request.notebook else None
    ports.monitor_reports.write(monitor, path, notebook)
    return MonitorReport(endpoint=monitor.endpoint, file=str(path), notebook=str(notebook or ""), monitor=monitor)
