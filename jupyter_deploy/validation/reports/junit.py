"""JUnit's XML, as Jenkins (its schema junit-10), GitLab and GitHub's actions read it.

A run of a notebook is a test suite; its completion, each check and each gate are test cases. An exception, a dead
kernel and a timeout are errors; a failed check or gate is a failure, and so is an undecided gate (of type
``inconclusive``): only shown gates pass, and a job that ends with 4 has its reason here. A run that was not started is
skipped.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from jupyter_deploy.domain.validation.summary import ENDED
from jupyter_deploy.domain.validation.validation import GateResult, Run, Validation

from .page import run_names

# Characters that XML 1.0 cannot represent: https://www.w3.org/TR/xml/#charsets
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class _Case:
    """One test case; ``outcome`` is the element for a case that did not pass, or empty."""

    name: str
    seconds: float = 0.0
    outcome: str = ""
    type: str = ""
    message: str = ""
    text: str = ""


def document(validation: Validation) -> str:
    """Return the text of the JUnit file."""
    names = run_names(validation.runs)
    suites = [(names[id(run)], run.seconds, list(_of_run(run)), _properties(run)) for run in validation.runs]
    if validation.live:
        suites.append(("live traffic", 0.0, [_of_gate(gate) for gate in validation.live], []))
    cases = [case for _, _, suite_cases, _ in suites for case in suite_cases]
    root = ET.Element("testsuites", {"name": "nbdeploy validate", **_counts(cases), "time": _time(validation.seconds)})
    for number, (name, seconds, suite_cases, properties) in enumerate(suites):
        suite = ET.SubElement(
            root,
            "testsuite",
            {
                "name": _clean(name),
                **_counts(suite_cases),
                "skipped": str(sum(case.outcome == "skipped" for case in suite_cases)),
                "time": _time(seconds),
                "timestamp": f"{validation.at:%Y-%m-%dT%H:%M:%S}",
                "hostname": _clean(socket.gethostname()),
                "id": str(number),
                "package": "nbdeploy",
            },
        )
        about = ET.SubElement(suite, "properties")
        subject = [("snapshot", validation.snapshot), ("endpoint", validation.endpoint), ("stable", validation.stable)]
        for key, value in [("validation", validation.id), *subject, *properties]:
            if value is not None:
                ET.SubElement(about, "property", {"name": _clean(key), "value": _clean(value)})
        for case in suite_cases:
            _write(suite, name, case)
        ET.SubElement(suite, "system-out")
        ET.SubElement(suite, "system-err")
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _of_run(run: Run) -> Iterator[_Case]:
    if run.status == "not run":
        yield _Case("runs to its end", outcome="skipped", message=run.detail or ENDED[run.status])
        return
    if run.status == "done":
        yield _Case("runs to its end", run.seconds)
    else:
        message, text = run.detail or ENDED[run.status], ""
        if run.error is not None:
            message = f"cell {run.error.cell}: {run.error.ename}: {run.error.evalue}"
            text = run.error.traceback or message
        kind = run.error.ename if run.error is not None else run.status
        yield _Case("runs to its end", run.seconds, "error", kind, message, text)
    for check in run.checks:
        message = check.detail or f"{check.name} does not hold"
        yield _Case(f"check: {check.name}", 0.0, *(("failure", "check", message) if not check.passed else ()))
    yield from map(_of_gate, run.gates)


def _of_gate(gate: GateResult) -> _Case:
    name = f"gate: {gate.expression}"
    if gate.verdict == "pass":
        return _Case(name)
    kind = "gate" if gate.verdict == "fail" else "inconclusive"
    text = "\n".join(part for part in (gate.sentence, gate.method, gate.origin and f"from {gate.origin}") if part)
    return _Case(name, 0.0, "failure", kind, gate.sentence, text)


def _properties(run: Run) -> list[tuple[str, str]]:
    metrics = [("metric", metric) for metric in run.metrics] + [("stable", metric) for metric in run.stable_metrics]
    return [
        (
            f"{what}: {metric.name}{''.join(f'[{key}={value}]' for key, value in metric.group.items())}",
            repr(metric.value),
        )
        for what, metric in metrics
    ]


def _counts(cases: list[_Case]) -> dict[str, str]:
    return {
        "tests": str(len(cases)),
        "failures": str(sum(case.outcome == "failure" for case in cases)),
        "errors": str(sum(case.outcome == "error" for case in cases)),
    }


def _write(suite: ET.Element, name: str, case: _Case) -> None:
    # Dots would split the notebook's name into packages.
    attributes_of_case = {
        "classname": _clean(name).replace(".", "_"),
        "name": _clean(case.name),
        "time": _time(case.seconds),
    }
    element = ET.SubElement(suite, "testcase", attributes_of_case)
    if case.outcome:
        attributes = {"type": _clean(case.type or case.outcome), "message": _clean(case.message)}
        ET.SubElement(element, case.outcome, attributes).text = _clean(case.text)


def _time(seconds: float) -> str:
    return f"{seconds:.3f}"


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)
