"""A dict of columns as the example: a table where the model takes one, else a refusal or a note."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from jupyter_deploy.capture.inspection import inspect_model
from jupyter_deploy.domain.errors import InvalidExample

FRAME = pd.DataFrame({"age": [20, 30, 40, 50], "weight": [50.5, 60.5, 70.5, 80.5]})
COLUMNS = {"age": [20, 30], "weight": [50.5, 60.5]}
CLASSIFIER = LogisticRegression().fit(FRAME, ["no", "no", "yes", "yes"])


class Wrapped:
    def predict(self, frame):
        return CLASSIFIER.predict(frame[["age", "weight"]])


def predict(frame):
    return CLASSIFIER.predict(frame)


class Totals:
    def predict(self, features):
        return {"total": sum(features["age"])}


def both(age, weight):
    return [one * other for one, other in zip(age, weight, strict=True)]


@pytest.mark.parametrize("model", [CLASSIFIER, Wrapped(), predict], ids=type)
@pytest.mark.parametrize("column", [list, tuple, np.array, pd.Series])
def test_it_is_a_table_where_the_model_takes_no_dict(model, column):
    inspected = inspect_model(model, {name: column(values) for name, values in COLUMNS.items()}, None)
    assert inspected.signature.container == "frame"
    assert inspected.instances == [{"age": 20, "weight": 50.5}, {"age": 30, "weight": 60.5}]
    assert inspected.predictions == ["no", "no"]
    assert inspected.notes[-1] == (
        "the example, a dict of columns, is deployed as a table. "
        'A request: {"instances": [{"age": 20, "weight": 50.5}]}'
    )


def test_a_model_that_takes_the_dict_keeps_it_and_the_line_to_send_is_said():
    inspected = inspect_model(Totals(), COLUMNS, None)
    assert (inspected.signature.container, inspected.predictions) == ("call", [{"total": 50}])
    assert '{"instances": [{"age": [20, 30], "weight": [50.5, 60.5]}]}' in inspected.notes[-1]
    assert inspect_model(both, COLUMNS, None).notes == (), "arguments by name are no table"


def test_a_model_that_takes_neither_is_refused_with_the_line_to_send():
    with pytest.raises(InvalidExample, match="as a table, the example, a dict of columns, fails too") as refused:
        inspect_model(CLASSIFIER, {"years": [20, 30], "weight": [50.5, 60.5]}, None)
    assert '{"instances": [{"years": 20, "weight": 50.5}]}' in refused.value.remedy


@pytest.mark.parametrize("example", [{}, {"age": []}, {"age": [1], "weight": [1, 2]}, {"age": 1}, {1: [1]}])
def test_another_dict_is_no_table(example):
    with pytest.raises(InvalidExample) as refused:
        inspect_model(CLASSIFIER, example, None)
    assert "columns" not in str(refused.value)
