"""What a notebook records as a metric becomes a document, or an error that names it."""

import base64
import json
import math
import zlib

import numpy as np
import pandas as pd
import pytest

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.evidence.agreement import Rule
from jupyter_deploy.domain.evidence.statistic import STATISTICS, statistic_of
from jupyter_deploy.domain.validation.model_calls import Call, Calls, agreements, metrics_of_calls
from jupyter_deploy.domain.validation.validation import Metric
from jupyter_deploy.faces.kernel.encode import decode_answers, encode_instances
from jupyter_deploy.faces.kernel.metrics import MOST_LISTED, REPLICATES, measure


def one(name, **given):
    """The only metric that comes from calls."""
    [found] = measure(name, **given)
    return found


@pytest.mark.parametrize("name", STATISTICS)
def test_each_statistic_is_numpys(name):
    rows = np.random.default_rng(0).normal(size=37)
    expected = {
        "mean": np.mean, "sum": np.sum, "min": np.min, "max": np.max, "median": np.median,
        "rms": lambda given: np.sqrt(np.mean(given**2)),
    }.get(name, lambda given: np.percentile(given, float(name[1:])))(rows)  # fmt: skip
    assert statistic_of(name, rows.tolist()) == pytest.approx(expected, rel=1e-12)
    assert statistic_of(name, [3.0]) == 3.0


@pytest.mark.parametrize(
    "rows",
    [
        [True, False, True, True],
        np.array([1, 0, 1, 1]),
        pd.Series([True, False, True, True], index=[9, 8, 7, 6]),
        pd.Series([True, False, True, True], dtype="boolean"),
        (1, 0, 1, 1),
    ],
)
def test_rows_are_taken_from_whatever_holds_them(rows):
    document = one("accuracy", rows=rows).document()
    assert document == {
        "kind": "metric", "name": "accuracy", "value": 0.75, "n": 4, "group": {}, "statistic": "mean",
        "rows": [1.0, 0.0, 1.0, 1.0],
    }  # fmt: skip


def test_many_rows_are_packed_and_are_the_same_numbers():
    rows = np.random.default_rng(0).normal(size=MOST_LISTED + 1)
    document = json.loads(json.dumps(one("error", rows=rows, statistic="rms").document()))
    packed = document["rows"]
    assert (packed["encoding"], packed["dtype"]) == ("zlib+base64", "<f8")
    assert (np.frombuffer(zlib.decompress(base64.b64decode(packed["data"])), "<f8") == rows).all()


def test_a_figure_without_rows_says_of_how_many_it_is():
    assert one("accuracy", value=np.float32(0.5), n=np.int64(200)).document() | {"group": {}} == {
        "kind": "metric", "name": "accuracy", "value": 0.5, "n": 200, "group": {}, "statistic": "mean",
    }  # fmt: skip
    assert one("rmse", value=2.9).words() == "rmse = 2.9"


def overlap(y, score):
    """The area under the ROC curve, which needs both classes."""
    wins = np.greater.outer(score[y == 1], score[y == 0])
    if not wins.size:
        raise ValueError("one class")
    return wins.mean()


def test_a_functions_replicates_are_of_the_same_rows_whatever_the_model():
    y = np.array([0, 1] * 20)
    first = one("auc", rows=(y, np.arange(40)), statistic=overlap)
    again = one("auc", rows=(pd.Series(y, index=range(40, 80)), list(range(40))), statistic=overlap)
    assert first.value == overlap(y, np.arange(40))
    assert (first.statistic, first.n, len(first.replicates)) == ("overlap", 40, REPLICATES)
    assert (first.replicates == again.replicates).all()
    # Of the same rows: what each replicate counts is the same for two functions of the same arrays.
    sums = one("sum", rows=(y,), statistic=np.sum).replicates
    assert (sums + one("zeros", rows=(1 - y,), statistic=np.sum).replicates == 40).all()


def test_a_replicate_that_gives_no_number_is_dropped_and_counted():
    found = one("auc", rows=([0, 1, 1], [1, 2, 3]), statistic=overlap)
    assert 0 < found.dropped < REPLICATES
    assert found.document()["replicates"].count(None) == found.dropped
    assert f"{found.dropped} of 1000 resamples gave no number" in found.words()


def test_subgroups_are_metrics_of_their_own_rows():
    frame = pd.DataFrame({"sex": ["F", "M", "F", "M"], "old": [True, True, False, False]})
    found = {metric.title: (metric.value, metric.n) for metric in measure("a", rows=[1, 0, 1, 1], by=frame)}
    assert found == {
        "a": (0.75, 4),
        "a[sex=F]": (1.0, 2), "a[sex=M]": (0.5, 2), "a[old=True]": (0.5, 2), "a[old=False]": (1.0, 2),
        "a[sex=F, old=True]": (1.0, 1), "a[sex=F, old=False]": (1.0, 1),
        "a[sex=M, old=True]": (0.0, 1), "a[sex=M, old=False]": (1.0, 1),
    }  # fmt: skip
    by = pd.Series(["F", None, "F", np.nan], name="sex")
    assert {metric.title: metric.n for metric in measure("a", rows=[1, 0, 1, 1], by=by, group={"year": 2026})} == {
        "a[year=2026]": 4, "a[year=2026, sex=F]": 2, "a[year=2026, sex=missing]": 2,
    }  # fmt: skip
    by = pd.Series(["F", pd.NA, "M", "F"], name="sex", dtype=object)  # pd.NA has no truth value
    titles = [metric.title for metric in measure("a", rows=[1, 0, 1, 1], by=by)]
    assert titles == ["a", "a[sex=F]", "a[sex=M]", "a[sex=missing]"]
    [_, women, men] = measure("s", rows=([1, 2, 3],), statistic=np.sum, by={"sex": ["F", "M", "F"]})
    assert (women.value, men.value) == (4.0, 2.0)


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("a b", {"value": 1}, "'a b' cannot name a metric"),
        ("stable", {"value": 1}, "'stable' cannot name a metric"),
        ("a", {}, "metric 'a' needs a value or rows"),
        ("a", {"value": 1, "rows": [1]}, "metric 'a' needs a value or rows, and not both"),
        ("a", {"value": "0.9"}, "metric 'a' is '0.9', which is no number"),
        ("a", {"value": math.nan}, "metric 'a' is nan"),
        ("a", {"value": math.inf, "group": {"sex": "F"}}, r"metric 'a\[sex=F\]' is inf"),
        ("a", {"value": [1, 2]}, "metric 'a' is no number but a list"),
        ("a", {"value": 1, "n": 0.5}, "metric 'a': n is 0.5"),
        ("a", {"value": 1, "by": pd.Series([1], name="b")}, "metric 'a': subgroups and functions need rows"),
        ("a", {"rows": []}, "metric 'a' has no rows"),
        ("a", {"rows": [1, 2], "n": 3}, "metric 'a': n is 3, but there are 2 rows"),
        ("a", {"rows": [1.0, math.nan, math.nan]}, "metric 'a': row 1 is nan, and so are 1 more"),
        ("a", {"rows": [1.0, None]}, "metric 'a': row 1 is None, which is no number"),
        ("a", {"rows": ["yes", "no"]}, "metric 'a': row 0 is 'yes', which is no number"),
        ("a", {"rows": [[1, 2], [3, 4]]}, r"metric 'a': its rows have the shape \(2, 2\)"),
        ("a", {"rows": 3}, "metric 'a': its rows are one int"),
        ("a", {"rows": [1], "statistic": "average"}, "metric 'a': there is no statistic 'average'"),
        ("a", {"rows": ([1, 2], [1]), "statistic": overlap}, "metric 'a': rows of different lengths, 2, 1"),
        ("a", {"rows": ([1, 2],), "statistic": lambda rows: math.nan}, "metric 'a' is nan"),
        ("a", {"rows": [1, 2], "by": ["F", "M"]}, "metric 'a': what is 'by' called"),
        ("a", {"rows": [1, 2], "by": {"sex": ["F"]}}, "metric 'a': 2 rows, but 1 values of 'sex'"),
        ("a", {"rows": range(300), "by": {"id": range(300)}}, "metric 'a': id has 300 different values"),
    ],
)
def test_what_is_no_metric_is_refused_by_name(name, given, words):
    with pytest.raises(InvalidInput, match=words):
        list(measure(name, **given))


def of(container, dtype="float64", names=(), **more):
    return {"container": container, "answer_dtype": dtype, "parameters": list(names), "instance_schema": {}} | more


@pytest.mark.parametrize(
    ("answers", "dtype", "expected"),
    [
        ([1, 2], "int64", np.array([1, 2])),
        ([1.0, None], "float64", np.array([1.0, np.nan])),
        ([1, 2], "Int64", np.array([1, 2])),
        ([0.5], "bfloat16", np.array([0.5], "float32")),
        ([[1, 2], [3, 4]], "float32", np.array([[1, 2], [3, 4]], "float32")),
        (["a", "b"], "str", np.array(["a", "b"])),
        (["1", None], "float64", np.array(["1", None], object)),
        ([True, False], "bool", np.array([True, False])),
        (["2026-01-01T00:00:00"], "datetime64[ns]", np.array(["2026-01-01"], "datetime64[ns]")),
        ([1.5], "timedelta64[ns]", np.array([1_500_000_000], "timedelta64[ns]")),
    ],
)
def test_answers_have_the_type_that_the_model_gave(answers, dtype, expected):
    found = decode_answers(answers, of("array", dtype), None)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


def test_answers_of_no_regular_shape_are_lists_and_a_frames_are_a_frame():
    assert decode_answers([[1], [2, 3]], of("array"), None) == [[1], [2, 3]]
    assert decode_answers([{"a": 1}], of("frame"), [{"x": 1}]) == [{"a": 1}]
    frame = decode_answers([{"a": 1}, {"a": 2}], of("frame"), pd.DataFrame({"x": [1, 2]}, index=["p", "q"]))
    assert frame.to_dict() == {"a": {"p": 1, "q": 2}}


@pytest.mark.parametrize(
    ("asked", "signature", "instances", "single"),
    [
        (["good", "bad"], of("list"), ["good", "bad"], False),
        (pd.Series(["good", "bad"]), of("list"), ["good", "bad"], False),
        (np.array([[1, 2]]), of("tensor"), [[1, 2]], False),
        (5, of("call", names=["n"]), [5], True),
        ([5, 6], of("call", names=["n"]), [5, 6], False),
        ("text", of("call", names=["text"]), ["text"], True),
        (pd.DataFrame({"n": [5, 6]}), of("call", names=["n"]), [5, 6], False),
        ((1, 2), of("call", names=["a", "b"]), [{"a": 1, "b": 2}], True),
        ([(1, 2), {"a": 3, "b": 4}], of("call", names=["a", "b"]), [{"a": 1, "b": 2}, {"a": 3, "b": 4}], False),
    ],
)
def test_what_a_notebook_has_becomes_instances(asked, signature, instances, single):
    assert encode_instances(asked, signature) == (instances, single)


def test_what_has_no_form_in_json_is_refused():
    with pytest.raises(InvalidInput, match=r"cannot be sent as JSON: a builtins\.object has no JSON form"):
        encode_instances([object()], of("list"))


def calls(*told):
    return Calls(
        calls=tuple(Call(latency_ms=ms, status=status, asked=asked, answers=a) for ms, status, asked, a in told)
    )


def test_calls_are_compared_on_the_same_inputs():
    mine = calls((1, 200, "x", (1, 2)), (2, 200, "y", (3,)), (3, 200, "x", (1, 9)), (4, 500, "z", None))
    stable = calls((9, 200, "x", (1, 3)), (9, 500, "z", None), (9, 200, "x", (1, 9)))
    assert agreements(mine, stable, Rule.of("int64", None, None)) == [1, 0, 1, 1]
    found = {m.name: m for m in metrics_of_calls(mine, stable, Rule.of("int64", None, None), ())}
    assert (found["agreement"].value, found["agreement"].n) == (0.75, 4)
    assert (found["error_rate"].value, found["error_rate"].rows) == (0.25, (0, 0, 0, 1))
    assert found["latency_p50_ms"].value == 2.5
    assert found["latency_p50_ms"].rows == (1, 2, 3, 4)


@pytest.mark.parametrize("status", [500, 422, 504])
def test_what_stable_answered_and_the_model_could_not_is_no_agreement(status):
    mine = calls((1, 200, "x", (1,)), (1, status, "y", None), (1, 200, "z", None), (1, status, "w", None))
    stable = calls((9, 200, "x", (1,)), (9, 200, "y", (2, 3)), (9, 200, "z", (4,)), (9, 422, "w", None))
    assert agreements(mine, stable, Rule.of("int64", None, None)) == [1, 0, 0]


def test_calls_that_were_not_kept_are_reported():
    assert calls((1, 200, "x", (1,)), (1, 422, "y", None)).left_out == ""
    many = calls((1, 200, "x", None), (1, 200, "x", (1,))).model_copy(update={"dropped": 5})
    assert "the 5 requests after the first 2 are in no figure" in many.left_out
    assert "1 requests are not in 'agreement'" in many.left_out


def test_a_metric_that_the_notebook_records_itself_wins_and_no_calls_make_none():
    own = Metric(name="latency_p95_ms", value=1.0)
    assert "latency_p95_ms" not in {
        m.name for m in metrics_of_calls(calls((1, 200, "x", (1,))), None, Rule("int"), [own])
    }
    assert metrics_of_calls(Calls(), Calls(), Rule("int"), ()) == ()


def test_a_slow_metric_reports_the_number_of_its_calls(capsys, monkeypatch):
    clock = iter(range(0, 100, 4))
    monkeypatch.setattr("jupyter_deploy.faces.kernel.metrics.perf_counter", lambda: next(clock) / 1000)
    one("auc", rows=([1, 2, 3],), statistic=np.mean)
    assert capsys.readouterr().out == "resampling auc: mean is called 1000 times, for about 4 s\n"
    monkeypatch.setattr("jupyter_deploy.faces.kernel.metrics.perf_counter", lambda: 0.0)
    one("auc", rows=([1, 2, 3],), statistic=np.mean)
    assert not capsys.readouterr().out
