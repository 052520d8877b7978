"""Columns that accept null although the example has none, and the warning before a deploy without them."""

import pandas as pd
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression

from jupyter_deploy.capture.checks.candidate import LiveCandidate
from jupyter_deploy.capture.checks.features import missing_values_fast
from jupyter_deploy.capture.nulls import inspect_live, with_nulls
from jupyter_deploy.domain.capture.artifacts import Source
from jupyter_deploy.domain.capture.ports import Live
from jupyter_deploy.domain.errors import InvalidExample, InvalidInput

FRAME = pd.DataFrame(
    {
        "income": [1.0, 2.0, 3.0],
        "rooms": [1, 2, 3],
        "smoker": [True, False, True],
        "purpose": pd.Categorical(["car", "house", "car"]),
        "begun": pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-03"]),
        "city": ["Bern", "Basel", "Bern"],
    }
)


def count_present(frame):
    return [int(count) for count in frame.notna().sum(axis=1)]


def live(model, example, *nullable, **more):
    return Live(model, example, Source(variable="model"), nullable=nullable, **more)


@pytest.mark.parametrize("column", list(FRAME.columns))
def test_a_nullable_column_accepts_null_and_the_others_stay_as_they_are(column):
    signature = inspect_live(live(count_present, FRAME, column)).signature.instance_schema["properties"]
    assert [name for name in signature if "null" in signature[name]["type"]] == [column]


def test_all_columns_of_a_polars_frame_and_of_rows_accept_null():
    frame = pl.DataFrame({"income": [1.0, 2.0], "city": ["Bern", None]})
    widened = with_nulls(frame, ["income", "city"])
    assert widened.to_dicts()[2:] == [{"income": None, "city": "Bern"}, {"income": 1.0, "city": None}]
    assert with_nulls([{"income": 1.0}], ["income"]) == [{"income": 1.0}, {"income": None}]
    assert with_nulls({"income": [1.0, 2.0]}, ["income"])["income"].isna().tolist() == [False, False, True]


def test_a_model_that_raises_on_null_is_refused_and_the_column_named():
    fitted = LogisticRegression().fit(FRAME[["income", "rooms"]], [0, 1, 0])
    with pytest.raises(InvalidExample, match="does not accept null in 'rooms'") as caught:
        inspect_live(live(fitted, FRAME[["income", "rooms"]], "rooms"))
    assert "leave out --nullable rooms" in caught.value.remedy


def test_a_model_that_raises_on_its_example_is_not_said_to_refuse_null():
    def broken(frame):
        raise RuntimeError("no such file")

    with pytest.raises(InvalidExample) as caught:
        inspect_live(live(broken, FRAME, "rooms"))
    assert "null" not in caught.value.message


@pytest.mark.parametrize(
    ("example", "more", "message"),
    [
        (FRAME, {}, "no column 'salary'"),
        ([1.0, 2.0], {}, "the example has none"),
        (FRAME, {"signature": object()}, "a signature says itself"),
    ],
)
def test_a_column_that_cannot_be_nullable_is_an_error(example, more, message):
    with pytest.raises(InvalidInput, match=message):
        inspect_live(live(count_present, example, "salary", **more))


CELLS = ("X_train = load()", "model = LogisticRegression().fit(X_train, y)")


def fast(example, *nullable, training=None, **more):
    train = FRAME.assign(income=[1.0, None, 3.0], city=["Bern", None, "Bern"]) if training is None else training
    candidate = live(count_present, example, *nullable, cells=CELLS, namespace={"X_train": train}, **more)
    return [
        (finding.columns, finding.message, finding.remedy) for finding in missing_values_fast(LiveCandidate(candidate))
    ]


def test_the_form_warns_of_columns_whose_nulls_would_be_refused():
    ((columns, message, remedy),) = fast(FRAME)
    assert columns == ("income", "city")
    assert "missing values in income, city; the example has none, so such requests are refused" in message
    assert remedy == "accept them: --nullable income --nullable city"
    assert fast(FRAME, "income")[0][0] == ("city",)


def test_the_form_does_not_warn_if_the_example_or_a_signature_has_them_or_the_table_is_unknown():
    assert fast(FRAME, "income", "city") == []
    assert fast(FRAME.assign(income=None, city=None)) == []
    assert fast(FRAME, signature=object()) == []
    assert fast(FRAME, training=FRAME) == []
    assert fast([1.0]) == []
