"""The check for a stale kernel, on executed cells and notebook files."""

import os
from types import SimpleNamespace

import nbformat
import pytest
from sklearn.linear_model import LogisticRegression, SGDClassifier

from jupyter_deploy.capture.checks.notebook import stale_kernel
from jupyter_deploy.domain.capture.artifacts import Source
from jupyter_deploy.domain.capture.ports import Live

LOAD = "import pandas as pd\ndf = pd.read_csv('a.csv')"
SPLIT = "X, y = df[['a', 'b']], df['y']"
FIT = "model = LogisticRegression()\nmodel.fit(X, y)"
PLOT = "import matplotlib.pyplot as plt\nplt.plot(X['a'])\nplt.show()"
DEPLOY = "%deploy model --name churn --example X[:5]"
TRAIN = """
for epoch in range(3):
    for xb, yb in loader:
        loss = lossf(net(xb), yb)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
"""
NET = "net = Net()\noptimizer = torch.optim.SGD(net.parameters(), lr=0.1)"


def look(path, cells, ran, *, variable="model", namespace=None, failed=None, counts=None, saved=True):
    """The findings for a file of cells after ``ran``; ``counts``: as saved, by default those of the last runs."""
    last = {source: number for number, source in enumerate(ran, 1)}
    counts = counts or [last.get(cell) for cell in cells]
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(c, execution_count=n) for c, n in zip(cells, counts, strict=True)]
    )
    nbformat.write(notebook, path)
    if not saved:
        os.utime(path, (1, 1))
    live = Live(
        None, None, Source(notebook=str(path), variable=variable), cells=ran, namespace=namespace or {},
        failed=failed or {}, project=path.parent,
    )  # fmt: skip
    return list(stale_kernel(SimpleNamespace(live=live)))


CALM = {
    "each cell once": [LOAD, SPLIT, FIT, DEPLOY],
    "a plot again": [LOAD, SPLIT, FIT, PLOT, PLOT, DEPLOY],
    "a plot that has gone from the file": [LOAD, SPLIT, "df.describe()", FIT, DEPLOY],
    "the training twice": [LOAD, SPLIT, FIT, FIT, DEPLOY],
    "everything twice": [LOAD, SPLIT, FIT, PLOT, LOAD, SPLIT, FIT, DEPLOY],
    "an older version of a cell, then all again": ["df = None", FIT.replace("()", "(C=3)"), LOAD, SPLIT, FIT, DEPLOY],
    "imports again, and late": [LOAD, SPLIT, "import pandas as pd", FIT, "import pandas as pd", DEPLOY],
    "deployed twice": [LOAD, SPLIT, FIT, DEPLOY, DEPLOY],
    "independent cells in another order": [PLOT, LOAD, SPLIT, FIT, DEPLOY],
    "a cell that is not Python": [LOAD, "%%bash\nls", "!ls", SPLIT, "%%writefile x.py\nX = 1", FIT, DEPLOY],
    "comments and spaces edited": [LOAD, SPLIT + "  # both", FIT, DEPLOY],
    "a timed cell": [LOAD, SPLIT, "%%time\n" + FIT, DEPLOY],
    "a timed line": [LOAD, SPLIT, FIT.replace("model.fit", "%time model.fit"), "%time !ls", "%time a b", "(", DEPLOY],
    "a strange escape": [LOAD, SPLIT, "pattern = '\\d'", FIT, DEPLOY],
    "a cell that raised before it did anything": [LOAD, SPLIT, FIT, "X = X.drop(columns='zz')", DEPLOY],
}


@pytest.mark.parametrize("ran", CALM.values(), ids=CALM)
def test_what_leaves_the_model_as_the_notebook_makes_it_is_no_finding(tmp_path, ran):
    failed = {number: 1 for number, source in enumerate(ran, 1) if "zz" in source}
    assert look(tmp_path / "n.ipynb", [LOAD, SPLIT, FIT, PLOT, DEPLOY], ran, failed=failed) == []


STATE = {
    "estimator fitted apart": (["model = LogisticRegression()", "model.fit(X, y)"], [1]),
    "a column made of another": ([LOAD, "df['c'] = df['a'] * 2", "model = make(df)"], [1]),
    "a cleaning that changes nothing twice": (
        [LOAD, "df = df.dropna()", "df['a'] = df['a'].fillna(0)", "model = make(df)"],
        [1, 2],
    ),
    "a function defined in a branch": (["if True:\n    def fit():\n        rows.append(1)", "model = make(rows)"], [0]),
    "a comprehension over others": (["m = LR()", "[m.fit(X, y) for m in others]", "model = wrap(m)"], [1]),
    "an import that may fail": (
        ["try:\n    import fast\nexcept ImportError as why:\n    fast = why", "model = fast.fit()"],
        [0],
    ),
    "a benchmark": (["x = 1", "%%timeit\nx = x + 1", "model = make(x)"], [1]),
    "a list made anew": (["rows = []\nrows.append(1)", "model = make(rows)"], [0]),
    "a comprehension with another's name": (
        ["x = 1", "s = [x for x in y]", "x = 2", "print(x)", "model = make(s)"],
        [1, 3],
    ),
    "a loop whose names it sets itself": (["for c in (1, 2):\n    best = c\n    model = make(best)"], [0]),
    "a function defined again": (["def model(rows):\n    return clf.predict(rows)"], [0]),
    "a split": (["X_train, X_test = train_test_split(X)", "model = make(X_train)"], [0, 1]),
    "a function that fits": (["def fit(m):\n    m.fit(X, y)", "model = LogisticRegression()", "fit(model)"], [2]),
    "looking at the model": ([FIT, "model.predict(X)", "evaluate(model, X)"], [1, 2]),
}


@pytest.mark.parametrize(("cells", "again"), STATE.values(), ids=STATE)
def test_a_cell_that_does_the_same_when_it_runs_again_is_no_finding(tmp_path, cells, again):
    ran = [*cells[: again[-1] + 1], *[cells[i] for i in again], *cells[again[-1] + 1 :]]
    assert look(tmp_path / "n.ipynb", cells, ran) == []


ADDS_UP = {
    "x = x + 1": (["x = 1", "x = x + 1", "model = make(x)"], [1]),
    "x += 1": (["x = 1", "x += 1", "model = make(x)"], [1]),
    "what %%timeit changes": (["rows = []", "%%timeit\nrows.append(1)", "model = make(rows)"], [1]),
    "a timed value": (["rows = []", "x = %time rows.append(1)", "model = make(rows)"], [1]),
    "append": (["rows = []", "rows.append(1)", "model = make(rows)"], [1]),
    "a column scaled": (["df = load()", "df['a'] = df['a'] / 2", "model = make(df)"], [1]),
    "partial_fit": (["model = SGDClassifier()", "model.partial_fit(X, y)"], [1]),
    "a training loop of torch": ([NET, TRAIN, "model = net"], [1]),
    "a training function of the notebook": (
        [NET, "def train(opt, rows):\n    for row in rows:\n        opt.step()", "train(optimizer, loader)",
         "model = net"], [2]),
    "a training function of a module": (["from mine import train", NET, "train(net, loader)", "model = net"], [2]),
    "a trainer": (["net = Net()", "trainer = Trainer(net)", "trainer.train()", "model = net"], [2]),
}  # fmt: skip


@pytest.mark.parametrize(("cells", "again"), ADDS_UP.values(), ids=ADDS_UP)
def test_a_cell_whose_effects_add_up_must_not_have_run_twice(tmp_path, cells, again):
    ran = [*cells[: again[-1] + 1], *[cells[i] for i in again], *cells[again[-1] + 1 :]]
    namespace = {"trainer": object()}
    found = look(tmp_path / "n.ipynb", cells, ran, namespace=namespace)
    first = again[0] + 1
    assert found, "there is a finding"
    assert f"ran 2 times (In [{first}] and In [{first + 1}]), and its effect accumulates" in found[0].message
    assert look(tmp_path / "n.ipynb", cells, cells, namespace=namespace) == []


def test_a_fit_that_goes_on_from_the_last_one_adds_up_and_one_that_begins_anew_does_not(tmp_path):
    cells = ["model = SGDClassifier(warm_start=True)", "model.fit(X, y)"]
    ran = [*cells, cells[1]]
    assert look(tmp_path / "n.ipynb", cells, ran, namespace={"model": SGDClassifier(warm_start=True)})
    assert not look(tmp_path / "n.ipynb", cells, ran, namespace={"model": LogisticRegression()})


def test_a_cell_edited_after_it_ran_is_named_with_its_first_line(tmp_path):
    cells = [LOAD, SPLIT, FIT.replace("()", "(C=9)"), DEPLOY]
    (found,) = look(tmp_path / "n.ipynb", cells, [LOAD, SPLIT, FIT, DEPLOY], counts=[1, 2, 3, 4])
    assert (found.check, found.severity, found.cell) == ("stale-kernel", "warning", 3)
    assert "In [3] (`model = LogisticRegression()`) was edited after it ran" in found.message
    assert "the saved notebook" in found.message
    assert "run all cells from the top" in found.remedy


def test_a_cell_that_was_deleted_after_it_ran_is_named(tmp_path):
    ran = [LOAD, "df = df[df['a'] > 3]", SPLIT, FIT, DEPLOY]
    (found,) = look(tmp_path / "n.ipynb", [LOAD, SPLIT, FIT, DEPLOY], ran)
    assert "In [2] (`df = df[df['a'] > 3]`) is no longer in the notebook" in found.message


def test_a_cell_of_the_notebook_that_was_not_run_is_named(tmp_path):
    cells = [LOAD, "df = df.dropna()", SPLIT, FIT, DEPLOY]
    (found,) = look(tmp_path / "n.ipynb", cells, [LOAD, SPLIT, FIT, DEPLOY])
    assert "its cell 2 (`df = df.dropna()`) was not run" in found.message


def test_a_name_that_was_assigned_again_before_the_model_was_made_is_named(tmp_path):
    cells = [LOAD, SPLIT, FIT, DEPLOY, "X = X[:10]"]
    found = look(tmp_path / "n.ipynb", cells, [LOAD, SPLIT, "X = X[:10]", FIT, DEPLOY])
    assert "In [3] (`X = X[:10]`) contributed to it" in found[0].message


def test_cells_that_ran_in_another_order_are_named(tmp_path):
    cells = ["x = 2", "x = x * 3", "x = x + 1", "model = make(x)"]
    found = look(tmp_path / "n.ipynb", cells, [cells[0], cells[2], cells[1], cells[3]])
    assert "In [2] (`x = x + 1`) used the 'x' of In [1] (`x = 2`)" in found[0].message


def test_cells_below_the_deploy_do_not_count(tmp_path):
    cells = [LOAD, SPLIT, FIT, DEPLOY, "model = calibrated(model)"]
    assert look(tmp_path / "n.ipynb", cells, cells[:4]) == []
    assert look(tmp_path / "n.ipynb", [*cells[:3], *cells[4:], DEPLOY], cells[:4])


def test_an_interrupted_training_is_a_finding(tmp_path):
    cells = [NET, TRAIN, "model = net"]
    found = look(tmp_path / "n.ipynb", cells, cells, failed={2: 4})
    assert "its cell 2 (`for epoch in range(3):`) was not run, or not to its end" in found[0].message


def test_a_class_defined_again_after_the_model_was_made_is_a_finding(tmp_path):
    former, latter = "class Net:\n    size = 1", "class Net:\n    size = 2"
    cells = [latter, "model = Net()"]
    found = look(tmp_path / "n.ipynb", cells, [former, cells[1], latter], counts=[3, 2])
    assert "In [1] (`class Net:`) is no longer in the notebook" in found[0].message


def test_what_a_function_uses_counts_as_it_is_when_the_function_is_deployed(tmp_path):
    function = "def predict(rows):\n    return clf.predict(rows)"
    cells = [function, "clf = make(1)", DEPLOY]
    assert not look(tmp_path / "n.ipynb", cells, cells, variable="predict")
    (found,) = look(tmp_path / "n.ipynb", cells, [*cells[:2], "clf = make(2)", cells[2]], variable="predict")
    assert "In [3] (`clf = make(2)`) is no longer in the notebook" in found.message


def test_a_notebook_that_was_not_saved_since_gives_a_note_and_no_alarm(tmp_path):
    other = FIT.replace("()", "(C=9)")
    (found,) = look(
        tmp_path / "n.ipynb", [LOAD, SPLIT, FIT, DEPLOY], [LOAD, SPLIT, FIT, other, DEPLOY], counts=[1, 2, 3, None]
    )
    assert found.severity == "note"
    assert "saved notebook lacks In [4] (`model = LogisticRegression(C=9)`)" in found.message
    assert "save the notebook" in found.remedy
    # The numbers in a file that an earlier kernel left say nothing of this one's.
    (found,) = look(tmp_path / "n.ipynb", [LOAD, SPLIT, FIT], [LOAD, SPLIT, other], counts=[7, 8, 9], saved=False)
    assert found.severity == "note"


def test_without_a_notebook_that_can_be_read_nothing_is_claimed(tmp_path):
    live = Live(None, None, Source(notebook=str(tmp_path / "gone.ipynb"), variable="model"), cells=[FIT])
    assert list(stale_kernel(SimpleNamespace(live=live))) == []
    (tmp_path / "torn.ipynb").write_text('{"cells": [')
    live = Live(None, None, Source(notebook=str(tmp_path / "torn.ipynb"), variable="model"), cells=[FIT])
    assert list(stale_kernel(SimpleNamespace(live=live))) == []
