"""The magics in a real kernel: the output of cells."""

import json
import re

import nbformat
import pytest

from tests import notebooks

CELLS = [
    "%load_ext jupyter_deploy",
    "model = 3\nmodle_two = None",
    "%deploy modell --name churn",
    "%deploy model --name churn --example 5",
    "%deploy model --name Churn --example 5",
    "%deploy model --name churn --example 'X['",
    "%deploy --name churn",
    "%deploy model --model other --name churn",
    "%deploy_traffic nobody --canary a=b=c",
    "%deploy_describe nobody",
    "%deploy_describe",
    '%%deploy --name bmi --example "dict(weight=70, height=1.8)"\ndef unused():\n    return 1\n\n\n'
    "def bmi(weight: float, height: float) -> float:\n    return round(weight / height**2, 1)",
    '%deploy_predict bmi --data \'[{"weight": 80, "height": 1.8}]\'',
    "listed = %deploy_list\nlisted",
    "document = %deploy_describe bmi -o json\ndocument['traffic']",
    "%%deploy --name bmi --example 5\nnumber = 5",
    "%%deploy --name bmi --example 5\ndef broken(:",
    "%%deploy --name bmi --example 5\ndef raising(x):\n    return 1 / 0",
    "import jupyter_deploy\njupyter_deploy.history('bmi')",
    "%deploy_predict --help",
    "jupyter_deploy.predict('bmi', data=[{'weight': 80.0, 'height': 2}]).body",
    "jupyter_deploy.predict('bmi', [1])",
    "print(jupyter_deploy.describe('bmi'))",
    'MODELS = {"a": model}',
    '%deploy MODELS["a"] --name models',
    '%deploy "MODELS[a]" --name models',
    "%deploy model --name churn --example MODELS['a']",
    """import numpy as np
class Level:
    def __init__(self, level):
        self.level = level
    def predict(self, rows):
        return (rows[:, 0] > self.level).astype(int)
low, high = Level(0.3), Level(0.5)
X = np.linspace(0, 1, 200).reshape(-1, 1)
y = (X[:, 0] > 0.5).astype(int)""",
    '%deploy_candidates low high --x X --y y --native-only --constraint "memory_mb <= 5 ms"',
    "%deploy_candidates low hihg --x X --y y",
    "%deploy_candidates low high --x X --y y[:5]",
    "%deploy_candidates --help",
    '%deploy_candidates low high --x X --y y --native-only --metric accuracy --constraint "accuracy >= 0.9"',
    "table = jupyter_deploy.candidates({'low': low, 'high': high}, X, y, metric='accuracy', translated=False)",
    "table.deploy('high', name='levels')",
    "%deploy_describe levels",
    "%deploy_history levels",
    "%deploy_candidates low --x X --y y --native-only --metric accuracy --endpoint levels -o json",
    "%deploy_down",
]
CHOICE = CELLS.index("%deploy_candidates --help")


@pytest.fixture(scope="module")
def shown(shared_home):
    folder = shared_home.path / "project"
    folder.mkdir()
    path = notebooks.write(folder / "magics.ipynb", *CELLS)
    notebook = notebooks.run(path, shared_home.environment, allow_errors=True)
    nbformat.write(notebook, folder / "executed.ipynb")
    return dict(zip(CELLS, notebooks.texts(notebook), strict=True))


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        (2, "did you mean model"),
        (3, "type int is not a model"),
        (4, "try 'churn'"),
        (5, "the example 'X[' raises SyntaxError"),
        (6, "which variable holds the model"),
        (7, "name the variable first"),
        (8, "TAG=PERCENT"),
        (9, "there is no endpoint 'nobody'"),
        (10, "NAME"),
        (15, "the cell defines no function"),
        (16, "the cell is not Python"),
        (24, """write it in other quotes: "MODELS['a']\""""),
        (25, "run the cell that makes it first"),
        (26, """write it in other quotes: "MODELS['a']\""""),
        (17, "raises on the example: ZeroDivisionError"),
        (CHOICE - 3, "has no unit of time"),
        (CHOICE - 2, "did you mean high"),
        (CHOICE - 1, "there are 200 rows, and 5 true answers"),
    ],
)
def test_a_mistake_is_shown_in_words_and_fails_the_cell(shown, cell, words):
    text = shown[CELLS[cell]]
    assert words in text
    assert "→" in text, "it says what to do"
    assert "Traceback" not in text


def test_a_cell_magic_deploys_the_last_function_of_its_cell(shown):
    assert "bmi:" in shown[CELLS[11]]
    assert "is stable behind" in shown[CELLS[11]]
    assert '{"predictions": [24.7]}' in shown[CELLS[12]]


def test_results_are_tables_or_documents_on_request(shown):
    assert re.search(r"name +url +revision +state", shown[CELLS[13]])
    assert "'canary_percent': 0.0" in shown[CELLS[14]]
    assert "history of bmi" in shown[CELLS[18]]
    assert "everything is stopped" in shown[CELLS[-1]]


def test_a_choice_among_models_is_a_table_and_is_kept_with_the_release_that_it_led_to(shown):
    help_, table, _, deployed, described, history, document = (shown[cell] for cell in CELLS[CHOICE : CHOICE + 7])
    assert "Options of %deploy_candidates" in help_
    assert "latency_p99_ms" in help_
    assert "2 models in 2 rows: 1 meets the constraints" in table
    assert "violates accuracy >= 0.9" in table
    assert "levels" in deployed
    assert "is stable behind" in deployed
    assert "high chosen among 2 models by accuracy on 200 rows" in described
    assert re.search(r"→ high +1 ", described)
    assert "high chosen among 2 models" in history
    assert re.search(r"'against_stable': \{\s*'value': -0\.", document), "the stable release is measured too"


def test_a_command_line_chooses_among_the_models_of_a_notebook_that_runs_headless(shared_home):
    cells = [CELLS[0], CELLS[CHOICE - 4], "%deploy_candidates low high --x X --y y"]
    path = notebooks.write(shared_home.path / "levels.ipynb", *cells)
    options = ["--x", "X", "--y", "y", "--metric", "accuracy", "--native-only", "-o", "json"]
    ended = shared_home.run("candidates", path, "low", "high", *options, "--constraint", "accuracy >= 0.9")
    steps = ["candidate 1 of 2: low (native)", "candidate 2 of 2: high (native)", "measuring 2 models"]
    told = [line.removeprefix("[1/1] levels.ipynb: ") for line in ended.stderr.splitlines()]
    assert [line for line in told if line in steps] == steps
    assert "measuring: timing, round 7 of 7" in told
    table = json.loads(ended.stdout)
    assert [row["name"] for row in table["candidates"]] == ["high", "low"]
    assert table["candidates"][1]["violated"] == ["accuracy >= 0.9"]
    tag = table["candidates"][0]["tag"]
    file = shared_home.path / "table.json"
    file.write_text(ended.stdout)
    shared_home.run("deploy", tag, "--name", "chosen", "--choice", f"@{file}")
    (released,) = shared_home.json("describe", "chosen")["releases"]
    assert released["choice"]["chosen"] == "high"
    refused = shared_home.run("candidates", path, "low", *options, "--constraint", "accuracy >= 0.99", check=False)
    assert refused.returncode == 1
    wrong = shared_home.run("candidates", path, "hihg", *options, check=False)
    assert (wrong.returncode, "did you mean high" in wrong.stderr) == (2, True)
    for words, remedy in ((["low"], "is no notebook"), ([path], "which variables of levels.ipynb")):
        ended = shared_home.run("candidates", *words, *options, check=False)
        assert (ended.returncode, remedy in ended.stderr) == (2, True)
    shared_home.run("down")


def test_help_python_values_and_printing_work_as_a_person_would_expect(shown):
    help_, predicted, misused, printed = (shown[cell] for cell in CELLS[19:23])
    assert "Options of %deploy_predict" in help_
    assert "{'predictions': [20.0]}" in predicted
    assert "call it as predict(name, *, data=None)" in misused
    assert "Traceback" not in misused
    assert "bmi: healthy, revision" in printed


def test_an_interrupted_deploy_leaves_nothing_half_made(home):
    """The kernel is interrupted as JupyterLab's stop button does it, while the release starts."""
    from jupyter_client.manager import KernelManager

    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(env=home.environment, cwd=str(home.path))
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    try:
        client.execute(
            "%load_ext jupyter_deploy\nimport os\npid = os.getpid()\n"
            "def slow(x):\n    import os, time\n    time.sleep(3 * (os.getpid() != pid))\n    return x"
        )
        message = client.execute("%deploy slow --name slow --example 5")
        for content in _messages(client, message):
            if "starting slow:" in str(content):
                manager.interrupt_kernel()
            if content.get("ename"):
                assert content["ename"] == "KeyboardInterrupt"
                break
        assert home.json("list") == []
    finally:
        client.stop_channels()
        manager.shutdown_kernel()


def _messages(client, parent):
    """What a request leads to, until the kernel is idle again."""
    while True:
        message = client.get_iopub_msg(timeout=120)
        if message["parent_header"].get("msg_id") != parent:
            continue
        if message["content"].get("execution_state") == "idle":
            raise AssertionError("it ended without being interrupted")
        yield message["content"]
