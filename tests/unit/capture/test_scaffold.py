"""The set-up by ``init``: models found in a project's notebooks without running them, and the drafted files."""

import json
import re
import shlex

import nbformat
import pytest
import yaml

from jupyter_deploy.domain.validation.scaffold import SetUp, Trained, name_for, quoted
from jupyter_deploy.domain.validation.scaffold_ports import Starting
from jupyter_deploy.validation.scaffold.deploys import deploys_in, fitted_in
from jupyter_deploy.validation.scaffold.drafts import Requirements, drafts
from jupyter_deploy.validation.scaffold.examples import TRAINED, validation_example
from jupyter_deploy.validation.scaffold.project import ProjectStarter

TRAINING = (
    "import numpy as np\nimport pandas as pd\nfrom sklearn.linear_model import LogisticRegression\n",
    "# the year's rows\ndata = pd.read_csv('rows.csv')\nX, y = data.drop(columns='y'), data['y']\n\n"
    "held_out = np.arange(len(X)) % 3 == 0  # by place\nX_test, y_test = X[held_out], y[held_out]\nprint(len(X_test))",
    "model = LogisticRegression().fit(X[~held_out], y[~held_out])\nmodel.score(X_test, y_test)",
)


@pytest.mark.parametrize(
    ("cell", "command"),
    [
        (
            '%deploy model --name churn --example "X_test[:5]" --reason "a first one"',
            'nbdeploy deploy train.ipynb --name churn --model model --example "X_test[:5]"',
        ),
        (
            "first = %deploy net --name=churn --method predict_proba \\\n    --example X[:3] --isolated --role canary",
            'nbdeploy deploy train.ipynb --name churn --model net --method predict_proba --isolated --example "X[:3]"',
        ),
        (
            "%%deploy --name age --example \"dict(birth='1980-01-01')\"\ndef days(birth):\n    return birth\n\n"
            "def age(birth):\n    return days(birth)",
            "nbdeploy deploy train.ipynb --name age --model age --example \"dict(birth='1980-01-01')\"",
        ),
        (
            "import jupyter_deploy\n"
            "jupyter_deploy.deploy(clf, name='churn', example=X[:5], waive=['secrets'], reason='r')",
            'nbdeploy deploy train.ipynb --name churn --model clf --example "X[:5]"',
        ),
        (
            '%deploy m --name churn --example "X[:5]" --waive secrets --waive features --reason "seen: $5"',
            "nbdeploy deploy train.ipynb --name churn --model m --waive secrets --waive features --reason 'seen: $5' "
            '--example "X[:5]"',
        ),
        ("%deploy model --name churn", None),
        ("%deploy_list\n# %deploy model --name churn --example X\ndeploy(name='x')", None),
        ('%deploy model --name "churn', None),
    ],
)
def test_how_a_notebook_deploys_is_read_from_its_cells(cell, command):
    found = [one.command for one in deploys_in("train.ipynb", [*TRAINING, cell])]
    assert found == ([command] if command else [])


@pytest.mark.parametrize(
    ("cells", "variable", "found"),
    [
        (["m = A().fit(X, y)"], None, ("m", "X[:5]")),
        (["m = A()", "m.fit(X_train, y)", "scaler.transform(X)"], None, ("m", "X_train[:5]")),
        (["a.fit(X)", "b.fit(Z)"], "a", ("a", "X[:5]")),
        (["a.fit(load())", "a.predict(X)"], None, None),
    ],
)
def test_without_a_deploy_the_last_fitted_variable_is_used(cells, variable, found):
    assert fitted_in(cells, variable) == found


@pytest.mark.parametrize(
    ("notebook", "name"),
    [
        ("ml/train_churn.ipynb", "churn"),
        ("train.ipynb", "my-shop"),
        ("Price Training.ipynb", "price"),
        ("trainers.ipynb", "trainers"),
        ("модель.ipynb", "my-shop"),
    ],
)
def test_an_endpoint_is_named_after_its_notebook_else_its_folder(notebook, name):
    assert name_for(notebook, "My Shop") == name


def test_words_are_quoted_as_people_would():
    assert [quoted(w) for w in ("a/b.ipynb", "X[:5]", 'say "$1"', "it's \"$1\"")] == [
        "a/b.ipynb", '"X[:5]"', "'say \"$1\"'", "'it'\"'\"'s \"$1\"'",
    ]  # fmt: skip


CHURN = Trained(notebook="train.ipynb", name="churn", model="model", example="X_test[:5]")


def cells_of(example):
    notebook = nbformat.reads(example.text, as_version=4)
    nbformat.validate(notebook)
    return [cell.source for cell in notebook.cells]


def test_a_first_validation_notebook_takes_the_lines_that_make_the_held_out_rows_and_no_more():
    example = validation_example(CHURN, TRAINING, regression=None)
    rows = cells_of(example)[4:6]
    assert rows == [
        "import pandas as pd",
        "data = pd.read_csv('rows.csv')\nX, y = data.drop(columns='y'), data['y']\n\n"
        "held_out = np.arange(len(X)) % 3 == 0  # by place\nX_test, y_test = X[held_out], y[held_out]",
    ]
    assert example.gates == ("accuracy >= stable - 0.05",)
    assert not example.lacks


def test_a_model_of_numbers_is_measured_by_its_error_as_its_cells_or_its_release_say():
    regression = [TRAINING[0].replace("LogisticRegression", "Ridge"), TRAINING[1], "model = Ridge().fit(X, y)"]
    assert validation_example(CHURN, regression, regression=None).gates == ("mae <= 1.1 * stable",)
    assert validation_example(CHURN, TRAINING, regression=True).gates == ("mae <= 1.1 * stable",)
    assert validation_example(CHURN, regression, regression=False).gates == ("accuracy >= stable - 0.05",)


def test_training_rows_are_marked_and_without_targets_only_answers_are_checked():
    seen = validation_example(CHURN, ["X, y = load()", "model = fit(X, y)"], regression=None)
    assert "trained on them" in seen.text
    assert "holds no rows out" in seen.lacks
    none = validation_example(CHURN, ["X_test = load()", "def model(x): ..."], regression=None)
    assert none.gates == ()
    assert "X_test = load()" in cells_of(none)
    assert "measures nothing yet, and fails until it does" in none.lacks
    code = [c.source for c in nbformat.reads(none.text, as_version=4).cells if c.cell_type == "code"]
    assert code[-1].startswith('check("its quality is measured", False, ')
    assert "may well have been trained on" in none.text


REQUIREMENTS = {
    "requirements.txt": 'pip install "nbdeploy>=0.1,<0.2" --requirement requirements.txt',
    "pyproject.toml": 'pip install "nbdeploy>=0.1,<0.2" .',
    "uv.lock": "uv export --frozen",
}


@pytest.mark.parametrize("file", REQUIREMENTS)
def test_the_workflow_installs_the_projects_requirements(file):
    made = texts(Starting("/p", [CHURN], cells={"train.ipynb": TRAINING}), Requirements(file, package=True))
    install = step(made, "Install")
    assert REQUIREMENTS[file] in install["run"]
    assert "requirements.txt" not in made
    setup = yaml.safe_load(made[".github/workflows/nbdeploy.yml"])["jobs"]["validate"]["steps"][1]
    assert setup["with"] == {"python-version": "3.12", "cache": "pip", "cache-dependency-path": file}


def test_several_models_have_a_step_and_a_hook_each_and_notebooks_that_are_there_are_used():
    other = CHURN.model_copy(update={"name": "price", "notebook": "ml/price.ipynb"})
    start = Starting("/p", [CHURN, other], {"checks.ipynb": "churn", "data.ipynb": None}, cells={})
    made = texts(start, Requirements(None, imported=("pandas>=3.1,<4",)))
    assert [path for path in made if path.endswith(".ipynb")] == ["ml/validate_price.ipynb"]
    assert yaml.safe_load(made["nbdeploy.yaml"])["validate"] == [
        {"notebook": "checks.ipynb"},
        {"notebook": "ml/validate_price.ipynb"},
        {"notebook": "data.ipynb"},
    ]
    runs = [step(made, f"Validate{name}")["run"].splitlines()[1] for name in (" churn", " price", "")]
    assert [run.split(" --junit")[0] for run in runs] == [
        "nbdeploy validate checks.ipynb --snapshot churn",
        "nbdeploy validate ml/validate_price.ipynb --snapshot price",
        "nbdeploy validate data.ipynb",
    ]
    hooks = yaml.safe_load(made[".pre-commit-config.yaml"])["repos"][0]["hooks"]
    ids = ["nbdeploy-validate-churn", "nbdeploy-validate-price", "nbdeploy-validate"]
    assert [hook["id"] for hook in hooks][:3] == ids
    assert f"'SKIP={','.join(ids)} git commit'" in made[".pre-commit-config.yaml"]
    assert all(hook["verbose"] for hook in hooks), "also what was not validated is to be seen"
    [told] = [hook for hook in hooks[3:] if re.search(hook["files"], "ml/price.ipynb")]
    assert not re.search(told["files"], "ml/validate_price.ipynb")
    assert shlex.split(told["entry"]) == [
        "echo", "ml/price.ipynb changed, and its new model is not validated by a commit: deploy it, which does"
    ]  # fmt: skip
    assert "pandas>=3.1,<4" in made["requirements.txt"]
    done = SetUp(
        folder="/p",
        files=(),
        trained=tuple(start.trained),
        validating={k: tuple(v) for k, v in start.validated.items()},
    )
    assert done.following[2:-1] == (
        "nbdeploy validate checks.ipynb",
        "nbdeploy validate ml/validate_price.ipynb",
        "nbdeploy validate data.ipynb",
    )
    assert following(Starting("/p", [CHURN]))[1] == "nbdeploy validate"


def following(start):
    validating = {name: tuple(notebooks) for name, notebooks in start.validated.items()}
    return SetUp(folder="/p", files=(), trained=tuple(start.trained), validating=validating).following


def test_the_own_example_trains_what_its_command_deploys():
    made = texts(Starting("/p", [TRAINED]), Requirements(None))
    cells = ["".join(cell["source"]) for cell in json.loads(made["train.ipynb"])["cells"]]
    assert deploys_in("train.ipynb", cells) == [TRAINED]
    assert "X_test, y_test = X[held_out], y[held_out]" in made["validate_biopsy.ipynb"]


@pytest.mark.parametrize(
    ("about", "line", "said"),
    [
        (None, '"nbdeploy>=0.1,<0.2"', ""),
        (
            {"url": "https://git.example.org/nbdeploy.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}},
            '"nbdeploy @ git+https://git.example.org/nbdeploy.git@abc"',
            "",
        ),
        (
            {"url": "https://example.org/nbdeploy-0.1.0-py3-none-any.whl", "archive_info": {}},
            '"nbdeploy @ https://example.org/nbdeploy-0.1.0-py3-none-any.whl"',
            "",
        ),
        (
            {"url": "file:///home/ada/nbdeploy", "dir_info": {}},
            '"nbdeploy>=0.1,<0.2"',
            "nbdeploy was installed here from file:///home/ada/nbdeploy, which a workflow cannot reach",
        ),
    ],
)
def test_the_workflow_installs_nbdeploy_from_its_own_origin(about, line, said):
    files = drafts(Starting("/p", [CHURN]), "main", ("python-version", "3.12"), Requirements("requirements.txt"), about)
    workflow = next(draft for draft in files if draft.path.endswith(".yml"))
    assert f"          pip install {line} --requirement requirements.txt" in workflow.text
    assert '#   pip install "nbdeploy @ git+https://' in workflow.text
    assert said in workflow.note
    assert bool(said) == bool(workflow.note)


def texts(start, requirements):
    return {d.path: d.text for d in drafts(start, "trunk", ("python-version", "3.12"), requirements)}


def step(made, name):
    document = yaml.safe_load(made[".github/workflows/nbdeploy.yml"])
    assert document[True]["push"]["branches"] == ["trunk"]
    return next(s for s in document["jobs"]["validate"]["steps"] if s.get("name") == name)


def test_a_file_that_another_process_created_meanwhile_stays(tmp_path):
    starter = ProjectStarter()
    assert starter.write(tmp_path, "a/b.txt", "ours")
    assert not starter.write(tmp_path, "a/b.txt", "again")
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["b.txt"]
    assert starter.existing(tmp_path, "a/b.txt") == "ours"
