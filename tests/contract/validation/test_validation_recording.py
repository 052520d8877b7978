"""Metrics and checks of a validation notebook arrive, or the run fails, wherever they are called."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from jupyter_deploy.validation.runner import PapermillValidationRunner
from tests.contract.validation.test_validation_runner import job, write

IMPORTS = "from jupyter_deploy import check, metric"
FAILING = "check('prices', False, 'boom')"
NOTEBOOKS = {
    "many": (IMPORTS, "for i in range(4000): metric(f'm{i}', i)\nimport time\ntime.sleep(1)"),
    "captured": (IMPORTS, f"%%capture\n{FAILING}"),
    "redirected": (IMPORTS, f"from IPython.utils.capture import capture_output\nwith capture_output():\n    {FAILING}"),
    "task": (
        "import asyncio\n" + IMPORTS,
        f"async def later():\n    await asyncio.sleep(0.3)\n    {FAILING}\ntask = asyncio.create_task(later())",
        "await asyncio.sleep(0.8)",
    ),
    "thread": (
        "import threading, time\n" + IMPORTS,
        f"def later():\n    time.sleep(0.3)\n    {FAILING}\nthread = threading.Thread(target=later)\nthread.start()",
        "thread.join()",
    ),
    "forked": (
        "import multiprocessing\nfrom concurrent.futures import ProcessPoolExecutor\n" + IMPORTS,
        f"def work(_): {FAILING}\nfork = multiprocessing.get_context('fork')\n"
        "with ProcessPoolExecutor(1, mp_context=fork) as pool: list(pool.map(work, [1]))",
    ),
    "child": (
        "import subprocess, sys",
        f"subprocess.run([sys.executable, '-c', {IMPORTS + chr(10) + FAILING!r}], check=True)",
    ),
}


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    folder, runner = tmp_path_factory.mktemp("recording"), PapermillValidationRunner()
    jobs = [job(runner, write(folder / f"{name}.ipynb", *cells)) for name, cells in NOTEBOOKS.items()]
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(NOTEBOOKS, pool.map(lambda one: runner.run(one, lambda _: None), jobs), strict=True))


def test_thousands_of_one_cell_all_arrive(ran):
    assert (ran["many"].status, ran["many"].detail, len(ran["many"].metrics)) == ("done", "", 4000)


def test_a_metric_in_captured_output_is_refused_at_its_call(ran):
    assert (ran["redirected"].status, ran["redirected"].error.cell) == ("raised", 2)
    assert "check 'prices' would be lost: the cell's output is captured" in ran["redirected"].error.evalue
    assert ran["captured"].status == "raised"  # %%capture captures what is raised, too
    assert "cell 2: 1 of 1 metrics and checks never arrived: were they captured" in ran["captured"].detail


@pytest.mark.parametrize("name", ["task", "thread"])
def test_a_metric_of_an_earlier_cells_thread_is_recorded(ran, name):
    assert ran[name].status == "done"
    assert [(check.name, check.passed) for check in ran[name].checks] == [("prices", False)]


@pytest.mark.parametrize("name", ["forked", "child"])
def test_another_process_than_the_kernel_is_refused(ran, name):
    assert (ran[name].status, ran[name].error.cell) == ("raised", 2)
    assert name == "child" or "check 'prices' would be lost: this is not the notebook's own" in ran[name].error.evalue
