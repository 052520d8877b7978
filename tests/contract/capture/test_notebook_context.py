"""The files next to a notebook whose model is deployed."""

from datetime import UTC, datetime

import nbformat
import pytest

from jupyter_deploy.domain.capture.artifacts import Source
from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.release.resources import Resources
from jupyter_deploy.domain.validation.requests import InitRequest
from jupyter_deploy.domain.validation.validation import ValidationSpec
from jupyter_deploy.faces.views.requests import NotebookContextRequest
from jupyter_deploy.faces.views.table import VIEWS
from jupyter_deploy.verbs.init import init
from jupyter_deploy.wiring import Wiring
from tests import manifests, notebooks
from tests.releases import release

VALIDATES = "from jupyter_deploy import model, metric\nmetric('accuracy', 0.9)"


@pytest.fixture
def ports(home, monkeypatch):
    """The ports of a server, which works elsewhere than where the notebooks lie."""
    for name, value in home.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(home.path)
    return Wiring().ports


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "project"
    made.mkdir()
    return made


def context_of(path, ports):
    return VIEWS["notebook_context"].function(NotebookContextRequest(path=str(path)), ports)


def keep(ports, name, notebook, variable="clf", *, created=1, validations=()):
    """An endpoint whose release came from a notebook."""
    one = release("1", name=name, source=Source(notebook=notebook and str(notebook), variable=variable))
    one = one.model_copy(update={"created_at": datetime(2026, 1, created, tzinfo=UTC)})
    endpoint = Endpoint.first(one).model_copy(update={"validations": tuple(validations)})
    ports.store.save(endpoint, based_on=0, reason="", change="")


def write(path, *cells, tags=(), gates=(), heading=None):
    """A notebook whose first cell has tags."""
    path.parent.mkdir(parents=True, exist_ok=True)
    notebooks.write(path, *cells)
    document = nbformat.read(path, as_version=4)
    document.cells[0].metadata["tags"] = list(tags)
    if gates:
        document.metadata["nbdeploy"] = {"gates": list(gates)}
    if heading:
        document.cells.insert(0, nbformat.v4.new_markdown_cell(heading))
    nbformat.write(document, path)
    return path


def test_around_a_notebook_there_may_be_nothing(ports, folder):
    found = context_of(folder / "train_churn.ipynb", ports)
    assert (found.name, found.endpoints, found.notebooks, found.gates, found.asked) == ("churn", {}, (), (), ())
    assert found.resources == Resources()
    assert context_of(folder / "gone" / "Größe & Preis.ipynb", ports).name == "gr-e-preis"


def test_the_name_is_that_of_the_endpoint_to_which_this_notebook_went_last(ports, folder):
    path = notebooks.write(folder / "train.ipynb", "x = 1")
    keep(ports, "older", path, created=1)
    keep(ports, "newer", path, created=2)
    keep(ports, "foreign", folder / "other.ipynb", created=3)
    found = context_of(path, ports)
    assert found.name == "newer"
    assert found.endpoints == {"older": "shadow", "newer": "shadow", "foreign": "shadow"}


def test_the_last_deploy_of_a_notebook_is_offered_again(ports, folder):
    path = notebooks.write(folder / "train.ipynb", "x = 1")
    keep(ports, "tumour", path)
    assert context_of(path, ports).last is None  # its snapshot is not in this store
    known = manifests.snapshot("tumour:1")
    provenance = known.manifest.provenance.model_copy(update={"example": "X_test[:5]", "nullable": ("age",)})
    manifest = known.manifest.model_copy(update={"provenance": provenance, "method": "predict_proba"})
    ports.store.remember(known.model_copy(update={"manifest": manifest}))
    last = context_of(path, ports).last
    assert (last.release, last.model, last.method) == ("tumour:1", "clf", "predict_proba")
    assert (last.example, last.nullable) == ("X_test[:5]", ("age",))


def test_else_it_is_what_a_cell_says_and_else_made_of_the_files_name(ports, folder):
    said = notebooks.write(folder / "said.ipynb", "%deploy clf --name tumour --example 'X[:5]'")
    assert context_of(said, ports).name == "tumour"
    assert context_of(notebooks.write(folder / "churn model.ipynb", "x = 1"), ports).name == "churn"


def test_a_notebook_is_known_by_way_of_a_link_too(ports, folder, tmp_path):
    keep(ports, "churn-of-old", notebooks.write(folder / "train.ipynb", "x = 1"))
    (tmp_path / "link").symlink_to(folder)
    assert context_of(tmp_path / "link" / "train.ipynb", ports).name == "churn-of-old"


def test_a_name_that_another_notebooks_model_has_is_taken(ports, folder):
    keep(ports, "churn", folder / "elsewhere" / "churn.ipynb")
    keep(ports, "churn-2", None)
    found = context_of(notebooks.write(folder / "churn.ipynb", "x = 1"), ports)
    assert (found.name, found.owners) == ("churn-3", {"churn": "churn.ipynb"})


def test_validation_notebooks_near_it_are_found_with_gates_and_parameters(ports, folder):
    path = write(folder / "train.ipynb", "rows = 5", tags=["parameters"])
    write(folder / "accuracy.ipynb", "rows = 200\napi_key = 'abc'\nsince = now()", VALIDATES, tags=["parameters"],
          gates=["accuracy >= 0.9"], heading="# How *often* it is right\nIn words.")  # fmt: skip
    write(folder / "untagged.ipynb", VALIDATES)
    write(folder / "checks" / "deep" / "fair.ipynb", "a = 1", tags=["parameters"])
    write(folder / "other_training.ipynb", "rows = 5", tags=["parameters"])
    write(folder / "deploys.ipynb", "import jupyter_deploy\njupyter_deploy.deploy(clf)")
    write(folder / "notes" / "far.ipynb", VALIDATES, gates=["accuracy >= 0.9"])
    (folder / "broken.ipynb").write_text("{")
    (folder / "checks" / ".ipynb_checkpoints").mkdir()
    found = {one.path: one for one in context_of(path, ports).notebooks}
    names = ["accuracy.ipynb", "checks/deep/fair.ipynb", "untagged.ipynb"]
    assert sorted(found) == [str(folder / name) for name in names]
    accuracy = found[str(folder / "accuracy.ipynb")]
    assert accuracy.title == "How *often* it is right"
    assert accuracy.gates == ("accuracy >= 0.9",)
    assert accuracy.parameters == {"rows": 200, "api_key": "(hidden)", "since": None}
    assert found[str(folder / "untagged.ipynb")].title == "untagged"


@pytest.mark.parametrize(
    ("opened", "of"),
    [
        ("wine.ipynb", ""),
        ("diabetes.ipynb", "wine.ipynb"),
        ("red wine.ipynb", "wine.ipynb"),
        ("win.ipynb", "wine.ipynb"),
    ],
)
def test_a_validation_notebook_that_bears_the_name_of_another_notebook_is_of_that_one(ports, folder, opened, of):
    for name in ("wine.ipynb", "diabetes.ipynb", "red wine.ipynb", "win.ipynb"):
        write(folder / name, "x = 1")
    write(folder / "validate_wine.ipynb", VALIDATES, gates=["accuracy >= 0.9"])
    write(folder / "checks.ipynb", VALIDATES)
    found = context_of(folder / opened, ports).notebooks
    assert {one.title: one.of for one in found} == {"validate_wine": of, "checks": ""}


def test_the_gates_of_the_endpoint_or_of_the_folders_settings_are_listed_and_none_twice(ports, folder):
    path = notebooks.write(folder / "churn.ipynb", "x = 1")
    write(folder / "accuracy.ipynb", "endpoint = 'churn'", VALIDATES, tags=["parameters"])
    write(folder / "others.ipynb", "endpoint = 'tumour'", VALIDATES, tags=["parameters"])
    (folder / "nbdeploy.yaml").write_text(
        "validate:\n  - notebook: accuracy.ipynb\n    gates: [accuracy >= 0.93]\n  - notebook: others.ipynb\n"
        "  - gates: [agreement >= 0.99]\n"
    )
    of_file = ("accuracy.ipynb: accuracy >= 0.93", "live traffic: agreement >= 0.99")
    assert context_of(path, ports).gates == of_file
    own = ValidationSpec(gates=("error_rate <= 0.1",))
    keep(ports, "churn", path, validations=[own])
    found = context_of(path, ports)
    assert (found.gates, found.asked) == ((), (own.words,)), "a deploy ignores the file"
    known = ports.store.endpoint("churn")
    from_file = known.validating([own], str(folder / "nbdeploy.yaml")).model_copy(update={"revision": 2})
    ports.store.save(from_file, based_on=1, reason="", change="validated by the file")
    found = context_of(path, ports)
    assert (found.gates, found.asked) == (of_file, ()), "a deploy reads the file again"


def test_a_validation_notebook_is_written_without_ci_and_its_gates_are_listed_once(ports, folder):
    path = notebooks.write(folder / "train.ipynb", "X_test = y_test = None\nmodel = Model().fit(X_test, y_test)")
    asked = InitRequest(
        folder=str(folder), notebook=str(path), name="project", model="model", example="X_test[:5]", without_ci=True
    )
    written = init(asked, ports, lambda _: None)
    assert sorted(one.name for one in folder.iterdir()) == ["nbdeploy.yaml", "train.ipynb", "validate_project.ipynb"]
    assert {file.state for file in written.files} == {"written"}
    found = context_of(path, ports)
    assert [one.path for one in found.notebooks] == [str(folder / "validate_project.ipynb")]
    assert len(found.gates) == len(set(found.gates)) == 1
    assert found.asked == ()


def test_an_invalid_settings_file_is_reported(ports, folder):
    (folder / "nbdeploy.yaml").write_text("validate: [{gates: 5}]\n")
    with pytest.raises(InvalidInput, match="a setting is wrong"):
        context_of(folder / "churn.ipynb", ports)
