"""Answers in JSON: the fast path writes the values of the slow path."""

from __future__ import annotations

import json
import math
from datetime import date
from decimal import Decimal
from uuid import UUID

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from jupyter_deploy.serving.dispatch.json_answers import checked, part, strict_json
from jupyter_deploy.serving.values.codec import BadAnswer, encode
from tests.examples import examples

ANSWERS = [
    np.array([0.1, 1e-7, 1e22, -0.0, 5e-324]),
    np.array([[0.1, 0.9], [math.nan, math.inf]]),
    np.array([0.1, 3.3], dtype="float32"),
    np.array([0.1, 3.3], dtype="float16"),
    np.array([0.1, 3.3], dtype=np.longdouble),
    np.array([1, 2**62]),
    np.array([1, 2**63], dtype="uint64"),
    np.array([True, False]),
    np.array(["a", "é\n\x00\x7f\u2028"]),
    np.array(["a", None, 1, 2.5, True, math.nan], dtype=object),
    np.array([Decimal("1.5"), date(2026, 1, 1), UUID(int=0)], dtype=object),
    np.array([[1, "a"], [2, "b"]], dtype=object),
    np.array(["2026-01-01", "NaT"], dtype="M8[s]"),
    np.array([b"ab"]),
    np.ma.masked_array([1.0, 2.0], mask=[True, False]),
    np.zeros((2, 0)),
    np.zeros(0),
    [0.5, None, "x", 2**70, math.nan],
    [{"label": "a", "p": np.float32(0.1)}, {"label": "b", "p": 2}],
    [[0.1], (0.2,), np.array([0.3])],
    [date(2026, 1, 1)],
    [],
    pd.Series(["a", "b"]),
    pd.Series([1.5, 2.5], index=[7, 7]),
    pd.DataFrame({"a": [1.5, math.nan], "b": ["x", None], 3: pd.Categorical(["u", "v"])}),
]
NO_ANSWERS = [
    5,
    "yes",
    {"a": 1},
    np.float64(1),
    np.array(1),
    (1,),
    None,
    [object()],
    np.array([1j]),
    [{1, 2}],
]


def written(answer, rows):
    return json.dumps(encode(answer, rows), allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def same(found, expected):
    """Also for 1 and 1.0, and for -0.0."""
    assert json.dumps(json.loads(found)) == json.dumps(json.loads(expected))


@pytest.mark.parametrize("answer", ANSWERS, ids=repr)
def test_an_answer_is_written_with_the_same_values(answer):
    same(strict_json(answer, len(answer)), written(answer, len(answer)))


@pytest.mark.parametrize("answer", NO_ANSWERS)
def test_an_invalid_answer_is_refused_by_both_paths(answer):
    with pytest.raises(Exception) as expected:  # noqa: PT011  whatever it is
        written(answer, 1)
    with pytest.raises(expected.type) as found:
        strict_json(answer, 1)
    assert str(found.value) == str(expected.value)


def test_half_of_a_surrogate_pair_is_refused():
    for answer in (["\ud800"], np.array(["\ud800"]), pd.Series(["\ud800"], dtype=object)):
        with pytest.raises(UnicodeEncodeError):
            strict_json(answer, 1)


@pytest.mark.parametrize("answer", [[1, 2], np.array([1, 2]), np.array([[1], [2]]), pd.Series([1, 2])], ids=repr)
def test_too_few_answers_are_refused(answer):
    with pytest.raises(BadAnswer, match="returned 2 answers for 3 rows"):
        strict_json(answer, 3)
    with pytest.raises(BadAnswer, match="returned 2 answers for 3 rows"):
        checked(answer, 3)


@settings(max_examples=examples(300), deadline=None)
@given(
    hnp.arrays(
        st.sampled_from(["f8", "f4", "f2", "i8", "u8", "i1", "?", ">f8", "<U5", "O"]),
        hnp.array_shapes(min_dims=1, max_dims=3, max_side=4),
        elements=None,
        fill=None,
    )
    | st.lists(st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.floats()))
)
def test_any_answer_is_written_with_the_same_values(answer):
    try:
        expected = written(answer, len(answer))
    except Exception as error:  # noqa: BLE001  whatever it is
        with pytest.raises(type(error)):
            strict_json(answer, len(answer))
    else:
        same(strict_json(answer, len(answer)), expected)


@pytest.mark.parametrize("answer", [a for a in ANSWERS if len(a) > 1], ids=repr)
def test_the_parts_of_an_answer_are_the_answer(answer):
    whole = checked(answer, len(answer))
    parts = [part(whole, 0, 1), part(whole, 1, len(answer))]
    found = [value for one in parts for value in json.loads(strict_json(one, len(one)))]
    assert json.dumps(found) == json.dumps(json.loads(written(answer, len(answer))))
