"""Explanations: exact for sums and symmetric for products, they sum to the answer, and they end in time."""

from __future__ import annotations

import itertools
import json
import random
import re

import pytest

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.explanation import MOST_FEATURES, MOST_PAIRS, SECONDS, explained, features_of, fits

DICE = random.Random(1)
ROWS = [{"a": DICE.gauss(0, 1), "b": DICE.gauss(2, 1), "c": DICE.gauss(0, 1)} for _ in range(50)]
INSTANCE = {"a": 3.0, "b": 1.0, "c": 0.0}


def explain(model, instance=INSTANCE, rows=ROWS, clock=lambda: 0.0):
    def ask(instances):
        return [model(one) for one in instances]

    return explained(ask, instance, rows, release="m:1", role="stable", clock=clock)


def test_the_contributions_of_a_sum_are_its_terms():
    found = explain(lambda row: 2.0 * row["a"] - row["b"])
    parts = {one.feature: one for one in found.contributions}
    assert [one.feature for one in found.contributions] == ["a", "b", "c"]
    mean = {name: sum(row[name] for row in ROWS) / len(ROWS) for name in "ab"}
    assert parts["a"].contribution == pytest.approx(2 * (3 - mean["a"]), abs=4 * parts["a"].error + 1e-9)
    assert parts["b"].contribution == pytest.approx(mean["b"] - 1, abs=4 * parts["b"].error + 1e-9)
    assert (parts["c"].contribution, parts["c"].error) == (0, 0)
    assert found.pairs == MOST_PAIRS
    assert found.value == 5.0


def test_the_contributions_sum_to_the_answer_less_the_baseline():
    found = explain(lambda row: row["a"] * row["b"] + abs(row["c"]))
    assert sum(one.contribution for one in found.contributions) == pytest.approx(found.value - found.baseline)


def test_features_that_act_only_together_share_the_contribution():
    rows = [{"a": a, "b": b} for a in (0, 1) for b in (0, 1)]
    found = explain(lambda row: float(row["a"] and row["b"]), {"a": 1, "b": 1}, rows)
    first, second = found.contributions
    assert first.contribution == pytest.approx(second.contribution, abs=4 * (first.error + second.error))


def test_a_list_is_explained_by_position():
    found = explain(lambda row: 10.0 * row[1], [1.0, 2.0], [[0.0, 0.0], [5.0, 0.0]])
    assert [(one.feature, one.value, one.contribution) for one in found.contributions] == [
        ("1", "2.0", 20.0),
        ("0", "1.0", 0.0),
    ]


@pytest.mark.parametrize(
    ("model", "explains", "value"),
    [
        (lambda row: "yes" if row["a"] > 1 else "no", 'the answer is "yes" (1) or another one (0)', 1.0),
        (lambda row: int(row["a"] > 1), "the answer is 1 (1) or another one (0)", 1.0),
        (lambda row: [0.2, 0.8] if row["a"] > 1 else [0.9, 0.1], "the probability of 1", 0.8),
        (
            lambda row: {"no": 0.2, "yes": 0.8} if row["a"] > 1 else {"no": 0.9, "yes": 0.1},
            'the probability of "yes"',
            0.8,
        ),
    ],
)
def test_of_a_label_and_of_probabilities_the_chosen_class_is_explained(model, explains, value):
    found = explain(model)
    assert (found.explains, found.value) == (explains, value)
    assert found.contributions[0].feature == "a"


def test_a_slow_model_is_asked_for_few_orders():
    ticks = itertools.count(step=100.0)
    wide = {str(place): 0.0 for place in range(300)}
    found = explain(lambda row: row["1"], wide | {"1": 5.0}, [wide], clock=lambda: next(ticks))
    assert found.pairs == 2
    assert found.contributions[0].contribution == 5.0


class Slow:
    """A model that takes a fixed time for each row, and notes when it was asked for how many."""

    def __init__(self, seconds):
        self.seconds, self.now, self.asked = seconds, 0.0, []

    def ask(self, rows):
        self.asked.append((self.now, len(rows)))
        self.now += self.seconds * len(rows)
        return [row["a"] for row in rows]

    def explained(self):
        return explained(self.ask, INSTANCE, ROWS, release="m:1", role="stable", clock=lambda: self.now)


def test_a_model_whose_rows_are_slow_is_asked_for_one_pair_of_orders_at_a_time():
    slow = Slow(0.5)  # three seconds for a pair of three features
    found = slow.explained()
    assert {rows for _, rows in slow.asked[1:]} == {2 * 3}
    assert (found.pairs, slow.now) == (4, 0.5 + 4 * 3)
    assert slow.asked[-1][0] - slow.asked[1][0] < SECONDS


def test_a_call_takes_no_more_than_about_a_second_unless_one_pair_does():
    slow = Slow(0.05)
    slow.explained()
    assert max(rows for _, rows in slow.asked) * slow.seconds <= 1.0
    assert slow.now <= SECONDS + 1.1


def test_the_same_request_has_the_same_explanation():
    assert explain(lambda row: row["a"] * row["b"]) == explain(lambda row: row["a"] * row["b"])


@pytest.mark.parametrize("instance", ["a text", 5, [], {}, [0.0] * (MOST_FEATURES + 1)])
def test_an_input_without_features_is_refused(instance):
    with pytest.raises(InvalidInput):
        features_of(instance)


def test_an_answer_of_another_form_is_refused():
    with pytest.raises(InvalidInput, match="neither a number"):
        explain(lambda row: {"a": "x"})


@pytest.mark.parametrize(
    ("whole", "other"),
    [
        (1.5, None),
        (1.5, "unknown"),
        (1.5, "2.5"),
        (1.5, [0.5]),
        ([0.2, 0.8], None),
        ([0.2, 0.8], [1.0]),
        ([0.2, 0.8], {"no": 0.2, "yes": 0.8}),
        ({"no": 0.2, "yes": 0.8}, {"no": 1.0}),
        ({"no": 0.2, "yes": 0.8}, "no"),
        ({"no": 0.2, "yes": 0.8}, {"no": 0.2, "yes": None}),
    ],
)
def test_answers_to_variations_of_another_form_are_refused_with_the_answer(whole, other):
    words = f"to variations of this row have another form: {json.dumps(other)}"
    with pytest.raises(InvalidInput, match=re.escape(words)) as refused:
        explain(lambda row: whole if row == INSTANCE else other)
    assert refused.value.remedy


def test_background_rows_have_the_features():
    assert fits({"a": 1}, {"a": 2, "b": 3})
    assert not fits({"a": 1}, {"b": 3})
    assert fits([1, 2], [3, 4])
    assert not fits([1, 2], [3])
    assert not fits({"a": 1}, [1])
