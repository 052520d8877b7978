"""Validation notebooks run in real kernels, whatever their cells do."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import nbformat
import psutil
import pytest

from jupyter_deploy.domain.validation.ports import Job
from jupyter_deploy.validation.runner import PapermillValidationRunner
from tests.disks import small_disk

pytestmark = pytest.mark.usefixtures("own_processes_throughout")

PYTHON = {"name": "python3", "display_name": "Python 3", "language": "python"}
SECRET = "kq3Zt7fXw9LmN2pRv8Ys"
DEFAULTS = "#parameters\nrows = 10\nname = 'a'"


def write(path, *cells, kernelspec=PYTHON, **metadata):
    """A notebook; a cell's first line ``#tag`` is its tag, ``#md`` makes it words."""
    made = []
    for source in cells:
        first, _, rest = source.partition("\n")
        if first == "#md":
            made.append(nbformat.v4.new_markdown_cell(rest))
        elif first.startswith("#"):
            made.append(nbformat.v4.new_code_cell(rest, metadata={"tags": [first[1:]]}))
        else:
            made.append(nbformat.v4.new_code_cell(source))
    nbformat.write(nbformat.v4.new_notebook(cells=made, metadata={"kernelspec": kernelspec, **metadata}), path)
    return path


def job(runner, path, parameters=None, **options):
    output = options.pop("output", path.parent / "out" / path.name)
    return Job(runner.read(str(path)), parameters or {}, output, **options)


def executed(ran):
    return nbformat.read(ran.executed, as_version=4)


def outputs(ran):
    """All outputs of an executed notebook, as JSON."""
    return json.dumps([cell.get("outputs") for cell in executed(ran).cells])


def children():
    return {child.pid for child in psutil.Process().children(recursive=True) if child.status() != "zombie"}


@pytest.fixture(scope="module", autouse=True)
def before():
    """What other modules' tests have left running in this process is not these runs'."""
    EARLIER.update(children())


EARLIER = set()


def no_kernels_left():
    return not children() - EARLIER


def until(condition, timeout=60):
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(f"{condition} did not hold within {timeout} s")


SHOW = """
from IPython.display import display
def show(document, words="shown", **options):
    display({"application/vnd.nbdeploy.metric+json": document, "text/plain": words}, raw=True, **options)
"""

WHOLE = (
    "#md\n# Words are no cell of code",
    DEFAULTS,
    SHOW,
    "show({'name': 'rows', 'value': rows})\nshow({'kind': 'check', 'name': 'n', 'passed': name == 'b', 'detail': '!'})",
    "show({'name': 'packed', 'rows': [1, 0, 1, 1], 'group': {'sex': 'F'}})",
    "handle = show({'name': 'late', 'value': 1.0}, display_id='late')",
    "show({'name': 'late', 'value': 2}, display_id='late', update=True)",
    "import os\nprint(os.getcwd(), os.environ['NBDEPLOY_MODEL_URL'], os.environ['OTHER'])",
    "#raises-exception\n1 / 0",
    "#skip-execution\nraise SystemError",
    "%load_ext jupyter_deploy\nfirst = %deploy show --name never --example 1",
    "first.url",
    "from IPython.display import clear_output\nshow({'name': 'cleared', 'value': 3})\nclear_output()",
    "for i in range(30): print('x' * 100_000)",
    "print(name, rows)",
)  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A notebook with most features of notebooks, run once to its end; its outcome, and the cells that began."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "elsewhere").mkdir()
    runner, began = PapermillValidationRunner(), []
    variables = {"NBDEPLOY_MODEL_URL": f"http://127.0.0.1:1/{SECRET}/job", "OTHER": "seen"}
    options = {"variables": variables, "cwd": folder / "elsewhere", "output": folder / "{out}" / "whole.ipynb"}
    path = write(folder / "whole.ipynb", *WHOLE)
    return runner.run(job(runner, path, {"rows": 5, "name": "b"}, **options), began.append), began


def test_a_notebook_runs_to_its_end_and_tells_its_metrics_and_checks(whole):
    ran, _ = whole
    assert (ran.status, ran.error, ran.detail) == ("done", None, "")
    found = {metric.name: metric for metric in ran.metrics}
    assert set(found) == {"rows", "packed", "late", "cleared"}
    assert (found["rows"].value, found["rows"].cell) == (5, 3)
    assert (found["packed"].value, found["packed"].n, found["packed"].group) == (0.75, 4, {"sex": "F"})
    assert found["packed"].rows == (1.0, 0.0, 1.0, 1.0)
    assert found["late"].value == 2
    assert [(check.name, check.passed, check.detail, check.cell) for check in ran.checks] == [("n", True, "!", 3)]


def test_cells_are_counted_as_their_author_counts_them(whole):
    _, began = whole
    assert began == [1, 1, *range(2, 15)]  # the second is Papermill's, below the parameters


def test_the_kernel_has_its_own_folder_and_variables_and_ours_stay_as_they_are(whole):
    ran, _ = whole
    assert f"{ran.executed.parent.parent / 'elsewhere'} http" in outputs(ran)
    assert "seen" in outputs(ran)
    assert "OTHER" not in os.environ


def test_the_executed_notebook_is_private_and_without_secrets_rows_or_too_much_text(whole):
    ran, _ = whole
    text = ran.executed.read_text()
    assert stat.S_IMODE(ran.executed.stat().st_mode) == 0o600
    assert SECRET not in text
    assert "http://127.0.0.1:1/***/job" in text
    assert 900_000 < text.count("x") < 1_200_000
    assert "the rest of the cell's output is left out" in text
    assert '"rows": [' not in text
    assert executed(ran).metadata.papermill.parameters == {"rows": 5, "name": "b"}
    assert not [cell for cell in executed(ran).cells if "papermill-error" in str(cell.metadata)]
    assert [path.name for path in ran.executed.parent.iterdir()] == ["whole.ipynb"]  # no lock and no part is left


STUBBORN = "import time\nwhile True:\n    try:\n        time.sleep(60)\n    except KeyboardInterrupt:\n        pass"
BAD = {
    "raises": (DEFAULTS, "def f():\n    1 / 0\nf()", "raise SystemError"),
    "loops": ("1", "while True: pass"),
    "stubborn": ("1", STUBBORN),
    "killed": (
        "import os, signal, subprocess\nsubprocess.Popen(['sleep', '3133'])",
        "os.kill(os.getpid(), signal.SIGKILL)",
    ),
    "asks": ("input('who?')",),
    "floods": ("for i in range(80): print('x' * 1_000_000)",),
    "bursts": ("print('x' * 80_000_000)",),
    "leaves": ("import sys\nsys.exit(0)", "raise SystemError"),
    "nan": (SHOW, "show({'name': 'loss', 'value': float('nan')})", "1"),
}


@pytest.fixture(scope="module")
def bad(tmp_path_factory):
    """The outcomes of notebooks that fail, two at a time."""
    folder, runner = tmp_path_factory.mktemp("bad"), PapermillValidationRunner()
    jobs = {
        name: job(
            runner,
            write(folder / f"{name}.ipynb", *cells),
            {"rows": 5} if name == "raises" else {},
            timeout=1.5 if name in ("loops", "stubborn") else None,
        )
        for name, cells in BAD.items()
    }
    with ThreadPoolExecutor(2) as pool:
        futures = {name: pool.submit(runner.run, one, lambda _: None) for name, one in jobs.items()}
        ran = {name: future.result() for name, future in futures.items()}
    assert no_kernels_left()
    assert not [p for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] == ["sleep", "3133"]]
    return ran


@pytest.mark.parametrize(
    ("name", "expected", "words"),
    [
        ("raises", ("raised", 2, "ZeroDivisionError"), "division by zero"),
        ("loops", ("timeout", 2, "Timeout"), "the cell ran longer than 1.5 s"),
        ("stubborn", ("timeout", 2, "Timeout"), "the cell ran longer than 1.5 s"),
        ("killed", ("died", 2, "KernelDied"), "SIGKILL"),
        ("asks", ("raised", 1, "StdinNotImplementedError"), "make the value a parameter"),
        # Whether the client reads as fast as the cell prints depends on the machine.
        ("floods", ("raised", 1, "TooMuchOutput"), "64 MiB"),
        ("bursts", ("raised", 1, "TooMuchOutput"), "more than 64 MiB at once"),
    ],
)
def test_a_cell_that_ends_badly_is_named_and_the_notebook_is_written(bad, name, expected, words):
    ran = bad[name]
    assert (ran.status, ran.error.cell, ran.error.ename) == expected
    assert words in ran.error.evalue
    assert "\x1b" not in ran.error.traceback
    cells = [one for one in executed(ran).cells if one.cell_type == "code"]
    assert cells[-1 if name != "raises" else -2].outputs
    assert ran.executed.stat().st_size < 3_000_000


def test_the_position_of_a_cell_at_its_timeout_is_reported(bad):
    assert "while True" in bad["loops"].error.traceback
    assert bad["loops"].detail == "cell 2 ran longer than 1.5 s"


def test_a_notebook_that_ends_itself_ended_well(bad):
    assert (bad["leaves"].status, bad["leaves"].error) == ("done", None)


def test_a_metric_that_is_no_number_fails_the_run_and_is_named(bad):
    assert bad["nan"].status == "raised"
    assert bad["nan"].detail == "cell 2: metric 'loss': 'value' is not a number (NaN)"


def test_runs_can_be_cancelled_and_two_runs_never_write_one_output(tmp_path):
    runner = PapermillValidationRunner()
    (tmp_path / "out").mkdir()
    sleeps = job(runner, write(tmp_path / "sleeps.ipynb", "import time", "time.sleep(600)"))
    other = job(runner, write(tmp_path / "other.ipynb", STUBBORN))
    began = []
    with ThreadPoolExecutor(3) as pool:
        futures = [pool.submit(runner.run, one, began.append) for one in (sleeps, other)]
        until(lambda: sorted(began) == [1, 1, 2])
        busy = PapermillValidationRunner().run(sleeps, lambda _: began.append("never"))
        assert (busy.status, busy.executed) == ("raised", None)
        assert f"another run writes {sleeps.output}" in busy.detail
        runner.cancel()
        assert [future.result().status for future in futures] == ["interrupted", "interrupted"]
    assert no_kernels_left()
    assert runner.run(sleeps, began.append).status == "not run"
    assert "never" not in began
    assert sleeps.output.exists()
    assert other.output.exists()


DRIVER = """
import sys, threading
from pathlib import Path
from jupyter_deploy.validation.runner import PapermillValidationRunner
from jupyter_deploy.domain.validation.ports import Job
runner = PapermillValidationRunner()
threads = [
    threading.Thread(target=runner.run, args=(Job(runner.read(path), {}, Path(path + ".out")), print))
    for path in sys.argv[1:]
]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_no_kernel_outlives_a_process_that_was_killed(tmp_path):
    r = {"name": "ir", "display_name": "R", "language": "R"}
    paths = [
        write(tmp_path / "p.ipynb", "open('p.began', 'w').close()\nwhile True: pass"),
        write(tmp_path / "r.ipynb", "file.create('r.began')\nSys.sleep(600)", kernelspec=r),
    ]
    with subprocess.Popen([sys.executable, "-c", DRIVER, *map(str, paths)], stdout=subprocess.DEVNULL) as process:
        until(lambda: (tmp_path / "p.began").exists() and (tmp_path / "r.began").exists())
        kernels = psutil.Process(process.pid).children(recursive=True)
        assert len(kernels) >= 2
        process.send_signal(signal.SIGKILL)
    until(lambda: not any(kernel.is_running() and kernel.status() != "zombie" for kernel in kernels), 20)


def test_a_full_disk_is_reported_and_other_runs_continue(tmp_path):
    runner = PapermillValidationRunner()
    path = write(tmp_path / "big.ipynb", "print('y' * 900_000)", "print('y' * 900_000)", "print('y' * 900_000)")
    fine = write(tmp_path / "fine.ipynb", "1")
    with small_disk(tmp_path / "small") as disk, ThreadPoolExecutor(2) as pool:
        full = pool.submit(runner.run, job(runner, path, output=disk.path / "big.ipynb"), lambda _: None)
        other = pool.submit(runner.run, job(runner, fine), lambda _: None)
        assert (full.result().status, full.result().executed) == ("raised", None)
        assert "No space left on device" in full.result().detail
        assert other.result().status == "done"
        disk.fill()
        none = runner.run(job(runner, fine, output=disk.path / "new" / "big.ipynb"), lambda _: None)
        assert none.status == "raised"
        assert "No space left on device" in none.detail


def test_a_kernel_that_does_not_start_is_reported_with_the_end_of_its_log(tmp_path, monkeypatch):
    spec = tmp_path / "kernels" / "broken"
    spec.mkdir(parents=True)
    argv = ["sh", "-c", "echo no such module >&2; exit 3"]
    (spec / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "b", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    runner = PapermillValidationRunner()
    ran = runner.run(
        job(runner, write(tmp_path / "a.ipynb", "1", kernelspec=PYTHON | {"name": "broken"})), lambda _: None
    )
    assert ran.status == "died"
    assert "the kernel 'broken' did not start" in ran.detail
    assert "no such module" in ran.detail


def test_a_kernels_direct_output_is_not_on_our_stdout(tmp_path, capfd):
    r = {"name": "ir", "display_name": "R", "language": "R"}
    runner = PapermillValidationRunner()
    ran = runner.run(job(runner, write(tmp_path / "a.ipynb", "system('echo past')", kernelspec=r)), lambda _: None)
    assert ran.status == "done"
    assert capfd.readouterr() == ("", "")


def test_the_executed_notebook_lies_there_while_it_runs(tmp_path):
    runner, seen = PapermillValidationRunner(), []
    one = job(runner, write(tmp_path / "a.ipynb", "import time\nprint(1)\ntime.sleep(1.1)", "2", "3"))
    ran = runner.run(one, lambda _: seen.append(nbformat.read(one.output, as_version=4)))
    assert ran.status == "done"
    assert [bool(notebook.cells[0].outputs) for notebook in seen] == [False, True, True]
    assert seen[-1].metadata.papermill.end_time is None
