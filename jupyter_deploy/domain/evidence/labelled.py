"""Requests with ground truth, by release, predicted class and age: whether they represent the others. Pure.

Labels that come late, or for some requests only, bias a comparison by ground truth if they depend on the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from math import erfc, exp, gamma, sqrt
from typing import Literal

from jupyter_deploy.domain.base import Value

ENOUGH = 0.8
"""The least share of labelled requests without a warning."""

SIGNIFICANT = 0.01
_LEAST_EXPECTED = 5
"""The χ² approximation holds for cells with this many expected requests or more."""


class LabelledShare(Value):
    """The requests of one release, predicted class or age: how many there are, and how many have ground truth.

    The predicted class is the first answer of stable, for a canary of the release that answered. Ages count back from
    the latest request.
    """

    by: Literal["release", "predicted", "age"]
    value: str
    labelled: int
    requests: int


def warn(shares: Sequence[LabelledShare]) -> list[str]:
    """Return a warning for each way in which labelled requests differ from the others, and one if they are few."""
    by = {name: list(group) for name, group in groupby(shares, lambda share: share.by)}
    all_labelled = sum(share.labelled for share in by.get("age", []))
    requests = sum(share.requests for share in by.get("age", []))
    texts = []
    if 0 < all_labelled < ENOUGH * requests:
        texts.append(
            f"{all_labelled / requests:.0%} of {requests:,} requests have ground truth: if the others differ, "
            "so may the accuracy"
        )
    names = {"release": "release", "predicted": "predicted class", "age": "age"}
    texts += [
        f"the share of requests with ground truth depends on their {names[name]} "
        f"({_extremes(group)}), so these are no fair sample of all requests"
        for name, group in by.items()
        if all_labelled and independence(group) < SIGNIFICANT
    ]
    return texts


def independence(shares: Sequence[LabelledShare]) -> float:
    """Return the p-value of Pearson's χ² test of "the labelled share is the same for all values".

    Values with fewer than 5 expected requests, labelled or not, are left out; 1 if fewer than two values remain.
    """
    requests = sum(share.requests for share in shares)
    rate = sum(share.labelled for share in shares) / requests if requests else 0.0
    tested = [share for share in shares if share.requests * min(rate, 1 - rate) >= _LEAST_EXPECTED]
    total = sum(share.requests for share in tested)
    labelled = sum(share.labelled for share in tested)
    if len(tested) < 2 or labelled in (0, total):
        return 1.0
    rate = labelled / total
    statistic = sum((s.labelled - s.requests * rate) ** 2 / (s.requests * rate * (1 - rate)) for s in tested)
    return chi_square_tail(statistic, len(tested) - 1)


def chi_square_tail(statistic: float, degrees: int) -> float:
    """Return the chance that a χ² variable of whole degrees of freedom exceeds a statistic, in closed form."""
    half = statistic / 2
    if degrees % 2 == 0:
        term, total = 1.0, 1.0
        for place in range(1, degrees // 2):
            term *= half / place
            total += term
        return exp(-half) * total
    term, total = sqrt(half) / gamma(1.5), 0.0
    for place in range(1, (degrees + 1) // 2):
        total += term
        term *= half / (place + 0.5)
    return erfc(sqrt(half)) + exp(-half) * total


def _extremes(shares: Sequence[LabelledShare]) -> str:
    ordered = sorted((share for share in shares if share.requests), key=lambda share: share.labelled / share.requests)
    return ", ".join(f"{share.labelled / share.requests:.0%} of '{share.value}'" for share in (ordered[0], ordered[-1]))
