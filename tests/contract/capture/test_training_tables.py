"""The training table of a model: its search, its stored description, and its checks."""

import ast
import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from jupyter_deploy.capture.checks import Candidate
from jupyter_deploy.capture.checks.data import leakage, outdated_data
from jupyter_deploy.capture.checks.features import missing_values
from jupyter_deploy.capture.frameworks import framework_of
from jupyter_deploy.capture.inspection import inspect_model
from jupyter_deploy.capture.tables import table_of
from jupyter_deploy.capture.training_table import TrainingTable, TrainingUnknown, describe_training, find_training
from jupyter_deploy.domain.capture.artifacts import Source
from jupyter_deploy.domain.capture.ports import Live
from jupyter_deploy.notebooks.safe_eval import NotEvaluable, evaluate

DATA = """
import numpy as np, pandas as pd
rng = np.random.default_rng(0)
df = pd.DataFrame({"age": rng.integers(20, 80, 60), "weight": rng.normal(70, 9, 60), "y": rng.integers(0, 2, 60)})
X, y = df[["age", "weight"]], df["y"]
X_train, X_test, y_train, y_test = X[:40], X[40:], y[:40], y[40:]
"""
SKLEARN = """
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
"""


def notebook(*cells, variable="model", **options):
    """The live object that a kernel hands over after these cells."""
    namespace = {}
    for cell in cells:
        lines = [line for line in cell.splitlines() if not line.startswith("%")]
        exec("\n".join(lines), namespace)
    return Live(
        eval(variable, namespace), options.pop("example", None), Source(variable=variable), None, cells, Path.cwd(),
        namespace, **options,
    )  # fmt: skip


def found(live):
    return find_training(live, framework_of(live.model).features(live.model))


FITS = {
    "a fit": ["model = LogisticRegression()", "model.fit(X_train, y_train)"],
    "a fit in one line": ["model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X_train, y_train)"],
    "under a cell magic": ["%%time\nmodel = LogisticRegression()\nmodel.fit(X_train, y=y_train)"],
    "a keyword": ["model = LogisticRegression().fit(y=y_train, X=X_train)"],
    "the best of a search": [
        "s = GridSearchCV(LogisticRegression(), {'C': [1, 2]}, cv=2)",
        "s.fit(X_train, y_train)\nmodel = s.best_estimator_",
    ],
    "a function that fits": [
        "def train(data, target):\n    return LogisticRegression().fit(data, target)",
        "model = train(X_train, y_train)",
    ],
    "in a loop": ["for c in (1, 2):\n    model = LogisticRegression(C=c).fit(X_train, y_train)"],
    "an earlier fit of something else": [
        "model = LogisticRegression().fit(X_train, y_train)\nother = LogisticRegression().fit(X_test, y_test)"
    ],
    "the last of two": ["model = LogisticRegression().fit(X, y)", "model.fit(X_train, y_train)"],
}


@pytest.mark.parametrize("cells", FITS.values(), ids=FITS)
def test_the_table_of_the_last_fit_is_found(cells):
    training = found(notebook(DATA + SKLEARN, *cells))
    assert isinstance(training, TrainingTable), training
    assert (training.expression, training.cell) == ("X_train", len(cells) + 1)


OTHERS = {
    "an expression of pure methods": (
        SKLEARN + "model = LogisticRegression().fit("
        "df[df['age'] > 30].drop(columns='y').to_numpy(), df[df['age'] > 30].y)",
        "df[df['age'] > 30].drop(columns='y').to_numpy()",
    ),
    "a bunch": (
        SKLEARN + "from sklearn.datasets import load_iris\niris = load_iris()\n"
        "model = LogisticRegression(max_iter=500).fit(iris.data, iris.target)",
        "iris.data",
    ),
    "texts": (
        SKLEARN + "from sklearn.feature_extraction.text import CountVectorizer\ntexts = ['a b', 'c d', 'a d', 'b c']\n"
        "model = make_pipeline(CountVectorizer(token_pattern='.'), LogisticRegression()).fit(texts, [0, 1, 0, 1])",
        "texts",
    ),
    "what is imported again is no other": (
        "from sklearn.linear_model import LogisticRegression\n"
        "model = LogisticRegression().fit(np.asarray(X), y)\nimport numpy as np",
        "np.asarray(X)",
    ),
    "a formula": ("import statsmodels.formula.api as smf\nm = smf.ols('y ~ age', data=df)\nmodel = m.fit()", "df"),
    "statsmodels, answers first": ("import statsmodels.api as sm\nmodel = sm.OLS(y_train, X_train).fit()", "X_train"),
    "xgboost's matrix": (
        "import xgboost as xgb\nd = xgb.DMatrix(X_train, label=y_train)\nmodel = xgb.train({'nthread': 1}, d, 2)",
        "X_train",
    ),
    "lightgbm's data set": (
        "import lightgbm as lgb\np = {'verbose': -1, 'num_threads': 1}\n"
        "model = lgb.train(p, lgb.Dataset(X_train, y_train), 2)",
        "X_train",
    ),
    "a training loop": (
        "import torch\nT = torch.tensor(X_train.to_numpy(), dtype=torch.float32)\nmodel = torch.nn.Linear(2, 1)\n"
        "o = torch.optim.SGD(model.parameters(), 1e-6)\n"
        "for _ in range(2):\n    loss = model(T).sum()\n    loss.backward()\n    o.step()",
        "T",
    ),
    "a training loop over batches": (
        "import torch\nfrom torch.utils.data import DataLoader, TensorDataset\n"
        "T = torch.tensor(X_train.to_numpy(), dtype=torch.float32)\nbatches = DataLoader(TensorDataset(T), 8)\n"
        "model = torch.nn.Linear(2, 1)\nfor (batch,) in batches:\n    model(batch).sum().backward()",
        "T",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("cell", "expression"), OTHERS.values(), ids=OTHERS)
def test_the_table_is_found_for_other_libraries_too(cell, expression):
    training = found(notebook(DATA, cell))
    assert isinstance(training, TrainingTable), training
    assert (training.expression, training.cell) == (expression, 2)


UNKNOWN = {
    "changed since": (
        "model = LogisticRegression().fit(X_train, y_train)\nX_train = X_test",
        "'X_train' was changed after the fit (In [2])",
    ),
    "changed in place": (
        "F = X_train.copy()\nmodel = LogisticRegression().fit(F, y_train)\nF['age'] = 0",
        "'F' was changed after the fit (In [2])",
    ),
    "changed by a method": (
        "F = X_train.copy()\nmodel = LogisticRegression().fit(F, y_train)\nF.insert(0, 'age2', 0)",
        "'F' was changed after the fit (In [2])",
    ),
    "only to be had by running something": (
        "model = LogisticRegression().fit(StandardScaler().fit_transform(X_train), y_train)",
        "its argument 'StandardScaler().fit_transform(X_train)' cannot be evaluated without running code",
    ),
    "made elsewhere": ("import pickle\nmodel = pickle.loads(pickle.dumps(LogisticRegression().fit(X, y)))", "no cell"),
}


@pytest.mark.parametrize(("cell", "why"), UNKNOWN.values(), ids=UNKNOWN)
def test_a_table_that_is_not_sure_is_not_named_and_the_note_says_why(cell, why):
    live = notebook(DATA + SKLEARN, cell)
    training = found(live)
    assert isinstance(training, TrainingUnknown)
    assert training.why.startswith(why)
    (note,) = outdated_data(Candidate(live, None, framework_of(live.model), Path(), training))
    assert (note.check, note.severity, note.remedy) == ("outdated-data", "note", "give it with --training")
    named = notebook(DATA + SKLEARN, cell, training=pd.DataFrame({"age": [1, 2]}))
    assert found(named).table.rows == 2


def test_a_function_has_no_training_table_and_no_finding():
    live = notebook("def f(x):\n    return x", variable="f")
    assert describe_training(live, None) == (None, None)


def test_looking_runs_nothing():
    ran = []

    class Trap:
        @property
        def loud(self):
            ran.append("a property")

        def __getitem__(self, key):
            ran.append("a method")

        __eq__ = __add__ = __getitem__

    namespace = {"t": Trap(), "df": pd.DataFrame({"a": [1]}), "f": ran.append}
    texts = ("t.loud", "t[0]", "t == 1", "t + 1", "f(1)", "df.to_csv('x')", "df.drop(columns='a', inplace=True)", "no")
    for text in texts:
        with pytest.raises(NotEvaluable):
            evaluate(ast.parse(text, mode="eval").body, namespace)
    assert ran == []
    assert list(namespace["df"]) == ["a"]


def test_what_is_kept_of_a_table_are_types_ranges_and_counts_and_no_text():
    live = notebook(
        "import pandas as pd\ndf = pd.DataFrame({'age': [30.0, None, 50.0, 60.0], 'name': ['Ada', 'Bo', 'Ada', None],"
        " 'at': pd.to_datetime(['2026-01-02', '2026-01-05', None, '2026-01-03']),"
        " 'day': ['2026-02-01', '2026-02-03', '2026-02-02', '2026-02-02'], 'tags': [['x'], [], ['y'], []]})",
        variable="df",
    )
    _, data = describe_training(Live(object(), None, live.source, training=live.model), None)
    columns = {name: column.model_dump(exclude_none=True) for name, column in data.columns.items()}
    assert columns["age"] == {"dtype": "float64", "missing": 0.25, "minimum": 30.0, "maximum": 60.0}
    assert {key: columns["name"][key] for key in ("missing", "distinct")} == {"missing": 0.25, "distinct": 2}
    assert (columns["at"]["minimum"], columns["at"]["maximum"]) == ("2026-01-02T00:00:00", "2026-01-05T00:00:00")
    assert (columns["day"]["minimum"], columns["day"]["maximum"]) == ("2026-02-01", "2026-02-03")
    assert columns["tags"]["distinct"] == 3
    assert "Ada" not in data.model_dump_json()
    assert {name: period.last for name, period in data.periods.items()} == {
        "at": "2026-01-05T00:00:00",
        "day": "2026-02-03",
    }


@pytest.mark.parametrize("text", ["2024-01-02 11:00 Ann has HIV", "2024-01-02T11:00, Ann", "9999-99-99"])
def test_a_text_that_only_begins_like_a_date_is_not_kept(text):
    table = table_of(pd.DataFrame({"note": ["2024-01-01 10:00", text]}))
    assert (table.described()["note"].maximum, table.periods()) == (None, {})


def test_equal_rows_have_equal_hashes_whatever_holds_them_and_others_have_not():
    import polars as pl
    import torch

    numbers = np.array([[1.0, 2.0], [0.0, np.nan], [2.0, 1.0]])
    frame = pd.DataFrame(numbers, columns=["a", "b"])
    same = [
        frame,
        pl.DataFrame({"a": numbers[:, 0], "b": numbers[:, 1]}),
        torch.tensor(numbers),
        np.asfortranarray(numbers),
    ]
    hashes = [table_of(value).hashes.tolist() for value in [numbers, *same]]
    assert all(h == hashes[0] for h in hashes)
    assert len(set(hashes[0])) == 3
    assert table_of(frame).sha256 == table_of(frame.copy()).sha256 != table_of(frame[::-1]).sha256
    texts = pd.DataFrame({"a": ["x", "y"], "b": pd.Categorical(["y", "x"])})
    assert table_of(texts).hashes.tolist() == table_of(texts.astype(str).astype("category")).hashes.tolist()
    assert table_of(pd.Series([1, 2, None], dtype="Int64", name="a")).hashes[0] == table_of(np.array([[1.0]])).hashes[0]


def test_images_are_hashed_by_row_and_the_empty_and_the_odd_are_tables_too():
    images = np.random.default_rng(0).random((6, 3, 32, 32)).astype("float32")
    hashes = table_of(images).hashes.tolist()
    assert len(set(hashes)) == 6
    assert table_of(images[2:4].astype(float)).hashes.tolist() == hashes[2:4]
    assert (table_of(images).width, len(table_of(images).described())) == (3072, 300)
    odd = pd.DataFrame({"c": np.array([1j, 2]), "p": pd.period_range("2026-01", periods=2, freq="M"), "o": [1, "a"]})
    for value, rows in ((np.zeros((0, 3)), 0), (np.zeros((2, 0)), 2), (odd, 2), (pd.DataFrame(), 0)):
        table = table_of(value)
        assert (len(table.hashes), len(table.sha256), table.rows) == (rows, 64, rows)
        assert len(table.described()) == table.width
    assert table_of(3) is None


def test_a_large_table_is_sampled_by_evenly_spread_rows(monkeypatch):
    monkeypatch.setattr("jupyter_deploy.capture.tables.MAX_CELLS", 100)
    table = table_of(np.arange(1000.0).reshape(500, 2))
    assert (table.rows, len(table.hashes)) == (500, 50)
    assert (table.chosen[0], table.chosen[-1]) == (0, 499)


def test_the_files_that_a_table_was_read_from_are_found_through_the_cells_that_made_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = pd.DataFrame({"age": [30, 40, 50, 60], "y": [0, 1, 0, 1], "day": ["2026-01-01"] * 3 + ["2026-03-01"]})
    rows.to_csv("people.csv", index=False)
    rows.to_csv("unrelated.csv", index=False)
    live = notebook(
        "from pathlib import Path\nimport pandas as pd\nFOLDER = Path('.')",
        "other = pd.read_csv('unrelated.csv')\nraw = pd.read_csv(FOLDER / 'people.csv')",
        "clean = raw.dropna()",
        SKLEARN + "X = clean[['age']]\nmodel = LogisticRegression().fit(X, clean['y'])",
    )
    again = ("raw = pd.read_csv('unrelated.csv')", *live.cells[1:])
    training, data = describe_training(replace(live, cells=(live.cells[0], *again)), ("age",))
    assert list(data.files) == ["people.csv"]  # what 'raw' held before went nowhere
    training, data = describe_training(live, ("age",))
    assert list(data.files) == ["people.csv"]
    assert (data.files["people.csv"].size, len(data.files["people.csv"].sha256)) == (
        Path("people.csv").stat().st_size,
        64,
    )
    assert data.periods["raw.day"].last == "2026-03-01"  # a column of dates that the model does not get

    def told(began):
        candidate = Candidate(Live(live.model, None, live.source, began=began), None, None, Path(), training)
        return [(f.severity, f.message, f.cell) for f in outdated_data(candidate)]

    read = time.time() + 10
    assert told({3: read}) == []
    os.utime("people.csv", (read + 5, read + 5))
    assert told({1: 0.0}) == []  # nobody knows when it was read
    assert told({1: 0.0, 3: read, 4: read + 20}) == [("warning", "people.csv has changed since X was read from it", 2)]


def judged(*cells, example="X_test[:5]"):
    live = notebook(DATA + SKLEARN + "model = LogisticRegression().fit(X_train, y_train)", *cells)
    rows = eval(example, dict(live.namespace))
    candidate = Candidate(live, inspect_model(live.model, rows, None), framework_of(live.model), Path(), found(live))
    return [(f.severity, f.cell, f.message) for f in leakage(candidate)]


def test_rows_of_the_example_that_the_model_was_fitted_on_are_noted():
    assert judged() == []
    ((severity, cell, message),) = judged(example="X[38:42]")
    assert (severity, cell) == ("note", 1)
    assert message.startswith("2 of the example's 4 rows are rows of X_train")


def test_a_model_that_is_judged_by_rows_it_was_fitted_on_is_a_leak():
    assert judged("model.score(X_test, y_test)") == []
    ((severity, cell, message),) = judged(
        "later = X[30:]", "answers = model.predict(later)", "print((answers == y[30:]).mean())"
    )
    assert (severity, cell) == ("warning", 3)
    assert message.startswith("33.3% of the rows of later, the evaluation data, are rows of X_train")
    ((severity, _, message),) = judged("model.score(X_train, y_train)")
    assert severity == "warning"
    assert "is evaluated only on X_train" in message
    assert judged("model.score(X_train, y_train)", "model.score(X_test, y_test)") == []


@pytest.mark.parametrize(
    "cells",
    [
        ["s = StandardScaler().fit(X)\nmodel.score(X_train, y_train)", "model.score(s.transform(X_test), y_test)"],
        [
            "from sklearn.model_selection import cross_val_score\ncross_val_score(model, X, y)",
            "model.score(X_train, y_train)",
        ],
        ["s = GridSearchCV(model, {'C': [1]}, cv=2).fit(X, y)\nmodel.score(X_train, y_train)"],
        ["held = X_test\nmodel.score(held, y_test)\nheld = None\nmodel.score(X_train, y_train)"],
        ["model.predict(X_train[:3])"],
        ["print(model.predict(X[38:42]))"],
        ["model.predict(X_train.head())\nmodel.predict(X_train.iloc[:2])"],
    ],
)  # fmt: skip
def test_other_evaluations_and_inspected_answers_are_no_leak(cells):
    assert judged(*cells) == []


def test_a_part_of_the_training_table_that_meets_a_metric_is_the_training_table():
    metric = "from sklearn.metrics import accuracy_score\naccuracy_score(y_train[:9], model.predict(X_train[:9]))"
    ((severity, _, message),) = judged(metric)
    assert (severity, message.endswith("its training table")) == ("warning", True)


def test_equal_rows_are_no_leak_where_the_training_rows_are_equal_too():
    coarse = (
        "X_train = (X_train // 40).astype(float)\nX_test = (X_test // 40).astype(float)\nmodel.fit(X_train, y_train)"
    )
    found_ = judged(coarse, "model.score(X_test, y_test)")
    assert found_
    assert all(severity == "note" for severity, *_ in found_)


GAPS = """
from sklearn.impute import SimpleImputer
df["age"] = df["age"].where(df.index % 14 > 0)
df["note"] = None
X = df[["age", "weight"]]
model = make_pipeline(SimpleImputer(), LogisticRegression()).fit(X, y)
A = X.to_numpy()
"""


def gaps(example, *cells):
    live = notebook(DATA + SKLEARN + GAPS, *cells)
    rows = eval(example, dict(live.namespace))
    candidate = Candidate(live, inspect_model(live.model, rows, None), framework_of(live.model), Path(), found(live))
    return [(f.check, f.severity, f.message) for f in missing_values(candidate)]


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_missing_values_that_the_model_was_fitted_with_and_requests_may_not_have_are_a_warning():
    (said,) = gaps("X[1:5]")
    words = "the training table has missing values in age; the example has none, so such requests are refused"
    assert said == ("missing-values", "warning", words)
    assert gaps("X[:5]") == [], "the example has one"
    assert gaps("X[1:5]", "df = df.dropna(subset=['age'])\nmodel.fit(df[['age', 'weight']], df.y)") == []
    fit = "model.fit(A, y)"
    assert gaps("A[1:5]", fit) == [("missing-values", "warning", words.replace(" in age", ""))]
    assert gaps("A[:5]", fit) == []
