"""JupyterLab's silent queries to a real kernel: models, previews, and problems of typed values."""

import json

import psutil
import pytest

from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.store.store import SqliteStore
from tests import manifests, notebooks
from tests.command_lines import command_line
from tests.kernels import kernel
from tests.releases import release

CELLS = (
    "import numpy as np, pandas as pd\nfrom sklearn.linear_model import LogisticRegression\n"
    "X = pd.DataFrame({'age': np.arange(50.0), 'dose': np.arange(50.0)[::-1]})\ny = (X['age'] > 25).astype(int)",
    "clf = LogisticRegression().fit(X, y)",
    "X_test, y_test = X[30:], y[30:]",
)


@pytest.fixture(scope="module")
def trained(shared_home):
    """A kernel in which a notebook was run."""
    folder = shared_home.path / "project"
    environment = {**shared_home.environment, "JPY_SESSION_NAME": str(folder / "churn.ipynb")}
    with kernel(environment, folder) as made:
        made.run(*CELLS)
        yield made


def checked(kernel, **fields):
    """What is wrong with the fields of a deploy, and else right ones, by field."""
    right = {"name": "churn", "model": "clf", "example": "X_test[:5]"}
    document = {name: value for name, value in (right | fields).items() if value is not None}
    while not (answer := kernel.ask("check", json.dumps(document)))["complete"]:
        pass  # a notebook of many cells, or a busy machine
    return {one["field"]: one for one in answer["problems"]}


def compared(kernel, **fields):
    """What is wrong with the fields of a choice, and else right ones, by field."""
    right = {"models": ["clf"], "x": "X_test", "y": "y_test"}
    answer = kernel.ask("check_candidates", json.dumps(right | fields))
    return {one["field"]: f"{one['message']}: {one['remedy']}" for one in answer["problems"]}


def test_the_kernel_tells_of_its_model_and_of_itself(trained, shared_home):
    found = trained.ask("found")
    assert found["notebook"] == str(shared_home.path / "project" / "churn.ipynb")
    assert found["home"] == str(shared_home.path / "nbdeploy")
    assert str(found["pid"]) == trained.run("import os; print(os.getpid())").strip()
    (model,) = found["models"]
    assert (model["variable"], model["framework"], model["cell"]) == ("clf", "sklearn", 2)
    assert [one["expression"] for one in model["examples"]] == ["X_test[:5]", "X[:5]"]


def test_a_query_leaves_no_trace_in_the_notebook(trained):
    state = "print(len(In), sorted(Out), sorted(name for name in globals() if not name.startswith('_')))"
    trained.run(state)
    before = trained.run(state)
    trained.ask("found")
    trained.ask("preview", "X_test[:5]")
    checked(trained)
    assert trained.printed() == []
    after = trained.run(state)
    assert int(after.split()[0]) == int(before.split()[0]) + 1
    assert after.split(" ", 1)[1] == before.split(" ", 1)[1]


def test_a_busy_kernel_tells_of_its_models_by_a_subshell(trained, shared_home):
    subshell, flag = trained.subshell(), shared_home.path / "flag"
    wait = f"import pathlib, time\nwhile not pathlib.Path({str(flag)!r}).exists():\n    time.sleep(0.05)"
    busy = trained.begin(f"later = LogisticRegression().fit(X, y)\n{wait}")
    try:
        while "later" not in (names := [one["variable"] for one in trained.ask("found", subshell=subshell)["models"]]):
            assert names == ["clf"]  # the cell has begun, perhaps
        assert names == ["later", "clf"]
        assert trained.ask("preview", "X_test[:5]", subshell=subshell)["problem"] == ""
    finally:
        flag.touch()
    assert trained.reply(busy)["status"] == "ok"
    trained.run("del later")


def test_a_preview_has_the_first_rows_or_says_why_not(trained):
    shown = trained.ask("preview", "X_test[:5]")
    assert shown["columns"] == ["age", "dose"]
    assert shown["rows"][0] == ["30", "19"]
    assert shown["words"] == "5 rows, 2 columns"
    missing = trained.ask("preview", "X_tset[:5]")
    assert missing["problem"] == "there is no variable 'X_tset' in this notebook"
    assert missing["remedy"].startswith("did you mean X_test")
    assert "raises ZeroDivisionError" in trained.ask("preview", "1 / 0")["problem"]
    assert "SyntaxError" in trained.ask("preview", "X_test[")["problem"]
    assert trained.ask("preview", "X_test[:0]")["problem"] == "the example is empty"


def test_what_is_right_has_no_problem(trained):
    assert checked(trained) == {}
    assert spares(trained) == []  # the setting standby is off
    assert checked(trained, role="auto", gate=["agreement >= 0.99"], method="predict_proba") == {}


def test_a_form_without_a_problem_starts_the_clean_process_of_its_model(trained):
    trained.run("import os; os.environ['NBDEPLOY_STANDBY'] = 'true'")
    try:
        assert "example" in checked(trained, example="X_tset[:5]")
        assert spares(trained) == []
        assert checked(trained) == {}
        (one,) = spares(trained)
        assert checked(trained, name="another") == {}
        assert spares(trained) == [one]
    finally:
        trained.run("del os.environ['NBDEPLOY_STANDBY']\nfrom jupyter_deploy.system import spare; spare.dismiss()")


def spares(kernel):
    """The clean processes that wait for the next replay of a kernel."""
    pid = kernel.ask("found")["pid"]
    return [child for child in psutil.Process(pid).children() if "serving.spare" in command_line(child)]


@pytest.mark.parametrize(
    ("fields", "field", "words", "remedy"),
    [
        ({"name": "Churn"}, "name", "cannot name an endpoint", "try 'churn'"),
        ({"name": None}, "name", "needs a name", "short word"),
        ({"model": "cfl"}, "model", "no variable 'cfl'", "did you mean clf?"),
        ({"model": "clf["}, "model", "no Python expression", "name a variable"),
        ({"model": "X"}, "model", "is not a model", "deploy an estimator"),
        ({"model": "LogisticRegression"}, "model", "is a class", "deploy an instance"),
        ({"model": None}, "model", "there is no model", "choose one"),
        ({"method": "predcit"}, "method", "no method 'predcit'", "it has: predict"),
        ({"example": "X_tset[:5]"}, "example", "no variable 'X_tset'", "did you mean X_test"),
        ({"example": "X_test[:0]"}, "example", "the example is empty", "a few rows"),
        ({"example": None}, "example", "there is no example", "such as X_test[:5]"),
        ({"training": "X_trian"}, "training", "no variable 'X_trian'", "run the cell"),
        ({"gate": ["agreement >= 0.99", "agreement >"]}, "gate.1", "at character 12", "write, for example"),
        ({"gate": ["accuracy >= 0.9"]}, "gate.0", "no figure 'accuracy'", "name the notebook"),
        ({"role": "shadow"}, "role", "the first release of an endpoint is stable", "choose auto"),
        ({"percent": 20}, "percent", "gets all requests", "leave it empty"),
        ({"percent": 200, "role": "stable"}, "percent", "not a share", "up to 100"),
        ({"percent": "many"}, "percent", "valid number", ""),
        ({"waive": ["leakages"], "reason": "so"}, "waive", "no check 'leakages'", "the checks are"),
        ({"waive": ["leakage"]}, "reason", "needs a reason", "write the reason"),
        ({"force": True}, "reason", "--force needs --reason", "write the reason"),
        ({"include": ["nowhere.csv"]}, "include", "does not exist", "file or folder"),
        ({"validate": ["nowhere.ipynb"]}, "validate.0", "no notebook nowhere.ipynb", "choose one"),
        ({"colour": "red"}, "colour", "not permitted", ""),
    ],
)
def test_a_problem_belongs_to_its_field(trained, fields, field, words, remedy):
    found = checked(trained, **fields)
    assert list(found) == [field]
    assert words in found[field]["message"]
    assert remedy in found[field]["remedy"]


def test_a_typo_in_a_gate_is_reported_with_the_metric_of_the_notebook(trained, shared_home):
    source = "from jupyter_deploy import metric\nmetric('accuracy', 0.9)\nmetric('recall', 0.8)"
    path = str(notebooks.write(shared_home.path / "project" / "checks.ipynb", source))
    found = checked(trained, validate=[path], gate=["accuracy >= 0.9", "acuracy >= 0.9", "agreement >= 0.99"])
    assert list(found) == ["gate.1"]
    assert "records no metric 'acuracy'" in found["gate.1"]["message"]
    assert "did you mean accuracy?" in found["gate.1"]["remedy"]


def test_an_example_that_a_function_cannot_take_is_reported_without_a_call(trained):
    trained.run("def price(rooms, city):\n    raise RuntimeError('called')")
    trained.run("row, right = {'rooms': 3}, {'rooms': 3, 'city': 'Bern'}")
    found = checked(trained, model="price", example="row")
    assert found["example"]["message"] == "the function takes rooms, city, but the example is a dict of rooms"
    assert checked(trained, model="price", example="right") == {}


def test_an_endpoint_whose_clients_send_other_requests_is_told_at_its_name(trained, shared_home):
    store = SqliteStore(shared_home.path / "nbdeploy", "ada")
    store.save(Endpoint.first(release("one", name="taken")), based_on=0, reason="", change="first")
    store.remember(manifests.snapshot("taken:one"))
    found = checked(trained, name="taken")
    assert list(found) == ["name"]
    assert found["name"]["message"].startswith("clients of taken send requests that this model refuses: ")
    assert "'dose'" in found["name"]["message"]
    assert "choose another name" in found["name"]["remedy"]


def test_examples_of_pydantic_are_shown_by_their_fields_and_refused_with_the_reason(trained):
    trained.run("import pydantic\nclass House(pydantic.BaseModel):\n    rooms: int\n    city: str = 'Bern'")
    shown = trained.ask("preview", "House(rooms=3)")
    assert (shown["columns"], shown["rows"], shown["words"]) == (["rooms", "city"], [["3", "Bern"]], "one House")
    many = trained.ask("preview", "[House(rooms=3), House(rooms=4, city='Chur')]")
    assert (many["rows"], many["words"]) == ([["3", "Bern"], ["4", "Chur"]], "2 rows of House")
    problem = trained.ask("preview", "House(rooms='many')")["problem"]
    assert "rooms: Input should be a valid integer" in problem
    assert "errors.pydantic.dev" not in problem


def test_all_invalid_fields_are_reported(trained):
    assert set(checked(trained, name="A", percent="x", model="cfl", gate=["a"])) == {
        "name",
        "percent",
        "model",
        "gate.0",
    }
    assert trained.ask("check", "no json")["problems"][0]["message"] == "the document to check is not JSON"


def test_an_expression_that_may_do_more_is_not_run_while_it_is_typed(trained):
    trained.run("ran = []\ndef load():\n    ran.append(1)\n    return X_test")
    assert checked(trained, example="load()") == {}
    assert trained.run("print(ran)") == "[]\n"


def test_a_column_that_the_example_lacks_is_a_finding(trained):
    found = checked(trained, example="X_test[['age']]")["example"]
    assert "fitted on column 'dose'" in found["message"]
    assert found["finding"]["check"] == "features"
    assert checked(trained, example="X_test[['age']]", waive=["features"], reason="so") == {}


def test_a_stale_kernel_is_found_with_its_cell(shared_home):
    from tests import notebooks

    folder = shared_home.path / "stale"
    folder.mkdir()
    path = notebooks.write(folder / "stale.ipynb", *CELLS)
    environment = {**shared_home.environment, "JPY_SESSION_NAME": str(path)}
    with kernel(environment, folder) as made:
        made.run(*CELLS)
        assert checked(made) == {}
        made.run("X.head()", "2 + 2")  # not in the notebook, and of no matter
        assert checked(made) == {}
        made.run(CELLS[0])  # one that stands above ran again
        assert checked(made) == {}
        made.run("X['age'] = X['age'] * 2\nclf = LogisticRegression().fit(X, y)")
        notebooks.write(path, *CELLS, "clf = LogisticRegression(C=5).fit(X, y)")
        found = checked(made)["model"]
    assert found["finding"]["check"] == "stale-kernel"
    assert found["finding"]["cell"] == 7


def test_a_subshell_does_not_capture_since_a_cell_may_run_at_the_same_time(trained):
    answer = trained.ask("capture", "0", subshell=trained.subshell())
    assert "a subshell cannot capture" in answer["problem"]["detail"]


def test_an_empty_kernel_has_no_model(shared_home):
    with kernel(shared_home.environment, shared_home.path / "empty") as made:
        found = made.ask("found")
        assert (found["models"], found["problem"], found["notebook"]) == ([], "", None)
        assert "model" in checked(made)


def test_an_invalid_setting_is_reported_in_words(shared_home):
    with kernel({**shared_home.environment, "NBDEPLOY_PORT": "many"}, shared_home.path / "wrong") as made:
        found = made.ask("found")
        assert found["models"] == []
        assert "a setting is wrong" in found["problem"]
        assert "port" in found["problem"]
        assert made.ask("capture", "0")["problem"]["code"] == "invalid_input"
        assert "a setting is wrong" in made.ask("check", "{}")["problems"][0]["message"]


def test_a_choice_is_offered_rows_with_their_answers(trained):
    pairs = [(one["x"], one["y"]) for one in trained.ask("found")["labelled"]]
    assert pairs == [("X_test", "y_test"), ("X", "y")]


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"models": []}, "models", "choose the models to compare"),
        ({"models": ["clf", "clg"]}, "models", "'clg' in this notebook: did you mean clf?"),
        ({"models": ["clf", "X"]}, "models", "the model 'X' cannot be served"),
        ({"x": "  "}, "x", "such as X_test"),
        ({"x": "X_tset"}, "x", "did you mean X_test"),
        ({"y": "y"}, "y", "there are 20 rows, and 50 true answers"),
        ({"metric": "acuracy"}, "metric", "accuracy"),
        ({"metric": "roc_auc"}, "metric", "predict_proba"),
        ({"by": "sex"}, "by", "'sex'"),
        ({"constraint": ["latncy <= 5"]}, "constraint", "latncy"),
        ({"constraint": ["cost_per_million <= 5"]}, "constraint", "cost"),
        ({"endpoint": "churn"}, "endpoint", "churn"),
    ],
)
def test_a_choice_that_cannot_be_measured_is_told_at_its_field(trained, fields, field, words):
    assert words in compared(trained, **fields)[field]


def test_a_choice_without_a_problem_has_none_and_evaluates_no_side_effect(trained):
    assert compared(trained) == {}
    assert compared(trained, by="dose", metric="f1", constraint=["f1 >= 0.5", "latency_p99_ms <= 5"]) == {}
    trained.run("calls = []\ndef rows():\n    calls.append(1)\n    return X_test")
    assert compared(trained, x="rows()") == {}
    trained.run("assert not calls")
