"""Static analysis of executed cells: statements, effects, and provenance."""

import ast

import pytest

from jupyter_deploy.notebooks.syntax import cells_behind, effects_of, statements_in, statements_of

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
    "a timed fit is a fit": ("clf", ("clf = LR()", "x = %time clf.fit(X)", "%%bash\nls", "b = 1"), [1, 2]),
    "what cannot be parsed is kept": ("clf", ("clf = LR()", "clf.fit(X", "b = 1"), [1, 2]),
    "a loop within a branch trains too": ("net", ("net = Net()", "if a:\n    for b in c:\n        net(b)"), [1, 2]),
    "what both branches bind is replaced": ("a", ("a = 1", "if b:\n    a = 2\nelse:\n    a = 3"), [2]),
    "what a cell binds before it reads is not needed from before": ("a", ("x = 1", "x = 2\na = f(x)"), [2]),
    "what an annotation names is needed": ("f", ("class Row:\n    pass", "def f(x: Row):\n    return x"), [1, 2]),
    "a lambda reads when it is called": ("f", ("f = lambda x: x * k", "k = 4"), [1, 2]),
    "a comment is no code": (None, ("# a", "b = 1"), [2]),
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


SOURCES = {
    "a magic over Python": ("%%time\na = 1\nb = 2", ["a = 1", "b = 2"]),
    "a cell of another language": ("%%bash\nls", []),
    "what %%timeit binds is its own": ("%%timeit -n 1\nb = 2\nprint(b)\nm.fit(X)", ["m.fit(X)"]),
    "a timed line": ("a = 1\n%time m.fit(X)", ["a = 1", "m.fit(X)"]),
    "a timed line in a loop": ("for m in ms:\n    %time m.fit(X)", ["for m in ms:\n    m.fit(X)"]),
    "a timed value": ("m = %time fit(X)", ["m = fit(X)"]),
    "magics, shell lines and questions": ("%matplotlib inline\n!ls\na?\n%time !ls\n%time a b\nb = 1", ["b = 1"]),
    "a text that looks like a magic": ('a = """\\n%b\\n"""', ["a = '\\n%b\\n'"]),
    "empty lines before": ("\n  \n  a = 1", ["a = 1"]),
    "nothing": ("# a", []),
    "what cannot be parsed": ("a = (", None),
}  # fmt: skip


@pytest.mark.parametrize(("source", "expected"), SOURCES.values(), ids=SOURCES)
def test_the_statements_of_a_cell(source, expected):
    found = statements_in(1, source)
    assert expected == (found if found is None else [statement.text for statement in found])


def test_lines_are_counted_as_ipython_does():
    (first, second) = statements_of(["\n\na = 1\n%time b = 2", "a = ("])
    assert (first.tree.lineno, second.tree.lineno, second.cell) == (1, 2, 1)


# source: reads, binds, may_bind, changes
EFFECTS = {
    "a = b\nc = a": ("b", "a c", "", ""),
    "a += 1": ("a", "a", "", ""),
    "a['b'] = c": ("a c", "", "", "a"),
    "for a.b in c:\n    pass": ("a c", "", "", "a"),
    "a.drop(1, inplace=True)": ("a", "", "", "a"),
    "a.drop(1, inplace=False)": ("a", "", "", ""),
    "a.copy().drop(1, inplace=True)": ("a", "", "", ""),
    "a = [b for b in c]": ("c", "a", "", ""),
    "a = [(b := c) for c in d]": ("d", "a b", "", ""),
    "[a.fit(b) for a in c]": ("b c", "", "", ""),
    "def f(a, b=c):\n    d = a\n    e.append(d)": ("c e", "f", "", ""),
    "if a:\n    def f():\n        b.append(1)": ("a b", "", "f", ""),
    "if a:\n    b = c = 1\nelse:\n    c = 2": ("a", "c", "b", ""),
    "try:\n    a = b\nexcept E as e:\n    print(e)": ("b E print", "a e", "a e", ""),
    "match a:\n    case [b, *c]:\n        d = b": ("a", "b c", "b c d", ""),
    "with a as b:\n    b.append(1)": ("a", "b", "", ""),
    "import a.b as c, d.e": ("", "c d", "", ""),
    "async def f():\n    await a": ("a", "f", "", ""),
}


@pytest.mark.parametrize("source", EFFECTS)
def test_what_statements_do_to_names(source):
    found = effects_of(ast.parse(source).body)
    done = (found.reads, found.binds, found.may_bind, found.changes)
    assert done == tuple(set(names.split()) for names in EFFECTS[source])


def test_an_import_touches_nothing_that_is_there():
    assert effects_of(ast.parse("import a\nb = 1").body).touched == {"b"}
