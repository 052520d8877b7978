"""Redacted values in a model's output."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from jupyter_deploy.serving.dispatch.parsed_request import Raw
from jupyter_deploy.serving.output_masking import SHORTEST, ValueMask, texts_of
from jupyter_deploy.serving.values.column_table import ColumnTable

ROWS = [{"ssn": "123-45", "pay": 52000.0, "x": "kept!"}, {"ssn": 'é"\\é', "pay": None, "x": "kept?"}, 7]


def test_the_texts_of_redacted_columns_are_found_in_each_form_of_a_request():
    expected = {"123-45", 'é"\\é', 'é"\\\\é', '\\u00e9\\"\\\\\\u00e9', "52000.0", "52000"}
    raw = Raw(
        b'[{"ssn":"123-45","pay":52000.0,"x":"kept!"},{"ssn":"\xc3\xa9\\"\\\\\xc3\xa9","pay":null,"x":"kept?"},7]'
    )
    for rows in (ROWS, raw):
        assert set(texts_of(rows, ["ssn", "pay"])) == expected
    table = ColumnTable({"ssn": ["123-45"], "pay": np.array([52000.0]), "x": ["kept!"]})
    assert set(texts_of(table, ["ssn", "pay"])) == {"123-45", "52000.0", "52000"}
    assert set(texts_of([{"ssn": {"a": [["12345"], True]}}], ["ssn"])) == {"12345"}
    assert set(texts_of(None, ["ssn"])) == set()


def test_a_value_is_masked_wherever_it_is_and_the_longest_first():
    mask = ValueMask(["1234", "1234-5678", "1", "abc", "Müller"])
    assert mask.masked("a 1234-5678, 12341234 of Müller: 1 abc 123") == "a ***, ****** of ***: 1 abc 123"
    assert mask.masked("") == ""
    assert ValueMask([]).masked("1234") == "1234"


@given(st.lists(st.text("ab1é", max_size=7)), st.text("ab1é ", max_size=60))
def test_no_value_of_four_characters_is_left(values, text):
    masked = ValueMask(values).masked(text)
    assert not any(value in part for value in values if len(value) >= SHORTEST for part in masked.split("***"))


PRINTS = """
import logging, sys, warnings
sys.path.insert(0, {path!r})
from jupyter_deploy.serving.output import redirect_output
from jupyter_deploy.serving.output_masking import masking
redirect_output(as_json=False)
handler = logging.StreamHandler()
with masking(lambda: ["secret-1", "4711"]):
    print("a", "secret-1", 4711, "47")
    handler.emit(logging.makeLogRecord(dict(msg="logged secret-1")))
    print("open secret-1", end="")
print(" secret-1 afterwards")
"""


def test_only_what_is_written_within_the_call_is_masked():
    code = PRINTS.format(path=sys.path[0])
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines() == ["a *** *** 47", "logged ***", "open *** secret-1 afterwards"]
