"""The pages of validations, for a browser that has the server's cookie: in a sandbox, with no origin of their own.

A page holds what notebooks displayed. It needs no script, and may do nothing in the name of who looks at it. Its links
open another tab: within one of Lab's, what a sandbox asks for comes without the server's cookie.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

from jupyter_deploy.domain.errors import UnknownRelease
from jupyter_deploy.domain.jobs import Job
from jupyter_deploy.domain.ports import Ports

from .exchange import Answer, refusal

POLICY = (
    "sandbox allow-downloads allow-popups; default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "font-src data:; media-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)

# The page names the notebooks that lie beside it.
_LINK = re.compile(rb'<a href="([^":/?#]+\.ipynb)">')


def page_of_release(tag: str, ports: Ports, file: str | None = None) -> Answer:
    """Of the validation that a release passed, or was forced past; or one of the notebooks that the page links to.

    Raises
    ------
    UnknownRelease
    """
    found = [release for endpoint in ports.store.endpoints() for release in endpoint.releases if release.tag == tag]
    if not found:
        raise UnknownRelease(f"no endpoint has a release {tag}", "'nbdeploy list' shows the releases that there are")
    newest = max(found, key=lambda release: release.created_at)
    return _page(newest.validation.report if newest.validation else None, f"the release {tag}", file, "?file=")


def page_of_job(job: Job, file: str | None = None) -> Answer:
    """Of the validation that refused a job, or that the job was."""
    told = job.result if isinstance(job.result, dict) else {}
    validated = told.get("validation") or told
    report = job.problem.report if job.problem else validated.get("report")
    return _page(report, f"the job '{job.title}'", file, f"?job={quote(job.id)}&amp;file=")


def _page(report: str | None, whose: str, file: str | None, link: str) -> Answer:
    if not report:
        raise refusal(404, "no_report", "There is no report", f"{whose} has no report of a validation",
                      "validate it to have one")  # fmt: skip
    if file is not None:
        return _notebook(Path(report).parent, file)
    page = _LINK.sub(rb'<a download target="_blank" href="%s\1">' % link.encode(), _read(Path(report)))
    return Answer(200, page, {"Content-Type": "text/html; charset=UTF-8", "Content-Security-Policy": POLICY})


def _notebook(folder: Path, name: str) -> Answer:
    if Path(name).name != name or not name.endswith(".ipynb"):
        raise refusal(404, "no_report", "There is no such notebook", f"{name[:80]} is no notebook of this report")
    attached = f"attachment; filename*=UTF-8''{quote(name)}"
    return Answer(
        200, _read(folder / name), {"Content-Type": "application/x-ipynb+json", "Content-Disposition": attached}
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise refusal(404, "no_report", "It has gone", f"{path} cannot be read: {error}",
                      "validate again to have a new one") from error  # fmt: skip
