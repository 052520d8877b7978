"""The checks of a table before a search: what cannot be used, what leaks, and how rows are held out."""

import datetime as dt
import decimal

import numpy as np
import pandas as pd
import pytest

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.model_search.requests import AutomlRequest
from jupyter_deploy.model_search.columns import columns_of, kind_of
from jupyter_deploy.model_search.search import SearchOfTable

ROWS = 120


def table(**columns):
    rng = np.random.default_rng(0)
    age = rng.integers(20, 80, ROWS).astype(float)
    made = {"age": age, "weight": rng.normal(70, 10, ROWS)}
    made["ill"] = np.where(age + rng.normal(0, 12, ROWS) > 50, "yes", "no")
    return pd.DataFrame(made | columns)


def prepared(tmp_path, frame, suffix=".parquet", **options):
    path = tmp_path / f"people{suffix}"
    frame.to_csv(path, index=False) if suffix == ".csv" else frame.to_parquet(path)
    request = AutomlRequest(**{"data": str(path), "label_column": "ill"} | options)
    return SearchOfTable(request, tmp_path / "found.ipynb")


def refusal(tmp_path, frame, **options):
    with pytest.raises(InvalidInput) as refused:
        prepared(tmp_path, frame, **options)
    return f"{refused.value.message} | {refused.value.remedy}"


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1.5, None, 2.5], "numbers"),
        (pd.array([1, None, 2], dtype="Int64"), "numbers"),
        ([decimal.Decimal("1.5"), None, decimal.Decimal(2)], "numbers"),
        ([True, False, True], "categories"),
        (pd.array([True, None, False], dtype="boolean"), "categories"),
        (["a", "a", "b"], "categories"),
        (pd.Categorical(["a", None, "b"]), "categories"),
        (pd.to_datetime(["2026-01-01", None, "2026-01-02"]), "dates"),
        (["2026-01-01", "2026-01-01", "2026-01-02T12:00"], "dates"),
        ([dt.date(2026, 1, 1), None, dt.date(2026, 1, 2)], "dates"),
        ([None, None, None], "dropped"),
        ([1.0, 1.0, 1.0], "dropped"),
        (["x1", "x2", "x3"], "dropped"),
        ([[1], [2], [3]], "unusable"),
        ([1.0, np.inf, 2.0], "unusable"),
        (pd.to_timedelta([1, 2, 3], unit="h"), "unusable"),
        ([1 + 2j, 3j, 1], "unusable"),
    ],
)
def test_a_column_has_a_kind(values, kind):
    assert kind_of(pd.Series(values, name="column"))[0] == kind


def test_an_id_goes_and_a_text_is_refused():
    frame = pd.DataFrame({"row_id": range(60), "x": np.arange(60) % 7, "words": [f"see {n} of it" for n in range(60)]})
    assert columns_of(frame, {"words"}).features == ["x"]
    with pytest.raises(InvalidInput, match="'words' cannot be used: it has 60 different texts") as refused:
        columns_of(frame, set())
    assert "--exclude words" in refused.value.remedy


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        ({}, {"label_column": "il"}, "no column 'il' (--label-column) | did you mean ill?"),
        ({"ill": "yes"}, {}, "the value 'yes' in every row"),
        ({"ill": [None, *["yes", "no"] * 59, "no"]}, {}, "missing in 1 of 120 rows, first in row 0"),
        ({"ill": ["rare", *["yes", "no"] * 59, "no"]}, {}, "the class 'rare' of 'ill' has 1 rows: each needs 10"),
        ({"ill": range(ROWS)}, {"task": "classification"}, "has 120 classes"),
        ({}, {"task": "regression"}, "the label 'ill' has no numbers"),
        ({"tags": [["a"]] * ROWS}, {}, "'tags' cannot be used: it holds values of the type"),
        ({}, {"exclude": ("age", "weight")}, "no column is left"),
        ({}, {"exclude": ("height",)}, "no column 'height' (--exclude)"),
        ({}, {"metric": "acuracy"}, "there is no metric 'acuracy' | did you mean"),
        ({}, {"metric": "roc_auc"}, "of what predict answers | search for probabilities: --method predict_proba"),
        ({}, {"metric": "f1"}, "the metric 'f1' cannot be computed"),
        ({}, {"engine": "gluon"}, "no search engine 'gluon' | the engines are: autogluon, flaml"),
        ({}, {"group_column": "age", "time_column": "weight"}, "by time or by group, not by both"),
        ({"team": ["a", "b"] * 60}, {"group_column": "team"}, "'team' has 2 groups, and a split needs 10"),
        ({}, {"time_column": "ill"}, "'ill' has neither dates nor numbers"),
    ],
)
def test_bad_input_is_refused_with_its_remedy(tmp_path, change, options, words):
    assert words in refusal(tmp_path, table(**change), **options)


def test_a_file_that_is_no_table_is_refused(tmp_path):
    assert "there is no file" in _of_file(tmp_path / "none.parquet")
    wrong = tmp_path / "wrong.parquet"
    wrong.write_bytes(b"PAR1 is no table")
    assert "wrong.parquet cannot be read: " in _of_file(wrong)
    assert "ends in .parquet, .pq, .csv" in _of_file(tmp_path / "people.xlsx")
    assert "has 20 rows, and a search needs at least 50" in refusal(tmp_path, table().head(20))


def _of_file(path):
    with pytest.raises(InvalidInput) as refused:
        SearchOfTable(AutomlRequest(data=str(path), label_column="ill"), path.with_suffix(".ipynb"))
    return f"{refused.value.message} | {refused.value.remedy}"


def test_a_copy_of_the_label_is_refused(tmp_path):
    frame = table()
    assert "'code' is a copy of the label 'ill'" in refusal(tmp_path, frame.assign(code=(frame.ill == "yes") * 1))
    twice = frame.assign(twice=2 * frame.age + 1)
    assert "'twice' is a copy of the label 'age'" in refusal(tmp_path, twice, label_column="age", exclude=("ill",))


def test_a_column_that_gives_the_label_away_is_warned_of(tmp_path):
    frame = table()
    later = (frame.ill == "yes") * 10.0 + np.random.default_rng(1).random(ROWS)
    (note,) = prepared(tmp_path, frame.assign(later=later)).notes
    assert (note.severity, note.remedy) == ("warning", "if not, leave it out: --exclude later")


def test_the_latest_rows_are_held_out_if_there_are_dates(tmp_path):
    days = np.random.default_rng(2).permutation(ROWS)
    frame = table(day=[f"2026-01-01T{n // 60:02}:{n % 60:02}" for n in days])
    for suffix in (".parquet", ".csv"):
        search = prepared(tmp_path, frame, suffix)
        assert search.split == "the latest fifth by 'day'"
        assert search._names["X_train"]["day"].max() < search._names["X_test"]["day"].min()
        assert search.held_out == ROWS // 5
    assert prepared(tmp_path, frame, random_split=True).split.startswith("a random fifth")
    assert "several columns have dates" in refusal(tmp_path, frame.assign(other=frame.day))


def test_groups_and_equal_rows_are_on_one_side(tmp_path):
    frame = table(customer_id=np.arange(ROWS) % 30)
    asked = prepared(tmp_path, frame)
    assert "--group-column customer_id" in asked.notes[0].remedy
    search = prepared(tmp_path, frame, group_column="customer_id")
    assert "customer_id" not in search._names["X"].columns
    groups, train, test = (search._names[name] for name in ("groups", "train", "test"))
    assert not set(groups.iloc[train]) & set(groups.iloc[test])

    repeated = table()
    repeated.loc[:9] = repeated.loc[10:19].to_numpy()
    search = prepared(tmp_path, repeated.infer_objects())
    assert search.split == "a random fifth, equal rows together"
    sides = [set(map(tuple, search._names[name].to_numpy())) for name in ("X_train", "X_test")]
    assert not sides[0] & sides[1]


def test_whole_numbers_are_classes_if_they_are_few(tmp_path):
    rng = np.random.default_rng(0)
    assert prepared(tmp_path, table(ill=rng.integers(0, 3, ROWS))).task == "classification"
    numbers = prepared(tmp_path, table(ill=rng.integers(0, 300, ROWS)))
    assert (numbers.task, numbers.metric, numbers.greater_is_better) == ("regression", "mean_absolute_error", False)


def test_rows_with_gaps_come_first_in_the_held_out_rows(tmp_path):
    frame = table()
    frame.loc[::7, "weight"] = np.nan
    names = prepared(tmp_path, frame)._names
    assert names["X_test"].head(5)["weight"].isna().any()
    assert names["X_test"].head(5)["weight"].notna().any()
    assert list(names["y_test"]) == list(frame["ill"].loc[names["X_test"].index])
