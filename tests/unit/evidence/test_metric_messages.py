"""Documents that notebooks display as metrics and checks."""

import base64
import math
import struct
import zlib

import pytest

from jupyter_deploy.validation import metric_messages
from jupyter_deploy.validation.metric_messages import MetricCollector
from tests.work import work_of


def take(*documents):
    found = MetricCollector()
    for number, document in enumerate(documents, 1):
        found.take(number, None, document)
    return found


def packed(numbers, **changed):
    content = zlib.compress(struct.pack(f"<{len(numbers)}d", *numbers))
    return {"encoding": "zlib+base64", "dtype": "<f8", "data": base64.b64encode(content).decode()} | changed


def test_missing_fields_of_a_metric_are_computed_from_its_rows():
    (found,) = take({"kind": "metric", "name": "error", "rows": packed([3.0, 4.0]), "statistic": "rms"}).metrics
    assert (found.value, found.n, found.statistic, found.rows) == (math.sqrt(12.5), 2, "rms", (3.0, 4.0))


def test_a_figure_of_its_own_brings_its_value_and_replicates_some_of_which_may_be_missing():
    document = {"name": "auc", "value": 0.9, "n": 10, "statistic": "auc", "replicates": [0.8, None, 0.95]}
    (found,) = take(document).metrics
    assert (found.value, found.n, found.replicates[0]) == (0.9, 10, 0.8)
    assert math.isnan(found.replicates[1])


def test_empty_values_of_r_are_read():
    (found,) = take({"name": "a", "value": 1, "n": 3.0, "group": []}).metrics
    assert (found.n, found.group) == (3, {})


def test_the_same_name_in_other_groups_and_as_a_check_is_not_the_same():
    check = {"kind": "check", "name": "a", "passed": True}
    found = take({"name": "a", "value": 1}, {"name": "a", "value": 2, "group": {"sex": "F"}}, check)
    assert found.problem is None
    assert (len(found.metrics), len(found.checks)) == (2, 1)


def test_the_executed_notebook_keeps_a_metric_without_its_rows():
    kept = MetricCollector().take(1, None, {"name": "a", "rows": [1], "value": 1, "replicates": [1]})
    assert kept == {"name": "a", "value": 1}


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (5, "a metric is displayed as a JSON object"),
        ({"kind": "gauge", "name": "b"}, "'kind' is 'gauge'"),
        ({"value": 1}, "needs a 'name'"),
        ({"name": " ", "value": 1}, "needs a 'name'"),
        ({"name": "a", "value": 1, "vlaue": 2}, "unknown 'vlaue'"),
        ({"name": "a"}, "neither a value nor rows"),
        ({"name": "a", "value": "high"}, "'value' is 'high' and not a number"),
        ({"name": "a", "value": "NA"}, "not a number (NaN)"),
        ({"name": "a", "value": math.inf}, "infinite"),
        ({"name": "a", "value": 10**400}, "infinite"),
        ({"name": "a", "value": 1, "n": 1.5}, "'n' is 1.5"),
        ({"name": "a", "value": 1, "n": math.nan}, "'n' is nan"),
        ({"name": "a", "rows": []}, "'rows' is empty"),
        ({"name": "a", "rows": "1,2"}, "not a list of numbers"),
        ({"name": "a", "rows": [1, "x"]}, "the 2nd of 'rows' is 'x' and not a number"),
        ({"name": "a", "rows": [*[0.5] * 111, "NA"]}, "the 112th of 'rows' is 'NA'"),
        ({"name": "a", "rows": [*[0.5] * 22, None]}, "the 23rd of 'rows' is None"),
        ({"name": "a", "rows": [1, math.nan]}, "the 2nd of 'rows' is not a number (NaN)"),
        ({"name": "a", "rows": [1e200] * 20, "statistic": "rms"}, "the rms of its rows is beyond all numbers"),
        ({"name": "a", "rows": [1e308] * 20, "statistic": "sum"}, "the sum of its rows is beyond all numbers"),
        ({"name": "a", "rows": [-1.7e308, 1.7e308], "statistic": "median"}, "the median of its rows is beyond"),
        ({"name": "a", "rows": [1, 2], "n": 3}, "it has 2 rows, but n=3"),
        ({"name": "a", "rows": [1, 2], "value": 1.6}, "its value is 1.6, but the mean of its rows 1.5"),
        ({"name": "a", "rows": [1, 2], "statistic": "auc"}, "give its value too"),
        ({"name": "a", "value": 1, "statistic": 5}, "'statistic' is 5"),
        ({"name": "a", "value": 1, "group": "F"}, "'group' is 'F'"),
        ({"name": "a", "rows": packed([1.0], dtype="<f4")}, "packed 'rows' are"),
        ({"name": "a", "rows": packed([1.0], data="%")}, "cannot be unpacked"),
        ({"name": "a", "rows": packed([1.0], data=packed([1.0])["data"][:-8])}, "cannot be unpacked"),
        ({"kind": "check", "name": "a", "passed": "yes"}, "'passed' is 'yes'"),
    ],
)
def test_an_invalid_document_is_a_problem_that_names_cell_and_metric(document, words):
    found = take({"name": "good", "value": 1}, document)
    cell, told = found.problem
    assert (cell, len(found.metrics)) == (2, 1)
    assert words in told
    if isinstance(document, dict) and document.get("name") == "a":
        assert "'a'" in told


def test_a_repeated_metric_is_a_problem_and_an_updated_display_is_not():
    cell, told = take({"name": "a", "value": 1}, {"name": "a", "value": 1}).problem
    assert (cell, told) == (2, "metric 'a' was recorded already, in cell 1: give each a name of its own")
    found = MetricCollector()
    found.take(1, "x", {"name": "a", "value": 1})
    found.take(2, "x", {"name": "a", "value": 2})
    assert (found.problem, found.metrics[0].value) == (None, 2)


def test_rows_that_unpack_to_gigabytes_do_not(monkeypatch):
    monkeypatch.setattr(metric_messages, "MOST_ROWS", 1000)
    bomb = packed([0.0] * 1_000_000)
    assert len(bomb["data"]) < 20_000
    assert "more than 1000 rows" in take({"name": "a", "rows": bomb}).problem[1]
    assert "more than 1000 rows" in take({"name": "a", "rows": [0] * 1001}).problem[1]


def test_a_lost_document_is_reported_even_if_it_is_the_last_one():
    found = take(*({"name": f"m{n}", "value": 1, "number": n} for n in (1, 2, 4)))
    assert found.problem is None
    assert found.lost[0] == 3
    assert "1 of 4 metrics and checks never arrived" in found.lost[1]
    found = take({"name": "a", "value": 1, "number": 1}, {"kind": "check", "name": "a", "passed": True, "number": 2})
    assert found.lost is None
    found.expect(7, 2)
    assert found.lost is None
    found.expect(8, 5)
    assert found.lost[0] == 8
    assert "3 of 5 metrics and checks never arrived" in found.lost[1]


def test_thousands_are_taken_in_no_time():
    named = [{"name": f"m{n}", "value": 1} for n in range(10_000)]
    assert work_of(lambda: take(*named)) < 3 * work_of(lambda: take(*named[:5_000])) + 0.05  # four times if quadratic
    found = take(*named)
    assert len(found.metrics) == 10_000
    found.take(1, None, {"name": "one", "value": 1})
    assert "more than 10000" in found.problem[1]


def test_a_display_that_is_updated_with_another_name_frees_the_former_name():
    found = MetricCollector()
    found.take(1, "x", {"name": "a", "value": 1})
    found.take(2, "x", {"name": "b", "value": 2})
    found.take(3, None, {"name": "a", "value": 3})
    assert found.problem is None
    assert [metric.name for metric in found.metrics] == ["b", "a"]
