"""The output of a validation notebook's cells in an interactive kernel."""

import subprocess
import sys
from types import SimpleNamespace

from jupyter_deploy.domain.release.traffic import Traffic
from jupyter_deploy.faces.kernel.interactive_model import served_line

CELLS = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance(colors="NoColor")
shell.run_cell("from jupyter_deploy import check, metric\\ndef twice():\\n    metric('a', rows=[1, 'x'])")
shell.run_cell("z = 1\\nmetric('a b', 1)")
shell.run_cell("twice()")
shell.run_cell("check('', True)")
"""


def test_an_error_is_shown_at_the_cells_own_line_without_this_packages():
    ended = subprocess.run([sys.executable, "-c", CELLS], capture_output=True, text=True, timeout=60, check=True)
    output = ended.stdout
    assert [line for line in output.splitlines() if "-> " in line] == [
        "----> 2 metric('a b', 1)",
        "----> 1 twice()",
        "----> 3     metric('a', rows=[1, 'x'])",
        "----> 1 check('', True)",
    ]
    assert "jupyter_deploy/" not in output + ended.stderr
    assert "InvalidInput: 'a b' cannot name a metric\n→ gates name it" in output


def test_the_line_of_a_served_model_names_its_role():
    traffic = Traffic(stable="churn:1", shadows={"churn:2": 100.0})
    store = SimpleNamespace(endpoint=lambda _: SimpleNamespace(traffic=traffic))
    served = "served for this kernel"
    assert served_line("model()", "churn:2", "churn", store) == f"model(): churn:2, shadow of churn, {served}"
    assert served_line("reference()", "churn:1", "churn", store) == f"reference(): churn:1, stable of churn, {served}"
    assert served_line("model()", "churn:0", "churn", store) == f"model(): churn:0, idle release of churn, {served}"
    assert served_line("model()", "churn:0", None, store) == f"model(): churn:0, {served}"
