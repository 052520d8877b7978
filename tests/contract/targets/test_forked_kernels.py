"""Kernels forked from a process with imports equal kernels started from nothing."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from jupyter_client.manager import start_new_kernel

from jupyter_deploy.domain.validation.ports import Job
from jupyter_deploy.notebooks.kernels import fork_client, provisioner
from jupyter_deploy.notebooks.kernels.first_imports import first_imports
from jupyter_deploy.validation.runner import PapermillValidationRunner
from tests import notebooks

pytestmark = pytest.mark.usefixtures("own_processes_throughout")

IMPORTS = """
import numpy as np
import pandas as pd
import matplotlib.pyplot as plt
from sklearn.linear_model import LogisticRegression
"""
RESULTS = (
    "X = pd.DataFrame(np.random.default_rng(0).standard_normal((600, 40))).add_prefix('x')\n"
    "y = (X.x0 + X.x1 ** 2 > 1).astype(int)\nmodel = LogisticRegression().fit(X, y)\nX",
    "plt.plot(np.cumsum(model.predict_proba(X)[:, 1]))\nplt.show()",
    "import warnings\nwarnings.warn('once')\nprint(y.sum())\nmodel.coef_.tobytes().hex(), np.linalg.svd(X)[1]",
)
STATE = (Path(__file__).parents[1] / "kernel_state.py").read_text()


def until(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the condition never held"
        time.sleep(0.02)


@pytest.fixture(scope="module", autouse=True)
def fonts():
    """The first import of matplotlib in a home makes its list of fonts, and loads other modules."""
    subprocess.run([sys.executable, "-c", "import matplotlib.font_manager"], check=True, capture_output=True)


@pytest.fixture
def quiet(monkeypatch, tmp_path):
    """No start-up files, no history of a person's own."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setattr(provisioner, "_reported", set())


def runs(folder, *cells, times=1, cold=False, timeout=None):
    """The outcomes of a notebook that runs several times in sequence, and the output of its cells."""
    runner = PapermillValidationRunner()
    notebook = runner.read(str(notebooks.write(folder / "it.ipynb", *cells)))
    try:
        if not cold:
            runner.expect([(notebook, None)])
        found = []
        for number in range(times):
            ran = runner.run(Job(notebook, {}, folder / f"{cold}{number}.ipynb", timeout=timeout), lambda _: None)
            executed = json.loads((folder / f"{cold}{number}.ipynb").read_text())
            outputs = [cell["outputs"] for cell in executed["cells"] if cell["cell_type"] == "code"]
            found.append((ran, outputs))
        if not cold:
            assert provisioner._reported == set()  # none was started in its stead
        return found
    finally:
        runner.close()


def text(outputs):
    """What the last cell printed."""
    return "".join(outputs[-1][0]["text"])


def test_what_a_notebook_puts_out_and_all_that_its_kernel_is_are_the_same(tmp_path, quiet):
    cells = (IMPORTS, *RESULTS, STATE, "import json\nprint(json.dumps(state()))")
    ((cold, cold_outputs),) = runs(tmp_path, *cells, cold=True)
    of_forks = runs(tmp_path, *cells, times=2)
    assert cold.status == "done"
    states = [json.loads(text(outputs)) for outputs in (cold_outputs, *(outputs for _, outputs in of_forks))]
    random = [state.pop("random") for state in states]
    for (ran, outputs), state in zip(of_forks, states[1:], strict=True):
        assert ran.status == "done"
        assert shown(outputs) == shown(cold_outputs)
        assert state == states[0]
    for one in zip(*random, strict=True):
        assert len(set(one)) == len(one)  # numpy's, Python's, the system's, temporary files' names


def shown(outputs):
    """What the cells before the last one put out, without the number of the process in names of files.

    Which of the two streams is sent first is a matter of time, in any kernel.
    """
    told = json.loads(re.sub(r"ipykernel_\d+", "ipykernel", json.dumps(outputs[:-1])))
    return [sorted(cell, key=lambda output: output.get("name", "~")) for cell in told]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('"A"\nimport csv as c, json\nfrom csv import reader as r', "import csv;import json;from csv import reader"),
        ("%matplotlib inline\nseed = 1\nLIMITS = {'a': (1, -2.5)}\nimport json", "import json"),
        ("from __future__ import annotations\ndef f(x=1):\n    return g(x)\nimport json", "import json"),
        ("import os\nos.environ['OMP_NUM_THREADS'] = '1'\nimport numpy", "import os"),
        ("import warnings\nwarnings.filterwarnings('ignore')\nimport pandas", "import warnings"),
        ("import json\n%env A=1\nimport numpy", "import json"),
        ("import json\n!pip list\nimport numpy", "import json"),
        ("import json\nx = !ls\nimport numpy", "import json"),
        ("import json\n%%time\nimport numpy", "import json"),
        ("import json\nfrom .own import x\nimport numpy", "import json"),
        ("import json\nfrom tests import notebooks\nimport numpy", "import json"),
        ("import json\n@decorated\ndef f():\n    pass\nimport numpy", "import json"),
        ("import json\ndef f(x=now()):\n    pass\nimport numpy", "import json"),
        ("import json\nx.y = 1\nimport numpy", "import json"),
        ("import json\nthis is no Python\nimport numpy", "import json"),
        ("", ""),
    ],
)  # fmt: skip
def test_imports_are_taken_ahead_up_to_what_might_change_what_they_do(source, found):
    assert ";".join(first_imports(source)) == found


MODULES = {
    "threaded": "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
    "printing": "print('hello')",
    "raising": "1 / 0",
    "opening": "kept = open(__file__)",
    "moving": "import os\nos.chdir('/')",
    "catching": "import signal\nsignal.signal(signal.SIGUSR1, print)",
    "asking": "from IPython import get_ipython\nget_ipython().events.register('post_execute', print)",
    "keeping": "from IPython import get_ipython\nshell = get_ipython()",
    "looking": "from IPython import get_ipython\nassert hasattr(get_ipython(), 'kernel') and __IPYTHON__",
    "crashing": "import os\nos._exit(1)",
    "fine": "import os\nos.environ['LEFT_BY_FINE'] = 'yes'",
}


@pytest.fixture
def modules(tmp_path, monkeypatch):
    folder = tmp_path / "site-packages"
    folder.mkdir()
    for name, source in MODULES.items():
        (folder / f"{name}.py").write_text(source)
    (tmp_path / "own.py").write_text("import fine")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    installed = fork_client._roots()
    monkeypatch.setattr(fork_client, "_roots", lambda: (*installed, f"{folder}/"))
    return tmp_path


@pytest.fixture
def server(modules):
    made = fork_client.ForkServer(os.environ)
    yield made
    made.close()
    assert not made.alive


def test_what_cannot_be_imported_ahead_is_left_to_each_kernel_and_the_rest_is_not(server, modules, quiet):
    names = [*MODULES, "own"]
    for name in names:
        node = server._node((modules, ("import json", f"import {name}", "import csv")))
        assert {"import json", "import csv"} <= set(node.statements)
    assert {name: server.unfit.get(f"import {name}") for name in names} == {
        "threaded": "starts threads",
        "printing": "prints",
        "raising": "raises ZeroDivisionError",
        "opening": "changes signals or the working directory, or opens files",
        "moving": "changes signals or the working directory, or opens files",
        "catching": "changes signals or the working directory, or opens files",
        "asking": "raises AttributeError",
        "keeping": "asks for the notebook's shell",
        "looking": None,
        "crashing": "does not end",
        "fine": None,
        "own": "imports own, which is the project's own",
    }


def test_what_lists_of_imports_have_in_common_is_imported_once(server, modules):
    texts = ("import json;import looking", "import json;import looking;import csv", "import json;import fine")
    lists = [tuple(one.split(";")) for one in texts]
    server.expect((modules, one) for one in lists)
    nodes = [server._node((modules, one)) for one in lists]
    assert [node.statements for node in nodes] == lists
    assert {key[1] for key in server._branches} == {*lists, ("import json",)}


def test_a_kernel_has_imported_what_its_own_notebook_imports_and_what_that_left_in_the_environment(modules, quiet):
    cells = ("import fine", "import os, sys\nprint(os.environ['LEFT_BY_FINE'], 'looking' in sys.modules, os.getcwd())")
    runner = PapermillValidationRunner()
    folders = [modules / "a", modules / "b"]
    for folder in folders:
        folder.mkdir()
    read = [runner.read(str(notebooks.write(folders[0] / "a.ipynb", *cells))),
            runner.read(str(notebooks.write(folders[1] / "b.ipynb", "import looking", "print(1)")))]  # fmt: skip
    try:
        runner.expect((one, None) for one in read)
        assert [runner.run(Job(one, {}, modules / one.path.name), lambda _: None).status for one in read] == [
            "done"
        ] * 2
    finally:
        runner.close()
    shown = json.loads((modules / "a.ipynb").read_text())["cells"][-1]["outputs"][0]["text"]
    assert "".join(shown).split() == ["yes", "False", str(folders[0])]


def test_a_module_in_the_notebooks_folder_hides_an_installed_one_as_ever(modules, quiet):
    (modules / "fine.py").write_text("import os\nos.environ['LEFT_BY_FINE'] = 'mine'")
    ((ran, outputs),) = runs(modules, "import fine", "import os\nprint(os.environ['LEFT_BY_FINE'])")
    assert (ran.status, text(outputs)) == ("done", "mine\n")


def test_a_kernel_that_kills_itself_hangs_or_leaves_processes_harms_no_other(tmp_path, quiet):
    died, *_ = runs(tmp_path, "import os", "os.kill(os.getpid(), 9)")[0]
    assert (died.status, "SIGKILL" in died.detail) == ("died", True)
    hung, *_ = runs(tmp_path, "import os", "while True: pass", timeout=0.5)[0]
    assert hung.status == "timeout"
    leaving = "import subprocess\nprint(subprocess.Popen(['sleep', '600']).pid)"
    ((ran, outputs),) = runs(tmp_path, leaving)
    assert ran.status == "done"
    pid = int(text(outputs))
    until(lambda: not psutil.pid_exists(pid))


LONG = """
import sys
from pathlib import Path
from jupyter_deploy.validation.runner import PapermillValidationRunner
from jupyter_deploy.domain.validation.ports import Job
runner = PapermillValidationRunner()
notebook = runner.read(sys.argv[1])
runner.expect([(notebook, None)])
runner.run(Job(notebook, {}, Path(sys.argv[1]).with_name('out.ipynb')), lambda _: None)
"""


def test_nothing_is_left_when_the_process_that_validates_is_killed(tmp_path, quiet):
    noting = "import os, time\nfrom pathlib import Path\nimport psutil\n"
    asked = "me = psutil.Process()\nPath('pids').write_text(' '.join(str(p.pid) for p in (me, *me.parents()[:2])))"
    path = notebooks.write(tmp_path / "long.ipynb", noting + asked, "time.sleep(600)")
    process = subprocess.Popen([sys.executable, "-c", LONG, str(path)])
    pids = tmp_path / "pids"
    until(lambda: pids.exists() and pids.read_text().count(" ") == 2)
    of = [psutil.Process(int(pid)) for pid in pids.read_text().split()]  # the kernel, its branch, the fork server
    assert of[-1].ppid() == process.pid
    process.send_signal(signal.SIGKILL)
    process.wait()
    until(lambda: not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in of))


IN_A_NOTEBOOK = """
import os, sys
from pathlib import Path
from jupyter_deploy.system import spare
from jupyter_deploy.validation.runner import PapermillValidationRunner
from jupyter_deploy.domain.validation.ports import Job

def validated():
    runner = PapermillValidationRunner()
    notebook = runner.read('it.ipynb')
    runner.expect([(notebook, None)])
    status = runner.run(Job(notebook, {}, Path('out.ipynb').absolute()), lambda _: None).status
    runner.close()
    return status, spare._kept['kernels'][0]._process.pid
"""


def test_a_notebooks_kernel_keeps_the_fork_server_until_something_changes_and_takes_it_with_it(tmp_path, quiet):
    notebooks.write(tmp_path / "it.ipynb", "import json", "print(1)")
    manager, client = start_new_kernel(cwd=str(tmp_path), env=dict(os.environ))

    def value(expression, code=""):
        reply = client.execute_interactive(code, user_expressions={"v": expression}, output_hook=lambda _: None)
        found = reply["content"]["user_expressions"]["v"]
        return eval(found["data"]["text/plain"])  # a literal

    try:
        statuses, pids = zip(*(value("validated()", IN_A_NOTEBOOK) for _ in range(2)), strict=True)
        assert (set(statuses), len(set(pids))) == ({"done"}, 1)
        assert psutil.pid_exists(pids[0])
        changed = value("validated()", "os.environ['OMP_NUM_THREADS'] = '1'")
        assert changed[1] not in pids
        until(lambda: not psutil.pid_exists(pids[0]))
        anew = value("validated()", "spare._kept['kernels'][0].key = ()")  # as if a distribution had changed
        assert anew[1] != changed[1]
    finally:
        client.stop_channels()
        manager.shutdown_kernel()
    until(lambda: not psutil.pid_exists(anew[1]))


def test_without_a_fork_server_kernels_are_started_and_that_is_said_once(tmp_path, quiet, monkeypatch, capfd):
    monkeypatch.setattr(fork_client, "_SERVER", tmp_path / "is-not-there.py")
    runner = PapermillValidationRunner()
    notebook = runner.read(str(notebooks.write(tmp_path / "it.ipynb", "import json")))
    try:
        runner.expect([(notebook, None)])
        for number in range(2):
            assert runner.run(Job(notebook, {}, tmp_path / f"{number}.ipynb"), lambda _: None).status == "done"
    finally:
        runner.close()
    said = [line for line in capfd.readouterr().err.splitlines() if line.startswith("nbdeploy: ")]
    assert said == [f"nbdeploy: kernels are started one by one, which is slower: {next(iter(provisioner._reported))}"]
