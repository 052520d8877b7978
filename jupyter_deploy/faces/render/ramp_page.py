"""The page of a ramp: its position, the reason why it holds, its plan and its evidence."""

from __future__ import annotations

from jupyter_deploy.domain.base import duration_in_words
from jupyter_deploy.domain.ramp.status import RampStatus

from .page import Page, Table


def ramp_page(result: RampStatus) -> Page:
    steps = ", ".join(f"{step:g}" for step in result.steps)
    least = duration_in_words(result.per_step.total_seconds())
    facts = [
        ("ramp", result.words),
        ("steps", f"{steps} %, each for {least} at least"),
        *(("requires", one) for one in result.require),
        ("began (UTC)", f"{result.began:%Y-%m-%d %H:%M:%S}"),
    ]
    if not result.ended:
        looked = f"{result.looked:%Y-%m-%d %H:%M:%S}" if result.looked else "not yet in this step"
        facts.append(("latest look (UTC)", looked))
    tables = [Table("evidence", ("",), [(line,) for line in result.evidence])] if result.evidence else []
    headline = f"{result.endpoint} is at revision {result.revision}; {result.candidate}: {result.phase}"
    return Page(headline, facts=facts, tables=tables)
