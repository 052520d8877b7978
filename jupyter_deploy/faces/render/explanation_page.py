"""The page of an explanation: each feature's contribution to the answers, by release."""

from __future__ import annotations

from jupyter_deploy.domain.explanation import Contribution, Explanation, ReleaseExplanation

from .page import Page, Table

_MOST = 20
_WIDTH = 8


def explanation_page(result: Explanation) -> Page:
    """Make the page."""
    facts = [(f"{one.role} {one.release}", _answer(one)) for one in result.releases]
    facts += [("compared with", result.background), ("estimated by", _METHOD)]
    facts += [("note", note) for note in result.notes]
    first, *others = result.releases
    known = [{one.feature: one for one in other.contributions} for other in others]
    top = max((abs(one.contribution) for each in result.releases for one in each.contributions), default=0.0)
    shown = first.contributions[:_MOST]
    rows = [
        (one.feature, one.value, _part(one, top), *(_part(other.get(one.feature), top) for other in known))
        for one in shown
    ]
    title = "contributions to the number that is explained, ± its standard error"
    if len(shown) < len(first.contributions):
        title += f": the {len(shown)} largest of {len(first.contributions)}; -o json has all"
    head = ("feature", "value", *(f"{one.role} {one.release.partition(':')[2]}" for one in result.releases))
    return Page(
        f"The answers of {result.endpoint} to row {result.row} of request {result.request_id}",
        facts=facts,
        tables=[Table(title, head, rows)],
    )


_METHOD = (
    "Shapley values by sampled orders of the features: they say how the model came to its answer, "
    "and nothing about causes"
)


def _answer(one: ReleaseExplanation) -> str:
    return (
        f"{one.answer}; explained: {one.explains}, {one.value:.4g} against {one.baseline:.4g} on average "
        f"({2 * one.pairs} orders)"
    )


def _part(one: Contribution | None, top: float) -> str:
    """Return a contribution with a bar: ``+0.21 ± 0.03 ■■■``."""
    if one is None:
        return "–"
    bar = "■" * round(_WIDTH * abs(one.contribution) / top) if top else ""
    return f"{one.contribution:+.3g} ± {one.error:.2g} {bar}".rstrip()
