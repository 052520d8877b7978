"""Each value that a model may return has one JSON form."""

from __future__ import annotations

import dataclasses
import enum
import math
import subprocess
import sys
from collections import OrderedDict, namedtuple
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from jupyter_deploy.serving.values.json_values import to_json


class Colour(enum.StrEnum):
    RED = "red"


class Level(enum.Enum):
    HIGH = np.int64(3)


@dataclasses.dataclass
class Verdict:
    label: str
    score: np.float32


Point = namedtuple("Point", ["x", "y"])  # noqa: PYI024

VALUES = [
    (None, None),
    (True, True),
    (np.bool_(1), True),
    (np.int8(-3), -3),
    (np.float32(0.5), 0.5),
    (np.str_("a"), "a"),
    (math.nan, None),
    (-math.inf, None),
    (np.float64("nan"), None),
    (pd.NA, None),
    (pd.NaT, None),
    (np.ma.masked, None),
    (np.ma.masked_array([1.5, 2.5], mask=[True, True]), [None, None]),
    (np.datetime64("NaT"), None),
    (np.datetime64("2026-01-02T03:04:05"), "2026-01-02T03:04:05"),
    (pd.Timestamp("2026-01-02T03:04:05.123456789", tz="UTC"), "2026-01-02T03:04:05.123456789+00:00"),
    (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00+00:00"),
    (date(2026, 1, 2), "2026-01-02"),
    (timedelta(minutes=1), 60.0),
    (pd.Timedelta("90s"), 90.0),
    (pd.Interval(0, 1), "(0, 1]"),
    (b"\x00\xff", "AP8="),
    (Decimal("1.5"), 1.5),
    (Colour.RED, "red"),
    (Level.HIGH, 3),
    (Verdict("a", np.float32(0.5)), {"label": "a", "score": 0.5}),
    (Point(1, np.int64(2)), [1, 2]),
    (OrderedDict({1: np.array([1])}), {"1": [1]}),
    ({"a": (1, [np.nan])}, {"a": [1, [None]]}),
    (np.array([[1.0, np.inf], [2.0, 3.0]]), [[1.0, None], [2.0, 3.0]]),
    (np.array(["a", None, {"b": np.int64(1)}], dtype=object), ["a", None, {"b": 1}]),
    (np.array(["2026-01-01", "NaT"], dtype="datetime64[D]"), ["2026-01-01", None]),
    (np.array([b"a"]), ["YQ=="]),
    (pd.Series(["a", None], dtype="str"), ["a", None]),
    (pd.Series(["a", None], dtype="category"), ["a", None]),
    (pd.array([1, None], dtype="Int64"), [1, None]),
    (pd.DataFrame({"a": [1, 2]})[:1], [{"a": 1}]),
    (2**80, 2**80),
]


@pytest.mark.parametrize(("value", "expected"), VALUES, ids=[repr(value)[:40] for value, _ in VALUES])
def test_a_value_has_its_plain_json_form(value, expected):
    plain = to_json(value)
    assert plain == expected
    assert type(plain) is type(expected)


@pytest.mark.parametrize("value", [1j, np.array([1j]), {1, 2}, object(), lambda: 1, np.dtype("i4")])
def test_a_value_without_json_form_is_refused_with_its_type(value):
    with pytest.raises(TypeError, match="has no JSON form"):
        to_json(value)


def test_neither_pandas_nor_torch_is_imported_for_plain_values():
    code = (
        "import sys; from jupyter_deploy.serving import Front; from jupyter_deploy.serving.values.codec import to_json;"
        "to_json([1, {'a': 2.5}]); sys.exit(bool({'pandas', 'torch', 'bentoml'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
