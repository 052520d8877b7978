"""The page of a reproduction."""

from __future__ import annotations

from jupyter_deploy.domain.capture.reproduction import Reproduction

from .page import Page


def reproduction_page(result: Reproduction) -> Page:
    ran = "the notebook" if result.ran == "notebook" else "the executed cells, the notebook being gone"
    alike = "within the spread of a model that draws its answers" if result.stochastic else "alike"
    answered = f"{'all' if result.outcome == 'reproduced' else 'NOT all'} answered {alike}"
    facts = [
        ("ran", f"{ran}, in an environment of Python {result.python} and {result.distributions} distributions"),
        ("notebook", result.notebook or "unknown"),
        ("instances", f"{result.instances}, {answered}"),
        *(("differs", line) for line in result.differences),
        *(("raised", line) for line in result.raised),
        *(("changed since", line) for line in result.changed),
    ]
    return Page(f"{result.snapshot} {'is' if result.outcome == 'reproduced' else 'is NOT'} reproduced", facts=facts)
