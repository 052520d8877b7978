"""The χ² test of labelled shares, against SciPy."""

from __future__ import annotations

import pytest
from scipy.stats import chi2, chi2_contingency

from jupyter_deploy.domain.evidence.labelled import LabelledShare, chi_square_tail, independence, warn


def shares(*counts, by="predicted"):
    return [LabelledShare(by=by, value=str(place), labelled=a, requests=n) for place, (a, n) in enumerate(counts)]


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 9, 20])
@pytest.mark.parametrize("statistic", [0.0, 0.5, 3.84, 25.0, 90.0])
def test_the_tail_is_scipys(statistic, degrees):
    assert chi_square_tail(statistic, degrees) == pytest.approx(chi2.sf(statistic, degrees), rel=1e-9)


@pytest.mark.parametrize("counts", [[(50, 100), (70, 100)], [(10, 40), (30, 60), (5, 30)], [(20, 40), (40, 80)]])
def test_independence_is_pearsons_test(counts):
    table = [[a for a, _ in counts], [n - a for a, n in counts]]
    assert independence(shares(*counts)) == pytest.approx(chi2_contingency(table, correction=False).pvalue)


@pytest.mark.parametrize("counts", [[], [(5, 9)], [(0, 50), (0, 50)], [(50, 50), (50, 50)], [(3, 6), (1, 9)]])
def test_without_enough_requests_there_is_no_evidence(counts):
    assert independence(shares(*counts)) == 1


def test_few_labels_and_unequal_ones_are_warned_of():
    assert warn(shares((90, 100), by="age")) == []
    assert warn(shares((0, 100), by="age")) == []
    (few,) = warn(shares((70, 100), by="age"))
    assert few.startswith("70% of 100 requests have ground truth")
    unequal = warn([*shares((99, 100), (70, 100)), *shares((169, 200), by="age")])
    assert unequal == [
        "the share of requests with ground truth depends on their predicted class (70% of '1', 99% of '0'), "
        "so these are no fair sample of all requests"
    ]
