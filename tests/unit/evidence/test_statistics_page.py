"""The simulations of docs/statistics.md: their wealth is the package's, and the page has every topic."""

from __future__ import annotations

import numpy as np
import pytest

from jupyter_deploy.domain.evidence.sequential import Mean
from scripts.statistics.__main__ import PAGE, TOPICS
from scripts.statistics.streams import evidence, refuting_counts, sampled_counts
from scripts.statistics.table import Row, markdown, replace_table


@pytest.mark.parametrize(("low", "mean"), [(-1.0, 0.01), (-0.25, 0.002), (0.0, 0.3)])
@pytest.mark.parametrize("counts", [(400, 12, 3), (900, 40, 90), (30, 0, 1)])
def test_the_evidence_of_a_simulation_is_the_packages(low, mean, counts):
    values = np.array([0.0, 1.0, low / 2 or 0.4])
    own, above, below = evidence(np.array(counts, dtype=float), values, low, mean)
    stream = Mean(dict(zip(values.tolist(), counts, strict=True)), low=low)
    assert own == pytest.approx(stream.value)
    assert above == pytest.approx(stream.log_evidence_above(mean) if own > mean else 0, abs=0.02)
    assert below == pytest.approx(stream.log_evidence_below(mean) if own < mean else 0, abs=0.02)


def test_counts_are_those_up_to_each_look():
    kinds = np.array([[0, 1, 1, 2, 0]])
    assert sampled_counts(kinds, 3, np.array([1, 3, 5])).tolist() == [[[1, 0, 0], [1, 2, 0], [2, 2, 1]]]


def test_refuting_counts_are_at_their_boundary():
    lows, highs = refuting_counts(0.5, length=30)
    assert (lows[4], highs[4]) == (-1, 6)
    assert (lows[-1], highs[-1]) == (30 - highs[-1], highs[-1])


@pytest.mark.parametrize("topic", TOPICS)
def test_the_page_has_a_table_of_each_topic(topic):
    page = PAGE.read_text()
    table = page[page.index(f"<!-- {topic} -->") : page.index(f"<!-- /{topic} -->")]
    assert table.count("\n| ") >= 3


def test_a_table_replaces_the_one_before_and_needs_its_markers():
    row = Row("a", "b", "≤ 5 %", "3.0%")
    page = replace_table("x\n<!-- t -->\nold\n<!-- /t -->\ny", "t", markdown([row]))
    assert "old" not in page
    assert "| a | b | ≤ 5 % | 3.0% |  |" in page
    with pytest.raises(ValueError, match="must have"):
        replace_table(page, "other", "")
