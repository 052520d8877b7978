"""What a process of nbdeploy's own does without."""

import subprocess
import sys

# With what would compile the grammar in its place, so that it does not matter whether it is installed.
READ = """
import sys
from jupyter_deploy.faces.cli import main as cli
try:
    cli.main(["--help"])
except SystemExit:
    pass
import nbformat
assert sys.modules["rfc3987_syntax"] is None
assert "lark" not in sys.modules
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x = 1")])
nbformat.validate(notebook)
notebook.cells[0].cell_type = "poem"
try:
    nbformat.validate(notebook)
except nbformat.ValidationError:
    print("refused")
"""


def test_a_notebook_is_read_and_validated_without_the_grammar_of_a_format_that_it_does_not_have():
    ended = subprocess.run([sys.executable, "-c", READ], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.endswith("refused\n")
