"""``pytest --nbdeploy``: runs of validation notebooks as items, in real kernels."""

import subprocess
import sys
import xml.etree.ElementTree as ET

import nbformat
import pytest

# Plugins of other distributions, whose imports take longer than the rest of pytest's start.
OTHERS = [word for name in ("timeout", "schemathesis", "hypothesispytest", "anyio") for word in ("-p", f"no:{name}")]
# More than a second in each process that imports nbformat, see ``process_defaults``.
WITHOUT_SLOW_FORMATS = "import sys\nsys.modules.setdefault('rfc3987_syntax', None)\n"
START = "from jupyter_deploy import check, metric"


def validation(path, *cells, gates=(), parameters="seed = 0"):
    made = [nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})]
    made += [nbformat.v4.new_code_cell(cell) for cell in cells]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    metadata = {"kernelspec": kernel, "nbdeploy": {"gates": list(gates)}}
    nbformat.write(nbformat.v4.new_notebook(cells=made, metadata=metadata), path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    rows = f"{START}\nmetric('accuracy', rows=[1] * %s + [0] * %s)"
    validation(
        folder / "good.ipynb", rows % (97, 3), "check('a whole seed', seed == int(seed))", gates=["accuracy > 0.8"]
    )
    validation(folder / "bad.ipynb", rows % (60, 40), gates=["accuracy >= 0.9"])
    validation(folder / "few.ipynb", rows % (9, 1), gates=["accuracy >= 0.8"])
    validation(folder / "raises.ipynb", START, "prices = {}\nprices['may']", gates=["accuracy >= 0.8"])
    validation(folder / "typo.ipynb", START, gates=["accuracy => 0.8"])
    train = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("raise SystemExit")])
    nbformat.write(train, folder / "train.ipynb")
    (folder / "test_other.py").write_text("def test_other():\n    pass\n")
    (folder / "conftest.py").write_text(WITHOUT_SLOW_FORMATS)
    (folder / "nbdeploy.yaml").write_text("validate:\n  - notebook: good.ipynb\n    matrix: {seed: [1, 2]}\n")
    return folder


def run(home, folder, *options):
    """Run pytest in its own process; its cases by node id, and its exit."""
    out = folder / "junit.xml"
    command = [sys.executable, "-m", "pytest", *OTHERS, f"--junitxml={out}", *options]
    ended = subprocess.run(
        command, cwd=folder, env=home.environment, capture_output=True, text=True, check=False, timeout=200
    )
    cases = {}
    for case in ET.parse(out).iter("testcase"):
        kinds = [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
        cases[case.get("name")] = (kinds or ["passed"])[0], case
    return cases, ended


@pytest.fixture(scope="module")
def ran(shared_home, folder):
    """Everything, side by side."""
    return run(shared_home, folder, "--nbdeploy", "-n", "2", "--continue-on-collection-errors")


def test_each_run_is_an_item_next_to_ordinary_tests_and_a_training_notebook_is_none(ran):
    cases, ended = ran
    assert {name: kind for name, (kind, _) in cases.items()} == {
        "good[seed=1]": "passed",
        "good[seed=2]": "passed",
        "bad": "failure",
        "few": "failure",
        "raises": "failure",
        "test_other": "passed",
        "typo.ipynb": "error",
    }
    assert ended.returncode == 1


def test_a_failure_shows_the_gates_sentences_and_the_failing_cell_without_our_call_stack(ran):
    cases, ended = ran
    bad, few, raises = (cases[name][1].find("failure").text for name in ("bad", "few", "raises"))
    assert "✗ accuracy 0.6" in bad
    assert "≥ 0.9: fail" in bad
    assert "inconclusive" in few
    assert "raised KeyError: 'may'" in raises
    assert "prices['may']" in raises
    assert "the notebook as it ran: " in raises
    for words in ("pytest_plugin.py", "operations/"):
        assert words not in ended.stdout
    assert "'accuracy => 0.8'" in ended.stdout, "and why a notebook cannot be collected"


def test_metrics_are_properties_of_the_junit_file(ran):
    cases, _ = ran
    properties = {p.get("name"): p.get("value") for p in cases["good[seed=1]"][1].iter("property")}
    assert properties["accuracy"] == "0.97"


def test_last_failed_keywords_parameters_gates_and_undecided_runs_do_as_one_is_used_to(ran, shared_home, folder):
    options = ("--nbdeploy", "--lf", "-k", "few or bad", "--nbdeploy-inconclusive=skip", "good.ipynb", "few.ipynb")
    cases, ended = run(shared_home, folder, *options, "bad.ipynb", "--nbdeploy-gate", "accuracy >= 0.4")
    assert {name: kind for name, (kind, _) in cases.items()} == {"few": "skipped", "bad": "failure"}
    assert "≥ 0.4: pass" in ended.stdout
    assert "inconclusive" in cases["few"][1].find("skipped").get("message")
    wrong, ended = run(shared_home, folder, "--nbdeploy", "good.ipynb", "--nbdeploy-parameter", "sead=3")
    assert [kind for kind, _ in wrong.values()] == ["error"]
    assert "sead" in ended.stdout
    assert "Traceback" not in ended.stdout


def test_without_the_option_notebooks_are_no_tests_and_nothing_of_ours_is_imported(shared_home, folder):
    script = (
        f"import sys, pytest; code = pytest.main(['-q', *{OTHERS}, '.']); "
        "print([m for m in sys.modules if m.startswith(('jupyter_deploy', 'pydantic', 'nbformat'))]); sys.exit(code)"
    )
    command = [sys.executable, "-c", script]
    ended = subprocess.run(
        command, cwd=folder, env=shared_home.environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout
    assert "1 passed" in ended.stdout
    assert ended.stdout.strip().splitlines()[-1] == str(
        [
            "jupyter_deploy.verbs.operation",
            "jupyter_deploy.verbs",  # the names of the verbs: the standard library alone
            "jupyter_deploy",
            "jupyter_deploy.faces",
            "jupyter_deploy.faces.cli",
            "jupyter_deploy.faces.cli.pytest_plugin",
        ]
    )
