"""Which executed cells a model came from."""

import pytest

from jupyter_deploy.domain.cells import cells_behind

ESTIMATOR = (
    "import numpy as np",
    "%load_ext jupyter_deploy",
    "X = np.ones((3, 1))",
    "X.head()",
    "import matplotlib.pyplot as plt\nplt.plot(X)",
    "clf = LogisticRegression(C=C)",
    "clf.fit(X, y)",
    "acc = clf.score(X, y)\nprint(acc)",
    '%deploy clf --name churn --example "X[:5]"',
)
LOOP = (
    "class Net(Module):\n    pass",
    "net = Net()",
    "optimizer = SGD(net.parameters())",
    "for batch in data:\n    loss = error(net(batch))\n    loss.backward()\n    optimizer.step()",
    "print(net)",
)
CASES = {
    "what only looks is left out": ("clf", ESTIMATOR, [1, 3, 6, 7]),
    "a loop that reads the model trains it": ("net", LOOP, [1, 2, 3, 4]),
    "a function of the notebook's own may train what it is given": (
        "net", ("def train(m):\n    m.w = 1", "net = make()", "history = train(net)", "show(net)"), [1, 2, 3],
    ),
    "a former run that was replaced is left out": ("clf", ("C = 1", "clf = LR(C)", "C = 2", "clf = LR(C)"), [3, 4]),
    "of equal runs the last one counts": ("clf", ("clf = LR()", "b = 2", "clf = LR()", "clf = LR()"), [4]),
    "changes in place count": (
        "df", ("df = read()", "df = df.dropna()", "df['x'] = 1", "df += 1", "e = 2"), [1, 2, 3, 4],
    ),
    "a global that a function reads counts as bound last": ("f", ("def f(x):\n    return x * k", "k = 4"), [1, 2]),
    "a branch may leave the former value": ("a", ("a = 1", "if b:\n    a = 2"), [1, 2]),
    "what cannot be parsed is kept": ("clf", ("clf = LR()", "x = %time clf.fit(X)", "%%bash\nls", "b = 1"), [1, 2]),
    "a cell over which a magic stands is Python": ("clf", ("%%time\nclf = LR()", "b = 1"), [1]),
    "a star import may bring anything": ("clf", ("from tools import *", "clf = make()"), [1, 2]),
    "an expression's names are all needed": ("models['a']", ("models = {}", "models['a'] = LR()", "b = 1"), [1, 2]),
    "without a variable all code counts": (None, ("a = 1", "", "%magic", "b = 1", "a = 1"), [4, 5]),
    "a variable that no cell makes leaves all code": ("model", ("a = 1", "b = 1"), [1, 2]),
}  # fmt: skip


@pytest.mark.parametrize(("variable", "sources", "expected"), CASES.values(), ids=CASES)
def test_the_cells_behind_a_model(variable, sources, expected):
    assert [cell.number for cell in cells_behind(sources, variable)] == expected


def test_a_very_deep_expression_is_kept_and_hinders_nothing():
    deep = "clf = " + "+".join(["x"] * 5000)
    assert [cell.number for cell in cells_behind(("x = 1", deep), "clf")] in ([1, 2], [2])
