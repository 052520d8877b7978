"""Ways to deploy, fail and clean, for ``stale-kernel`` and the search for the training table."""

import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from jupyter_deploy.capture.training_table import TrainingTable, TrainingUnknown, find_training
from jupyter_deploy.domain.capture.artifacts import Source
from jupyter_deploy.domain.capture.ports import Live
from tests.contract.capture.test_checks_stale_kernel import DEPLOY, FIT, LOAD, SPLIT, look

REFIT = "model = LogisticRegression(C=0.1)\nmodel.fit(X, y)"
LOOP = [LOAD, SPLIT, FIT, DEPLOY, REFIT, DEPLOY]


@pytest.mark.parametrize("upto", [4, 6])
def test_a_repeated_deploy_line_means_the_one_that_was_reached(tmp_path, upto):
    assert look(tmp_path / "n.ipynb", LOOP, LOOP[:upto], counts=[1, 2, 3, 4, 5, 6]) == []


def test_of_a_repeated_deploy_line_the_reached_occurrence_is_reported(tmp_path):
    stands = [LOAD, SPLIT.replace("'b'", "'c'"), *LOOP[2:]]
    (found,) = look(tmp_path / "n.ipynb", stands, LOOP[:4], counts=[1, 2, 3, 4, None, None])
    assert "In [2]" in found.message
    assert "was edited after it ran" in found.message


FAILED = {
    "a magic": DEPLOY,
    "a magic with a name": "d = %deploy model",
    "a function": "d = nbdeploy.deploy(\n    model\n)",
}


@pytest.mark.parametrize("deploy", FAILED.values(), ids=FAILED)
def test_statements_above_a_failed_deploy_did_run(tmp_path, deploy):
    cells = [LOAD, SPLIT, f"{FIT}\n{deploy}", DEPLOY]
    assert look(tmp_path / "n.ipynb", cells, cells, failed={3: 0}) == []


def test_the_code_of_a_deploy_cell_did_run_although_the_deploy_failed(tmp_path):
    cells = ["%%deploy\ndef predict(x):\n    return x", "%deploy predict"]
    assert look(tmp_path / "n.ipynb", cells, cells, failed={1: 0}, variable="predict") == []


def test_a_setting_after_the_fit_is_reported_in_the_order_of_time(tmp_path):
    cells = ["C = 1", "C = 0.01", "clf = LR(C).fit(X, y)", "%deploy clf"]
    found = look(tmp_path / "n.ipynb", cells, [cells[0], cells[2], cells[1], cells[3]], variable="clf")
    assert (
        "clf was made in In [2], before In [3] (`C = 0.01`) ran; from top to bottom it would be made after"
        in found[0].message
    )


CLEANING = [
    "X = X[X['a'] > 10]", "X = X[(X.a > 1) & ~X['b'].isin([1, 2])]", "X = X.loc[X['a'].notna()]", "X = X[['a', 'b']]",
    "X = X.reset_index(drop=True)", "X = X.drop(columns=['z'], errors='ignore')", "X = X.rename(columns={'u': 'a'})",
    "X = pd.get_dummies(X)", "X = X.query('a > 3').dropna()", "X = X.filter(['a'])", "X = X.select_dtypes('number')",
]  # fmt: skip
ADDING = [
    "X = X[X['a'] > X['a'].mean()]", "X = X[:10]", "X = X.reset_index()", "X = X.rename(columns={'a': 'b', 'b': 'a'})",
    "X = X.query('a > a.mean()')", "X = X[X.a.shift() > 1]", "X = X[X.a.rank() > 1]",
]  # fmt: skip


@pytest.mark.parametrize(("cleaning", "adds_up"), [*((c, False) for c in CLEANING), *((c, True) for c in ADDING)])
def test_a_repeated_cleaning_is_a_finding_only_if_it_changes_the_table(tmp_path, cleaning, adds_up):
    cells = ["import pandas as pd", "X = pd.read_csv('a.csv')", cleaning, "model = make(X)"]
    found = look(tmp_path / "n.ipynb", cells, [*cells[:3], cleaning, cells[3]])
    assert bool(found) == adds_up


def test_a_filter_after_its_column_was_changed_is_another(tmp_path):
    cells = ["X = read()", "X = X[X['a'] > 10]", "X['a'] = X['a'] * 2", "model = make(X)"]
    assert look(tmp_path / "n.ipynb", cells, [*cells[:3], cells[1], cells[3]])


def test_a_fit_that_raised_is_not_the_fit():
    one, two = pd.DataFrame({"a": [1.0, 2.0]}), pd.DataFrame({"a": [3.0, 4.0]})
    model = LogisticRegression().fit(one, [0, 1])
    cells = ("model = LogisticRegression()", "model.fit(one, y)", "model.fit(two, z)")
    namespace = {"one": one, "two": two, "model": model}

    def trained(failed):
        live = Live(model, one, Source(variable="model"), cells=cells, namespace=namespace, failed=failed)
        return find_training(live, ("a",))

    assert isinstance(found := trained({3: 1}), TrainingTable)
    assert (found.expression, found.cell) == ("one", 2)
    assert isinstance(trained({2: 1, 3: 1}), TrainingUnknown)
