"""Secrets in cells: how they are written, masked and found in linear time."""

from types import SimpleNamespace

import nbformat
import pytest
from sklearn.linear_model import LogisticRegression

from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.domain.capture.artifacts import Source, Tolerance
from jupyter_deploy.domain.capture.findings import Finding
from jupyter_deploy.domain.capture.ports import Live
from jupyter_deploy.masking import detection, masking
from jupyter_deploy.notebooks.papermill import PapermillRunner
from jupyter_deploy.verbs.reproduce import _cells_to_run
from tests.contract.capture.test_checks_stale_kernel import look
from tests.contract.capturing import NUMBERS
from tests.work import work_of

# The text, and what of it must not be kept.
IN_CELLS = {
    "an environment variable": ("%env OPENAI_API_KEY=abcd-efgh-1234-zzz9", "abcd-efgh"),
    "a variable without a sign": ("%env OPENAI_API_KEY abcd-efgh-1234-zzz9", "abcd-efgh"),
    "a shell's variable": ("x = 1\n!DB_PASSWORD=hunter22x ./load.sh", "hunter22x"),
    "a shell's option": ("!load --password hunter22x", "hunter22x"),
    "a header": ("headers = {'Authorization': 'Bearer abcd-efgh-1234-zzz9'}", "abcd-efgh"),
    "a tuple": ("secret, other = 'abc99xyz1', 'b'", "abc99xyz1"),
    "texts in parts": ("connect(password=('abc99x'\n  \"def123\"))", "def123"),
    "three quotes": ('API_KEY = """abc99xyz1\n"""', "abc99xyz1"),
    "with a magic": ("%matplotlib inline\ntöken = secret, other = 'abc99xyz1', 'b'", "abc99xyz1"),
    "a default": ("def f(x, *, api_key='abc99xyz1'): ...", "abc99xyz1"),
    "a URL": ("B = 'mysql+pymysql://root:S3cr3tPw!@10.0.0.3/x'", "S3cr3tPw"),
}


@pytest.mark.parametrize(("cell", "value"), IN_CELLS.values(), ids=IN_CELLS)
def test_the_usual_ways_to_write_a_secret_in_a_cell_are_detected_and_masked(cell, value):
    kept, kinds = masking.masked(cell)
    assert kinds
    assert value not in kept
    assert "***" in kept


def test_no_text_takes_longer_than_its_length_does():
    for text in ("a" * 100, "\n" * 100, "a." * 50, "a='" * 30, "_" * 99 + " ", "://a:" * 20):
        half, whole = (
            work_of(lambda text=text, times=times: detection.settings_in(text * times)) for times in (60, 120)
        )
        assert whole < 3 * half + 0.05  # twice the text: twice the work, and four times if it were quadratic


def test_a_label_in_a_mapping_is_no_error_and_what_may_be_a_password_is():
    routes = {"password": "login_issue"}
    assert [hit.is_doubtful for hit in detection.secret_under("password", "login_issue", of_mapping=True)] == [True]
    assert [hit.is_doubtful for hit in detection.secrets_in(f"routes = {routes}")] == [True]
    assert [hit.is_doubtful for hit in detection.secrets_in("x = {'password': 'l0gin_issue'}")] == [False]
    assert [hit.is_doubtful for hit in detection.secrets_in("password = 'login_issue'")] == [False]


KEY = "opts = dict(api_key='hunter22-SEKRIT', n=20)"


def test_no_finding_quotes_a_secret_however_far_into_its_line(tmp_path):
    longer = "settings_of_the_model_in_production = dict(a=1, api_key='hunter22-SEKRIT')"
    for made, later in ((KEY, KEY.replace("20", "30")), (longer, longer.replace("a=1", "a=2"))):
        name = made.partition(" ")[0]
        found = look(tmp_path / "n.ipynb", [later, f"model = make({name})"], [made, f"model = make({name})"])
        assert found
        assert "hunter22" not in repr(found)


def test_what_is_a_secret_in_a_cell_is_one_in_every_message():
    finding = Finding(check="leakage", severity="note", message="rows of f('hunter22-SEKRIT') and X")
    (kept,) = masking.without_secrets([finding], [KEY])
    assert kept.message == "rows of f('***') and X"


def test_a_model_is_deployed_with_findings_and_a_training_table_that_tell_no_secret(tmp_path):
    notebook = tmp_path / "n.ipynb"
    fit = "model = LogisticRegression().fit(load(api_key='hunter22-SEKRIT')[['age', 'weight']], y)"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(fit, execution_count=1)]), notebook)
    model = LogisticRegression().fit(NUMBERS, [0, 1, 0, 1])
    handed = Live(model, NUMBERS, Source(notebook=str(notebook), variable="model"), cells=(KEY, fit), project=tmp_path)
    capturer = ModelCapturer(tmp_path / "store", Tolerance(), replay_timeout=60)
    made = capturer.stage(handed, "churn")
    capturer.discard(made)
    assert "the training table of the model is unknown" in repr(made.manifest.findings)
    assert "hunter22" not in made.manifest.model_dump_json()


def test_a_secret_of_the_notebook_is_no_change_and_runs_but_is_not_shown(tmp_path):
    notebook = tmp_path / "n.ipynb"
    cells = [KEY, "model = make(opts)", "%deploy model"]
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells]), notebook)
    provenance = SimpleNamespace(
        source=Source(notebook=str(notebook), variable="model"), cells=masking.masked_cells(cells), in_cell=True
    )
    snapshot = SimpleNamespace(manifest=SimpleNamespace(provenance=provenance))
    ports = SimpleNamespace(notebooks=PapermillRunner())
    assert _cells_to_run(snapshot, ports) == ("notebook", tuple(cells), tmp_path, ())
    provenance.cells = (masking.masked_cells([KEY.replace("20", "30")])[0], *cells[1:])
    changed = _cells_to_run(snapshot, ports)[-1]
    assert len(changed) == 2
    assert "hunter22" not in repr(changed)
    notebook.unlink()
    ran, cells, _, said = _cells_to_run(snapshot, ports)
    assert (ran, len(said)) == ("executed cells", 1)
    assert "In [1] runs with ***" in said[0]


def test_cells_that_are_compared_show_no_secret_though_an_earlier_version_kept_it():
    cells = ("%env API_KEY=hunter22-SEKRIT", KEY, "model = f(opts)")
    provenance = SimpleNamespace(cells=cells, source=Source(variable="model"), language="python")
    snapshot = SimpleNamespace(manifest=SimpleNamespace(provenance=provenance))
    cells = ModelCapturer.cells_behind(SimpleNamespace(), snapshot)
    assert [cell.number for cell in cells][-2:] == [2, 3]
    assert "hunter22" not in repr(cells)
