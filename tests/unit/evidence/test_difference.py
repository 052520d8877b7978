"""The difference of two snapshots."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from jupyter_deploy.domain.base import Value
from jupyter_deploy.domain.capture.difference import difference
from jupyter_deploy.domain.capture.findings import Finding
from jupyter_deploy.domain.capture.source_changes import Cell
from jupyter_deploy.domain.secret_names import HIDDEN, is_confidential, mask_literals
from jupyter_deploy.faces.render.page import as_html, as_text
from jupyter_deploy.faces.render.render import html, page, text
from tests.manifests import ROWS, signature, snapshot


def numbered(*sources):
    return [Cell(number=number, source=source) for number, source in enumerate(sources, 1)]


def told(changes):
    return {change.name: (change.kind, change.before, change.after) for change in changes}


def test_a_snapshot_and_itself_differ_in_nothing():
    one = snapshot(hyperparameters={"C": 1.0}, features=("age", "weight"), metrics={"acc": 0.9})
    found = difference(one, one, cells=(numbered("clf = LR()"), numbered("clf = LR()")))
    assert found.words == ()
    empty = {name for name, value in found.model_dump().items() if value == ()}
    assert empty >= {"model", "features", "hyperparameters", "training", "metrics", "dependencies", "signature"}
    assert empty >= {"breaks", "cells", "code"}
    assert (found.answers.compared, found.answers.differ) == (2, 0)


def test_the_summary_names_interpreter_or_example_without_other_changes():
    one = snapshot()
    environment = one.manifest.environment.model_copy(update={"interpreter": "/other/python"})
    other = [{"age": 31, "weight": 60.5}, ROWS[1]]
    assert difference(one, snapshot(environment=environment)).words == ("different interpreter",)
    assert difference(one, snapshot(rows=other)).words == ("only a different example",)
    assert difference(one, snapshot(rows=other, metrics={"acc": 1.0})).words == ("1 metric changed",)
    assert difference(one, snapshot(variable="best")).words == ("different variable",)
    assert "what was learnt may differ" in text(difference(one, one))


def test_each_subject_shows_both_values():
    one = snapshot("tumour:a", hyperparameters={"C": 1.0, "clf__tol": 0.1, "gone": 1}, metrics={"acc": 0.9, "auc": 0.8})
    two = snapshot(
        "tumour:b",
        kind="sklearn.svm.SVC",
        python="3.12.1",
        distributions={"scikit-learn": "1.9.0", "numpy": "2.4"},
        hyperparameters={"C": 0.1, "clf__tol": 0.1, "new": None},
        metrics={"acc": 0.95},
        dirty=True,
    )
    found = difference(one, two)
    assert told(found.hyperparameters) == {
        "C": ("changed", 1.0, 0.1), "new": ("added", None, None), "gone": ("removed", 1, None),
    }  # fmt: skip
    assert told(found.metrics) == {"acc": ("changed", 0.9, 0.95), "auc": ("removed", 0.8, None)}
    assert told(found.dependencies) == {
        "Python": ("changed", "3.11.7", "3.12.1"),
        "scikit-learn": ("changed", "1.8.0", "1.9.0"),
        "numpy": ("added", None, "2.4"),
    }
    assert told(found.model) == {
        "class": ("changed", "sklearn.linear_model.LogisticRegression", "sklearn.svm.SVC"),
        "commit": ("changed", "0123456789", "0123456789 with uncommitted changes"),
    }
    words = ", ".join(found.words)
    for phrase in ("LogisticRegression -> SVC", "C 1.0 -> 0.1", "acc 0.9 -> 0.95", "scikit-learn 1.8.0 -> 1.9.0"):
        assert phrase in words


def test_features_are_added_removed_retyped_and_reordered():
    rows = [{"weight": 60, "height": 1.8, "age": None}]
    one = snapshot(features=("age", "weight", "sex"))
    two = snapshot("tumour:b", rows=rows, answers=["no"], features=("weight", "height", "age"))
    found = difference(one, two)
    assert told(found.features) == {
        "weight": ("changed", "number", "integer"),
        "height": ("added", None, "number"),
        "age": ("changed", "integer", "null"),
        "sex": ("removed", "", None),
        "(order)": ("changed", "age, weight", "weight, age"),
    }
    assert found.words[:4] == ("+1 feature", "-1 feature", "2 features re-typed", "features re-ordered")
    assert any("takes" in line or "has" in line for line in found.breaks)


def test_the_columns_of_the_example_are_the_features_where_the_model_knows_none():
    found = difference(snapshot(), snapshot(rows=[{"age": 30}], answers=["no"]))
    assert told(found.features) == {"weight": ("removed", "number", None)}


def test_differences_of_schemas_are_reported_by_location_and_a_columns_type_once():
    closed = signature(answer_dtype="int64")
    wide = signature(answer_dtype="float64")
    closed.instance_schema["properties"]["age"] = {"type": "integer", "minimum": 0, "maximum": 90}
    wide.instance_schema["properties"]["age"] = {"type": "number", "minimum": 0, "maximum": 120}
    found = difference(snapshot(signature=closed), snapshot(signature=wide))
    assert told(found.signature) == {
        "answer type": ("changed", "int64", "float64"), "instance.age: maximum": ("changed", 90, 120),
    }  # fmt: skip
    assert told(found.features) == {"age": ("changed", "integer", "number")}
    assert found.breaks == ()
    back = difference(snapshot(signature=wide), snapshot(signature=closed))
    assert back.breaks
    assert back.words[-1] == "incompatible signature"


class Training(Value):
    rows: int
    sha256: str = "0"
    ranges: dict[str, tuple[str, str]]


def test_training_data_is_compared_whatever_is_known_of_it():
    one, two = snapshot(), snapshot("tumour:b")
    for side, rows, last in ((one, 400, "2026-01-01"), (two, 500, "2026-02-01")):
        vars(side.manifest)["training"] = Training(rows=rows, ranges={"day": ("2025-01-01", last)})
    found = difference(one, two)
    assert told(found.training) == {
        "rows": ("changed", 400, 500),
        "ranges.day": ("changed", ["2025-01-01", "2026-01-01"], ["2025-01-01", "2026-02-01"]),
    }
    assert found.words == ("training rows 400 -> 500",)
    vars(two.manifest)["training"] = one.manifest.training.model_copy(update={"sha256": "1"})
    assert difference(one, two).words == ("different training data",)
    vars(two.manifest)["training"] = None
    assert {c.kind for c in difference(one, two).training} == {"removed"}
    assert difference(one, two).words == ("description of the training data",)


def test_cells_are_matched_by_their_likeness_and_code_by_its_path():
    one = numbered("import a", "X = load()\nX = X.dropna()\ny = X.pop('y')", "clf = LR(C=1).fit(X, y)")[1:]
    two = numbered(
        "b = 1", "X = load()\nX = X.dropna()\nX['ratio'] = X.a / X.b\ny = X.pop('y')", "def w(y):\n    return y",
        "clf = LR(C=1).fit(X, w(y))",
    )[1:]  # fmt: skip
    found = difference(snapshot(), snapshot("tumour:b"), cells=(one, two))
    kinds = {change.name: (change.kind, change.added, change.removed) for change in found.cells}
    assert kinds == {
        "In [2] -> In [2]": ("changed", 1, 0),
        "In [3]": ("added", 2, 0),
        "In [3] -> In [4]": ("changed", 1, 1),
    }
    assert "+X['ratio'] = X.a / X.b" in found.cells[0].hunks[0]
    assert "3 cells changed" in found.words


def test_packed_sources_are_compared_by_line_if_present_else_by_name():
    def packed(tag, **texts):
        files = {f"code/{name}.py": hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items()}
        return snapshot(tag, files={"model.pkl": tag} | files), {f"code/{n}.py": t for n, t in texts.items()}

    one, before = packed("tumour:a", clean="def clean(x):\n    return x\n", old="a = 1\n", same="b = 1\n")
    two, after = packed("tumour:b", clean="def clean(x):\n    return x.strip()\n", new="c = 1\n", same="b = 1\n")
    found = difference(one, two, sources=(before, after)).code
    kinds = {change.name: (change.kind, change.added, change.removed) for change in found}
    assert kinds == {"clean.py": ("changed", 1, 1), "new.py": ("added", 1, 0), "old.py": ("removed", 0, 1)}
    assert {(c.name, c.kind, c.hunks) for c in difference(one, two).code} == {
        ("clean.py", "changed", ()), ("new.py", "added", ()), ("old.py", "removed", ()),
    }  # fmt: skip
    assert "code clean.py" not in text(difference(one, two))
    assert "file clean.py changed" in text(difference(one, two))


def test_answers_on_the_instances_that_both_examples_hold():
    more = [*ROWS, {"age": 50, "weight": 80.0}]
    found = difference(snapshot(), snapshot("tumour:b", rows=more, answers=["no", "no", "yes"])).answers
    assert (found.compared, found.differ) == (2, 1)
    (flipped,) = found.changes
    assert (flipped.instance, flipped.before, flipped.after) == (ROWS[1], "yes", "no")
    one = snapshot(signature=signature(answers=[0.5, 0.25], answer_dtype="float64"), predictions=[0.5, 0.25])
    two = one.model_copy(update={"manifest": one.manifest.model_copy(update={"predictions": [0.5 + 1e-12, 0.75]})})
    numbers = difference(one, two).answers
    assert (numbers.differ, numbers.largest) == (1, 0.5)
    other = difference(one, snapshot(rows=[{"age": 1, "weight": 2.0}], answers=["no"])).answers
    assert other.problem == "their examples have no instance in common"


def test_values_under_a_secrets_name_are_never_shown():
    cell = 'client = Client(api_key="{0}", user="ada")\nDB_PASSWORD: str = "{0}"\nclf = f(client, DB_PASSWORD, {1})'
    secrets = ("s3cr3t-one", "s3cr3t-two")
    one, two = (snapshot(hyperparameters={"hub_token": secret, "o": {"password": secret}}) for secret in secrets)
    cells = tuple(numbered(cell.format(secret, number)) for number, secret in enumerate(secrets))
    found = difference(one, two, cells=cells)
    for said in (found.model_dump_json(), text(found), html(found)):
        assert "s3cr3t" not in said
    assert told(found.hyperparameters)["hub_token"] == ("changed", HIDDEN, HIDDEN)
    assert "hub_token changed" in found.words
    assert 'user="ada"' in found.cells[0].hunks[0]


def test_which_names_say_a_secret():
    says = ("api_key", "apiKey", "OPENAI_API_KEY", "dbPassword", "hub__token", "token", "client_secret", "credentials")
    says_not = (
        "token_pattern",
        "max_tokens",
        "pad_token",
        "eos_token",
        "tokenizer",
        "sort_key",
        "key",
        "secretary",
        "C",
    )
    assert [name for name in (*says, *says_not) if is_confidential(name)] == list(says)


@given(st.text(alphabet="ab'\"\\\n=:( #[]{}", max_size=60))
def test_masking_leaves_sources_without_such_names_as_they_are(source):
    assert mask_literals(source) == source


def test_a_terminal_shows_forty_hunks_and_counts_the_others():
    one = numbered(*(f"x{i} = {i}\nu{i} = a\nv{i} = b\nw{i} = c" for i in range(50)))
    two = numbered(*(f"x{i} = {i + 1}\nu{i} = a\nv{i} = b\nw{i} = c" for i in range(50)))
    found = difference(snapshot(), snapshot(), cells=(one, two))
    assert len(found.cells) == 50
    said = text(found)
    assert said.count("@@ -1,4 +1,4 @@") == 40
    assert "… and 10 more (-o json has all)" in said
    assert found.model_dump_json().count("@@ -1,4 +1,4 @@") == 50


def test_the_page_is_escaped_and_closed_where_a_source_holds_markup():
    cells = numbered("clf = '<b>'"), numbered("clf = '<script>alert(1)</script>'")
    found = difference(snapshot(), snapshot(), cells=cells)
    assert "<script>" not in as_html(page(found))
    assert "<script>" in as_text(page(found))


def test_two_long_values_are_shown_where_they_differ():
    steps = (
        "[('impute', SimpleImputer(strategy='{}')), ('scale', StandardScaler()), ('model', LogisticRegression(C={}))]"
    )
    one, two = (snapshot(hyperparameters={"steps": steps.format("mean", c), "n": n}) for c, n in ((1, 1), (10, "1")))
    (table,) = page(difference(one, two)).tables
    rows = {row[0]: row[2:] for row in table.rows}
    assert [side.partition("Logistic")[2] for side in rows["steps"]] == ["Regression(C=1))]", "Regression(C=10))]"]
    assert all(side.startswith("…") for side in rows["steps"])
    assert rows["n"] == ("1 (int)", "1 (str)"), "alike in words"
    sides = ([["x" * 200] * 3, 1], [["x" * 200] * 3, 2])
    found = difference(*(snapshot(hyperparameters={"steps": side}) for side in sides))
    before, after = page(found).tables[0].rows[0][2:]
    assert (before[-2:], after[-2:]) == ("1]", "2]")


def test_a_module_captured_by_value_is_not_reported_as_removed():
    text_ = "def price(x):\n    return x\n"
    digest = hashlib.sha256(text_.encode()).hexdigest()
    message = "the module shop.rules differs from its file (price: edited since it was loaded); captured was …"
    edited = (Finding(check="edited-module", severity="warning", message=message),)
    files = {"model.pkl": "0", "code/shop/rules.py": digest, "code/gone.py": digest}
    one, two = snapshot(files=files), snapshot("tumour:b", findings=edited)
    texts = {name: text_ for name in files if name.startswith("code/")}
    found = difference(one, two, sources=(texts, {}))
    assert [(c.name, c.kind, c.removed) for c in found.code] == [
        ("gone.py", "removed", 2),
        ("shop/rules.py", "changed", 0),
    ]
    titles = [block.title for block in page(found).blocks]
    said = (
        "file shop/rules.py changed: its file differed from the loaded module, "
        "so tumour:b holds the loaded module, not the file"
    )
    assert titles == ["file gone.py removed (+0 -2)", said]
    (_, back) = difference(two, one, sources=({}, texts)).code
    assert (back.kind, back.added) == ("changed", 0)
    assert back.note.startswith("its file differed from the loaded module, so tumour:b holds")
