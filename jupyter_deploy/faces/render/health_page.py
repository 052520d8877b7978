"""The page of the health of nbdeploy's own parts, and its exit code."""

from __future__ import annotations

from collections.abc import Mapping

from jupyter_deploy.domain.health import Diagnosis, HealthCheck
from jupyter_deploy.domain.validation.validation import Verdict

from .error_codes import NOT_MET
from .page import Page, VerdictLine

_SIGNS: Mapping[str, Verdict] = {"ok": "pass", "warning": "inconclusive", "error": "fail"}


def health_page(result: Diagnosis) -> Page:
    """Make the page of all checks."""
    broken = len(result.broken)
    warned = sum(check.state == "warning" for check in result.checks)
    counts = [f"{broken} broken"] * (broken > 0) + [f"{warned} with a warning"] * (warned > 0)
    mended = sum(check.mended for check in result.checks)
    counts += [f"{mended} mended"] * (mended > 0)
    headline = f"of {len(result.checks)} parts: {', '.join(counts)}" if counts else "all parts are healthy"
    return Page(headline, lines=[_line(check) for check in result.checks])


def exit_code_of_health(result: Diagnosis) -> int:
    """Return 1 while a part is broken."""
    return NOT_MET if result.broken else 0


def _line(check: HealthCheck) -> VerdictLine:
    sentence = f"{check.part}: {check.message}{' (mended)' if check.mended else ''}"
    return VerdictLine(_SIGNS[check.state], f"{sentence}; {check.remedy}" if check.remedy else sentence)
