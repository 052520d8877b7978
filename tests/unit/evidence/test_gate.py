"""The grammar of gates: the value of each text, and the position in each error."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.gates.gate import Bound, Gate, metric_label
from jupyter_deploy.domain.gates.parser import parse_gate


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("accuracy >= 0.93", Gate("", "accuracy", ">=", Bound(0.93))),
        ("accuracy>=93%", Gate("", "accuracy", ">=", Bound(0.93))),
        ("rmse < 1e-3", Gate("", "rmse", "<", Bound(0.001))),
        ("bias ≥ -.5", Gate("", "bias", ">=", Bound(-0.5))),
        ("accuracy >= stable - 0.01", Gate("", "accuracy", ">=", Bound(-0.01, 1.0))),
        ("accuracy ≥ stable − 1%", Gate("", "accuracy", ">=", Bound(-0.01, 1.0))),
        ("latency_p95_ms <= 1.2 * stable", Gate("", "latency_p95_ms", "<=", Bound(0.0, 1.2))),
        ("latency_p95_ms <= stable * 1.2 + 3", Gate("", "latency_p95_ms", "<=", Bound(3.0, 1.2))),
        ("loss <= (stable + 2) / 2", Gate("", "loss", "<=", Bound(1.0, 0.5))),
        ("loss <= -(2 - stable)", Gate("", "loss", "<=", Bound(-2.0, 1.0))),
        ("agreement >= 0.99 over 200", Gate("", "agreement", ">=", Bound(0.99), minimum_rows=200)),
        ("agreement >= 0.99 over 1 row", Gate("", "agreement", ">=", Bound(0.99), minimum_rows=1)),
        ("accuracy[sex=F] >= 0.9", Gate("", "accuracy", ">=", Bound(0.9), group={"sex": "F"})),
        ("accuracy[sex=F, age=3] >= 0.9", Gate("", "accuracy", ">=", Bound(0.9), group={"sex": "F", "age": "3"})),
        (
            "accuracy['blood type'=\"A or B\"] > 0",
            Gate("", "accuracy", ">", Bound(0.0), group={"blood type": "A or B"}),
        ),
        ("bias <= +1 %", Gate("", "bias", "<=", Bound(0.01))),
        ("latency_p95_ms <= 5ms", Gate("", "latency_p95_ms", "<=", Bound(5.0))),
        ("latency_p95_ms <= 0.2 s", Gate("", "latency_p95_ms", "<=", Bound(200.0))),
        ("latency_p95_ms <= 1.2 * stable + 5ms", Gate("", "latency_p95_ms", "<=", Bound(5.0, 1.2))),
        ("fit_seconds < 2m over 3 rows", Gate("", "fit_seconds", "<", Bound(120.0), minimum_rows=3)),
        ("wait_s < 500 ms", Gate("", "wait_s", "<", Bound(0.5))),
        ("Treffer_größe > 0", Gate("", "Treffer_größe", ">", Bound(0.0))),
    ],
)
def test_a_gate_is_a_metric_an_operator_and_a_bound(text, expected):
    found = parse_gate(text)
    assert found == Gate(text, *[getattr(expected, name) for name in list(vars(expected))[1:]])
    assert found.needs_stable == ("stable" in text)


@pytest.mark.parametrize(
    ("text", "character", "words"),
    [
        ("", 1, "a metric's name"),
        ("0.9 <= accuracy", 1, "a metric's name"),
        ("accuracy", 9, "one of >=, >, <= and <"),
        ("accuracy => 0.93", 10, "write '>=' instead of '=>'"),
        ("accuracy == 0.93", 10, "no estimate is equal"),
        ("accuracy != 0.93", 10, "no estimate is equal"),
        ("accuracy >=", 12, "a number or 'stable'"),
        ("accuracy >= stabel", 13, "did you mean 'stable'?"),
        ("accuracy >= today", 13, "a number or 'stable', found 'today'"),
        ("accuracy >= stable * stable", 20, "cannot be multiplied"),
        ("accuracy >= 1 / stable", 15, "divided by a number"),
        ("accuracy >= 1 / 0", 15, "divided by a number"),
        ("accuracy >= 1e999", 13, "no finite number"),
        ("accuracy >= (stable - 1", 24, "')'"),
        ("accuracy >= 0.9 over many", 22, "the least number of rows"),
        ("accuracy >= 0.9 over 0", 22, "whole number"),
        ("accuracy >= 0.9 over 1.5", 22, "whole number"),
        ("accuracy >= 0.9 0.8", 17, "the end"),
        ("accuracy >= 0.9; import os", 16, "means nothing here"),
        ("accuracy[sex] >= 0.9", 13, "'='"),
        ("accuracy[sex==F] >= 0.9", 13, "'='"),
        ("accuracy[sex=F >= 0.9", 16, "',' or ']'"),
        ("accuracy[] >= 0.9", 10, "a group's name"),
        ("accuracy[sex=F, sex=M] >= 0.9", 17, "twice"),
        ("__import__('os') > 1", 11, "one of >="),
        ("accuracy >= 5ms", 14, "the name accuracy has no unit of time"),
        ("latency_p95_ms <= 5 msec", 21, "the end"),
        ("a > " + "(" * 40 + "1" + ")" * 40, 35, "more than 30 brackets"),
        ("a > " + "-" * 250 + "1", 35, "more than 30 brackets"),
    ],
)
def test_an_error_names_and_shows_the_character(text, character, words):
    with pytest.raises(InvalidInput) as raised:
        parse_gate(text)
    assert f"at character {character}: " in raised.value.message
    assert words in raised.value.message
    assert raised.value.details.splitlines()[1].index("^") == character + 1


@given(st.text(max_size=40))
def test_any_text_is_a_gate_or_a_readable_error(text):
    with contextlib.suppress(InvalidInput):
        assert parse_gate(text).metric


@pytest.mark.parametrize("group", [{"sex": "F"}, {"blood type": "A or B"}, {"it's": "1e5", "x": "3.5"}, {"a": ""}])
def test_what_a_metric_is_called_can_be_copied_into_a_gate(group):
    assert parse_gate(f"{metric_label('accuracy', group)} >= 0.9").group == group


def test_gates_that_say_the_same_have_one_meaning():
    assert parse_gate("a['x'=F] >= 90%").meaning == parse_gate('a["x"=F]>=0.9').meaning
    assert parse_gate("a >= 0.9").meaning != parse_gate("a >= 0.9 over 20").meaning


def test_a_gate_of_thousands_of_brackets_is_refused_in_words():
    with pytest.raises(InvalidInput, match="at character 41: a gate of 6005 characters is longer than 300"):
        parse_gate("a > " + "(" * 3000 + "1" + ")" * 3000)


@pytest.mark.parametrize(("low", "high", "decided"), [(0.9, 1.0, True), (0.5, 0.8, False), (0.8, 1.0, None)])
def test_a_gate_holds_over_an_interval_if_it_holds_at_both_ends(low, high, decided):
    assert parse_gate("accuracy >= 0.9").holds_over(low, high) is decided
